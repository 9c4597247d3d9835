"""The sandbox that dualcode uses: a pool of fork servers, each running one job at a time."""

import asyncio
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from dualcode.errors import SandboxError
from dualcode.sandbox.job import Arguments, Job, Ran
from dualcode.sandbox.room import bound_workers, enough_memory
from dualcode.sandbox.sandbox import Tier
from dualcode.sandbox.tiers import Choice, choose
from dualcode.sandbox.waiting import Attendance, Places
from dualcode.sandbox.worker import BrokenError, Worker, sweep

MOST_WAITING = 16
"""Runs that wait beside those that compute, if there is memory for as many."""

LOOK_SECONDS = 0.1
"""How often a run that waits for memory looks again."""

TRIES = 2
"""How often a job is given to a server, after the first time to one that has just started. Where all of them
break, it is the job's doing if a job that is known to be good breaks none."""

_GOOD = Job("def same(x):\n    return x\n", Arguments.of("same", [[1]]))


def open_sandbox(workers: int | None = None, *, unsafe: bool = False, tier: str | None = None) -> "Opening":
    """Open the strongest sandbox that works on this machine: `async with open_sandbox() as sandbox`.

    `workers` is how many jobs run at once (default: the processors); while memory is short, fewer do, whoever
    took it. `tier` names the one wanted; `unsafe` allows that there is none. Awaited
    instead, it returns the sandbox, and the caller closes it. Raises SandboxError if none works.
    """
    return Opening(workers, unsafe, tier)


class Opening:
    """A sandbox about to be opened."""

    def __init__(self, workers: int | None, unsafe: bool, tier: str | None) -> None:
        self._workers = workers
        self._unsafe = unsafe
        self._tier = tier
        self._pool: Pool | None = None

    def __await__(self) -> Generator[Any, None, "Pool"]:
        return self._open().__await__()

    async def __aenter__(self) -> "Pool":
        self._pool = await self._open()
        return self._pool

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            await self._pool.close()

    async def _open(self) -> "Pool":
        await asyncio.to_thread(sweep)
        choice = await choose(self._tier, unsafe=self._unsafe)
        return Pool(choice, bound_workers(self._workers), MOST_WAITING)


class Pool:
    """See Sandbox. Servers start when they are first needed, and are replaced when they break."""

    def __init__(self, choice: Choice, workers: int, beside: int = 0) -> None:
        """`beside`: how many runs that wait may leave their places to others."""
        self._choice = choice
        self._places = Places(workers, beside)
        self._idle = list(choice.servers)
        self._all = set(choice.servers)
        self._closed = False
        self._running = 0
        self.workers = workers

    @property
    def tier(self) -> Tier:
        """How strong it is."""
        return self._choice.tier

    @property
    def servers(self) -> set[int]:
        """The processes of the servers that were started."""
        return {worker.pid for worker in self._all}

    @property
    def folders(self) -> set[Path]:
        """The private folders of the servers that were started."""
        return {worker.folder for worker in self._all}

    async def run(self, job: Job) -> Ran:
        """See Sandbox.run. If the caller is cancelled, the run ends, too.

        A job that breaks servers where another does not has `died`: no program makes an error of ours.
        """
        causes: list[str] = []
        async with self._places.one() as leave:
            while self._running and not enough_memory(job.limits.memory):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(LOOK_SECONDS)
            self._running += 1
            try:
                while len(causes) < TRIES:
                    ran = await self._try(job, causes, leave, fresh=bool(causes))
                    if ran is not None:
                        return ran
                broke = f"the fork server broke in {TRIES} tries of one job: {'; '.join(causes)}"
                good = await self._try(_GOOD, causes, leave, fresh=True)
            finally:
                self._running -= 1
        if good is None or good.ending != "finished":
            raise SandboxError(f"{broke}; and under a job that is known to be good")
        return Ran("died", b"", f"{broke}; another job broke none", killed=True)

    async def _try(
        self, job: Job, causes: list[str], leave: Callable[[], bool], *, fresh: bool
    ) -> Ran | None:
        """Run a job on a server; None, and the cause noted, if that broke."""
        worker = await self._take(fresh=fresh)
        try:
            return await _attended(worker, job, leave)
        except BrokenError as error:
            self._check_open()
            causes.append(str(error))
            return None
        finally:
            await self._give_back(worker)

    async def warm(self) -> None:
        """Start all servers now. One that does not start is tried again when it is needed."""
        started = await asyncio.gather(*(self._take() for _ in range(self.workers)), return_exceptions=True)
        for worker in started:
            if isinstance(worker, Worker):
                await self._give_back(worker)

    async def close(self) -> None:
        """End all servers, and what runs in them."""
        self._closed = True
        while self._all:
            await self._discard(self._all.pop())

    async def _take(self, *, fresh: bool = False) -> Worker:
        self._check_open()
        worker = self._idle.pop() if self._idle else None
        if worker is not None and fresh:
            await self._discard(worker)
            worker = None
        if worker is None:
            worker = self._start()
        try:
            await worker.ready()
        except BaseException:
            await self._discard(worker)
            self._check_open()
            raise
        return worker

    def _start(self) -> Worker:
        try:
            worker = Worker(self.tier.name, self._choice.policy)
        except OSError as error:
            raise SandboxError(f"no fork server can be started: {error}") from error
        self._all.add(worker)
        return worker

    def _check_open(self) -> None:
        if self._closed:
            raise SandboxError("the sandbox is closed")

    async def _give_back(self, worker: Worker) -> None:
        if worker.usable and not self._closed:
            self._idle.append(worker)
        else:
            await self._discard(worker)

    async def _discard(self, worker: Worker) -> None:
        self._all.discard(worker)
        await asyncio.shield(worker.close())


async def _attended(worker: Worker, job: Job, leave: Callable[[], bool]) -> Ran:
    """Run a job; end it if it waits for too long, and leave its place to another while it waits."""

    def waits() -> bool:
        if job.on_wait is None or not enough_memory(job.limits.memory) or not leave():
            return False
        job.on_wait()
        return True

    patience = asyncio.timeout(None)
    attendance = Attendance(worker.pid, job.limits.waiting, waits, lambda: patience.reschedule(0.0))
    try:
        async with patience:
            ran = await worker.run(job)
    except TimeoutError:
        seen = attendance.seen
        why = f"{job.limits.waiting:g} s of waiting"
        ran = Ran("timed_out", b"", why, cpu=seen.computed, wall=attendance.passed, killed=True)
    finally:
        attendance.end()
    return replace(ran, kept=attendance.seen.kept)
