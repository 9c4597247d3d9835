"""The published tables as counts of tasks, and what they leave open.

Source: "Review Beats Planning", arXiv 2603.03406, Table 2 (HumanEval and HumanEval+, 164 tasks), Table 3
(MBPP+, 378 tasks), section 4.2 (gated) and section 4.4 (15 regressions, 14 improvements). These are the
paper's numbers; none of them was measured here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

TASKS = {"HumanEval": 164, "HumanEval+": 164, "MBPP+": 378}
PUBLISHED: dict[str, dict[str, float]] = {
    "HumanEval": {
        "raw-coder": 81.1, "raw-planner": 89.0, "plan-code": 80.5,
        "review-fix": 89.6, "review-fix-retry": 93.3, "adversarial": 91.5,
    },
    "HumanEval+": {
        "raw-coder": 78.0, "raw-planner": 84.1, "plan-code": 75.6, "review-fix": 87.8,
        "review-fix-retry": 90.2, "adversarial": 86.6, "enriched": 88.4, "gated": 84.1,
    },
    "MBPP+": {"raw-coder": 67.5, "review-fix": 69.8, "enriched": 69.8, "gated": 69.0},
}  # fmt: skip
"""Per cent, as printed."""
PLAN_REGRESSIONS, PLAN_IMPROVEMENTS = 15, 14
"""Of plan-code against raw-coder. Their difference is that of base HumanEval (133 to 132 tasks), not that of
HumanEval+ (128 to 124), so they are read as base HumanEval's."""


def count_of(percent: float, total: int) -> int:
    """Return the only number of tasks whose share prints as `percent`; a ValueError if there is not one."""
    fitting = [n for n in range(total + 1) if abs(100 * n / total - percent) <= 0.05 + 1e-9]
    if len(fitting) != 1:
        raise ValueError(f"{percent} % of {total} fits {fitting or 'no count'}")
    return fitting[0]


def passed(suite: str, pipeline: str) -> int:
    """Return how many of the suite's tasks the paper's pipeline passed; a KeyError if it is not published."""
    return count_of(PUBLISHED[suite][pipeline], TASKS[suite])


@dataclass(frozen=True)
class Change:
    """Two pipelines over the same tasks, of which only the totals are known.

    `gains` tasks went from failed to passed and `losses` the other way; only their difference is known, so
    every pair of `pairs` reproduces the totals.
    """

    before: int
    after: int
    total: int

    @property
    def net(self) -> int:
        """Gains less losses."""
        return self.after - self.before

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """All feasible (gains, losses), the fewest changes first."""
        least = max(self.net, 0)
        most = min(self.total - self.before, self.before + self.net)
        return [(gains, gains - self.net) for gains in range(least, most + 1)]

    @property
    def rates(self) -> NDArray[np.float64]:
        """All feasible (wrong made right, right made wrong), each a share of its kind; shape (n, 2)."""
        return np.asarray(self.pairs) / [self.total - self.before, self.before]

    @property
    def p_values(self) -> list[float]:
        """The exact two-sided McNemar p-value of each pair."""
        return [
            float(binomtest(gains, gains + losses).pvalue) if gains + losses else 1.0
            for gains, losses in self.pairs
        ]

    @property
    def significant(self) -> int:
        """How many pairs have p < 0.05."""
        return sum(p < 0.05 for p in self.p_values)


def change(suite: str, before: str, after: str) -> Change:
    """Return what two published pipelines say of each other."""
    return Change(passed(suite, before), passed(suite, after), TASKS[suite])


@dataclass(frozen=True)
class Interval:
    """A value with the interval that its sample allows."""

    value: float
    low: float
    high: float


def redraw_correlation() -> Interval:
    """Return the correlation of two drafts of a task if planning is but a second draft (Wilson 95 %).

    Two drafts with pass@1 p disagree with probability 2 p (1 - p)(1 - correlation); p is the mean of both.
    """
    total = TASKS["HumanEval"]
    p = (passed("HumanEval", "raw-coder") + passed("HumanEval", "plan-code")) / 2 / total
    changed = binomtest(PLAN_REGRESSIONS + PLAN_IMPROVEMENTS, total)
    bounds = changed.proportion_ci(method="wilson")
    shares = (float(changed.statistic), float(bounds.high), float(bounds.low))
    return Interval(*(1 - share / (2 * p * (1 - p)) for share in shares))


def rescued(suite: str) -> Interval:
    """Return the share of what review-fix left wrong that its retries made right (Wilson 95 %).

    Nothing is lost, since a retry starts only from a program that fails a visible check.
    """
    retried = change(suite, "review-fix", "review-fix-retry")
    left = retried.total - retried.before
    bounds = binomtest(retried.net, left).proportion_ci(method="wilson")
    return Interval(retried.net / left, float(bounds.low), float(bounds.high))


def skipped_by_gate(suite: str) -> tuple[int, int]:
    """Return the net gain of review on the tasks that the gate let through, and on those that it skipped.

    Greedy decoding makes gated equal to review-fix on the former and to raw-coder on the latter.
    """
    through = change(suite, "raw-coder", "gated").net
    return through, change(suite, "raw-coder", "review-fix").net - through


def needed_arbitration(suite: str) -> tuple[float, float]:
    """Return the least and the most accuracy with which an arbiter of draft against fix breaks even.

    It restores a share c of the losses and gives up 1 - c of the gains: it pays from c = gains / (gains +
    losses). This takes draft and fix as they were, before any guard.
    """
    shares = [gains / (gains + losses) for gains, losses in change(suite, "raw-coder", "review-fix").pairs]
    return min(shares), max(shares)
