"""Everything that a set of runs says, in one value: what tables, figures and the report are made from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TypeVar

from dualcode.analysis.costs import Costs, costs_of
from dualcode.analysis.failures import Regressions, regressions
from dualcode.analysis.failures.regression import check_comparable
from dualcode.analysis.reviewer import ReviewerReport, review_report
from dualcode.analysis.runs import BASELINE, Run, Score
from dualcode.analysis.statistics import Comparison, Gap, compare_gaps, compare_pairs
from dualcode.errors import InputError, RunError
from dualcode.verdict import Part

T = TypeVar("T")


class Deferred(Mapping[str, T]):
    """Values that are made, once, when they are asked for: not every reader wants the dear ones."""

    def __init__(self, makers: Mapping[str, Callable[[], T]]) -> None:
        self._makers = {key: cache(make) for key, make in makers.items()}

    def __getitem__(self, key: str) -> T:
        """Return the value, made now if it is the first time."""
        return self._makers[key]()

    def __iter__(self) -> Iterator[str]:
        """Yield the keys."""
        return iter(self._makers)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._makers)


@dataclass(frozen=True, repr=False)  # asyncio writes out what a finished task returned
class Analysis:
    """Runs and what follows from them; all maps are by run id."""

    title: str
    """What this is: the study's title, or the runs' folder."""
    note: str
    """What a reader must know before the first number, such as that the model is a demo's; may be empty."""
    baseline: str
    """The pipeline that others are compared with."""
    runs: tuple[Run, ...]
    """At most one for each dataset and pipeline, in the study's order."""
    scores: Mapping[str, Mapping[Part, Score]]
    comparisons: Mapping[str, Mapping[Part, Comparison]]
    """Each run against its dataset's baseline run; none for the baseline itself. All that are on their run's
    hardest part are shown together, and corrected for each other; so are those on base tests alone."""
    gaps: tuple[Gap, ...]
    """For each pipeline that ran on a rich and a lean suite, on their hardest part; corrected together."""
    reviewers: Mapping[str, ReviewerReport]
    """Of the runs whose pipeline reviews drafts."""
    regressions: Mapping[str, Regressions]
    costs: Mapping[str, Costs]
    richness: Mapping[str, float] = field(default_factory=dict[str, float])
    """Of each task's specification, 0..1."""

    def run(self, dataset: str, pipeline: str) -> Run | None:
        """Return the run of a pipeline on a dataset, or None."""
        return next((r for r in self.runs if (r.dataset, r.pipeline) == (dataset, pipeline)), None)

    @property
    def family(self) -> int:
        """How many comparisons are shown together."""
        return max((each.family for own in self.comparisons.values() for each in own.values()), default=1)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The datasets, in the runs' order."""
        return tuple(dict.fromkeys(run.dataset for run in self.runs))

    @property
    def pipelines(self) -> tuple[str, ...]:
        """The pipelines, in the runs' order."""
        return tuple(dict.fromkeys(run.pipeline for run in self.runs))


def analyse(
    runs: Sequence[Run],
    *,
    baseline: str = BASELINE,
    title: str = "",
    note: str = "",
    truth: Mapping[str, Mapping[str, bool]] | None = None,
    richness: Mapping[str, float] | None = None,
) -> Analysis:
    """Return everything that the runs say.

    `baseline` is a pipeline; a dataset without a run of it has no comparisons. `truth` says of each run's
    reviewed drafts whether they are right, `richness` how much each task's specification says; what they
    leave out is unknown. Raises RunError for two runs of one pipeline on one dataset, and InputError if no
    dataset has the baseline although there is something to compare.
    """
    known: dict[tuple[str, str], Run] = {}
    for run in runs:
        if (first := known.setdefault((run.dataset, run.pipeline), run)) is not run:
            raise RunError(
                f"{first.folder} and {run.folder} are both {run.pipeline} on {run.dataset}",
                hint="name one of them; dualcode compare sets two runs of one pipeline side by side",
            )
    others = [run for run in runs if run.pipeline != baseline]
    pairs = [(known[run.dataset, baseline], run) for run in others if (run.dataset, baseline) in known]
    if others and not pairs:
        ran = ", ".join(dict.fromkeys(run.pipeline for run in runs))
        raise InputError(
            f"there is no run of the baseline {baseline} to compare"
            f" {', '.join(run.id for run in others[:3])} with",
            hint=f"--baseline with one of {ran}; or add a run of {baseline}",
        )
    for base, run in pairs:
        check_comparable(base, run, run.hardest)
    made = compare_pairs(pairs)
    lesser = compare_pairs([pair for pair in pairs if len(pair[1].parts) > 1], "base")
    reviewers = {run.id: review_report(run, (truth or {}).get(run.id, {}), richness or {}) for run in runs}
    return Analysis(
        title=title,
        note=note,
        baseline=baseline,
        runs=tuple(runs),
        scores={run.id: {part: run.score(part) for part in run.parts} for run in runs},
        comparisons={
            run.id: {each.part: each for each in (*lesser, *made) if each.run == run.id} for _, run in pairs
        },
        gaps=compare_gaps(pairs, made, richness or {}),
        reviewers={id_: report for id_, report in reviewers.items() if report is not None},
        regressions=Deferred({run.id: partial(regressions, base, run, run.hardest) for base, run in pairs}),
        costs={run.id: costs_of(run) for run in runs},
        richness=richness or {},
    )
