"""What the reference makes of a task's tests on this machine: its outputs, and the CPU time that it took.

Computed in the sandbox, task by task as they are asked for, and kept in the user's cache: the reference meets
the same harness, encoder and memory limit as a candidate.

A limit is max(1 s, 4 times the reference's time), so only calls of more than a quarter of a second count for
anything. Those of more than `SLOW_CALL` are timed again with nothing else running here, and the least time
counts: whatever disturbs a program makes it slower.
"""

import asyncio
import math
from dataclasses import replace

from dualcode.errors import GraderError, SuiteError
from dualcode.grading import oracles
from dualcode.grading.calibration_cache import CalibrationCache
from dualcode.grading.outcome import came_through, describe, ends
from dualcode.grading.problem import Problem
from dualcode.grading.reference import (
    SLOW_CALL,
    Calibrated,
    Reference,
    Tests,
    Times,
    digested_bytes,
)
from dualcode.grading.rules import TRUSTED
from dualcode.grading.turns import Turns
from dualcode.sandbox.job import Arguments, Job, Ran, frame
from dualcode.sandbox.sandbox import Sandbox
from dualcode.suites.suite import Suite
from dualcode.verdict import Part

QUIET_RUNS = 2
"""How often slow calls are timed with nothing else running."""

_REMEDY = "the benchmark's own file, whole and unchanged; of your own tasks: dualcode suite check"


class Calibration:
    """Hands out what grading a task takes, computing what is not in the cache; each task once at a time."""

    def __init__(self, suite: Suite, sandbox: Sandbox, turns: Turns, cache: CalibrationCache) -> None:
        self._suite = suite
        self._sandbox = sandbox
        self._turns = turns
        self._cache = cache
        self._times = cache.times()
        self._known: dict[str, asyncio.Task[Calibrated]] = {}

    async def of(self, task_id: str) -> Calibrated:
        """Return a task's calibration.

        Raises SuiteError if the reference does not go through its own tests, SandboxError if the sandbox
        broke.
        """
        finding = self._known.get(task_id)
        if finding is None:
            finding = self._known[task_id] = asyncio.create_task(self._find(task_id))

            def forget_failure(done: "asyncio.Task[Calibrated]") -> None:
                if done.cancelled() or done.exception() is not None:
                    self._known.pop(task_id, None)  # the next one may have more luck

            finding.add_done_callback(forget_failure)
        return await asyncio.shield(finding)

    def cpu(self, task_id: str) -> float:
        """Return the CPU seconds of the reference's processes; infinite if they are not known yet."""
        parts = self._times.get(task_id)
        return sum(times.total + times.other for times in parts.values()) if parts else math.inf

    async def _find(self, task_id: str) -> Calibrated:
        times = self._times.setdefault(task_id, {})
        reference = await asyncio.to_thread(self._cache.reference, task_id)
        is_new = reference is None
        if reference is None:
            times.clear()
            reference = await self._compute(task_id, times)
        for part, tests in reference.tests.items():
            if part not in times:
                times[part] = await self._time(task_id, tests.inputs, known_slow=is_new)
                self._cache.keep_times(task_id, part, times[part])
        return Calibrated(reference, times)

    async def _compute(self, task_id: str, times: dict[Part, Times]) -> Reference:
        """Run the reference on all its tests and keep what came of it."""
        problem = await self._problem(task_id)
        tests: dict[Part, Tests] = {}
        for part in problem.parts:
            inputs = await self._inputs(problem, part)
            if not problem.reference:  # what is right is in the tests, and nothing was timed
                tests[part] = Tests(inputs, b"", has_nan=False, long={}, peak=0)
                times[part] = Times(0.0, {})
                continue
            async with self._turns.one():
                ran = await self._run(problem, inputs)
                tests[part] = await asyncio.to_thread(_tests, inputs, ran)
                if problem.check is not None:
                    await self._hold(problem, inputs, ran)
            if not (first := _times(ran)).slow:
                times[part] = first
                self._cache.keep_times(task_id, part, first)
        reference = Reference(task_id, problem.form, problem.entry_point, problem.atol, tests)
        await asyncio.to_thread(self._cache.keep_reference, reference)
        return reference

    async def _time(self, task_id: str, inputs: Arguments, *, known_slow: bool) -> Times:
        """Time the reference; if a call is slow, again and alone, and keep the least times."""
        problem = await self._problem(task_id)
        if not problem.reference:
            return Times(0.0, {})
        if not known_slow:
            async with self._turns.one():
                first = _times(await self._run(problem, inputs))
            if not first.slow:
                return first
        quiet: list[Times] = []
        for _ in range(QUIET_RUNS):
            async with self._turns.alone():
                quiet.append(_times(await self._run(problem, inputs)))
        # Of each call that any run found slow, the least time.
        calls = sorted({call for run in quiet for call in run.slow})
        slow = {call: min(run.slow[call] for run in quiet if call in run.slow) for call in calls}
        return Times(min(run.total for run in quiet), slow, min(run.other for run in quiet))

    async def _problem(self, task_id: str) -> Problem:
        hidden = self._suite.hidden[task_id]
        if hidden.form == "tests":  # its calls are parsed: Python 3.11 fails if two threads do that at once
            return Problem.of(task_id, hidden)
        return await asyncio.to_thread(Problem.of, task_id, hidden)

    async def _inputs(self, problem: Problem, part: Part) -> Arguments:
        if problem.check is None:
            return await asyncio.to_thread(problem.inputs, part)
        if not problem.reference:
            return Arguments.of(problem.entry_point, problem.calls or ())
        async with self._turns.one():
            ran = await self._sandbox.run(oracles.record_job(problem))
        try:
            calls = replace(oracles.recorded(ran), entry_point=problem.entry_point)
        except GraderError as error:
            raise SuiteError(f"{problem.task_id}: {problem.where}: {error.message}", hint=_REMEDY) from error
        if not calls.count:
            what = f"{problem.task_id}: {problem.where}: the tests never call {problem.entry_point}"
            raise SuiteError(what, hint=_REMEDY)
        return calls

    async def _hold(self, problem: Problem, inputs: Arguments, ran: Ran) -> None:
        """Raise SuiteError if the tests fail on what came back of the reference: nothing can pass them."""
        found = oracles.compared(await self._sandbox.run(oracles.check_job(problem, inputs, ran.stream)))
        if not found.passed and not found.whole:
            why = ": ".join(filter(None, [found.reason, found.expected]))
            what = f"the tests do not hold on what the reference returned: {why}"
            raise SuiteError(
                f"{problem.task_id}: {problem.where}: {what}",
                hint="return what is tested: what a call does to its arguments, and objects, are not seen",
            )

    async def _run(self, problem: Problem, inputs: Arguments) -> Ran:
        how = oracles.comparison(problem.form, problem.entry_point)
        job = Job(problem.reference, inputs, TRUSTED, go_on=how.catches, drain=how.drain, timed=True)
        ran = await self._sandbox.run(job)
        if not came_through(ran, inputs, catches=how.catches):
            why = describe(told) if (told := ran.told()) else ran.detail or ran.ending
            what = f"{problem.task_id}: the reference does not go through its own tests: {why}"
            raise SuiteError(what, hint=_REMEDY)
        return ran


def _tests(inputs: Arguments, ran: Ran) -> Tests:
    """Return the tests with the reference's stream, which has no times in it."""
    kept = [each for each in ran.frames() if each.kind != "T"]
    return Tests(
        inputs=inputs,
        expected=b"".join(frame(kind, payload) for kind, payload in kept),
        has_nan=oracles.has_nan(ran.stream),
        long={
            call: digested_bytes(each.payload)
            for call, each in enumerate(ends(ran.stream, catches=True))
            if each.kind == "D"
        },
        peak=ran.peak,
    )


def _times(ran: Ran) -> Times:
    seconds = ran.times()
    slow = {call: cpu for call, cpu in enumerate(seconds) if cpu > SLOW_CALL}
    return Times(sum(seconds), slow, max(0.0, ran.cpu - sum(seconds)))
