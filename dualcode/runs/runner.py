"""Runs at work: each solves, grades while solving goes on, and appends its records; all are one pool of work.

No server waits for a run's end, or for a step of one pipeline: tasks are begun where a server has room.
"""

import asyncio
import contextlib
import time
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from dualcode.call import Call, Reply, Request
from dualcode.errors import DualcodeError, EndpointError, RunError, UnreachableError
from dualcode.grading.grader import Grader
from dualcode.models.admission import QUEUE
from dualcode.models.chat import ChatModel
from dualcode.pipelines import Pipeline
from dualcode.runs import watchdog
from dualcode.runs.session import RunStore
from dualcode.runs.watchdog import HeldError
from dualcode.solution import Program
from dualcode.suites.suite import Suite
from dualcode.task import Task
from dualcode.team import Team
from dualcode.together import TimeUpError, first_failure, within
from dualcode.verdict import Verdict

LOST_SERVER = 3
"""So many tasks in a row that lost their server end the run: the rest would go the same way."""
AHEAD = 3
"""Times what a server takes at once: so much of work may wait for it while others are given something."""
MOST_UNGRADED = 256
"""Programs that wait for their verdicts: more are not asked for meanwhile, so that memory has an end."""
UNKNOWN = 16
"""Requests that keep a server full of which nothing is known."""
ROOM_EVERY = 1.0
"""Seconds after which it is looked anew whether a server has room for more."""


class Observer(Protocol):
    """Whoever watches a run: a progress display, or nobody.

    It is not to raise: in `on_call` that makes the task errored, elsewhere it ends the run.
    """

    def on_start(self, total: int, verdicts: Sequence[Verdict]) -> None:
        """The run begins; `verdicts` were there already."""
        ...

    def on_call(self, call: Call) -> None:
        """A call ended."""
        ...

    def on_verdict(self, verdict: Verdict) -> None:
        """A task was graded, or errored."""
        ...


class Silent:
    """Watches without a word."""

    def on_start(self, total: int, verdicts: Sequence[Verdict]) -> None:
        """Do nothing."""

    def on_call(self, call: Call) -> None:
        """Do nothing."""

    def on_verdict(self, verdict: Verdict) -> None:
        """Do nothing."""


class Load:
    """How many tasks each endpoint has, by name: those that ask it now, and those that may at any moment."""

    def __init__(self) -> None:
        self.tasks = 0
        """That have a place."""
        self.changed = asyncio.Event()
        """Set whenever there may be room."""
        self.at, self.anywhere = Counter[str](), Counter[str]()

    def of(self, endpoint: str) -> int:
        """Return how many there are."""
        return self.at[endpoint] + self.anywhere[endpoint]


class Place:
    """Where one task is, from its beginning until it asks nobody any more."""

    def __init__(self, load: Load, endpoints: Sequence[str]) -> None:
        self._load, self._endpoints, self._asking = load, endpoints, 0
        load.tasks += 1
        load.anywhere.update(endpoints)

    def through(self, chat: ChatModel) -> ChatModel:
        """Return a chat model that tells this place when it is asked."""
        return _Told(chat, self)

    def enter(self, endpoint: str) -> None:
        """Note that the task asks an endpoint; it may ask several at once."""
        if not self._asking:
            self._load.anywhere.subtract(self._endpoints)
        self._asking += 1
        self._load.at[endpoint] += 1
        self._load.changed.set()

    def exit(self, endpoint: str) -> None:
        """Note that it has been answered."""
        self._load.at[endpoint] -= 1
        self._asking -= 1
        if not self._asking:
            self._load.anywhere.update(self._endpoints)
        self._load.changed.set()

    def leave(self) -> None:
        """Note the end."""
        self._load.tasks -= 1
        self._load.anywhere.subtract(self._endpoints)
        self._endpoints = ()  # of calls that end later than their task
        self._load.changed.set()


class _Told:
    def __init__(self, chat: ChatModel, place: Place) -> None:
        self.name, self.model, self.meter = chat.name, chat.model, chat.meter
        self._chat, self._place = chat, place

    async def complete(self, request: Request) -> Reply:
        self._place.enter(self.name)
        try:
            return await self._chat.complete(request)
        finally:
            self._place.exit(self.name)

    async def close(self) -> None:
        await self._chat.close()


class Runner:
    """Takes the tasks that a run still lacks through the pipeline and the grader.

    A task whose model calls, grading or pipeline code broke, or whose pipeline took more than `task_seconds`,
    is `errored`: recorded with its reason, never counted as failed, and done again when the run is resumed.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        suite: Suite,
        team: Team,
        grader: Grader,
        store: RunStore,
        *,
        task_seconds: float,
        observer: Observer | None = None,
    ) -> None:
        self.chats = team.chats
        self.held = 0.0
        """Seconds of the servers that were this run's; see `pool.work`."""
        self._pipeline = pipeline
        self._suite = suite
        self._team = team
        self._grader = grader
        self._store = store
        self._observer = observer or Silent()
        self._task_seconds = task_seconds
        self._lost = 0

    def begin(self) -> Iterator[Task]:
        """Note the tasks, and return those that the run lacks, in the suite's order."""
        self._store.add_tasks(self._suite.tasks)
        self._observer.on_start(len(self._suite.tasks), self._store.kept)
        done = self._store.done
        return (task for task in self._suite.tasks if task.id not in done)

    async def take(self, task: Task, place: Place) -> None:
        """Bring a task to its verdict; `place` knows which server it asks.

        Raises RunError if the servers are lost, or the run's folder.
        """
        try:
            solution = self._store.take_solution(task.id)
            if solution is None:
                program = await self._solve(task, place)
                if program is None:
                    return
                self._store.add_sample(task.id, program)
                solution = program.text
        finally:
            place.leave()
        self._finish(await self._grader.grade(task.id, solution))

    async def _solve(self, task: Task, place: Place) -> Program | None:
        """Return the pipeline's program; None after recording that the task errored."""

        def on_call(call: Call) -> None:
            self._store.add_call(call)
            self._observer.on_call(call)

        team = self._team.through(place.through).for_task(task.id, on_call)
        try:
            program = await within(self._task_seconds, self._pipeline(task, team), ending=team.end_task)
        except (Exception, asyncio.CancelledError, HeldError) as raised:  # a pipeline is anybody's code
            own = asyncio.current_task()
            if isinstance(raised, asyncio.CancelledError) and own is not None and own.cancelling():
                raise
            error = first_failure(raised)  # it may use a TaskGroup
            if isinstance(error, RunError):
                raise error from error.__cause__  # here, too
            reason = reason_of(error)
            if isinstance(error, TimeUpError | HeldError):
                reason = f"the pipeline took more than {self._task_seconds:g} s (--task-seconds)"
            if isinstance(error, HeldError):
                reason += f", and awaited nothing in all of them ({_place_of(error)})"
            self._finish(Verdict.of_error(task.id, reason, plus=self._suite.has_plus))
            if isinstance(error, EndpointError):
                self._lost = self._lost + 1 if isinstance(error, UnreachableError) else 0
            if isinstance(error, UnreachableError) and self._lost >= LOST_SERVER:
                hint = "scripts/serve.sh status; the same command resumes the run"
                raise RunError(f"stopped: {error.message}", hint=hint) from None
            return None
        finally:
            team.end_task()
        self._lost = 0
        return program

    def _finish(self, verdict: Verdict) -> None:
        self._store.add_verdict(verdict)
        self._observer.on_verdict(verdict)


async def work(
    runners: Sequence[Runner],
    *,
    most: int | None = None,
    ended: Callable[[Runner], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """Finish the runs side by side, as one pool of work; `ended` is awaited for each as it comes to its end.

    The next task is always one of the first run that has use for a server with room: so no server waits for
    a run's end, and the first runs end first. At most `most` tasks are at work, or else so many that each
    server's batch is full with as many requests behind it. `held` of a runner gets its part of the time: each
    moment is divided by the tasks that are at work in it.

    Raises RunError if the servers are lost; what was done is kept.
    """
    try:
        async with asyncio.TaskGroup() as group:
            await _Pool(runners, most, ended, group).fill()
    except ExceptionGroup as failures:
        first = first_failure(failures)
        raise first from first.__cause__  # what the machine refused stays its cause


def most_of(chat: ChatModel) -> int:
    """Return how many requests may be in flight at a server now."""
    return chat.meter.admission.most if chat.meter.admission else UNKNOWN


class _Pool:
    """What is at work of several runs."""

    def __init__(
        self,
        runners: Sequence[Runner],
        most: int | None,
        ended: Callable[[Runner], Coroutine[Any, Any, None]] | None,
        group: asyncio.TaskGroup,
    ) -> None:
        self._todo = {runner: runner.begin() for runner in runners}
        self._most, self._ended, self._group = most, ended, group
        self._alive = dict.fromkeys(runners, 0)
        self._load = Load()
        self._since = time.monotonic()

    async def fill(self) -> None:
        """Begin tasks as places come free, until none is left."""
        while self._todo:
            runner = self._next()
            if runner is None:
                self._load.changed.clear()
                with contextlib.suppress(TimeoutError):  # servers may report more room meanwhile
                    async with asyncio.timeout(ROOM_EVERY):  # not wait_for, which may swallow the group's end
                        await self._load.changed.wait()
                continue
            task = next(self._todo[runner], None)
            if task is not None:
                self._change(runner, 1)
                place = Place(self._load, [chat.name for chat in runner.chats])
                self._group.create_task(self._take(runner, task, place))
            else:
                del self._todo[runner]
                self._change(runner, 0)

    def _next(self) -> Runner | None:
        if sum(self._alive.values()) - self._load.tasks >= MOST_UNGRADED:
            return None
        if self._most is not None:
            return next(iter(self._todo)) if self._load.tasks < self._most else None
        return next((each for each in self._todo if self._has_use(each.chats)), None)

    def _has_use(self, chats: Sequence[ChatModel]) -> bool:
        """Whether one of the servers has room, and none has more waiting for it than is good."""
        rooms = [(self._load.of(chat.name), most_of(chat)) for chat in chats]
        return any(load < most + QUEUE for load, most in rooms) and all(
            load < AHEAD * most for load, most in rooms
        )

    async def _take(self, runner: Runner, task: Task, place: Place) -> None:
        await runner.take(task, place)
        self._change(runner, -1)

    def _change(self, runner: Runner, tasks: int) -> None:
        """Share out the time until now, note that more or fewer tasks are at work, and end what is done."""
        moment, alive = time.monotonic(), sum(self._alive.values())
        for each, own in self._alive.items():
            each.held += (moment - self._since) * own / max(1, alive)
        self._since = moment
        self._alive[runner] += tasks
        self._load.changed.set()
        if runner not in self._todo and not self._alive[runner] and self._ended is not None:
            self._group.create_task(self._ended(runner))


class ElsewhereError(Exception):
    """A pipeline gave no program in another process, which said why."""


def reason_of(error: BaseException) -> str:
    """Return why a pipeline gave no program, in a line for its verdict."""
    if isinstance(error, ElsewhereError):
        return str(error)
    if isinstance(error, EndpointError):
        return error.message
    if isinstance(error, DualcodeError):  # an unbound role, a sandbox that broke
        return f"{type(error).__name__}: {error.message}"
    return f"pipeline raised {type(error).__name__}: {error} ({_place_of(error)})"


def _place_of(error: BaseException) -> str:
    """Return where an error came from, without the watchdog's own place."""
    own = watchdog.__file__
    frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename != own]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"
