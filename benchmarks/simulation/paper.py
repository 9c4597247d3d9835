"""The published tables as counts of tasks, and what they leave open.

The numbers are those of `dualcode/published/published.toml`: Table 2 (HumanEval and HumanEval+), Table 3
(MBPP+), section 4.2 (gated) and section 4.4 (regressions and improvements of planning). They are the paper's;
none of them was measured here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from dualcode.published.published import count_of, load_published

_PAPER = load_published()
PUBLISHED: dict[str, dict[str, float]] = {
    suite: {each.pipeline: each.percent for each in _PAPER.scores if each.suite == suite}
    for suite in dict.fromkeys(each.suite for each in _PAPER.scores)
}
"""Per cent, as printed."""
TASKS = {suite: _PAPER.suites[suite] for suite in PUBLISHED}
PLAN_REGRESSIONS = int(_PAPER.number("plan-regressions").value)
PLAN_IMPROVEMENTS = int(_PAPER.number("plan-improvements").value)
"""Of plan-code against raw-coder. Their difference is that of base HumanEval, not that of HumanEval+, so they
are read as base HumanEval's."""


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
