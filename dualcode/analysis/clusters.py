"""Trials of the same issue are no independent tasks: rates and differences that know it.

With one trial an issue, all is what `metrics.rate` and `changes.Changes` say (docs/duel-report.md).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dualcode.analysis.changes import Array, Interval, interval_of
from dualcode.metrics import Rate, rate, wilson

FINEST = 10_000
"""Differences whose common denominator is larger are rounded to this one."""
_ROUNDING = 1e-12


def clustered_rate(outcomes: Mapping[str, Sequence[bool]]) -> Rate | None:
    """Return passed/total over all trials, with the Wilson 95 % interval of as many as they are worth.

    Trials of one issue that agree are worth one, trials that differ as issues do are worth themselves: the
    total over the design effect 1 + (m - 1) * ICC (Kish 1965), the intraclass correlation by analysis of
    variance. Of a single issue nothing is known of how issues differ: its trials are worth one. None where
    nothing was graded.
    """
    groups = [list(each) for each in outcomes.values() if each]
    total, passed = sum(map(len, groups)), sum(map(sum, groups))
    if not total:
        return None
    plain = rate(passed, total)
    if total == len(groups):
        return plain
    low, high = wilson(passed / total, worth(groups))
    return plain.model_copy(update={"low": low, "high": high})


def worth(groups: Sequence[Sequence[bool]]) -> float:
    """Return how many independent trials the trials of these issues are worth: from their issues to all."""
    total, issues = sum(map(len, groups)), len(groups)
    if issues < 2 or total == issues:
        return float(issues)
    share = sum(map(sum, groups)) / total
    means = [sum(each) / len(each) for each in groups]
    between = sum(len(each) * (mean - share) ** 2 for each, mean in zip(groups, means, strict=True)) / (
        issues - 1
    )
    within = sum(len(each) * mean * (1 - mean) for each, mean in zip(groups, means, strict=True)) / (
        total - issues
    )
    size = (total - sum(len(each) ** 2 for each in groups) / total) / (issues - 1)
    spread = between + (size - 1) * within
    correlation = (between - within) / spread if spread else 1.0
    effect = 1 + (total / issues - 1) * min(1.0, max(0.0, correlation))
    return max(float(issues), total / effect)


@dataclass(frozen=True)
class Clusters:
    """A paired comparison of passes, issue by issue."""

    differences: tuple[Fraction, ...]
    """For each issue the mean difference of its pairs of trials, from -1 to 1."""

    @property
    def delta(self) -> float:
        """The difference of the two rates, each issue counting alike."""
        return float(sum(self.differences, Fraction()) / len(self.differences))

    @property
    def p_value(self) -> float:
        """The exact two-sided sign-flip test: each issue's difference could as well have the other sign.

        With one trial an issue it is McNemar's exact test; 1.0 where no issue changed.
        """
        steps, _ = self._steps()
        moved = np.abs(steps[steps != 0])
        if not len(moved):
            return 1.0
        reach = int(moved.sum())
        chances = np.zeros(2 * reach + 1)
        chances[reach] = 1.0
        for step in moved:
            chances = (np.roll(chances, step) + np.roll(chances, -step)) / 2
        sums = np.arange(-reach, reach + 1)
        return min(1.0, float(chances[np.abs(sums) >= abs(int(steps.sum()))].sum()))

    @property
    def least_p(self) -> float:
        """The smallest p that so many issues can give at all."""
        return min(1.0, 2.0 ** (1 - len(self.differences)))

    def interval(self) -> Interval:
        """Return the 95 % interval of `delta`: the paired bootstrap of `Changes`, issues drawn anew."""
        steps, unit = self._steps()
        seen = np.concatenate([steps, [unit, -unit]])  # one issue gained and one lost: see `Changes.draws`
        issues = len(seen)
        sums = np.arange(-issues * unit, issues * unit + 1)
        one = np.zeros(len(sums))
        np.add.at(one, seen, 1 / issues)  # a negative step is a place from the end, as the transform has it
        weights: Array = np.roll(np.fft.ifft(np.fft.fft(one) ** issues).real, issues * unit).clip(0)
        return interval_of(sums / (issues * unit), weights / weights.sum())

    def _steps(self) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], int]:
        """Return the differences as whole numbers of a unit, and how many of it are 1."""
        unit = math.lcm(*(each.denominator for each in self.differences))
        unit = unit if unit <= FINEST else FINEST
        return np.array([round(each * unit) for each in self.differences], dtype=np.int64), unit
