"""The work at one node: pipelines run and programs are graded here; models are asked through the driver."""

import asyncio
import contextlib
import itertools
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from dualcode.bench.bench import Shown
from dualcode.call import Call, Reply, Request
from dualcode.config import TeamConfig
from dualcode.errors import EndpointError, RunError
from dualcode.models.chat import Meter
from dualcode.pipelines import Pipeline
from dualcode.pipelines.find import find_pipeline
from dualcode.runs.cluster.words import (
    BEAT,
    Asked,
    Brought,
    Called,
    Failed,
    Heard,
    Outfit,
    Solved,
    Told,
    Work,
)
from dualcode.runs.hands import Hands, open_here
from dualcode.runs.reasons import reason_of
from dualcode.sandbox.sandbox import Tier
from dualcode.team import Team, team_with
from dualcode.together import first_failure, within
from dualcode.verdict import Verdict


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
