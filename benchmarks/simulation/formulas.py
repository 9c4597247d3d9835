"""The closed form of every pipeline: pass@1 and expected calls per task, exact under the model's assumptions.

Symbols as in docs/simulator.md: p right, h hit, f false alarm, r repair, d damage, v and w the detection of
wrong drafts and of wrong fixes, t the repair after a failing check.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .rates import Model, Rates, Suite, Values


@dataclass(frozen=True)
class Outcome:
    """What a pipeline comes to on average."""

    pass_at_1: Values
    calls: Values


def predict(pipeline: str, suite: Suite) -> Outcome:
    """Return the pipeline's outcome over a suite; a KeyError if there is no such pipeline."""
    parts = [(share, FORMULAS[pipeline](rates)) for share, rates in suite.strata]
    return Outcome(
        sum(share * part.pass_at_1 for share, part in parts), sum(share * part.calls for share, part in parts)
    )


def raw_coder(rates: Rates) -> Outcome:
    """p."""
    return Outcome(rates.coder.right, 1.0)


def raw_planner(rates: Rates) -> Outcome:
    """The reviewer's own p."""
    return Outcome(rates.reviewer.right, 1.0)


def plan_code(rates: Rates) -> Outcome:
    """p as the plan shifted it."""
    return Outcome(rates.planned, 2.0)


def review_fix(rates: Rates) -> Outcome:
    """p (1 - fd) + (1 - p) hr."""
    return _reviewed(rates.coder, rates.reviewer.hit, rates.reviewer.false_alarm)


def self_review(rates: Rates) -> Outcome:
    """review-fix with the coder's own hit and false-alarm rates."""
    return _reviewed(rates.coder, rates.coder.hit, rates.coder.false_alarm)


def swapped(rates: Rates) -> Outcome:
    """review-fix with the roles exchanged: the reviewer writes and fixes."""
    return _reviewed(rates.reviewer, rates.coder.hit, rates.coder.false_alarm)


def enriched(rates: Rates) -> Outcome:
    """review-fix with the enriched review's rates, and one call more."""
    outcome = _reviewed(rates.coder, rates.enriched_hit, rates.enriched_false_alarm)
    return Outcome(outcome.pass_at_1, outcome.calls + 1)


def gated(rates: Rates) -> Outcome:
    """review-fix on rich specifications, raw-coder on lean ones."""
    return review_fix(rates) if rates.rich else raw_coder(rates)


def raw_retry(rates: Rates) -> Outcome:
    """p + (1 - p) v x rescue."""
    p = rates.coder.right
    failing = (1 - p) * rates.detection
    return _retried(rates, Outcome(p, 1.0), failing)


def review_fix_retry(rates: Rates) -> Outcome:
    """review-fix, then what is wrong and seen to be wrong is rescued."""
    p, h, f = rates.coder.right, rates.reviewer.hit, rates.reviewer.false_alarm
    r, d, w = rates.coder.repair, rates.coder.damage, rates.fix_detection
    failing = p * f * d * w + (1 - p) * (h * (1 - r) * w + (1 - h) * rates.detection)
    return _retried(rates, review_fix(rates), failing)


def best_of_k(rates: Rates) -> Outcome:
    """p x sum over i < k of v^i x product over j < i of ((1 - p)(1 - c) + jc) / (1 + jc), c the correlation.

    The first draft that passes the visible checks, else the first; so i drafts failed before the right one.
    """
    p, c = rates.coder.right, rates.correlation
    total: Values = 0.0
    term: Values = p
    for i in range(rates.drafts):
        total = total + term
        term = term * rates.detection * ((1 - p) * (1 - c) + i * c) / (1 + i * c)
    return Outcome(total, float(rates.drafts))


def adversarial(rates: Rates) -> Outcome:
    """Both right, or one right and found by a check or by choice, or a third that is right.

    One more call to choose where both pass; three more (two reviews, one synthesis) where neither does.
    """
    both, v = rates.both_right, rates.detection
    one = rates.coder.right + rates.reviewer.right - 2 * both
    none = 1 - both - one
    found = v + (1 - v) * rates.choice
    choices = both + one * (1 - v) + none * (1 - v) ** 2
    passed = both + one * found + none * v**2 * rates.synthesis
    return Outcome(passed, 2 + choices + 3 * none * v**2)


def review_fix_guarded(rates: Rates) -> Outcome:
    """p (1 - f D) + (1 - p) h ((1 - v) G + v r); D, G: damage and repair behind the guard."""
    p, h, f = rates.coder.right, rates.reviewer.hit, rates.reviewer.false_alarm
    r, d, v, w = rates.coder.repair, rates.coder.damage, rates.detection, rates.fix_detection
    passed = p * (1 - f * _guarded(d, w)) + (1 - p) * h * ((1 - v) * _second(r, w) + v * r)
    calls = 2 + p * f * (1 + d * w) + (1 - p) * h * (1 + (1 - v) * (1 - r) * w)
    return Outcome(passed, calls)


def review_fix_tests(rates: Rates) -> Outcome:
    """A call for inputs, the guarded fix, and an arbiter's word where both pass the checks and differ."""
    p, h, f = rates.coder.right, rates.reviewer.hit, rates.reviewer.false_alarm
    r, d, v, w = rates.coder.repair, rates.coder.damage, rates.detection, rates.fix_detection
    x, c = rates.exposure, rates.arbitration
    damaged = p * f * _guarded(d, w)
    repaired = (1 - p) * (1 - v) * h * _second(r, w)
    still_wrong = (1 - p) * (1 - v) * h * _guarded(1 - r, w)
    plain = review_fix_guarded(rates)
    return Outcome(
        plain.pass_at_1 + damaged * x * c - repaired * x * (1 - c),
        plain.calls + 1 + x * (damaged + repaired + still_wrong),
    )


def review_fix_confirmed(rates: Rates) -> Outcome:
    """p (1 - f (1 - m) d) + (1 - p) h (1 - n) r; m, n: an alarm, a hit, is refuted by running its claims."""
    f, h = rates.reviewer.false_alarm, rates.reviewer.hit
    kept_alarm, kept_hit = f * (1 - rates.alarm_refuted), h * (1 - rates.hit_refuted)
    p = rates.coder.right
    outcome = _reviewed(rates.coder, kept_hit, kept_alarm)
    return Outcome(outcome.pass_at_1, outcome.calls + p * f + (1 - p) * h)


def review_fix_filtered(rates: Rates) -> Outcome:
    """The guarded fix, taken only where a check or the reviewer's inputs tell it from the draft, rightly."""
    p, h, f = rates.coder.right, rates.reviewer.hit, rates.reviewer.false_alarm
    r, d, v, w = rates.coder.repair, rates.coder.damage, rates.detection, rates.fix_detection
    x, c = rates.exposure, rates.arbitration
    lost = p * f * _guarded(d, w) * x * (1 - c)
    gained = (1 - p) * h * ((1 - v) * _second(r, w) * x * c + v * r)
    undecided = p * f * (1 - (d * w) ** 2)
    undecided = undecided + (1 - p) * h * ((1 - v) * (1 - ((1 - r) * w) ** 2) + v * (1 - r) * w)
    return Outcome(p - lost + gained, review_fix_guarded(rates).calls + undecided)


def _reviewed(writer: Model, hit: Values, false_alarm: Values) -> Outcome:
    p = writer.right
    passed = p * (1 - false_alarm * writer.damage) + (1 - p) * hit * writer.repair
    return Outcome(passed, 2 + p * false_alarm + (1 - p) * hit)


def _retried(rates: Rates, before: Outcome, failing: Values) -> Outcome:
    attempts = expected_attempts(rates.test_repair, rates.fix_detection, rates.retries)
    return Outcome(
        before.pass_at_1 + failing * rates.test_repair * attempts, before.calls + failing * attempts
    )


def expected_attempts(test_repair: Values, fix_detection: Values, retries: int) -> Values:
    """Return the mean number of fixes of a program that fails a check: each goes on if it fails one again."""
    again = (1 - test_repair) * fix_detection
    return sum((again**i for i in range(retries)), start=0.0 * again)


def _guarded(worsened: Values, w: Values) -> Values:
    """P(a wrong fix is taken): unseen, at once or after one refusal."""
    return worsened * (1 - w) * (1 + worsened * w)


def _second(r: Values, w: Values) -> Values:
    """P(a right fix is taken): at once, or after a wrong one was refused."""
    return r * (1 + (1 - r) * w)


FORMULAS: dict[str, Callable[[Rates], Outcome]] = {
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
