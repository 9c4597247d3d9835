"""Everything that a set of runs says, in one value: what tables, figures and the report are made from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from dualcode.analysis.costs import Costs, costs_of
from dualcode.analysis.failures import Regressions, regressions
from dualcode.analysis.reviewer import ReviewerReport, judge
from dualcode.analysis.runs import Run, Score
from dualcode.analysis.statistics import Comparison, Gap, compare, gap
from dualcode.errors import InputError, RunError
from dualcode.verdict import Part


@dataclass(frozen=True)
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
    """Each run against its dataset's baseline run; none for the baseline itself."""
    gaps: tuple[Gap, ...]
    """For each pipeline that ran on a rich and a lean suite, on their hardest parts."""
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
    baseline: str = "raw-coder",
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
    _refuse_doubles(runs)
    pairs = _pairs(runs, baseline)
    _refuse_missing(runs, pairs, baseline)
    reviewers = {run.id: judge(run, (truth or {}).get(run.id, {}), richness or {}) for run in runs}
    return Analysis(
        title=title,
        note=note,
        baseline=baseline,
        runs=tuple(runs),
        scores={run.id: {part: run.score(part) for part in run.parts} for run in runs},
        comparisons={run.id: {part: compare(base, run, part) for part in run.parts} for base, run in pairs},
        gaps=tuple(_gaps(pairs, richness or {})),
        reviewers={id_: report for id_, report in reviewers.items() if report is not None},
        regressions={run.id: regressions(base, run, run.hardest) for base, run in pairs},
        costs={run.id: costs_of(run) for run in runs},
        richness=richness or {},
    )


def _refuse_doubles(runs: Sequence[Run]) -> None:
    known: dict[tuple[str, str], Run] = {}
    for run in runs:
        first = known.setdefault((run.dataset, run.pipeline), run)
        if first is not run:
            raise RunError(
                f"{first.folder} and {run.folder} are both {run.pipeline} on {run.dataset}",
                hint="name one of them; dualcode compare sets two runs of one pipeline side by side",
            )


def _pairs(runs: Sequence[Run], baseline: str) -> list[tuple[Run, Run]]:
    """Return (baseline run, run) for every run that has one, the baseline's own runs left out."""
    bases = {run.dataset: run for run in runs if run.pipeline == baseline}
    return [(bases[run.dataset], run) for run in runs if run.dataset in bases and run.pipeline != baseline]


def _refuse_missing(runs: Sequence[Run], pairs: Sequence[tuple[Run, Run]], baseline: str) -> None:
    others = [run.id for run in runs if run.pipeline != baseline]
    if others and not pairs:
        ran = ", ".join(dict.fromkeys(run.pipeline for run in runs))
        raise InputError(
            f"there is no run of the baseline {baseline} to compare {', '.join(others[:3])} with",
            hint=f"--baseline with one of {ran}; or add a run of {baseline}",
        )


def _gaps(pairs: Sequence[tuple[Run, Run]], richness: Mapping[str, float]) -> Iterator[Gap]:
    """Yield, for each pipeline that ran on two suites, the richer suite's delta against the leaner one's."""
    by_pipeline: dict[str, list[tuple[Run, Run]]] = {}
    for base, run in pairs:
        by_pipeline.setdefault(run.pipeline, []).append((base, run))
    for found in by_pipeline.values():
        if len(found) == 2:
            first, second = found
            yield gap(first, second) if _is_richer(first[1], second[1], richness) else gap(second, first)


RICHEST_FIRST = ("humaneval", "humaneval-base", "mbpp")
"""Which suite is taken for the richer one where its tasks' prompts are not at hand (paper §2.2)."""


def _is_richer(first: Run, second: Run, richness: Mapping[str, float]) -> bool:
    means = [_richness(run, richness) for run in (first, second)]
    if means[0] is not None and means[1] is not None:
        return means[0] >= means[1]
    known = [run.dataset in RICHEST_FIRST for run in (first, second)]
    if not all(known):
        return known[0]
    return RICHEST_FIRST.index(first.dataset) <= RICHEST_FIRST.index(second.dataset)


def _richness(run: Run, richness: Mapping[str, float]) -> float | None:
    found = [richness[task] for task in run.tasks if task in richness]
    return fmean(found) if found else None
