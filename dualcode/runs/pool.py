"""Several runs as one pool of work: no server waits for a run's end, or for a step of one pipeline."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from dualcode.models.admission import QUEUE
from dualcode.models.chat import ChatModel
from dualcode.runs.place import Load, Place
from dualcode.runs.runner import Runner
from dualcode.task import Task
from dualcode.together import first_failure

AHEAD = 3
"""Times what a server takes at once: so much of work may wait for it while others are given something."""
MOST_UNGRADED = 256
"""Programs that wait for their verdicts: more are not asked for meanwhile, so that memory has an end."""
UNKNOWN = 16
"""Requests that keep a server full of which nothing is known."""
ROOM_EVERY = 1.0
"""Seconds after which it is looked anew whether a server has room for more."""


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
