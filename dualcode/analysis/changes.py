"""Counts of gained and lost tasks -> intervals, p-values, sample sizes. scipy's distributions, all exact.

docs/statistics.md says why these methods, and what they cover.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, binomtest, hypergeom, norm

Array = NDArray[np.float64]
Counts = NDArray[np.integer[Any]] | int
Suite = tuple[Counts, Counts, int]
"""Tasks gained, tasks lost, tasks."""

LEVEL = 0.05
"""Of the tests; the intervals hold 1 - LEVEL."""
POWER = 0.8
"""What `Changes.needed` asks for."""
_ADDED = 1
"""Tasks gained, and tasks lost, that are added before tasks are drawn anew: see `Changes.draws`."""
_ROUNDING = 1e-12
"""Sums of probabilities that differ by less are equal."""


@dataclass(frozen=True)
class Interval:
    """The bounds of a 95 % interval."""

    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        """Whether 0 is inside, or a bound."""
        return self.low <= 0 <= self.high


@dataclass(frozen=True)
class Changes:
    """What became of the same tasks in a second run: all that a paired comparison of passes depends on."""

    gained: int
    lost: int
    tasks: int

    @property
    def delta(self) -> float:
        """The difference of the two pass@1, as a share."""
        return (self.gained - self.lost) / self.tasks

    @property
    def p_value(self) -> float:
        """McNemar's exact two-sided test; 1.0 where no task changed."""
        changed = self.gained + self.lost
        return float(binomtest(self.gained, changed).pvalue) if changed else 1.0

    def draws(self) -> tuple[Array, Array]:
        """Return every delta that drawing the tasks anew can give, ascending, and its probability.

        This is the paired bootstrap with all of its draws weighed exactly (a power of one task's
        characteristic function) instead of a sample of them. One gained and one lost task are added first
        (Agresti & Min 2005, Bonett & Price 2012): what was never seen could otherwise never be drawn, and
        runs without a change would have the interval [0, 0].
        """
        total = self.tasks + 2 * _ADDED
        up, down = (self.gained + _ADDED) / total, (self.lost + _ADDED) / total
        sums = np.arange(-total, total + 1)
        turn = 2j * np.pi * np.arange(len(sums)) / len(sums)
        one_task = up * np.exp(turn) + down * np.exp(-turn) + (1 - up - down)
        weights = np.roll(np.fft.fft(one_task**total).real, total).clip(0)
        return sums / total, weights / weights.sum()

    def interval(self) -> Interval:
        """Return the 95 % interval of `delta`."""
        return interval_of(*self.draws())

    def power(self, tasks: int) -> float:
        """Return the probability that McNemar's exact test shows p < 0.05 on `tasks` tasks at these rates."""
        if not self.gained + self.lost:
            return 0.0
        share, up = (self.gained + self.lost) / self.tasks, self.gained / (self.gained + self.lost)
        middle, reach = tasks * share, 7 * np.sqrt(tasks * share * (1 - share)) + 7
        changed = np.arange(max(0, int(middle - reach)), min(tasks, int(middle + reach)) + 1)
        most = binom.ppf(LEVEL / 2, changed, 0.5)
        most -= 2 * binom.cdf(most, changed, 0.5) >= LEVEL  # of the rarer change, while p < LEVEL
        shown = binom.cdf(most, changed, up) + binom.cdf(most, changed, 1 - up)
        return float(binom.pmf(changed, tasks, share) @ shown)

    def needed(self) -> int | None:
        """Return a number of tasks that has the power of 80 % where one task fewer has not; None at delta 0.

        The power is exact, not Connor's (1987) approximation, which says where to look.
        """
        if self.gained == self.lost:
            return None
        return _fewest(self)

    def connor(self) -> int:
        """Return Connor's (1987) number of tasks for 80 % power of the uncorrected test; delta is not 0."""
        share, delta = (self.gained + self.lost) / self.tasks, self.delta
        level, power = norm.ppf(1 - LEVEL / 2), norm.ppf(POWER)
        root = level * np.sqrt(share) + power * np.sqrt(share - delta**2)
        return int(np.ceil((root / delta) ** 2))


@lru_cache(maxsize=4096)
def _fewest(changes: Changes) -> int:
    enough = changes.connor()
    step = max(4, enough // 16)
    while changes.power(enough) < POWER:
        enough += step
    few = enough - step
    while few > 0 and changes.power(few) >= POWER:
        few, enough = few - step, few
    few = max(few, 0)
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if changes.power(middle) >= POWER else (middle, enough)
    return enough


def gap_interval(rich: Changes, lean: Changes) -> Interval:
    """Return the 95 % interval of rich.delta - lean.delta; each suite's tasks are drawn for themselves."""
    (rich_deltas, rich_weights), (lean_deltas, lean_weights) = rich.draws(), lean.draws()
    return interval_of(np.subtract.outer(rich_deltas, lean_deltas), np.outer(rich_weights, lean_weights))


def ratio_interval(rich: Changes, lean: Changes) -> Interval | None:
    """Return the 95 % interval of rich.delta / lean.delta, or None where either delta's interval holds 0."""
    if rich.interval().holds_zero or lean.interval().holds_zero:
        return None
    (rich_deltas, rich_weights), (lean_deltas, lean_weights) = rich.draws(), lean.draws()
    sign = np.sign(lean.delta)
    upper, lower = sign * rich_deltas[:, None], sign * lean_deltas[None, :]
    # A lean draw at or past 0, of which there are under 2.5 %, is past every finite ratio.
    ratios = np.divide(upper, lower, out=np.copysign(np.inf, upper + 0 * lower), where=lower > 0)
    return interval_of(ratios, np.outer(rich_weights, lean_weights))


def gap_p_value(rich: Changes, lean: Changes) -> float:
    """Return the two-sided p-value of equal deltas: the exact studentized permutation test.

    Tasks (gained, lost or unchanged) are dealt anew to the two suites; every deal is weighed by its
    hypergeometric probability, none is drawn. Exact where both suites change alike; studentizing keeps it
    valid in large suites of equal delta whose shares of changed tasks differ (Janssen 1997, Chung & Romano
    2013), which the plain permutation test is not.
    """
    total, gained, lost = rich.tasks + lean.tasks, rich.gained + lean.gained, rich.lost + lean.lost
    ups = np.arange(min(gained, rich.tasks) + 1)[:, None]
    downs = np.arange(min(lost, rich.tasks) + 1)[None, :]
    # Gained tasks first, then lost ones among the places that are left.
    weights = hypergeom.pmf(ups, total, gained, rich.tasks) * hypergeom.pmf(
        downs, total - gained, lost, rich.tasks - ups
    )
    dealt = np.abs(_studentized((ups, downs, rich.tasks), (gained - ups, lost - downs, lean.tasks)))
    # Other cells of the table are no deals: their weight and variance mean nothing.
    possible = (ups + downs <= rich.tasks) & (gained - ups + lost - downs <= lean.tasks)
    observed = abs(float(_studentized(*((each.gained, each.lost, each.tasks) for each in (rich, lean)))))
    return min(1.0, float(weights[possible & (dealt >= observed - _ROUNDING)].sum()))


def _studentized(one: Suite, other: Suite) -> Array:
    """Return the difference of two deltas in units of its standard error, which is never 0."""
    (up, down, tasks), (other_up, other_down, others) = one, other
    error = _variance(*one) + _variance(*other)
    return np.asarray(((up - down) / tasks - (other_up - other_down) / others) / np.sqrt(error))


def _variance(up: Counts, down: Counts, tasks: int) -> Array:
    total = tasks + 2 * _ADDED
    delta = (up - down) / total
    return np.asarray(((up + down + 2 * _ADDED) / total - delta**2) / total).clip(_ROUNDING)


def interval_of(values: Array, weights: Array) -> Interval:
    """Return the percentile interval: the outermost values with at most 2.5 % of the draws beyond each."""
    order = np.argsort(values, axis=None)
    ascending, shares = values.ravel()[order], weights.ravel()[order]
    tail = LEVEL / 2 + _ROUNDING
    below, above = int((shares.cumsum() <= tail).sum()), int((shares[::-1].cumsum() <= tail).sum())
    return Interval(float(ascending[below]), float(ascending[len(ascending) - 1 - above]))
