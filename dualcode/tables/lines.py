"""One pipeline on one dataset: what ran here, and, apart from it, what is published of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.runs import Run, Score
from dualcode.analysis.statistics import Comparison, Tested
from dualcode.metrics import Rate
from dualcode.published.published import SUITES, Published, PublishedScore
from dualcode.tables import cells
from dualcode.tables.cells import known, points, points_interval, ratio, signed
from dualcode.tables.grid import Field, right
from dualcode.verdict import Part

R = TypeVar("R")

MOST_NOTES = 4
"""Of one kind, below a table."""


@dataclass(frozen=True)
class Line:
    """A pipeline on a dataset; everything of ours is empty if it did not run."""

    pipeline: str
    dataset: str
    run: Run | None
    scores: Mapping[Part, Score]
    comparisons: Mapping[Part, Comparison]
    published: Mapping[Part, PublishedScore]
    deltas: Mapping[Part, float]
    """The published differences to the same baseline, where they can be told."""

    @property
    def part(self) -> Part:
        """The part that decides; the texts below are of it where no other is asked for."""
        return self.run.hardest if self.run else "plus"

    @property
    def comparison(self) -> Comparison | None:
        """On the part that decides; None for the baseline, and without one."""
        return self.comparisons.get(self.part)

    def _rate(self, part: Part | None) -> Rate | None:
        score = self.scores.get(part or self.part)
        return score and score.rate

    def score(self, part: Part | None = None) -> str:
        """Return pass@1 with its counts: `87.8 % (144/164)`."""
        return known(self._rate(part), lambda rate: ratio(rate.passed, rate.total))

    def interval(self, part: Part | None = None) -> str:
        """Return the Wilson 95 % interval among the graded tasks."""
        return known(self._rate(part), lambda rate: cells.interval(rate.low, rate.high))

    def errored(self) -> str:
        """Return what `errored` says of the score that decides."""
        return known(self.scores.get(self.part), errored)

    def delta(self) -> str:
        """Return the difference to the baseline."""
        return known(self.comparison, lambda made: points(made.delta))

    def delta_interval(self) -> str:
        """Return the paired 95 % interval of the difference."""
        return known(self.comparison, lambda made: points_interval(made.low, made.high))

    def printed(self, part: Part | None = None) -> str:
        """Return the published percentage."""
        return known(self.published.get(part or self.part), lambda score: cells.printed(score.percent))

    def printed_delta(self, part: Part | None = None) -> str:
        """Return the published difference to the same baseline."""
        return known(self.deltas.get(part or self.part), signed)

    def ours(self) -> dict[str, Any] | None:
        """Return what was measured here, for JSON."""
        if self.run is None:
            return None
        compared = {part: each.model_dump(mode="json") for part, each in self.comparisons.items()}
        return {
            "run": self.run.id,
            "dataset": self.dataset,
            "selection": {"tasks": len(self.run.tasks), "of": self.run.size},
            "scores": {part: score.model_dump(mode="json") for part, score in self.scores.items()},
            "comparisons": compared,
        }

    def cited(self) -> list[dict[str, Any]]:
        """Return what is published, each with its place, for JSON."""
        return [score.model_dump(mode="json") for score in self.published.values()]

    def values(self) -> dict[str, Any]:
        """Return both, apart, for JSON."""
        return {"pipeline": self.pipeline, "ours": self.ours(), "published": self.cited()}


def line(analysis: Analysis, published: Published, dataset: str, pipeline: str) -> Line:
    """Return a pipeline on a dataset."""
    run = analysis.run(dataset, pipeline)
    base, plus = SUITES.get(dataset, (None, None))
    found: dict[Part, PublishedScore | None] = {
        "base": published.score(base, pipeline) if base else None,
        "plus": published.score(plus, pipeline) if plus else None,
    }
    return Line(
        pipeline=pipeline,
        dataset=dataset,
        run=run,
        scores=analysis.scores[run.id] if run else {},
        comparisons=analysis.comparisons.get(run.id, {}) if run else {},
        published={part: score for part, score in found.items() if score},
        deltas={
            part: delta
            for part, score in found.items()
            if score and (delta := published.delta(score.suite, pipeline, analysis.baseline)) is not None
        },
    )


def errored(score: Score) -> str:
    """Return how many tasks have no verdict, and the interval of pass@1 if they count."""
    return f"{len(score.errored)}: {cells.interval(*score.widened)}" if score.errored else "0"


def tested(of: Callable[[R], Tested | None], *, several: bool, drop: int = 0) -> list[Field[R] | None]:
    """Return the columns of a test: p, and p Holm where `several` are shown together; `drop` is p's then."""
    return [
        right("p", lambda row: known(of(row), lambda made: cells.p_value(made.p_value)), drop=drop * several),
        right("p Holm", lambda row: known(of(row), lambda made: cells.p_value(made.p_holm)))
        if several
        else None,
    ]


def compared(of: Callable[[R], Line], lines: Sequence[Line], *, several: bool) -> list[Field[R] | None]:
    """Return the columns of a line's errored tasks, if any of `lines` has some, and of its comparison."""
    return [
        right("errored", lambda row: of(row).errored()) if any_errored(lines) else None,
        right("Δ (pp)", lambda row: of(row).delta()),
        right("Δ, 95 %", lambda row: of(row).delta_interval()),
        *tested(lambda row: of(row).comparison, several=several),
    ]


def any_errored(lines: Iterable[Line]) -> bool:
    """Return whether any run of them has errored tasks."""
    return any(each.run is not None and bool(each.run.errored) for each in lines)


def caveats(lines: Sequence[Line]) -> list[str]:
    """Return notes on errored and unpaired tasks and on what makes runs not comparable."""
    notes: list[str] = []
    if any_errored(lines):
        notes.append(
            "errored: tasks without a verdict, by a fault that is not the program's. They are in no rate; "
            "the interval beside them goes from all of them failed to all of them passed."
        )
    made = [each.comparison for each in lines if each.comparison is not None]
    unpaired = [
        f"{each.run}: {len(each.unpaired)} tasks that only one of the two runs graded are not in Δ."
        for each in made
        if each.unpaired
    ]
    warnings = list(dict.fromkeys(warning for each in made for warning in each.warnings))
    return [*notes, *_few(unpaired), *_few(warnings)]


def _few(notes: Sequence[str]) -> list[str]:
    """Return notes of one kind, or the first and how many more there are."""
    if len(notes) <= MOST_NOTES:
        return list(notes)
    first = notes[: MOST_NOTES - 1]
    return [*first, f"{len(notes) - len(first)} more notes like these: `dualcode compare --json` has them."]


def recomputed(baseline: str) -> list[str]:
    """Return the note on published differences where the baseline is not the paper's."""
    if baseline == "raw-coder":
        return []
    return [f"Δ (paper) is against {baseline} too: from the printed percentages, as the paper prints none."]


def statistics(analysis: Analysis) -> str:
    """Return the note that says what intervals, Δ and p are."""
    holm = (
        f"; p Holm: the same, corrected for all {analysis.family} comparisons of these runs: what may be "
        "claimed. An interval is of one comparison alone, so it can exclude 0 where p Holm claims nothing"
        if analysis.family > 1
        else ""
    )
    return (
        "95 %: Wilson's interval of pass@1, counts in parentheses. Δ: percentage points against "
        f"{analysis.baseline} on the tasks that both graded, with a paired interval; p: McNemar's exact test"
        f"{holm} (docs/statistics.md)."
    )
