"""Verdicts -> counts and rates. Pure functions; no rate goes without its denominator and its errors."""

import math
import random
from collections.abc import Iterable, Sequence
from statistics import NormalDist, fmean
from typing import Any

from dualcode.record import Record
from dualcode.verdict import Status, Verdict

CONFIDENCE = 0.95
DRAWS = 2000
"""Of a bootstrap."""


class Rate(Record):
    """A share of passed among graded, with its Wilson 95 % interval."""

    passed: int
    total: int
    """The denominator; errored ones are not in it."""
    value: float
    low: float
    high: float


class Counts(Record):
    """What a set of verdicts came to, for base or for base and plus tests."""

    passed: int
    failed: int
    errored: int

    @property
    def graded(self) -> int:
        """The denominator of pass@1: an errored program says nothing about the model."""
        return self.passed + self.failed

    @property
    def pass_at_1(self) -> float | None:
        """The share of passed among graded; None if nothing was graded."""
        return self.passed / self.graded if self.graded else None

    @property
    def rate(self) -> Rate | None:
        """pass@1 with its interval; None if nothing was graded."""
        return rate(self.passed, self.graded) if self.graded else None

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints: `passed`, `failed`, `errored`, `pass@1`."""
        return {**self.model_dump(), "pass@1": self.pass_at_1}


def rate(passed: int, total: int) -> Rate:
    """Return passed/total with its Wilson 95 % interval; a ValueError if that is no share of anything."""
    if not 0 <= passed <= total or total == 0:
        raise ValueError(f"{passed} of {total} is not a rate")
    share = passed / total
    low, high = wilson(share, total)
    return Rate(passed=passed, total=total, value=share, low=low, high=high)


def wilson(share: float, total: float) -> tuple[float, float]:
    """Return the Wilson 95 % interval of a share of `total`, which need not be whole where trials depend."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    spread = z * z / total
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return (
        0.0 if share == 0 else min(max(0.0, middle - half), share),
        1.0 if share == 1 else max(min(1.0, middle + half), share),
    )


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """Return the unbiased estimate of pass@k for a task: 1 - C(n - c, k) / C(n, k) (Chen et al. 2021, eq. 1).

    A ValueError unless 0 <= correct <= samples and 1 <= k <= samples.
    """
    if not (0 <= correct <= samples and 1 <= k <= samples):
        raise ValueError(f"pass@{k} of {correct} correct among {samples} is not defined")
    return 1.0 - math.comb(samples - correct, k) / math.comb(samples, k)


def bootstrap(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of the values' mean, values (tasks) drawn anew with replacement.

    The same values always give the same interval. None where all values are equal: drawing them again
    shows no spread, which is not the same as there being none.
    """
    if len(set(values)) < 2:
        return None
    chance = random.Random(0)
    means = sorted(fmean(chance.choices(values, k=len(values))) for _ in range(DRAWS))
    tail = (1 - CONFIDENCE) / 2
    return means[int(tail * DRAWS)], means[math.ceil((1 - tail) * DRAWS) - 1]


def count(verdicts: Iterable[Verdict], *, has_plus: bool) -> tuple[Counts, Counts | None]:
    """Count verdicts, one a task: base, and plus (which takes both to pass), or None without plus tests."""
    known = list(verdicts)
    base = _counts(verdict.base.status for verdict in known)
    plus = _counts(_status_plus(verdict) for verdict in known) if has_plus else None
    return base, plus


def _status_plus(verdict: Verdict) -> Status:
    if verdict.errored:
        return "errored"
    return "passed" if verdict.passed_plus else "failed"


def _counts(statuses: Iterable[Status]) -> Counts:
    seen = list(statuses)
    return Counts(passed=seen.count("passed"), failed=seen.count("failed"), errored=seen.count("errored"))


def duration(seconds: float) -> str:
    """Return seconds in words: `42 s`, `3 min 5 s`, `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
