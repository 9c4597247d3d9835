"""Every set of rates that reproduces the paper's tables, as random members of it.

The draws lean to the corners of the set, so that the least and the greatest of a few hundred thousand come
near its bounds; how often a value is drawn means nothing.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import paper
from .formulas import FORMULAS, expected_attempts, review_fix_retry
from .rates import Model, Rates, Values

Array = NDArray[np.float64]
CORNERS = 0.25
"""How far draws are spread beyond either bound, as a share of the span, before they are clipped to it."""

FITTED = {
    "HumanEval+": (
        "raw-coder",
        "raw-planner",
        "plan-code",
        "review-fix",
        "review-fix-retry",
        "adversarial",
    ),
    "MBPP+": ("raw-coder", "review-fix"),
}
"""The published results that the draws reproduce. `enriched` has a hit and a false-alarm rate of its own,
and `gated` a share of its own: any such row is reproduced, and constrains nothing else."""
PREDICTED = (
    "raw-retry",
    "best-of-k",
    "review-fix-guarded",
    "review-fix-tests",
    "review-fix-confirmed",
    "review-fix-filtered",
)
"""What follows for pipelines that the paper did not run. self-review and swapped rest on rates of which the
tables say nothing."""


@dataclass(frozen=True)
class Range:
    """The least and the greatest of a quantity over the feasible set."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Values) -> "Range":
        """Return the range of some values."""
        return cls(float(np.min(values)), float(np.max(values)))


def draw(suite: str, size: int = 200_000, seed: int = 0) -> Rates:
    """Return up to `size` feasible sets of rates as one `Rates` of arrays, shape (n,).

    Free in every draw: gains, hit, false alarm, both detections, correlation, overlap, exposure, arbitration.
    Solved for: repair and damage (review-fix), and on HumanEval+ test_repair (review-fix-retry), choice and
    synthesis, taken as equal (adversarial). A draw for which no solution exists is dropped.
    """
    random = _Corners(size, seed)
    rates = _reviewing(suite, random)
    if suite == "HumanEval+":
        total = paper.TASKS[suite]
        rates = _retrying(rates, paper.change(suite, "review-fix", "review-fix-retry").net / total)
        rates = _competing(rates, paper.passed(suite, "adversarial") / total)
    return _kept(rates, size)


def predictions(rates: Rates) -> dict[str, dict[str, Range]]:
    """Return the ranges of pass@1, of calls and of what is gained over raw-coder and review-fix."""
    base, plain = FORMULAS["raw-coder"](rates), FORMULAS["review-fix"](rates)
    ranges: dict[str, dict[str, Range]] = {}
    for name in (*PREDICTED, "review-fix"):
        outcome = FORMULAS[name](rates)
        ranges[name] = {
            "pass@1": Range.of(outcome.pass_at_1),
            "calls": Range.of(outcome.calls),
            "over raw-coder": Range.of(outcome.pass_at_1 - base.pass_at_1),
            "over review-fix": Range.of(outcome.pass_at_1 - plain.pass_at_1),
        }
    return ranges


class _Corners:
    """Numbers between two bounds, a sixth of them at each bound."""

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self._random = np.random.default_rng(seed)

    def between(self, low: Values = 0.0, high: Values = 1.0) -> Array:
        spread = (1 + 2 * CORNERS) * self._random.random(self.size) - CORNERS
        return np.asarray(low + (np.asarray(high) - low) * np.clip(spread, 0, 1))


def _reviewing(suite: str, random: _Corners) -> Rates:
    change = paper.change(suite, "raw-coder", "review-fix")
    wrong, right = change.total - change.before, change.before
    gains = random.between(change.pairs[0][0], change.pairs[-1][0])
    gain, loss = gains / wrong, (gains - change.net) / right
    hit, false_alarm = random.between(gain), random.between(loss)
    damage = np.divide(loss, false_alarm, out=random.between(), where=false_alarm > 0)
    # A row's own share, or anything where the paper has none.
    planned, planner = (_published(suite, name, random) for name in ("plan-code", "raw-planner"))
    free = random.between
    coder = Model(np.full(random.size, right / change.total), free(), free(), gain / hit, damage)
    return Rates(
        coder=coder,
        reviewer=Model(planner, hit, false_alarm, free(), free()),
        planned=planned,
        detection=free(),
        fix_detection=free(),
        test_repair=free(),
        choice=free(),
        synthesis=free(),
        exposure=free(),
        arbitration=free(),
        correlation=free(),
        overlap=free(-1.0),
        alarm_refuted=free(),
        hit_refuted=free(),
    )


def _published(suite: str, pipeline: str, random: _Corners) -> Array:
    if pipeline not in paper.PUBLISHED[suite]:
        return random.between()
    return np.full(random.size, paper.passed(suite, pipeline) / paper.TASKS[suite])


def _retrying(rates: Rates, gain: float) -> Rates:
    """Solve test_repair for the gain of the retries, by bisection; NaN where even 1 is not enough."""
    failing = _failing(rates)
    low, high = np.zeros_like(failing), np.ones_like(failing)
    for _ in range(60):
        middle = (low + high) / 2
        enough = failing * middle * expected_attempts(middle, rates.fix_detection, rates.retries) >= gain
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return _with(rates, failing >= gain, test_repair=high)


def _failing(rates: Rates) -> Array:
    """P(a program fails a visible check after review-fix): what one sure retry would gain."""
    sure = replace(rates, test_repair=1.0, retries=1)
    return np.asarray(review_fix_retry(sure).pass_at_1 - FORMULAS["review-fix"](rates).pass_at_1)


def _competing(rates: Rates, target: float) -> Rates:
    """Solve choice = synthesis for adversarial's pass@1, in which it is linear."""
    least = np.asarray(FORMULAS["adversarial"](replace(rates, choice=0.0, synthesis=0.0)).pass_at_1)
    most = np.asarray(FORMULAS["adversarial"](replace(rates, choice=1.0, synthesis=1.0)).pass_at_1)
    reached = (least <= target) & (target <= most) & (least < most)
    skill = np.divide(target - least, most - least, out=np.zeros_like(least), where=reached)
    return _with(rates, reached, choice=skill, synthesis=skill)


def _with(rates: Rates, possible: NDArray[np.bool_], **solved: Array) -> Rates:
    """Set what was solved for and keep the draws for which that was possible."""
    return _filter(replace(rates, **solved), possible)  # pyright: ignore[reportArgumentType]


def _filter(rates: Rates, possible: NDArray[np.bool_]) -> Rates:
    def keep(part: Rates | Model) -> dict[str, Array]:
        values: dict[str, Any] = vars(part)
        return {name: value[possible] for name, value in values.items() if isinstance(value, np.ndarray)}

    coder, reviewer = (replace(model, **keep(model)) for model in (rates.coder, rates.reviewer))  # pyright: ignore[reportArgumentType]
    return replace(rates, coder=coder, reviewer=reviewer, **keep(rates))  # pyright: ignore[reportArgumentType]


def _kept(rates: Rates, size: int) -> Rates:
    left = np.size(rates.coder.right)
    if left < size / 1000:
        raise ValueError(f"only {left} of {size} draws reproduce the tables: draw more")
    return rates
