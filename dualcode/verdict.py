"""What a grader says of a program."""

from typing import Any, Literal, Self, cast

from pydantic import model_validator

from dualcode.record import Record

Part = str
"""The name of a set of tests, such as `base` (a benchmark's own) and `plus` (EvalPlus's added ones)."""

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
    """The result of a task's tests on one program, for each named set of tests in the suite's order.

    As in EvalPlus, `plus` holds the added tests alone: a program passes a part only if it passes those before
    it as well (`passed`).
    """

    task_id: str
    parts: dict[Part, Outcome]
    """At least one. A line of an older run has `base` and `plus` in their place."""

    @model_validator(mode="before")
    @classmethod
    def _of_older_run(cls, fields: Any) -> Any:
        if not isinstance(fields, dict) or "base" not in fields:
            return cast("object", fields)
        known = dict(cast("dict[str, Any]", fields))
        both = {name: known.pop(name, None) for name in ("base", "plus")}
        return known | {"parts": {name: outcome for name, outcome in both.items() if outcome is not None}}

    @model_validator(mode="after")
    def _errored_together(self) -> Self:
        # A fault of ours on one part leaves the program ungraded as a whole; all parts are done again.
        if len({outcome.status == "errored" for outcome in self.parts.values()}) != 1:
            raise ValueError("the parts of a verdict are errored together or not at all")
        return self

    @property
    def base(self) -> Outcome:
        """The first part's outcome: the benchmark's own tests."""
        return next(iter(self.parts.values()))

    @property
    def plus(self) -> Outcome | None:
        """The added tests' outcome; None where the suite has none."""
        return self.parts.get("plus")

    @property
    def errored(self) -> bool:
        """Whether the program could not be graded, through no fault of its own."""
        return self.base.status == "errored"

    def passed(self, part: Part) -> bool:
        """Whether the program passes a part and those before it; False for a part that it has not."""
        for name, outcome in self.parts.items():
            if outcome.status != "passed" or name == part:
                return name == part and outcome.status == "passed"
        return False

    @property
    def passed_plus(self) -> bool:
        """Whether the program passes base and plus tests, as EvalPlus counts pass@1 of plus."""
        return self.passed("plus")

    @classmethod
    def of(cls, task_id: str, base: Outcome, plus: Outcome | None = None) -> Self:
        """Return the verdict of a suite whose parts are `base` and, where it has them, `plus` tests."""
        return cls(task_id=task_id, parts={"base": base} if plus is None else {"base": base, "plus": plus})

    @classmethod
    def of_error(cls, task_id: str, reason: str, *, plus: bool) -> Self:
        """Return the verdict of a task that a fault of ours left without one."""
        outcome = Outcome(status="errored", reason=reason)
        return cls.of(task_id, outcome, outcome if plus else None)
