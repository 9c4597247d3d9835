"""A node: what it and its driver say to each other, and the work that it does.

Pipelines run and programs are graded at a node; models are asked through the driver. Both run the same code,
so that what they say is plain values.
"""

import asyncio
import contextlib
import importlib.metadata
import itertools
import platform
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import dualcode
from dualcode.bench.bench import Shown
from dualcode.call import Call, Reply, Request
from dualcode.config import TeamConfig
from dualcode.errors import ClusterError, DualcodeError, EndpointError, RunError
from dualcode.models.chat import Meter
from dualcode.pipelines import Pipeline, builtins
from dualcode.pipelines.find import find_pipeline
from dualcode.runs.influence import pipeline_hash, prompts_of, rooms_hash
from dualcode.runs.manifest import PACKAGES
from dualcode.runs.runner import reason_of
from dualcode.runs.workshop import Hands, open_here
from dualcode.sandbox.sandbox import Tier
from dualcode.solution import Program
from dualcode.suites.suite import Suite
from dualcode.task import Task
from dualcode.team import Team, team_with
from dualcode.together import first_failure, within
from dualcode.verdict import Verdict

BEAT = 1.0
"""Seconds after which a node says something, even if it is nothing."""


@dataclass(frozen=True)
class Brought:
    """A pipeline that a node may not have: its name, and its file if it does not come with dualcode."""

    name: str
    file: str = ""
    """The file's name; empty for one that comes with dualcode."""
    source: bytes = b""

    @classmethod
    def of(cls, pipeline: Pipeline) -> "Brought":
        """Return what a node needs of a pipeline."""
        if builtins().get(pipeline.name) is pipeline:
            return cls(pipeline.name)
        return cls(pipeline.name, pipeline.source.name, pipeline.source.read_bytes())


@dataclass(frozen=True)
class Outfit:
    """What a node works with."""

    suite: Suite
    config: TeamConfig
    pipelines: tuple[Brought, ...]
    workers: int
    """Programs that run at a time."""
    unsafe: bool = False


@dataclass(frozen=True)
class Work:
    """A task to be solved; `token` is its number among all that a driver gives out."""

    token: int
    pipeline: str
    task: Task


@dataclass(frozen=True)
class Asked:
    """A seat asks; the driver answers to `number`."""

    token: int
    number: int
    endpoint: str
    request: Request


@dataclass(frozen=True)
class Called:
    """A call ended."""

    token: int
    call: Call


@dataclass(frozen=True)
class Told:
    """The bench ran something."""

    token: int
    shown: Shown


@dataclass(frozen=True)
class Solved:
    """The pipeline came to its end."""

    token: int
    program: Program


@dataclass(frozen=True)
class Failed:
    """The pipeline gave no program."""

    token: int
    reason: str
    error: DualcodeError | None = None
    """Where it is one that the driver tells from others."""


Heard = Asked | Called | Told | Solved | Failed


class Link(Protocol):
    """A node as the driver has it at hand. Whatever waits raises LostError once the node is gone."""

    name: str

    def begin(self, work: Work) -> None:
        """Have a task solved; what comes of it is heard."""
        ...

    def answer(self, number: int, reply: Reply | EndpointError) -> None:
        """Answer what a seat asked."""
        ...

    def stop(self, token: int) -> None:
        """End a task's pipeline."""
        ...

    async def hear(self) -> Sequence[Heard]:
        """Return what was said since, in order; waits for at most BEAT."""
        ...

    async def grade(self, task_id: str, program: str) -> Verdict:
        """Return the verdict on a program; raises GraderError as a grader does."""
        ...

    async def kill(self) -> None:
        """End the node's process, however it is."""
        ...


class LostError(Exception):
    """A node is gone: its machine, its process, or its wits."""


def identity(pipelines: Sequence[Pipeline]) -> dict[str, str]:
    """Return all of a process's code that may change a record, by name: the same on every node."""
    known = {"dualcode": dualcode.__version__, "Python": platform.python_version()}
    known |= {name: importlib.metadata.version(name) for name in PACKAGES}
    known["the code of dualcode"] = rooms_hash()
    for each in pipelines:
        known[f"the pipeline {each.name}"] = pipeline_hash(each.source)
        known |= {f"the prompt {name}": digest for name, digest in prompts_of(each).items()}
    return known


def compare(name: str, own: Mapping[str, str], theirs: Mapping[str, str]) -> None:
    """Raise ClusterError if the node `name` would make other records than this process."""
    differ = [each for each in {**own, **theirs} if own.get(each) != theirs.get(each)]
    shown = "; ".join(
        f"{each} is {theirs.get(each, 'missing')[:12]} there and {own.get(each, 'missing')[:12]} here"
        for each in differ[:3]
    )
    if differ:
        raise ClusterError(
            f"node {name} would make other records: {shown}",
            hint="the same dualcode and Python, in an environment made alike, on every node",
        )


def one_tier(tiers: Mapping[str, Tier]) -> Tier:
    """Return the tier of all nodes' sandboxes. Raises ClusterError where there are several."""
    first = next(iter(tiers.values()))
    if any(tier.name != first.name for tier in tiers.values()):
        each = ", ".join(f"{name}: {tier.name}" for name, tier in sorted(tiers.items()))
        raise ClusterError(
            f"the nodes' sandboxes are not of one tier ({each}): what holds in a run has to hold everywhere",
            hint="dualcode sandbox on each node, and a cluster without those that cannot",
        )
    return first


@asynccontextmanager
async def open_node(outfit: Outfit) -> AsyncGenerator["Node"]:
    """Open this machine's sandboxes, and be a node with them. Raises SandboxError, or PipelineError."""
    pipelines = unpacked(outfit.pipelines)
    async with open_here(outfit.suite, workers=outfit.workers, unsafe=outfit.unsafe) as hands:
        node = Node(pipelines, outfit.config, hands)
        try:
            yield node
        finally:
            await node.end()


def unpacked(pipelines: Sequence[Brought]) -> list[Pipeline]:
    """Return the pipelines, from the files that were brought where one does not come with dualcode."""
    found: list[Pipeline] = []
    for each in pipelines:
        if not each.file:
            found.append(find_pipeline(each.name))
            continue
        folder = tempfile.mkdtemp(prefix="dualcode-pipeline-")  # it is read as long as it runs
        path = Path(folder) / each.file
        path.write_bytes(each.source)
        found.append(find_pipeline(f"{path}:{each.name}"))
    return found


class Node:
    """Pipelines at work on tasks, and the grader: all of a run but its models and its records."""

    def __init__(self, pipelines: Sequence[Pipeline], config: TeamConfig, hands: Hands) -> None:
        self._pipelines = {each.name: each for each in pipelines}
        self._config, self._hands = config, hands
        self._at_work: dict[int, asyncio.Task[None]] = {}
        self._beside = set[asyncio.Task[None]]()
        self._asked: dict[int, asyncio.Future[Reply]] = {}
        self._numbers = itertools.count(1)
        self._said: list[Heard] = []
        self._news = asyncio.Event()

    @property
    def tier(self) -> Tier:
        """What programs run in."""
        return self._hands.tier

    def begin(self, work: Work) -> None:
        """Solve a task, and run its reference meanwhile; see Link."""
        self._at_work[work.token] = asyncio.create_task(self._solve(work))
        self._hands.prepare([work.task.id])

    def answer(self, number: int, reply: Reply | EndpointError) -> None:
        """Hand an answer to the seat that asked; see Link."""
        asked = self._asked.pop(number, None)
        if asked is None or asked.done():  # it was asked by a pipeline that has ended
            return
        if isinstance(reply, Reply):
            asked.set_result(reply)
        else:
            asked.set_exception(reply)

    def stop(self, token: int) -> None:
        """End a task's pipeline; see Link."""
        if token in self._at_work:
            self._at_work[token].cancel()

    async def hear(self) -> Sequence[Heard]:
        """Return what was said since; see Link."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BEAT):
                await self._news.wait()
        self._news.clear()
        said, self._said = self._said, []
        return said

    async def grade(self, task_id: str, program: str) -> Verdict:
        """Return the verdict on a program; see Link."""
        return await self._hands.grader.grade(task_id, program)

    async def end(self) -> None:
        """End what runs."""
        for task in self._at_work.values():
            task.cancel()
        await asyncio.gather(*self._at_work.values(), return_exceptions=True)

    async def _solve(self, work: Work) -> None:
        pipeline = self._pipelines[work.pipeline]

        def on_call(call: Call) -> None:
            self._say(Called(work.token, call))

        def on_shown(shown: Shown) -> None:
            self._say(Told(work.token, shown))

        names = {self._config.roles[role] for role in pipeline.roles}
        chats = {name: _Far(name, self._config.endpoints[name].model, self, work.token) for name in names}
        whole = team_with(self._config, pipeline.roles, chats)
        equipped, team = self._hands.equip(pipeline, whole, on_shown)
        team = team.for_task(work.task.id, on_call)
        try:
            said = await self._ended(equipped, work, team)
        finally:
            team.end_task()
            del self._at_work[work.token]
        self._say(said)

    async def _ended(self, pipeline: Pipeline, work: Work, team: Team) -> Heard:
        try:
            return Solved(work.token, await within(None, pipeline(work.task, team), ending=team.end_task))
        except (Exception, asyncio.CancelledError) as raised:  # a pipeline is anybody's code
            error = first_failure(raised)
            kept = error if isinstance(error, EndpointError | RunError) else None
            return Failed(work.token, reason_of(error), kept)

    def _say(self, heard: Heard) -> None:
        self._said.append(heard)
        self._news.set()

    async def ask(self, token: int, endpoint: str, request: Request) -> Reply:
        """Ask the driver. Raises EndpointError, as it was raised there."""
        number = next(self._numbers)
        self._asked[number] = asyncio.get_running_loop().create_future()
        self._say(Asked(token, number, endpoint, request))
        try:
            return await self._asked[number]
        finally:
            self._asked.pop(number, None)


class _Far:
    """A chat model that the driver asks."""

    def __init__(self, name: str, model: str, node: Node, token: int) -> None:
        self.name, self.model, self.meter = name, model, Meter()
        self._node, self._token = node, token

    async def complete(self, request: Request) -> Reply:
        return await self._node.ask(self._token, self.name, request)

    async def close(self) -> None:
        """Do nothing: the driver has the connection."""
