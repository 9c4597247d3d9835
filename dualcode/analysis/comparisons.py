"""Many runs against their baselines, suite by suite, as `dualcode compare` was asked to choose them."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dualcode.analysis.comparability import Difference, find_differences
from dualcode.analysis.runs import BASELINE, Run, Score
from dualcode.analysis.statistics import LEANER, Comparison, Gap, compare, compare_gaps, corrected
from dualcode.errors import InputError
from dualcode.verdict import Part


@dataclass(frozen=True)
class SuiteComparisons:
    """The runs of one suite, on one part."""

    baseline: Run
    part: Part
    runs: tuple[Run, ...]
    """In the order given, the baseline among them."""
    scores: Mapping[str, Score]
    """By run id."""
    comparisons: tuple[Comparison, ...]
    """Of every run but the baseline; corrected for those of all suites."""

    @property
    def others(self) -> tuple[Run, ...]:
        """The runs that are compared with the baseline."""
        return tuple(run for run in self.runs if run is not self.baseline)


@dataclass(frozen=True)
class Comparisons:
    """All suites, and what is between them."""

    suites: tuple[SuiteComparisons, ...]
    gaps: tuple[Gap, ...]
    differences: tuple[Difference, ...]
    """In what the runs differ beyond their pipelines and suites."""

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        scored = [(suite, run, suite.scores[run.id]) for suite in self.suites for run in suite.runs]
        return {
            "runs": [
                {
                    "run": run.id,
                    "pipeline": run.pipeline,
                    "dataset": run.dataset,
                    "baseline": run is suite.baseline,
                    "part": score.part,
                    "passed": score.rate.passed,
                    "graded": score.rate.total,
                    "pass@1": score.rate.value,
                    "interval": [score.rate.low, score.rate.high],
                    "errored": list(score.errored),
                    "widened": list(score.widened),
                }
                for suite, run, score in scored
            ],
            "comparisons": [
                each.model_dump(mode="json") for suite in self.suites for each in suite.comparisons
            ],
            "gaps": [each.model_dump(mode="json") for each in self.gaps],
            "differences": [
                {**each.model_dump(), "not_comparable": each.breaks} for each in self.differences
            ],
        }


def compare_runs(runs: Sequence[Run], baseline: str | None = None, part: Part | None = None) -> Comparisons:
    """Compare each run with its suite's baseline: a run's id or folder, a pipeline, or None for the default.

    Raises InputError where a suite has no baseline or nothing to compare with it, or no task is shared, and
    RunError for a run without a graded task.
    """
    _check(runs)
    wanted = _baseline_pipeline(runs, baseline)
    suites = sorted(dict.fromkeys(run.dataset for run in runs), key=lambda name: name in LEANER)
    named = {dataset: [run for run in runs if run.dataset == dataset] for dataset in suites}
    bases = {dataset: _pick(own, baseline, wanted) for dataset, own in named.items()}
    parts: dict[str, Part] = {dataset: part or base.hardest for dataset, base in bases.items()}
    others = [run for own in named.values() for run in own if run is not bases[run.dataset]]
    pairs = [(bases[run.dataset], run) for run in others]
    made = corrected([compare(base, run, parts[run.dataset]) for base, run in pairs])
    return Comparisons(
        suites=tuple(
            SuiteComparisons(
                baseline=bases[dataset],
                part=parts[dataset],
                runs=tuple(own),
                scores={run.id: run.score(parts[dataset]) for run in own},
                comparisons=tuple(each for each in made if each.baseline == bases[dataset].id),
            )
            for dataset, own in named.items()
        ),
        gaps=compare_gaps(pairs, made, {}),
        differences=tuple(each for each in find_differences(runs) if each.kind != "suite"),
    )


def _check(runs: Sequence[Run]) -> None:
    if len(runs) < 2:
        names = ", ".join(run.id for run in runs) or "nothing"
        raise InputError(f"{names} is all there is to compare", hint="dualcode compare RUN RUN")
    for first, second in itertools.combinations(runs, 2):
        if first.id == second.id:
            raise InputError(
                f"{first.folder} and {second.folder} are copies of one run", hint="give one of them"
            )
    suites = [run.dataset for run in runs]
    for run in runs:
        if suites.count(run.dataset) == 1:
            raise InputError(
                f"the suites differ ({', '.join(dict.fromkeys(suites))}), and {run.id} is the only run of"
                f" {run.dataset}",
                hint=f"two or more runs of {run.dataset}, or leave it out",
            )


def _is(run: Run, name: str) -> bool:
    return run.id == name or Path(name).resolve() == run.folder.resolve()


def _baseline_pipeline(runs: Sequence[Run], baseline: str | None) -> str | None:
    """Return the pipeline that `baseline` means. Raises InputError if it means none of these runs."""
    if baseline is None or any(run.pipeline == baseline for run in runs):
        return baseline
    for run in runs:
        if _is(run, baseline):
            return run.pipeline
    known = ", ".join(dict.fromkeys(run.pipeline for run in runs))
    raise InputError(
        f"{baseline!r} is neither a pipeline nor a run among those given",
        hint=f"one of {known}, or a run's id",
    )


def _pick(runs: Sequence[Run], baseline: str | None, pipeline: str | None) -> Run:
    """Return one suite's baseline. Raises InputError if there is none, or more than one."""
    if pipeline is None:
        return next((run for run in runs if run.pipeline == BASELINE), runs[0])
    for run in runs:
        if baseline is not None and _is(run, baseline):
            return run
    fitting = [run for run in runs if run.pipeline == pipeline]
    if len(fitting) == 1:
        return fitting[0]
    ids = ", ".join(run.id for run in fitting or runs)
    if fitting:
        raise InputError(f"{len(fitting)} runs are of {pipeline}: {ids}", hint="--baseline with a run's id")
    raise InputError(
        f"no run of {pipeline} on {runs[0].dataset} to compare {ids} with",
        hint=f"dualcode eval --pipeline {pipeline} --dataset {runs[0].address}, or another --baseline",
    )
