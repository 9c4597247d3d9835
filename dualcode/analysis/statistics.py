"""Intervals, paired tests and sample sizes for pass@1. scipy does the mathematics."""

from dualcode.analysis.runs import Part
from dualcode.record import Record


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
