"""Verdicts -> the score of a samples file. Pure functions; `scoring.py` does the work before."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from dualcode.metrics import Counts, bootstrap, count, pass_at_k, rate
from dualcode.record import Record
from dualcode.sandbox.sandbox import Tier
from dualcode.suites.files import DataSource
from dualcode.suites.suite import Suite
from dualcode.verdict import Verdict

KS = (1, 10, 100)
"""pass@k is given for these, as EvalPlus does, where every task has at least k samples."""


class Estimate(Record):
    """pass@k, the mean over tasks of the unbiased estimate for each."""

    value: float
    low: float | None
    high: float | None
    """The 95 % interval: Wilson's if every task has one sample, else by bootstrap over tasks, for samples of
    one task are not independent of each other. None where tasks do not differ: then nothing can be said."""

    @property
    def interval(self) -> list[float] | None:
        """Both bounds, or None."""
        return None if self.low is None or self.high is None else [self.low, self.high]


class Side(Record):
    """The score on base tests, or on base and plus tests."""

    samples: Counts
    """With one sample a task, these are its tasks."""
    pass_at: dict[int, Estimate]
    """By k. Errored samples are left out; empty if nothing was graded."""

    @property
    def pass_at_1(self) -> float | None:
        """pass@1; None if nothing was graded."""
        return self.pass_at[1].value if 1 in self.pass_at else None

    @property
    def errored(self) -> int:
        """How many samples could not be graded, through no fault of their own."""
        return self.samples.errored

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints: `passed`, `failed`, `errored`, `pass@1`, …"""
        rates = {f"pass@{k}": each.value for k, each in self.pass_at.items()}
        return {**self.samples.model_dump(), "pass@1": None, **rates}

    def intervals(self) -> dict[str, list[float] | None]:
        """Return the 95 % interval of each `pass@k`."""
        return {f"pass@{k}": each.interval for k, each in self.pass_at.items()}


class Score(Record):
    """A graded samples file."""

    dataset: str
    title: str
    data: DataSource
    tasks: int
    """Tasks with at least one sample; rates are over these."""
    missing: tuple[str, ...]
    """Tasks without a sample. They are left out of every number; `evalplus.evaluate` refuses such a file."""
    base: Side
    plus: Side | None
    """None where there are no plus tests, or they were not asked for."""
    uncompiled: int = 0
    """Samples whose program does not compile."""
    seconds: float
    sandbox: str
    """The tier that the programs ran in."""
    caution: str
    """What that tier does not hold, in a line; empty where nothing is known."""
    verdicts: tuple[Verdict, ...]
    """In the order of the file."""

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {
            "dataset": self.dataset,
            "data": self.data.to_json(),
            "tasks": self.tasks,
            "samples": len(self.verdicts),
            "uncompiled": self.uncompiled,
            "base": self.base.to_json(),
            "plus": self.plus.to_json() if self.plus else None,
            "intervals": {
                "base": self.base.intervals(),
                "plus": self.plus.intervals() if self.plus else None,
            },
            "seconds": round(self.seconds, 3),
            "sandbox": self.sandbox,
            "cautions": [self.caution] if self.caution else [],
        }

    @property
    def compiled(self) -> str:
        """How many of the programs do not compile, in words."""
        share = self.uncompiled / max(1, len(self.verdicts))
        return f"{self.uncompiled} of {len(self.verdicts)} programs ({share:.1%}) do not compile"


def score(
    verdicts: Sequence[Verdict],
    suite: Suite,
    seconds: float,
    *,
    sandbox: Tier,
    base_only: bool = False,
    uncompiled: int = 0,
) -> Score:
    """Return the score that verdicts come to; `seconds` is what grading them took."""
    has_plus = suite.has_plus and not base_only
    by_task: defaultdict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        by_task[verdict.task_id].append(verdict)
    base, plus = count(verdicts, has_plus=has_plus)
    per_task = [count(own, has_plus=has_plus) for own in by_task.values()]
    return Score(
        dataset=suite.name,
        title=suite.title,
        data=suite.data,
        tasks=len(by_task),
        missing=tuple(task.id for task in suite.tasks if task.id not in by_task),
        base=_side(base, [own for own, _ in per_task]),
        plus=plus and _side(plus, [own for _, own in per_task if own]),
        uncompiled=uncompiled,
        seconds=seconds,
        sandbox=sandbox.name,
        caution=sandbox.caution,
        verdicts=tuple(verdicts),
    )


def _side(total: Counts, per_task: Sequence[Counts]) -> Side:
    graded = [counts for counts in per_task if counts.graded]
    fewest = min((counts.graded for counts in graded), default=0)
    pass_at: dict[int, Estimate] = {}
    for k in (k for k in KS if k <= fewest):
        values = [pass_at_k(counts.graded, counts.passed, k) for counts in graded]
        if all(counts.graded == 1 for counts in graded):
            wilson = rate(sum(counts.passed for counts in graded), len(graded))
            low, high = wilson.low, wilson.high
        else:
            low, high = bootstrap(values) or (None, None)
        pass_at[k] = Estimate(value=sum(values) / len(values), low=low, high=high)
    return Side(samples=total, pass_at=pass_at)
