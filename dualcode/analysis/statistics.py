"""Two runs compared task by task, and what they gain on two suites. docs/statistics.md says how."""

from collections.abc import Sequence

from dualcode.analysis.changes import Changes, gap_interval, gap_p_value, ratio_interval
from dualcode.analysis.comparability import differences
from dualcode.analysis.runs import Run
from dualcode.errors import InputError
from dualcode.record import Record
from dualcode.verdict import Part


class Comparison(Record):
    """Two runs over the same tasks, task by task (paired). `delta` is run less baseline, as a share."""

    baseline: str
    """The run's id."""
    run: str
    part: Part
    tasks: int
    """Tasks that both runs graded: the denominator of `delta`."""
    both: int
    neither: int
    gained: tuple[str, ...]
    """Tasks that the run passed and the baseline failed."""
    lost: tuple[str, ...]
    delta: float
    low: float
    high: float
    """The 95 % interval of `delta`, tasks drawn anew in pairs (bootstrap)."""
    p_value: float
    """McNemar's exact two-sided test; 1.0 where no task changed."""
    needed: int | None
    """How many tasks would show this difference, at these rates of gain and loss, with p < 0.05 and a power
    of 80 %; None where there is no difference to see."""
    unpaired: tuple[str, ...]
    """Tasks that only one of the two graded: errored or not selected in the other. They are left out."""
    warnings: tuple[str, ...]
    """In what the runs differ beyond their pipelines: data, tasks, models, sampling, versions."""

    @property
    def changes(self) -> Changes:
        """The counts that the numbers follow from."""
        return Changes(len(self.gained), len(self.lost), self.tasks)


class Gap(Record):
    """The difference between one pipeline's deltas on two suites (the paper's "4x gap")."""

    pipeline: str
    baseline: str
    """The baseline's pipeline."""
    rich: Comparison
    lean: Comparison
    difference: float
    """rich.delta - lean.delta, as a share."""
    low: float
    high: float
    """The 95 % interval of `difference`; suites are drawn independently, each in pairs."""
    p_value: float
    """Two-sided, of no difference, by permutation."""
    ratio: float | None
    """rich.delta / lean.delta; None where the lean one is 0."""
    ratio_low: float | None
    ratio_high: float | None
    """None where the draws put a sign change or a zero into the interval: no ratio can be claimed."""


def compare(baseline: Run, run: Run, part: Part) -> Comparison:
    """Compare two runs of one suite on the tasks that both graded.

    Raises InputError if the suites differ, if one was not graded on `part`, or if no task is shared.
    """
    if baseline.dataset != run.dataset:
        raise InputError(
            f"the suites differ: {baseline.id} is of {baseline.dataset}, {run.id} of {run.dataset}",
            hint=f"a baseline on the same suite: dualcode eval --pipeline raw-coder --dataset {run.dataset}",
        )
    before, after = baseline.passed(part), run.passed(part)
    shared = [task for task in baseline.tasks if task in before and task in after]
    if not shared:
        raise InputError(
            f"{baseline.id} and {run.id} share no graded task",
            hint=f"dualcode eval --pipeline {run.pipeline} --dataset {run.dataset}"
            f" --tasks {','.join(baseline.tasks[:3])}{',…' if len(baseline.tasks) > 3 else ''}",
        )
    gained = tuple(task for task in shared if after[task] and not before[task])
    lost = tuple(task for task in shared if before[task] and not after[task])
    changes = Changes(len(gained), len(lost), len(shared))
    interval = changes.interval()
    return Comparison(
        baseline=baseline.id,
        run=run.id,
        part=part,
        tasks=len(shared),
        both=sum(before[task] and after[task] for task in shared),
        neither=sum(not before[task] and not after[task] for task in shared),
        gained=gained,
        lost=lost,
        delta=changes.delta,
        low=interval.low,
        high=interval.high,
        p_value=changes.p_value,
        needed=changes.needed(),
        unpaired=_unpaired(baseline, run, set(shared)),
        warnings=differences((baseline, run)),
    )


def _unpaired(baseline: Run, run: Run, shared: set[str]) -> tuple[str, ...]:
    return tuple(task for task in dict.fromkeys(baseline.tasks + run.tasks) if task not in shared)


def gap(rich: tuple[Run, Run], lean: tuple[Run, Run], part: Part | None = None) -> Gap:
    """Compare what a pipeline gains over its baseline on two suites; each pair is (baseline, run).

    `part` None: each suite's hardest. Raises InputError if the pairs are not of the same two pipelines, if
    the suites share tasks (they are taken as independent), and for what `compare` refuses.
    """
    names = [tuple(run.pipeline for run in pair) for pair in (rich, lean)]
    if names[0] != names[1]:
        raise InputError(
            f"no gap between different pipelines: {' and '.join(' to '.join(pair) for pair in names)}",
            hint="the same baseline and the same pipeline on both suites",
        )
    if common := set(rich[1].tasks) & set(lean[1].tasks):
        raise InputError(
            f"{rich[1].id} and {lean[1].id} share {len(common)} tasks: a gap takes two independent suites",
            hint="humaneval and mbpp",
        )
    first, second = (compare(*pair, part or pair[1].hardest) for pair in (rich, lean))
    changes = first.changes, second.changes
    difference, ratio = gap_interval(*changes), ratio_interval(*changes)
    return Gap(
        pipeline=rich[1].pipeline,
        baseline=rich[0].pipeline,
        rich=first,
        lean=second,
        difference=first.delta - second.delta,
        low=difference.low,
        high=difference.high,
        p_value=gap_p_value(*changes),
        ratio=first.delta / second.delta if second.delta else None,
        ratio_low=ratio.low if ratio else None,
        ratio_high=ratio.high if ratio else None,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's (1979) adjusted p-values, in the order given.

    Claiming those under 0.05 makes any false claim at all in at most 5 % of such families.
    """
    adjusted, least, left = [0.0] * len(p_values), 0.0, len(p_values)
    for index in sorted(range(len(p_values)), key=lambda index: p_values[index]):
        least = adjusted[index] = max(least, min(1.0, left * p_values[index]))
        left -= 1
    return adjusted
