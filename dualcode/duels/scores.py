"""Judgements -> scores of cells: each judge's two renderings first, then the judges, each counting alike."""

from collections.abc import Iterable, Mapping
from statistics import fmean, stdev

from dualcode.duels.records import Judgement
from dualcode.record import Record

Key = tuple[str, str, int]


class Spread(Record):
    """A mean over cells, and how far they lie apart."""

    mean: float
    std: float | None
    """Standard deviation over the cells; None of a single one."""
    cells: int


class CellScore(Record):
    """What the panel gave one cell."""

    by_judge: dict[str, dict[str, float]]
    """Judge -> dimension -> the mean over its renderings; a judge that gave none is not in it."""
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
    asked: dict[Key, dict[str, list[Mapping[str, int]]]] = {}
    for each in judgements:
        if each.calibration is None:
            own = asked.setdefault((each.condition, each.issue, each.trial), {}).setdefault(each.judge, [])
            own += [each.scores] if each.scores else []
    return {
        key: CellScore(
            by_judge={judge: _means(given) for judge, given in judges.items() if given},
            missing=tuple(judge for judge, given in judges.items() if not given),
        )
        for key, judges in asked.items()
    }


def _means(given: Iterable[Mapping[str, int]]) -> dict[str, float]:
    known = list(given)
    names = dict.fromkeys(name for scores in known for name in scores)
    return {name: fmean(scores[name] for scores in known if name in scores) for name in names}


def spread_of(values: Iterable[float | None]) -> Spread | None:
    """Return mean and standard deviation of what is known; None of nothing."""
    known = [each for each in values if each is not None]
    if not known:
        return None
    return Spread(mean=fmean(known), std=stdev(known) if len(known) > 1 else None, cells=len(known))
