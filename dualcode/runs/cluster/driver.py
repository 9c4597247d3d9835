"""The driver: gives tasks to nodes, asks models for them, and has what a lost node had at hand done again.

A task that is done again hears what it was answered before, and what it has on record already is not recorded
twice: so its records are those of a task whose node stayed, and no call is paid twice.
"""

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

from dualcode.bench.bench import Shown
from dualcode.call import Call, Reply, Request
from dualcode.errors import EndpointError, RunError
from dualcode.pipelines import Pipeline
from dualcode.runs.cluster.node import Asked, Called, Failed, Heard, Link, LostError, Told, Work
from dualcode.runs.runner import ElsewhereError
from dualcode.runs.watchdog import LEAST
from dualcode.runs.workshop import Record
from dualcode.sandbox.sandbox import Tier
from dualcode.solution import Program
from dualcode.task import Task
from dualcode.team import Team
from dualcode.verdict import Verdict

HOME = 2
"""So many tasks more than another may a node have and still get one whose reference it has run already."""
GRACE = 5.0
"""Seconds for a node to say what became of a task that was stopped."""
MOST_LOST = 3
"""Nodes that may be lost with a task at work on them: more, and it is the task's doing."""

Again = Callable[[str], Awaitable[Link | None]]
"""Begins a lost node's process again, by the node's name; None if its machine is gone."""


class Driver:
    """The nodes of a cluster as the hands of a run, and its grader."""

    def __init__(
        self,
        links: Sequence[Link],
        tier: Tier,
        *,
        task_seconds: float,
        say: Callable[[str], None],
        again: Again,
        has_plus: bool = True,
    ) -> None:
        self.tier = tier
        self.nodes = tuple(link.name for link in links)
        self._alive = [_Node(link) for link in links]
        self._silence = max(task_seconds, LEAST)
        self._say, self._again, self._has_plus = say, again, has_plus
        self._tokens = itertools.count(1)
        self._homes: dict[str, _Node] = {}
        self._listening = set[asyncio.Task[None]]()
        self._returning = set[asyncio.Task[None]]()
        self._lost = Counter[str]()

    @property
    def grader(self) -> "Driver":
        """The nodes' own."""
        return self

    def prepare(self, task_ids: Sequence[str]) -> None:
        """Do nothing: a node runs the references of the tasks that it is given."""

    def equip(self, pipeline: Pipeline, team: Team, record: Record) -> tuple[Pipeline, Team]:
        """Return a pipeline whose tasks are solved at nodes; `record` hears what their benches ran."""

        async def far(task: Task, team: Team) -> Program:
            return await self._solve(pipeline.name, task, _Course(team, record))

        here = Pipeline(far, pipeline.name, pipeline.roles, pipeline.paper, pipeline.calls)
        return here, team.at_work(pipeline.roles, None)

    async def grade(self, task_id: str, program: str) -> Verdict:
        """Return a node's verdict; see Grader. Raises RunError if no node is left."""
        for _ in range(MOST_LOST):
            node = await self._pick(task_id)
            node.grading += 1
            try:
                return await node.link.grade(task_id, program)
            except LostError as error:
                self._lose(node, str(error))  # it may be known here first
            finally:
                node.grading -= 1
        reason = f"{MOST_LOST} nodes were lost that graded it"
        return Verdict.of_error(task_id, reason, plus=self._has_plus)

    async def close(self) -> None:
        """Listen to nobody any more. The nodes are whoever's opened them."""
        tasks = [*self._listening, *self._returning]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        for node in self._alive:
            self._listen_to(node)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _solve(self, pipeline: str, task: Task, course: "_Course") -> Program:
        try:
            for _ in range(MOST_LOST):
                node = await self._pick(task.id)
                course.begin()
                try:
                    return await self._at(node, Work(next(self._tokens), pipeline, task), course)
                except LostError:
                    continue
            raise ElsewhereError(f"{MOST_LOST} nodes were lost that worked on it")
        finally:
            course.end()

    async def _at(self, node: "_Node", work: Work, course: "_Course") -> Program:
        """Have the task solved at a node. Raises LostError, or what the pipeline's end was."""
        ended = asyncio.get_running_loop().create_future()
        ended.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may come too late
        node.at_work[work.token] = _Job(course, ended)
        try:
            node.link.begin(work)
            return await asyncio.shield(ended)
        except asyncio.CancelledError:
            node.link.stop(work.token)
            await asyncio.wait([ended], timeout=GRACE)  # its last calls are to be on record
            raise
        finally:
            if not ended.done() or isinstance(ended.exception(), RunError):
                node.link.stop(work.token)
            del node.at_work[work.token]

    async def _pick(self, task_id: str) -> "_Node":
        """Return the node with the least to do; that which knows the task, where it has little more."""
        while not self._alive:
            if not self._returning:
                raise RunError(
                    f"no node is left of {len(self.nodes)}; what was done is kept",
                    hint="ray status; the same command resumes the run",
                )
            await asyncio.wait(self._returning, return_when=asyncio.FIRST_COMPLETED)
        home = self._homes.get(task_id)
        node = min(self._alive, key=lambda each: each.load - (HOME if each is home else 0))
        self._homes[task_id] = node
        return node

    def _listen_to(self, node: "_Node") -> None:
        task = asyncio.create_task(self._listen(node))
        self._listening.add(task)
        task.add_done_callback(self._listening.discard)

    async def _listen(self, node: "_Node") -> None:
        try:
            while True:
                async with asyncio.timeout(self._silence):
                    said = await node.link.hear()
                for heard in said:
                    if heard.token in node.at_work:
                        self._take(node, heard, node.at_work[heard.token])
        except TimeoutError:
            why = f"it said nothing for {self._silence:g} s"
        except LostError as error:
            why = str(error)
        await node.link.kill()  # it may be there, and not be reached
        self._lose(node, why)

    def _take(self, node: "_Node", heard: Heard, job: "_Job") -> None:
        if job.ended.done():
            return
        try:
            if isinstance(heard, Asked):
                asked = job.course.ask(heard.endpoint, heard.request)
                asked.add_done_callback(lambda done: self._answer(node, heard.number, job, done))
            elif isinstance(heard, Called):
                job.course.called(heard.call)
            elif isinstance(heard, Told):
                job.course.told(heard.shown)
            elif isinstance(heard, Failed):
                job.ended.set_exception(heard.error or ElsewhereError(heard.reason))
            else:
                job.ended.set_result(heard.program)
        except Exception as error:  # whoever observes the run, or its folder
            job.ended.set_exception(error)

    def _answer(self, node: "_Node", number: int, job: "_Job", done: "asyncio.Task[Reply]") -> None:
        if done.cancelled():
            job.ended.cancel()
        elif (error := done.exception()) is None:
            node.link.answer(number, done.result())
        elif isinstance(error, EndpointError):  # the pipeline may know what to do about it
            node.link.answer(number, error)
        elif not job.ended.done():
            job.ended.set_exception(error)

    def _lose(self, node: "_Node", why: str) -> None:
        if node not in self._alive:
            return
        self._alive.remove(node)
        name, at_hand = node.link.name, len(node.at_work) + node.grading
        self._lost[name] += 1
        self._say(f"warning: lost the node {name}: {why}; {at_hand} tasks of it are done again")
        for job in node.at_work.values():
            if not job.ended.done():
                job.ended.set_exception(LostError(why))
        if self._lost[name] <= MOST_LOST:
            task = asyncio.create_task(self._return(name))
            self._returning.add(task)
            task.add_done_callback(self._returning.discard)

    async def _return(self, name: str) -> None:
        link = await self._again(name)
        if link is not None:
            self._alive.append(node := _Node(link))
            self._listen_to(node)
            self._say(f"the node {name} is back")


@dataclass(frozen=True, eq=False)
class _Job:
    """A task at a node."""

    course: "_Course"
    ended: "asyncio.Future[Program]"


@dataclass(eq=False)
class _Node:
    """A node, and what it has at hand."""

    link: Link
    at_work: dict[int, _Job] = field(default_factory=dict[int, _Job])
    """By token."""
    grading: int = 0

    @property
    def load(self) -> int:
        return len(self.at_work) + self.grading


class _Course:
    """What a task was answered, and has on record, wherever it was done until now."""

    def __init__(self, team: Team, record: Record) -> None:
        self._chats = {chat.name: chat for chat in team.chats}
        self._on_call = next(iter(team.seats.values())).record
        self._on_shown = record
        self._asked = defaultdict[tuple[str, str], list["asyncio.Task[Reply]"]](list)
        self._turns = Counter[tuple[str, str]]()
        self._calls: list[Call] = []
        self._shown: list[Shown] = []
        self._recorded = Counter[str]()

    def begin(self) -> None:
        """Begin, or begin again: the n-th time that it asks something, it is answered as before."""
        self._turns.clear()
        self._recorded = Counter(map(_unnumbered, self._calls)) + Counter(map(Shown.to_line, self._shown))

    def ask(self, endpoint: str, request: Request) -> "asyncio.Task[Reply]":
        """Ask a model, unless this was asked."""
        key = endpoint, request.to_line()
        turn, asked = self._turns[key], self._asked[key]
        self._turns[key] += 1
        if turn == len(asked):
            asked.append(asyncio.create_task(_complete(self._chats[endpoint].complete(request))))
        return asked[turn]

    def called(self, call: Call) -> None:
        """Record a call that is not on record; its number may be taken, where calls overtook each other."""
        if self._is_there(_unnumbered(call)):
            return
        taken = {each.number for each in self._calls}
        free = next(number for number in itertools.count(call.number) if number not in taken)
        self._calls.append(call.model_copy(update={"number": free}))
        self._on_call(self._calls[-1])

    def told(self, shown: Shown) -> None:
        """Record what the bench said, if it is not on record."""
        if not self._is_there(shown.to_line()):
            self._shown.append(shown)
            self._on_shown(shown)

    def end(self) -> None:
        """Ask nothing any more."""
        for asked in itertools.chain.from_iterable(self._asked.values()):
            asked.cancel()

    def _is_there(self, line: str) -> bool:
        there = self._recorded[line] > 0
        self._recorded[line] -= there
        return there


def _unnumbered(call: Call) -> str:
    return call.model_copy(update={"number": 0}).to_line()


async def _complete(answering: Awaitable[Reply]) -> Reply:
    return await answering
