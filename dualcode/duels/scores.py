"""Judgements -> scores of cells: each judge's means, then the judges, each counting alike.

Scores are those of the plain rendering, as in `panel.measures`; the other one tells a judge's sensitivity.
"""

from collections.abc import Iterable
from statistics import fmean, stdev

from dualcode.duels.records import Judgement, Key
from dualcode.record import Record


class Spread(Record):
    """A mean over cells, and how far they lie apart."""

    mean: float
    std: float | None
    """Standard deviation over the cells; None of a single one."""
    cells: int


class CellScore(Record):
    """What the panel gave one cell."""

    by_judge: dict[str, dict[str, int]]
    """Judge -> dimension -> score; a judge that gave none is not in it."""
    missing: tuple[str, ...] = ()
    """Judges that were asked and of whom no score came."""

    @property
    def dimensions(self) -> dict[str, float]:
        """The mean over the judges, by dimension."""
        names = dict.fromkeys(name for scores in self.by_judge.values() for name in scores)
        return {
            name: fmean(scores[name] for scores in self.by_judge.values() if name in scores) for name in names
        }

    @property
    def quality(self) -> float | None:
        """The mean over the dimensions of each judge, then over the judges; None without a score."""
        known = [fmean(scores.values()) for scores in self.by_judge.values() if scores]
        return fmean(known) if known else None


def scores_of(judgements: Iterable[Judgement]) -> dict[Key, CellScore]:
    """Return each cell's score; calibrations are no cell's."""
    asked: dict[Key, dict[str, dict[str, int] | None]] = {}
    for each in judgements:
        if each.calibration is None and each.rendering == "plain":
            asked.setdefault(each.key, {})[each.judge] = each.scores
    return {
        key: CellScore(
            by_judge={judge: scores for judge, scores in judges.items() if scores},
            missing=tuple(judge for judge, scores in judges.items() if not scores),
        )
        for key, judges in asked.items()
    }


def spread_of(values: Iterable[float | None]) -> Spread | None:
    """Return mean and standard deviation of what is known; None of nothing."""
    known = [each for each in values if each is not None]
    if not known:
        return None
    return Spread(mean=fmean(known), std=stdev(known) if len(known) > 1 else None, cells=len(known))
