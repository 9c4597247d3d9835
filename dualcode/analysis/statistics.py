"""The one engine that compares: runs task by task, what they gain on two suites or behind a gate, how surely.

Whatever is shown together is corrected together: `compare_pairs` and `compare_gaps` make values that hold p
and the corrected p, and only the corrected one says whether there is a difference (docs/statistics.md).
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Literal, TypeVar

from pydantic import computed_field

from dualcode.analysis.changes import LEVEL, Changes, gap_interval, gap_p_value, ratio_interval
from dualcode.analysis.comparability import differences
from dualcode.analysis.runs import Run
from dualcode.errors import InputError
from dualcode.record import Record
from dualcode.verdict import Part

LEANER = ("mbpp", "mini-lean")
"""Suites whose specifications say less than others' (paper §2.2), where their prompts are not at hand."""


class Tested(Record):
    """What a test said, alone and among all that is shown with it."""

    p_value: float
    """Two-sided, of no difference, as if nothing else had been tested."""
    p_holm: float
    """The same, corrected for all `family` tests at once by Holm's step-down (1979): what may be claimed."""
    family: int = 1
    """How many tests are shown together, this one included."""

    @property
    def significant(self) -> bool:
        """Whether there is a difference: the corrected p is below 5 %."""
        return self.p_holm < LEVEL


T = TypeVar("T", bound=Tested)
Standing = Literal["better", "worse", "unclear"]


class Comparison(Tested):
    """Two runs over the same tasks, task by task (paired). `delta` is run less baseline, as a share.

    p is of McNemar's exact test, and 1.0 where no task changed.
    """

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
    unpaired: tuple[str, ...]
    """Tasks that only one of the two graded: errored or not selected in the other. They are left out."""
    warnings: tuple[str, ...]
    """In what the runs differ beyond their pipelines: data, tasks, models, sampling, versions."""

    @property
    def changes(self) -> Changes:
        """The counts that the numbers follow from."""
        return Changes(len(self.gained), len(self.lost), self.tasks)

    @computed_field
    @property
    def needed(self) -> int | None:
        """How many tasks would show this difference with p < 0.05 and a power of 80 %; None: there is none.

        At these rates of gain and loss. It takes longer than all else, so it is computed where it is asked.
        """
        return self.changes.needed()

    @property
    def standing(self) -> Standing:
        """How the run stands against its baseline, as far as that can be claimed."""
        if not self.significant:
            return "unclear"
        return "better" if self.delta > 0 else "worse"


class Gap(Tested):
    """The difference between one pipeline's deltas on two suites (the paper's "4x gap"); p by permutation."""

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
    ratio: float | None
    """rich.delta / lean.delta. It and its 95 % interval are None where the draws put a sign change or a zero
    into the interval: then no ratio can be claimed, and none is given."""
    ratio_low: float | None
    ratio_high: float | None


def compare(baseline: Run, run: Run, part: Part) -> Comparison:
    """Compare two runs of one suite on the tasks that both graded, as if nothing else were compared.

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
    paired = frozenset(shared)
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
        p_holm=changes.p_value,
        unpaired=tuple(task for task in dict.fromkeys(baseline.tasks + run.tasks) if task not in paired),
        warnings=differences((baseline, run)),
    )


def compare_pairs(pairs: Iterable[tuple[Run, Run]], part: Part | None = None) -> tuple[Comparison, ...]:
    """Compare each (baseline, run) on a part, or on the run's hardest, corrected for all of them at once.

    Raises InputError for what `compare` refuses.
    """
    return corrected([compare(base, run, part or run.hardest) for base, run in pairs])


def compare_gaps(
    pairs: Sequence[tuple[Run, Run]], made: Sequence[Comparison], richness: Mapping[str, float]
) -> tuple[Gap, ...]:
    """Return what each pipeline gains on a rich suite less what on a lean one, corrected for all at once.

    `made` are the pairs' comparisons. There is a gap between every two suites that share no task. Which one
    is the richer is told by its tasks' `richness`, or, where that is not known, by `LEANER`.
    """
    found: list[Gap] = []
    for one, other in itertools.combinations(zip(pairs, made, strict=True), 2):
        (names, first), (others, second) = (
            (tuple(r.pipeline for r in pair), pair[1]) for pair, _ in (one, other)
        )
        if names != others or first.dataset == second.dataset or {*first.tasks} & {*second.tasks}:
            continue
        known = [[richness[task] for task in run.tasks if task in richness] for run in (first, second)]
        if all(known):
            richer = fmean(known[0]) >= fmean(known[1])
        else:
            richer = first.dataset not in LEANER or second.dataset in LEANER
        ordered = (one, other) if richer else (other, one)
        found.append(_gap(names, *(comparison for _, comparison in ordered)))
    return corrected(found)


def corrected(tested: Sequence[T]) -> tuple[T, ...]:
    """Return the tests, each with its p corrected for all of them."""
    adjusted = holm([each.p_value for each in tested])
    return tuple(
        each.model_copy(update={"p_holm": p_holm, "family": len(tested)})
        for each, p_holm in zip(tested, adjusted, strict=True)
    )


def _gap(names: Sequence[str], first: Comparison, second: Comparison) -> Gap:
    """Return the gap of (baseline, pipeline) from its comparisons on the rich and on the lean suite."""
    changes = first.changes, second.changes
    difference, ratio, p_value = gap_interval(*changes), ratio_interval(*changes), gap_p_value(*changes)
    return Gap(
        pipeline=names[1],
        baseline=names[0],
        rich=first,
        lean=second,
        difference=first.delta - second.delta,
        low=difference.low,
        high=difference.high,
        p_value=p_value,
        p_holm=p_value,
        ratio=first.delta / second.delta if ratio else None,
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


class Step(Record):
    """A gate at one threshold of richness."""

    threshold: float
    """Tasks at least this rich are reviewed."""
    reviewed: int
    passed: int


class Curve(Record):
    """The gates between "review everything" and "review nothing", on the tasks of two paired runs."""

    raw: str
    """The run without review, by id."""
    review: str
    tasks: int
    """Graded in both runs, with a known richness."""
    steps: tuple[Step, ...]
    """By ascending threshold: the first reviews all, the last none."""

    def at(self, threshold: float) -> Step:
        """Return what a gate at this threshold comes to."""
        return next((step for step in self.steps if step.threshold >= threshold), self.steps[-1])

    @property
    def best(self) -> Step:
        """The first of the gates that pass most: chosen by the outcome, so no gate could be set to it."""
        return max(self.steps, key=lambda step: step.passed)


NOTHING_REVIEWED = 1.01
"""A threshold beyond every richness."""


def gate_curve(raw: Run, review: Run, richness: Mapping[str, float]) -> Curve | None:
    """Return what any gate would have made of two runs, without a call, on their hardest part.

    A gate sends a task to review if its specification is rich enough. Each task's outcome under it is then
    that of the baseline alone or that of review-fix, and both are on record. None if the runs share no task
    of known richness.
    """
    before, after = raw.passed(raw.hardest), review.passed(review.hardest)
    tasks = [task for task in raw.tasks if task in before and task in after and task in richness]
    if not tasks:
        return None
    steps: list[Step] = []
    for threshold in (*sorted({richness[task] for task in tasks}), NOTHING_REVIEWED):
        chosen = {task for task in tasks if richness[task] >= threshold}
        passed = sum(after[task] if task in chosen else before[task] for task in tasks)
        steps.append(Step(threshold=threshold, reviewed=len(chosen), passed=passed))
    return Curve(raw=raw.id, review=review.id, tasks=len(tasks), steps=tuple(steps))
