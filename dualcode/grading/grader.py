"""Graders: a program in, a verdict out.

`SandboxGrader` runs a program on a task's base and plus tests, each in a fresh jailed process, and compares
what it returned with what the reference returned in the same harness (`calibration.py`). Equal bytes pass;
anything else is compared value by value with EvalPlus's oracles, in another jail (`oracles.py`). What the
program ought to return never enters its process, so nothing that it does there can make it pass.

The rules are EvalPlus's (`rules.py`), where its own are right; docs/grading.md lists every difference. Plus
tests run even if base tests failed. The first failing test decides.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from dualcode import machine
from dualcode.errors import GraderError, SandboxError, SuiteError
from dualcode.grading.calibration import Calibration
from dualcode.grading.calibration_cache import CalibrationCache
from dualcode.grading.outcome import clean
from dualcode.grading.reference import Calibrated
from dualcode.grading.rules import Rules
from dualcode.grading.trials import Trials
from dualcode.grading.turns import Turns
from dualcode.sandbox.pool import MOST_WAITING
from dualcode.sandbox.sandbox import Sandbox
from dualcode.suites.suite import Suite
from dualcode.together import together
from dualcode.verdict import Outcome, Part, Verdict

LEAST_SHARE = 0.25
"""Of the CPU time that a run had used when it was ended for want of time, a second one uses at least this
much: load slows a program down, but not more than that. One that is quicker still had been looping by a coin,
and its first run counts."""


class Grader(Protocol):
    """Gives verdicts on programs."""

    async def grade(self, task_id: str, program: str) -> Verdict:
        """Return the verdict on a program; an errored one where grading broke.

        Raises UnknownNameError for a task that the suite lacks, GraderError if nothing can be graded at all.
        """
        ...

    async def close(self) -> None:
        """End what runs and free what is held; may be called twice."""
        ...


def default_workers() -> int:
    """Return half of the cores: while a pipeline runs, the other half generates."""
    return max(1, machine.cores() // 2)


class SandboxGrader:
    """Grades in a sandbox, `workers` programs at a time. The sandbox is its owner's to close.

    Work that takes longer than a few milliseconds happens in threads, so the event loop stays free.
    """

    def __init__(
        self,
        suite: Suite,
        sandbox: Sandbox,
        rules: Rules | None = None,
        *,
        workers: int | None = None,
        cache: CalibrationCache | None = None,
    ) -> None:
        self._suite = suite
        self._sandbox = sandbox
        self._rules = rules or Rules()
        # One more than can run: it waits inside the sandbox and begins the moment that a worker is free.
        turns = (workers or default_workers()) + 1
        self._turns = Turns(turns)
        # So many can run or wait. Of a thousand programs that come at once, the first have verdicts before
        # the last begin; without this, all of their references would run first.
        self._at_work = asyncio.Semaphore(turns + MOST_WAITING)
        self._preparing: asyncio.Task[None] | None = None
        self._to_prepare = deque[str]()
        self._trials = Trials(suite, sandbox, self._rules)
        self._calibration = Calibration(suite, sandbox, self._turns, cache or CalibrationCache.of(suite))
        self._closed = False

    @property
    def has_plus(self) -> bool:
        """Whether verdicts have plus tests."""
        return self._suite.has_plus and not self._rules.base_only

    async def grade(self, task_id: str, program: str) -> Verdict:
        """Return the verdict on a program; an errored one if the sandbox broke or the reference is bad.

        Raises UnknownNameError for a task that the suite lacks, and GraderError if the grader is closed.
        """
        if self._closed:
            raise GraderError("the grader is closed")
        if task_id not in self._suite.hidden:
            self._suite.task(task_id)
        try:
            async with self._at_work:
                calibrated = await self._calibration.of(task_id)
                parts = self.parts(calibrated)
                outcomes = await together(*(self._part(calibrated, part, program) for part in parts))
            return Verdict(task_id=task_id, parts=dict(zip(parts, outcomes, strict=True)))
        except (SandboxError, SuiteError) as error:
            reason = f"{type(error).__name__}: {error.message}"
            return Verdict.of_error(task_id, clean(reason), plus=self.has_plus)

    async def close(self) -> None:
        """Take no more programs. What runs ends with the sandbox."""
        self._closed = True
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def calibrate(self, task_id: str) -> None:
        """See to it that a task's programs can be graded at once; if they cannot, their verdicts say why."""
        with contextlib.suppress(SandboxError, SuiteError):
            await self._calibration.of(task_id)

    def prepare(self, task_ids: Sequence[str]) -> None:
        """Run these references, too, beside whatever else is done, one at a time, until this is closed.

        While models write the first programs there is nothing else to do; later, verdicts need no reference
        run any more.
        """

        async def one_by_one() -> None:
            while self._to_prepare:
                await self.calibrate(self._to_prepare.popleft())

        self._to_prepare.extend(task_ids)
        if self._preparing is None or self._preparing.done():
            self._preparing = asyncio.create_task(one_by_one())

    def cpu(self, task_id: str) -> float:
        """Return the CPU seconds of a task's reference, or infinity if they are not known yet."""
        return self._calibration.cpu(task_id)

    def parts(self, calibrated: Calibrated) -> tuple[Part, ...]:
        """Return the sets of tests that are run."""
        known = tuple(calibrated.reference.tests)
        return known[:1] if self._rules.base_only else known

    async def _part(self, calibrated: Calibrated, part: Part, program: str) -> Outcome:
        async with self._turns.one() as give_back:
            trial = await self._trials.attempt(calibrated, part, program, on_wait=give_back)
        if trial.may_be_load:
            async with self._turns.alone():
                again = await self._trials.attempt(calibrated, part, program)
            if again.ran.cpu >= LEAST_SHARE * trial.ran.cpu:
                trial = again
        return trial.outcome
