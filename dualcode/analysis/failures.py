"""Why a pipeline lost tasks that the baseline had solved: rules over the two programs and the verdict."""

from typing import Literal

from dualcode.record import Record

FailureClass = Literal[
    "missing import",
    "signature or name changed",
    "syntax or extraction",
    "wrong result",
    "over-engineering",
    "time-out",
    "infrastructure",
]


class Sign(Record):
    """One class and the evidence for it."""

    kind: FailureClass
    evidence: str
    """What in the program, the diff or the verdict says so, in one line."""


class Regression(Record):
    """A task that the baseline solved and the run did not."""

    task_id: str
    primary: FailureClass
    signs: tuple[Sign, ...]
    """Every class that applies, the primary first."""


class Regressions(Record):
    """All regressions of a run against a baseline."""

    run: str
    baseline: str
    part: str
    regressions: tuple[Regression, ...]

    def counts(self) -> dict[FailureClass, int]:
        """Return how many regressions have each class as their primary one; classes without any left out."""
        found: dict[FailureClass, int] = {}
        for each in self.regressions:
            found[each.primary] = found.get(each.primary, 0) + 1
        return dict(sorted(found.items(), key=lambda item: -item[1]))
