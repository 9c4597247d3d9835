"""What scores are worth: agreement, self-preference, sensitivity and truth, as functions of arrays alone.

A number that the data cannot give is None, for people *unknown* or *undefined*: never zero, never a guess.
All that is drawn is drawn by a seed. Ratings are arrays of judges x units, a missing score is NaN.
"""

from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dualcode.record import Record

Level = Literal["ordinal", "interval"]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

DRAWS = 2000
COVERED = 0.95
"""Of intervals."""


class Estimate(Record):
    """A number with its 95 % interval; `low` and `high` are None where one cluster says nothing of others."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    """What it was taken over: scores, pairs, units."""
    clusters: int = 0
    """Issues, which are what was drawn: scores of one issue are no independent ones."""


class Preference(Record):
    """How a judge scores its own model's work beside others'."""

    delta: Estimate
    """Mean of its own less mean of the others' (duobench's). Own work may also simply be better."""
    excess: Estimate
    """The same, less what the other judges make of the same fixes: what is left is the judge's alone."""
    own: int
    other: int


def alpha(ratings: ArrayLike, level: Level = "ordinal") -> float | None:
    """Return Krippendorff's alpha of judges x units (K. Krippendorff, Content Analysis, 2004, ch. 11).

    Units with fewer than two scores count for nothing. None, *undefined*, where nothing can be compared or
    all scores are equal: then nothing can be said of how well judges tell units apart.
    """
    table = _table(ratings)
    values = np.unique(table[~np.isnan(table)])
    if not len(values):
        return None
    counts = np.stack([(table == value).sum(axis=0) for value in values]).astype(float)
    counts = counts[:, counts.sum(axis=0) >= 2]  # values x units
    if not counts.size:
        return None
    weights = 1.0 / (counts.sum(axis=0) - 1.0)
    seen = (counts * weights) @ counts.T - np.diag((counts * weights).sum(axis=1))
    totals = seen.sum(axis=1)
    distance = _distances(values, totals, level)
    expected = (np.outer(totals, totals) * distance).sum() / (totals.sum() - 1.0)
    return None if expected == 0 else float(1.0 - (seen * distance).sum() / expected)


def weighted_kappa(first: ArrayLike, second: ArrayLike) -> float | None:
    """Return Cohen's kappa of two judges with quadratic weights; None where it is undefined.

    Pairs of which one is missing are left out.
    """
    one, two = _paired(first, second)
    if not len(one):
        return None
    expected = ((one[:, None] - two[None, :]) ** 2).mean()
    return None if expected == 0 else float(1.0 - ((one - two) ** 2).mean() / expected)


def spearman(first: ArrayLike, second: ArrayLike) -> float | None:
    """Return the correlation of ranks; None below two pairs, or where one side is constant."""
    one, two = _paired(first, second)
    return _correlation(ranks(one), ranks(two))


def auc(scores: ArrayLike, truth: ArrayLike) -> float | None:
    """Return how often a solved fix scores above an unsolved one, a tie as a half; None without both kinds.

    `truth` is 1, 0, or NaN where the tests did not tell.
    """
    score, true = _paired(scores, truth)
    solved, unsolved = score[true > 0.5], score[true <= 0.5]
    if not len(solved) or not len(unsolved):
        return None
    above = (solved[:, None] > unsolved).mean() + 0.5 * (solved[:, None] == unsolved).mean()
    return float(above)


def ranks(values: ArrayLike) -> Floats:
    """Return ranks from 1, ties at their middle."""
    array = np.asarray(values, dtype=float)
    return (array[:, None] > array).sum(axis=1) + ((array[:, None] == array).sum(axis=1) + 1) / 2.0


def sensitivity(plain: ArrayLike, other: ArrayLike, issues: Sequence[Hashable]) -> Estimate:
    """Return by how much a judge's score moves, whichever way, when only the rendering changes."""
    one, two = np.asarray(plain, dtype=float), np.asarray(other, dtype=float)
    return mean_over(np.abs(one - two), issues)


def own_minus_other(
    scores: ArrayLike,
    own: Sequence[bool],
    issues: Sequence[Hashable],
    *,
    peers: ArrayLike | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Preference:
    """Return how a judge favours fixes that are its own model's, with intervals clustered by issue.

    `own` says of each score whether the fix is the judge's model's. `peers` is the mean of the other judges'
    scores of the same fix, NaN where there is none; without it, `excess` is unknown.
    """
    score, mine = np.asarray(scores, dtype=float), np.asarray(own, dtype=bool)
    beyond = np.full_like(score, np.nan) if peers is None else score - np.asarray(peers, dtype=float)

    there = ~np.isnan(score)
    both = (mine, ~mine)
    return Preference(
        delta=clustered(score, issues, both, draws=draws, seed=seed),
        excess=clustered(beyond, issues, both, draws=draws, seed=seed),
        own=int((mine & there).sum()),
        other=int((~mine & there).sum()),
    )


def mean_over(
    values: ArrayLike, issues: Sequence[Hashable], *, draws: int = DRAWS, seed: int = 0
) -> Estimate:
    """Return a mean with its interval clustered by issue; of a single issue, without one."""
    array = np.asarray(values, dtype=float)
    return clustered(array, issues, (np.ones(len(array), dtype=bool),), draws=draws, seed=seed)


def clustered(
    values: Floats, issues: Sequence[Hashable], sides: Sequence[Mask], *, draws: int, seed: int
) -> Estimate:
    """Return the mean of one side, or of the first less that of the second, with a bootstrap interval.

    Whole issues are drawn anew, and the draws that leave a side empty are left out. There is no interval for
    a side of fewer than two issues, which says nothing of how much it varies.
    """
    there = ~np.isnan(values)
    places = {issue: place for place, issue in enumerate(dict.fromkeys(issues))}
    cluster = np.array([places[issue] for issue in issues], dtype=np.int64)
    sums, counts = (
        np.array([np.bincount(cluster[kept], each[kept], len(places)) for kept in (there & s for s in sides)])
        for each in (np.where(there, values, 0.0), np.ones(len(values)))
    )  # sides x issues
    present = int((counts.sum(axis=0) > 0).sum())
    told = Estimate(value=None, n=int(there.sum()), clusters=present)
    if not counts.size or not counts.sum(axis=1).all():
        return told
    value = _first_less_second(sums.sum(axis=1) / counts.sum(axis=1))
    told = told.model_copy(update={"value": float(value)})
    if ((counts > 0).sum(axis=1) < 2).any():
        return told
    generator = np.random.default_rng(seed)
    known = np.flatnonzero(counts.sum(axis=0))
    times = generator.multinomial(present, np.full(present, 1.0 / present), size=draws).T  # issues x draws
    totals, sizes = sums[:, known] @ times, counts[:, known] @ times
    full = (sizes > 0).all(axis=0)
    drawn = _first_less_second(totals[:, full] / sizes[:, full])
    low, high = np.quantile(drawn, [(1 - COVERED) / 2, (1 + COVERED) / 2])
    return told.model_copy(update={"low": float(low), "high": float(high)})


def effective_votes(ratings: ArrayLike, truth: ArrayLike | None = None) -> float | None:
    """Return how many independent judges these are worth: k / (1 + (k - 1) r), between 1 and k.

    r is the mean correlation of two judges' errors. What is common to all because it is true is no error:
    with `truth`, scores are taken less their judge's mean over fixes of the same kind. Without it, r is that
    of the scores, and the number a lower bound. Judges whose errors do not vary count for nothing; None for
    fewer than two others.
    """
    table = _table(ratings).copy()
    if truth is not None:
        true = np.asarray(truth, dtype=float)
        table[:, np.isnan(true)] = np.nan
        for kind in (true > 0.5, true <= 0.5):
            for row in table:
                known = kind & ~np.isnan(row)
                row[known] -= row[known].mean() if known.any() else 0.0
    found = {
        (one, two): _correlation(*_paired(table[one], table[two]))
        for one in range(len(table))
        for two in range(one)
    }
    known = {pair: each for pair, each in found.items() if each is not None}
    if not known:
        return None
    judges = len({judge for pair in known for judge in pair})
    shared = max(0.0, float(np.mean(list(known.values()))))
    return float(judges / (1.0 + (judges - 1.0) * shared))


def _first_less_second(means: Floats) -> Floats:
    return means[0] if len(means) == 1 else means[0] - means[1]


def _table(ratings: ArrayLike) -> Floats:
    table = np.asarray(ratings, dtype=float)
    if table.ndim != 2:
        raise ValueError(f"ratings are judges x units; found {table.ndim} dimensions")
    return table


def _distances(values: Floats, totals: Floats, level: Level) -> Floats:
    """Return the squared differences of values, as the level of measurement has them."""
    if level == "interval":
        return np.subtract.outer(values, values) ** 2
    places = np.arange(len(values))
    below = np.concatenate([[0.0], np.cumsum(totals)])
    first, last = np.minimum.outer(places, places), np.maximum.outer(places, places)
    between = below[last + 1] - below[first] - (totals[first] + totals[last]) / 2.0
    return np.where(first == last, 0.0, between**2)


def _paired(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    one, two = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    known = ~np.isnan(one) & ~np.isnan(two)
    return one[known], two[known]


def _correlation(one: Floats, two: Floats) -> float | None:
    """Return Pearson's correlation; None below two pairs or where one side is constant."""
    if len(one) < 2:
        return None
    one, two = one - one.mean(), two - two.mean()
    size = np.sqrt((one**2).sum() * (two**2).sum())
    return None if size < 1e-12 else float(np.clip((one * two).sum() / size, -1.0, 1.0))
