"""Programs that wait instead of computing: told from programs that others keep from computing, from outside.

A clock cannot tell them apart, the kernel can. It counts for each process how long it computed, and how long
it was ready to and another had the processor (/proc/PID/schedstat). The rest of the time it waited, by its
own choice. A run that waits needs no processor, so its place can be given to another; and however much it
computes in between, it has waited too long after `Limits.waiting`.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

LOOK_SECONDS = 1.0
"""How often a run is looked at. Most are over before the first time."""

SHARE = 0.5
"""A run that waited for more than this share of its time does without a processor of its own."""

_TICK = 1 / os.sysconf("SC_CLK_TCK")


class Activity(NamedTuple):
    """What the kernel counted of a run so far, in seconds."""

    computed: float
    kept: float
    """In which it was ready to compute, and others had the processors."""


def activity(server: int, since: float) -> Activity | None:
    """Return what the newest processes below a server did; None if none began `since` (seconds after boot).

    The server itself, which was there before the run, is none of them. None, too, where /proc does not tell.
    """
    found: list[Activity] = []
    for pid in _leaves(server):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            threads = list(Path(f"/proc/{pid}/task").iterdir())
            delays = [int((thread / "schedstat").read_text().split()[1]) for thread in threads]
        except (OSError, IndexError, ValueError):  # it has ended, or a kernel that does not count
            continue
        user, system, started = (int(fields[at]) * _TICK for at in (11, 12, 19))
        if started >= since:
            passed, computed = time.clock_gettime(time.CLOCK_BOOTTIME) - started, user + system
            kept = kept_by_others(passed, computed, [each / 1e9 for each in delays])
            found.append(Activity(computed, kept))
    if not found:
        return None
    return Activity(sum(each.computed for each in found), sum(each.kept for each in found))


def kept_by_others(passed: float, computed: float, delays: Sequence[float]) -> float:
    """Return the seconds in which others had the processors, of those in which threads were ready to compute.

    Threads that are ready at once count once, and what they keep each other from does not: a second that one
    computes can keep each of the rest from its own. With 200 threads that wake together a program could else
    seem to have been kept for minutes, and be tried again.
    """
    if not delays:
        return 0.0
    return max(*delays, min(sum(delays), passed) - (len(delays) - 1) * computed, 0.0)


def _leaves(pid: int) -> list[int]:
    """Return the processes at the ends of a tree of processes."""
    children = list[int]()
    with contextlib.suppress(OSError):  # it has ended
        for thread in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (thread / "children").read_text().split())
    return [leaf for child in children for leaf in _leaves(child)] or [pid]


class Attendance:
    """Looks at a run now and then: says that it waits until that is taken up, and that it waited too long."""

    def __init__(
        self, server: int, waiting: float, on_wait: Callable[[], bool], on_excess: Callable[[], None]
    ) -> None:
        self.seen = Activity(0.0, 0.0)
        self.passed = 0.0
        """What it had done, and the seconds since its beginning, when it was last looked at."""
        self._server = server
        self._waiting = waiting
        self._on_wait: Callable[[], bool] | None = on_wait
        self._on_excess = on_excess
        self._since = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._next = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def end(self) -> None:
        """Look no more."""
        self._next.cancel()

    def _look(self) -> None:
        seen = activity(self._server, self._since - _TICK)
        if seen is not None:
            self.seen = seen
            self.passed = time.clock_gettime(time.CLOCK_BOOTTIME) - self._since
            waited = self.passed - seen.computed - seen.kept
            if self._on_wait and waited > SHARE * self.passed and self._on_wait():
                self._on_wait = None
            if waited > self._waiting:
                self._on_excess()
                return
        self._next = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)


class Places:
    """How many runs may compute at once, and how many may wait beside them, as far as there is memory."""

    def __init__(self, computing: int, waiting: int) -> None:
        self._computing = asyncio.Semaphore(computing)
        self._room = waiting

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncGenerator[Callable[[], bool]]:
        """Hold a place for a run that computes.

        Yields what leaves it to another early, once the run waits; it says whether there was room to do so.
        """
        left = False

        def leave() -> bool:
            nonlocal left
            if not left and self._room:
                self._room -= 1
                self._computing.release()
                left = True
            return left

        await self._computing.acquire()
        try:
            yield leave
        finally:
            if left:
                self._room += 1
            else:
                self._computing.release()
