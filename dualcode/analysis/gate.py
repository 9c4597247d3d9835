"""What a gate would have made of paired runs: pass@1 over every threshold, without a call.

A gate sends a task to review if its specification is rich enough. Each task's outcome under any gate is then
that of the baseline alone or that of review-fix, and both are on record.
"""

from collections.abc import Mapping

from dualcode.analysis.runs import Run
from dualcode.record import Record


class Step(Record):
    """A gate at one threshold."""

    threshold: float
    """Tasks at least this rich are reviewed."""
    reviewed: int
    passed: int


class Curve(Record):
    """The gates between "review everything" and "review nothing", on the tasks of two paired runs."""

    raw: str
    """The run without review, by id."""
    review: str
    tasks: int
    """Graded in both runs, with a known richness."""
    steps: tuple[Step, ...]
    """By ascending threshold: the first reviews all, the last none."""

    def at(self, threshold: float) -> Step:
        """Return what a gate at this threshold comes to."""
        return next((step for step in self.steps if step.threshold >= threshold), self.steps[-1])

    @property
    def best(self) -> Step:
        """The first of the gates that pass most: chosen by the outcome, so no gate could be set to it."""
        return max(self.steps, key=lambda step: step.passed)


NOTHING_REVIEWED = 1.01
"""A threshold beyond every richness."""


def gate_curve(raw: Run, review: Run, richness: Mapping[str, float]) -> Curve | None:
    """Return the curve of two runs on their hardest part; None if they share no task of known richness."""
    before, after = raw.passed(raw.hardest), review.passed(review.hardest)
    tasks = [task for task in raw.tasks if task in before and task in after and task in richness]
    if not tasks:
        return None
    steps: list[Step] = []
    for threshold in (*sorted({richness[task] for task in tasks}), NOTHING_REVIEWED):
        chosen = {task for task in tasks if richness[task] >= threshold}
        passed = sum(after[task] if task in chosen else before[task] for task in tasks)
        steps.append(Step(threshold=threshold, reviewed=len(chosen), passed=passed))
    return Curve(raw=raw.id, review=review.id, tasks=len(tasks), steps=tuple(steps))
