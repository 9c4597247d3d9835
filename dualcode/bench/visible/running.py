"""Visible tests run on a program, in the sandbox, and the first failure as a text for a model."""

from collections.abc import Sequence

from dualcode.bench.visible.feedback import first_failure, unloaded, without_entry_point
from dualcode.bench.visible.judgement import Event, Judgement, Outcome, judge, read_events
from dualcode.bench.visible.tests import VisibleTest, VisibleTests
from dualcode.record import Record
from dualcode.sandbox.job import DIGEST_ABOVE, MIB, Expressions, Job, Limits, Ran
from dualcode.sandbox.sandbox import Sandbox

LIMITS = Limits(call_cpu=3.0, total_cpu=10.0, wall=20.0, output=2 * MIB, printed=8 << 10)
"""Of one visible run. Examples in prompts are small; a hidden test has at least 1 s."""

LONGEST_VALUE = DIGEST_ABOVE
"""Bytes of a value as sent. No prompt shows one so long, so a longer one is a wrong one. The bound also keeps
the time small that a value made to be slow (members that collide) takes outside the jail."""


class VisibleResult(Record):
    """What came of a program's visible tests."""

    loads: bool
    """Whether the program compiles, runs through its top level and defines the entry point."""
    outcomes: tuple[Outcome, ...]
    """One a test, in the prompt's order; all `not_run` if the program does not load."""
    feedback: str | None = None
    """The first fault, for a model: the test as shown, expected and got, or the exception. None: no fault."""
    shown: tuple[str, ...] = ()
    """The tests' texts in the feedback, for the audit of leaks."""

    @property
    def passed(self) -> bool:
        """Whether the program loads and passes every visible test; vacuously true of no tests."""
        return self.loads and all(outcome == "passed" for outcome in self.outcomes)

    @property
    def passing(self) -> frozenset[int]:
        """The indices of the tests that pass."""
        return frozenset(index for index, outcome in enumerate(self.outcomes) if outcome == "passed")


async def run_visible(
    tests: VisibleTests, program: str, sandbox: Sandbox, limits: Limits = LIMITS
) -> VisibleResult:
    """Load a program in a fresh process and run the visible tests in order, each after the other's traces.

    A program that cannot be loaded, hangs, dies or floods has failed. Values are compared outside the jail:
    neither what the program prints nor how its objects compare can pass a test.

    Raises SandboxError if the sandbox broke, which says nothing about the program.
    """
    job = Job(
        program=program,
        calls=Expressions((tests.entry_point, *_sources(tests.tests))),
        limits=limits,
        go_on=True,
        digest_above=LONGEST_VALUE,
        capture=True,
    )
    return _result(tests, program, await sandbox.run(job), limits)


def _sources(tests: Sequence[VisibleTest]) -> list[str]:
    return [source for test in tests for source in (*test.setup, *test.calls)]


def _result(tests: VisibleTests, program: str, ran: Ran, limits: Limits) -> VisibleResult:
    events = read_events(ran.frames())
    fault = _loading_fault(tests.entry_point, program, ran, events)
    if fault is not None:
        none: tuple[Outcome, ...] = ("not_run",) * len(tests.tests)
        return VisibleResult(loads=False, outcomes=none, feedback=fault)
    judgements = judge(tests.tests, events[1:], ran.ending)
    outcomes: tuple[Outcome, ...] = tuple(judgement.outcome for judgement in judgements)
    failed = next((index for index, outcome in enumerate(outcomes) if outcome != "passed"), None)
    if failed is None:
        return VisibleResult(loads=True, outcomes=outcomes)
    feedback = _first_failure(tests, program, judgements, failed, limits)
    return VisibleResult(loads=True, outcomes=outcomes, feedback=feedback, shown=(tests.tests[failed].shown,))


def _loading_fault(entry_point: str, program: str, ran: Ran, events: Sequence[Event]) -> str | None:
    """Return why the program could not be loaded; the first source is the entry point's name."""
    if events and events[0].kind == "R":
        return without_entry_point(entry_point)
    if events:
        return None
    return unloaded(program, ran)


def _first_failure(
    tests: VisibleTests, program: str, judgements: Sequence[Judgement], failed: int, limits: Limits
) -> str:
    passed = sum(judgement.outcome == "passed" for judgement in judgements)
    return first_failure(
        tests.tests[failed], judgements[failed], program, f"{passed} of {len(judgements)}", limits.call_cpu
    )
