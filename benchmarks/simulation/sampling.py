"""The pipelines played out task by task: the check on `formulas.py`, which it shares no arithmetic with.

A program is in one of three states: right, wrong and unseen (it passes the visible checks), wrong and seen.
Each function below plays one pipeline on all tasks at once, and returns the final programs and the calls.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .rates import Model, Rates, Suite, Values

RIGHT, UNSEEN, SEEN = 0, 1, 2

Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Estimate:
    """Means over the tasks, each with its standard error."""

    pass_at_1: float
    pass_error: float
    calls: float
    calls_error: float


def simulate(pipeline: str, suite: Suite, *, tasks: int = 100_000, seed: int = 0) -> Estimate:
    """Play the pipeline on `tasks` tasks drawn from the suite; a KeyError if there is no such pipeline."""
    random = np.random.default_rng(seed)
    sizes = random.multinomial(tasks, [share for share, _ in suite.strata])
    played = [
        PLAYS[pipeline](Table(rates, int(size), random))
        for size, (_, rates) in zip(sizes, suite.strata, strict=True)
    ]
    passed = np.concatenate([programs == RIGHT for programs, _ in played])
    calls = np.concatenate([calls for _, calls in played])
    root = tasks**0.5
    return Estimate(
        float(passed.mean()), float(passed.std()) / root, float(calls.mean()), float(calls.std()) / root
    )


class Table:
    """The tasks of one kind, and the moves that a pipeline makes on all of them."""

    def __init__(self, rates: Rates, tasks: int, random: np.random.Generator) -> None:
        self.rates = rates
        self.tasks = tasks
        self._random = random
        self._ability = self._abilities()

    def happens(self, chance: Values) -> Flags:
        """Toss a coin for each task."""
        return self._random.random(self.tasks) < chance

    def write(self, model: Model | None = None) -> Counts:
        """Write a draft: the coder's by its ability on each task, another model's by its rate."""
        return self._program(self.happens(self._ability if model is None else model.right))

    def write_beside(self, drafts: Counts) -> Counts:
        """Write the reviewer's drafts of the tasks whose drafts by the coder are these."""
        both, rates = self.rates.both_right, self.rates
        given_right = both / max(float(rates.coder.right), 1e-12)
        given_wrong = (rates.reviewer.right - both) / max(1 - float(rates.coder.right), 1e-12)
        return self._program(self.happens(np.where(drafts == RIGHT, given_right, given_wrong)))

    def reject(self, drafts: Counts, hit: Values, false_alarm: Values) -> Flags:
        """Review the drafts."""
        return self.happens(np.where(drafts == RIGHT, false_alarm, hit))

    def fix(self, drafts: Counts, writer: Model) -> Counts:
        """Fix every draft, needed or not."""
        right = self.happens(np.where(drafts == RIGHT, 1 - writer.damage, writer.repair))
        return self._fixed(right)

    def fix_failing(self) -> Counts:
        """Fix every program by its failing check."""
        return self._fixed(self.happens(self.rates.test_repair))

    def _program(self, right: Flags) -> Counts:
        return np.where(right, RIGHT, np.where(self.happens(self.rates.detection), SEEN, UNSEEN))

    def _fixed(self, right: Flags) -> Counts:
        return np.where(right, RIGHT, np.where(self.happens(self.rates.fix_detection), SEEN, UNSEEN))

    def _abilities(self) -> NDArray[np.float64]:
        p, correlation = float(self.rates.coder.right), float(self.rates.correlation)
        if correlation == 0 or p in (0, 1):
            return np.full(self.tasks, p)
        if correlation == 1:
            return (self._random.random(self.tasks) < p).astype(float)
        size = (1 - correlation) / correlation
        return self._random.beta(p * size, (1 - p) * size, self.tasks)


Play = tuple[Counts, Counts]


def _reviewed(table: Table, drafts: Counts, writer: Model, hit: Values, false_alarm: Values) -> Play:
    rejected = table.reject(drafts, hit, false_alarm)
    return np.where(rejected, table.fix(drafts, writer), drafts), 2 + rejected.astype(int)


def _retried(table: Table, programs: Counts, calls: Counts) -> Play:
    for _ in range(table.rates.retries):
        failing = programs == SEEN
        programs = np.where(failing, table.fix_failing(), programs)
        calls = calls + failing
    return programs, calls


def _ones(table: Table) -> Counts:
    return np.ones(table.tasks, dtype=np.int64)


def raw_coder(table: Table) -> Play:
    """One draft."""
    return table.write(), _ones(table)


def raw_planner(table: Table) -> Play:
    """One draft by the reviewer."""
    return table.write(table.rates.reviewer), _ones(table)


def plan_code(table: Table) -> Play:
    """A plan, then a draft."""
    return table.write(replace(table.rates.coder, right=table.rates.planned)), 2 * _ones(table)


def review_fix(table: Table) -> Play:
    """A draft, a review, a fix of what was rejected."""
    reviewer = table.rates.reviewer
    return _reviewed(table, table.write(), table.rates.coder, reviewer.hit, reviewer.false_alarm)


def self_review(table: Table) -> Play:
    """The coder reviews."""
    coder = table.rates.coder
    return _reviewed(table, table.write(), coder, coder.hit, coder.false_alarm)


def swapped(table: Table) -> Play:
    """The reviewer writes and fixes, the coder reviews."""
    coder, reviewer = table.rates.coder, table.rates.reviewer
    return _reviewed(table, table.write(reviewer), reviewer, coder.hit, coder.false_alarm)


def enriched(table: Table) -> Play:
    """A draft, an enrichment, a review against it, a fix."""
    rates = table.rates
    programs, calls = _reviewed(
        table, table.write(), rates.coder, rates.enriched_hit, rates.enriched_false_alarm
    )
    return programs, calls + 1


def gated(table: Table) -> Play:
    """A review only where the specification is rich."""
    return review_fix(table) if table.rates.rich else raw_coder(table)


def review_fix_retry(table: Table) -> Play:
    """review-fix, then fixes of what fails a visible check."""
    return _retried(table, *review_fix(table))


def raw_retry(table: Table) -> Play:
    """A draft, then fixes of what fails a visible check."""
    return _retried(table, *raw_coder(table))


def best_of_k(table: Table) -> Play:
    """The first of k drafts that passes the visible checks, else the first."""
    chosen = table.write()
    for _ in range(table.rates.drafts - 1):
        chosen = np.where(chosen == SEEN, table.write(), chosen)
    return chosen, table.rates.drafts * _ones(table)


def adversarial(table: Table) -> Play:
    """Two drafts; the one that passes, the chosen of two that pass, or a third where none does."""
    first = table.write()
    second = table.write_beside(first)
    both, neither = (first != SEEN) & (second != SEEN), (first == SEEN) & (second == SEEN)
    better, worse = np.minimum(first, second), np.maximum(first, second)
    chosen = np.where(table.happens(table.rates.choice), better, worse)
    third = np.where(table.happens(table.rates.synthesis), RIGHT, UNSEEN)
    programs = np.select([both, neither], [chosen, third], default=np.where(first == SEEN, second, first))
    return programs, 2 + both + 3 * neither


def _guarded(table: Table) -> tuple[Counts, Counts, Counts, Flags]:
    """Return drafts, programs, calls, and whether a fix was taken."""
    reviewer, writer = table.rates.reviewer, table.rates.coder
    drafts = table.write()
    rejected = table.reject(drafts, reviewer.hit, reviewer.false_alarm)
    fixes = table.fix(drafts, writer)
    refused = rejected & (drafts != SEEN) & (fixes == SEEN)
    fixes = np.where(refused, table.fix(drafts, writer), fixes)
    taken = rejected & ~((drafts != SEEN) & (fixes == SEEN))
    return drafts, np.where(taken, fixes, drafts), 2 + rejected.astype(int) + refused, taken


def review_fix_guarded(table: Table) -> Play:
    """A fix must fail no check that the draft passed; else one more attempt, else the draft stays."""
    _, programs, calls, _ = _guarded(table)
    return programs, calls


def review_fix_tests(table: Table) -> Play:
    """The guard, then an arbiter where draft and fix pass the checks and differ on the reviewer's inputs."""
    drafts, programs, calls, taken = _guarded(table)
    comparable = taken & (drafts != SEEN) & ((drafts != RIGHT) | (programs != RIGHT))
    differ = comparable & table.happens(table.rates.exposure)
    better, worse = np.minimum(drafts, programs), np.maximum(drafts, programs)
    kept = np.where(table.happens(table.rates.arbitration), better, worse)
    return np.where(differ, kept, programs), calls + 1 + differ


def review_fix_confirmed(table: Table) -> Play:
    """The claims of every rejection are run; one that is refuted leaves the draft as it is."""
    rates = table.rates
    drafts = table.write()
    rejected = table.reject(drafts, rates.reviewer.hit, rates.reviewer.false_alarm)
    refuted = table.happens(np.where(drafts == RIGHT, rates.alarm_refuted, rates.hit_refuted))
    fixed = rejected & ~refuted
    programs = np.where(fixed, table.fix(drafts, rates.coder), drafts)
    return programs, 2 + rejected.astype(int) + fixed


def review_fix_filtered(table: Table) -> Play:
    """The guard; then a fix must be told from the draft, and found the better one, to replace it."""
    drafts, programs, calls, taken = _guarded(table)
    decided = taken & (drafts == SEEN) & (programs != SEEN)
    asked = taken & ~decided
    better = (drafts == RIGHT) != (programs == RIGHT)
    told = better & table.happens(table.rates.exposure)
    rightly = table.happens(table.rates.arbitration)
    believed = told & np.where(programs == RIGHT, rightly, ~rightly)
    return np.where(asked & ~believed, drafts, programs), calls + asked


PLAYS: dict[str, Callable[[Table], Play]] = {
    "raw-coder": raw_coder,
    "raw-planner": raw_planner,
    "plan-code": plan_code,
    "review-fix": review_fix,
    "review-fix-retry": review_fix_retry,
    "adversarial": adversarial,
    "enriched": enriched,
    "gated": gated,
    "self-review": self_review,
    "swapped": swapped,
    "best-of-k": best_of_k,
    "raw-retry": raw_retry,
    "review-fix-guarded": review_fix_guarded,
    "review-fix-tests": review_fix_tests,
    "review-fix-confirmed": review_fix_confirmed,
    "review-fix-filtered": review_fix_filtered,
}
