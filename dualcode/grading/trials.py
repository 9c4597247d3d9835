"""Trials: a program on one set of a task's tests, run and compared, once.

The program runs in a jail that has never seen the expected values. Its stream of outputs is compared with the
reference's stream here, as bytes; where the bytes differ, an oracle in another jail compares the values.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import zip_longest

from dualcode.errors import SuiteError
from dualcode.grading import oracles
from dualcode.grading.oracles import Compared, Comparison
from dualcode.grading.outcome import (
    KILLED_BY_KERNEL,
    Mismatch,
    came_through,
    checked,
    clean,
    cut,
    ends,
    failed,
    may_be_load,
    outcome,
    unreadable,
    values,
)
from dualcode.grading.problem import Problem
from dualcode.grading.reference import Calibrated, Reference, Tests
from dualcode.grading.rules import LONGEST_COMPARED, TRUSTED, Rules, bounded, forbidden, limits_of
from dualcode.sandbox.job import DIGEST_ABOVE, Job, Ran, digest
from dualcode.sandbox.sandbox import Sandbox
from dualcode.suites.suite import Suite
from dualcode.verdict import Outcome, Part

LINE = 300
"""Characters of a line of HumanEval's own test that a verdict keeps."""

_PASSED = Outcome(status="passed")
_NEVER_PASSES = "EvalPlus 0.3.1 passes no program here: its oracle does not record the tests"


@dataclass(frozen=True)
class Trial:
    """A program on one set of tests: what came of it, and what it was read from."""

    outcome: Outcome
    ran: Ran
    mismatch: Mismatch | None = None
    may_be_load: bool = False
    """Whether the machine's load, not the program, may have failed it."""


class Trials:
    """Runs programs on the tests of a suite."""

    def __init__(self, suite: Suite, sandbox: Sandbox, rules: Rules) -> None:
        self._suite = suite
        self._sandbox = sandbox
        self._rules = rules
        self._whole = asyncio.Lock()
        """Held while long values are compared: they are in memory, so one comparison at a time."""

    async def attempt(
        self,
        calibrated: Calibrated,
        part: Part,
        program: str,
        *,
        capture: bool = False,
        on_wait: Callable[[], None] | None = None,
    ) -> Trial:
        """Run a program on one set of tests and say what came of it.

        With `capture`, what it printed is kept. `on_wait` is called if it is found waiting. Raises
        SandboxError if the sandbox broke, SuiteError if the reference did when it was run again.
        """
        reference, tests = calibrated.reference, calibrated.reference.tests[part]
        if (refused := unreadable(program, tests.inputs)) is not None:
            return Trial(refused, Ran("unloaded", b""))
        if (refused := forbidden(program, self._suite.terms, tests.inputs)) is not None:
            return Trial(refused, Ran("unloaded", b""))
        comparison = oracles.comparison(reference.form, reference.entry_point)
        job = Job(
            program,
            tests.inputs,
            bounded(
                limits_of(reference.form, tests, calibrated.times[part], capture=capture), self._suite.terms
            ),
            go_on=comparison.catches,
            drain=comparison.drain,
            capture=capture,
            on_wait=on_wait,
        )
        trial = await self._tried(calibrated, part, job, comparison)
        trial = replace(trial, may_be_load=may_be_load(trial.ran, trial.outcome, job.limits))
        return self._as_evalplus(trial, comparison, tests)

    async def _tried(self, calibrated: Calibrated, part: Part, job: Job, comparison: Comparison) -> Trial:
        reference, tests = calibrated.reference, calibrated.reference.tests[part]
        ran = await self._sandbox.run(job)
        exact = comparison.bytes_suffice and not tests.has_nan
        if exact and ran.ending == "finished" and ran.stream == tests.expected:
            return Trial(_PASSED, ran)
        if exact and not comparison.catches and await asyncio.to_thread(_agrees, ran.stream, tests.expected):
            return Trial(await asyncio.to_thread(outcome, ran, None, tests.inputs), ran)
        given = ran.stream
        if ran.ending == "flooded":  # it has failed: only which value was the first wrong one is asked
            given = given[: len(tests.expected) + DIGEST_ABOVE]
        compared = await self._compare(reference, tests, given, tests.expected)
        if compared.whole and sum(tests.long.values()) <= LONGEST_COMPARED:
            catches = comparison.catches
            if not await asyncio.to_thread(came_through, ran, tests.inputs, catches=catches):
                ended = checked if catches else outcome
                return Trial(await asyncio.to_thread(ended, ran, None, tests.inputs), ran)
            async with self._whole:
                compared = await self._compare_whole(calibrated, part, job, ran, compared)
        return await _trial(ran, compared, reference, tests)

    async def _compare_whole(
        self, calibrated: Calibrated, part: Part, job: Job, first: Ran, compared: Compared
    ) -> Compared:
        """Compare long values themselves: their digests differ, which a tolerance may forgive.

        Both programs run again for it. What the candidate returned the first time counts, so the values have
        to be those; if they are not, or do not come at all, it stays that the digests differ.
        """
        reference, tests = calibrated.reference, calibrated.reference.tests[part]
        bounds = bounded(
            limits_of(reference.form, tests, calibrated.times[part], whole=True), self._suite.terms
        )
        ran = await self._sandbox.run(replace(job, limits=bounds, digest_above=None, capture=False))
        if not await asyncio.to_thread(_same, first.stream, ran.stream, catches=job.go_on):
            return compared
        problem = await asyncio.to_thread(
            Problem.of, reference.task_id, self._suite.hidden[reference.task_id]
        )
        expected = b""
        if problem.check is None:  # a check takes what the candidate returned, and no reference's values
            again = Job(problem.reference, tests.inputs, TRUSTED, drain=job.drain, digest_above=None)
            done = await self._sandbox.run(again)
            if not came_through(done, tests.inputs):
                raise SuiteError(
                    f"{reference.task_id}: the reference did not go through its tests again: "
                    f"{done.detail or done.ending}"
                )
            expected = done.stream
        return await self._compare(reference, tests, ran.stream, expected)

    async def _compare(
        self, reference: Reference, tests: Tests, candidate: bytes, expected: bytes
    ) -> Compared:
        """Compare values in a jail of their own: what a candidate returned may be made to do harm."""
        job = await asyncio.to_thread(self._compare_job, reference, tests, candidate, expected)
        ran = await self._sandbox.run(job)
        if ran.killed and ran.detail == KILLED_BY_KERNEL:  # others may have taken the memory
            ran = await self._sandbox.run(job)
        return oracles.compared(ran)

    def _compare_job(self, reference: Reference, tests: Tests, candidate: bytes, expected: bytes) -> Job:
        if reference.form in ("check", "tests"):
            problem = Problem.of(reference.task_id, self._suite.hidden[reference.task_id])
            return oracles.check_job(problem, tests.inputs, candidate)
        return oracles.compare_job(
            comparison=oracles.comparison(reference.form, reference.entry_point),
            atol=reference.atol,
            inputs=tests.inputs,
            candidate=candidate,
            expected=expected,
        )

    def _as_evalplus(self, trial: Trial, comparison: Comparison, tests: Tests) -> Trial:
        """Return the trial with EvalPlus 0.3.1's own mistake in it, if that is asked for.

        Its oracle of `find_zero` goes on to the next test without noting that one was done, so that a
        program which goes through all of them has not done any.
        """
        wanted = self._rules.evalplus_compatible and comparison.oracle == "find_zero"
        if not wanted or trial.outcome.cause not in (None, "wrong_output"):
            return trial
        return replace(trial, outcome=failed("wrong_output", _NEVER_PASSES, tests.inputs, None))


def _agrees(stream: bytes, expected: bytes) -> bool:
    """Whether all values in a stream are the expected ones, byte by byte, however the stream ends."""
    wanted = values(expected)
    return all(value == next(wanted, None) for value in values(stream))


def _same(stream: bytes, whole: bytes, *, catches: bool) -> bool:
    """Whether a stream of whole values holds the values of another, in which long ones are digests."""
    for one, other in zip_longest(ends(stream, catches=catches), ends(whole, catches=catches)):
        if one is None or other is None:
            return False
        seen = digest(other.kind, other.payload) if one.kind == "D" else other.payload
        if seen != one.payload or (one.kind != "D" and one.kind != other.kind):
            return False
    return True


async def _trial(ran: Ran, compared: Compared, reference: Reference, tests: Tests) -> Trial:
    if reference.form == "tests":
        found = None if compared.passed else _failure(compared)
        return Trial(checked(ran, found, tests.inputs), ran, found)
    mismatch = _mismatch(ran, compared, in_check=reference.form == "check")
    return Trial(await asyncio.to_thread(outcome, ran, mismatch, tests.inputs), ran, mismatch)


def _mismatch(ran: Ran, compared: Compared, *, in_check: bool) -> Mismatch | None:
    """Return the wrong output that an oracle found; None if it found a call without one, or nothing."""
    returned = sum(1 for _ in values(ran.stream))
    if compared.passed or compared.at is None or not 0 <= compared.at < returned:
        return None
    return _failure(compared, in_check=in_check)


def _failure(compared: Compared, *, in_check: bool = True) -> Mismatch:
    """Return where an oracle says that a program failed; -1 where no call was made."""
    reason = compared.reason or "wrong output"
    if in_check and compared.expected and reason == "wrong output":
        reason = f"wrong output: {cut(compared.expected, LINE)}"
    at = -1 if compared.at is None else compared.at
    return Mismatch(at, clean(reason), compared.expected, compared.got)
