"""What a grader says of a program."""

from typing import Literal, Self

from pydantic import model_validator

from dualcode.record import Record

Status = Literal["passed", "failed", "errored"]

Cause = Literal[
    "wrong_output",
    "raised",
    "time_out",
    "total_time_out",
    "died",
    "flooded",
    "not_loaded",
    "forbidden_import",
]
"""Why a program failed: it returned the wrong thing, raised, used up a call's or the whole set's time, its
process ended without a word, it returned more than may be sent, it does not compile, load or define the
entry point, or it imports what its suite does not allow."""


class Outcome(Record):
    """The result of one set of tests (base or plus) on one program."""

    status: Status
    reason: str | None = None
    """Why it failed or errored, such as `wrong output` or `time-out`; None if it passed."""
    failing_input: str | None = None
    """`repr` of the first failing input's arguments, cut to 500 characters, where the tests have inputs."""
    cause: Cause | None = None
    """The kind of failure; None if it did not fail, and in records older than this field."""
    at: int | None = None
    """Index of the first failing input in its set of tests; None where no call was made, or the process was
    ended in the midst of its calls."""


class Verdict(Record):
    """The result of a task's tests on one program.

    As in EvalPlus, `plus` holds the added tests alone: a program counts as passed on the plus
    benchmark only if it passes both; `passed_plus` says so.
    """

    task_id: str
    base: Outcome
    plus: Outcome | None
    """None where the suite has no plus tests."""

    @model_validator(mode="after")
    def _errored_together(self) -> Self:
        # A fault of ours on one side leaves the program ungraded as a whole; both sides are done again.
        if self.plus is not None and (self.plus.status == "errored") != (self.base.status == "errored"):
            raise ValueError("base and plus are errored together or not at all")
        return self

    @property
    def errored(self) -> bool:
        """Whether the program could not be graded, through no fault of its own."""
        return self.base.status == "errored"

    @property
    def passed_plus(self) -> bool:
        """Whether the program passes base and plus tests, as EvalPlus counts pass@1 of plus."""
        return self.base.status == "passed" and self.plus is not None and self.plus.status == "passed"

    @classmethod
    def of_error(cls, task_id: str, reason: str, *, plus: bool) -> "Verdict":
        """Return the verdict of a task that a fault of ours left without one."""
        outcome = Outcome(status="errored", reason=reason)
        return cls(task_id=task_id, base=outcome, plus=outcome if plus else None)
