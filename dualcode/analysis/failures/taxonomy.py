"""The classes of failure, and what a classification says."""

from typing import Literal, get_args

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

CLASSES: tuple[FailureClass, ...] = get_args(FailureClass)
"""All classes, in the order in which tables list them."""


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

    def occurrences(self) -> dict[FailureClass, int]:
        """Return how many regressions show each class at all; the sum may exceed their number."""
        shown = [{sign.kind for sign in each.signs} for each in self.regressions]
        return {kind: count for kind in CLASSES if (count := sum(kind in kinds for kinds in shown))}
