"""Counts and rates: what is in a denominator, and what is not."""

import importlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from dualcode.metrics import Counts, bootstrap, count, pass_at_k, rate
from dualcode.verdict import Outcome, Status, Verdict


def verdict(base: Status, plus: Status | None = None) -> Verdict:
    return Verdict.of("T/0", base=Outcome(status=base), plus=None if plus is None else Outcome(status=plus))


def test_an_errored_task_is_in_no_denominator() -> None:
    base, _ = count([verdict("passed"), verdict("failed"), verdict("errored")], has_plus=False)
    assert base == Counts(passed=1, failed=1, errored=1)
    assert base.graded == 2
    assert base.pass_at_1 == 0.5


def test_plus_takes_both_to_pass() -> None:
    verdicts = [
        verdict("passed", "passed"),
        verdict("passed", "failed"),
        verdict("failed", "passed"),
        verdict("errored", "errored"),
    ]
    base, plus = count(verdicts, has_plus=True)
    assert base == Counts(passed=2, failed=1, errored=1)
    assert plus == Counts(passed=1, failed=2, errored=1)
    assert (base.pass_at_1, plus and plus.pass_at_1) == (2 / 3, 1 / 3)


def test_without_plus_tests_there_is_no_plus() -> None:
    assert count([verdict("passed")], has_plus=False)[1] is None


def test_nothing_graded_is_no_rate() -> None:
    base, plus = count([], has_plus=True)
    assert base.pass_at_1 is None
    assert base.rate is None
    assert plus is not None
    assert plus.to_json() == {"passed": 0, "failed": 0, "errored": 0, "pass@1": None}


def test_json_has_pass_at_1_by_the_field_s_own_name() -> None:
    assert Counts(passed=3, failed=1, errored=2).to_json() == {
        "passed": 3,
        "failed": 1,
        "errored": 2,
        "pass@1": 0.75,
    }


def test_the_interval_is_wilson_s() -> None:
    known = rate(81, 263)  # Wilson 1927 as in Newcombe 1998, table I
    assert (round(known.low, 4), round(known.high, 4)) == (0.2553, 0.3662)
    nothing = rate(0, 20)
    assert (nothing.low, round(nothing.high, 4)) == (0, 0.1611)


@given(st.integers(0, 400), st.integers(0, 400))
def test_an_interval_holds_its_rate(passed: int, failed: int) -> None:
    if passed + failed:
        known = rate(passed, passed + failed)
        assert 0 <= known.low <= known.value <= known.high <= 1
        assert known.value == passed / known.total


@pytest.mark.parametrize(("passed", "total"), [(1, 0), (0, 0), (-1, 5), (6, 5)])
def test_no_share_of_anything_is_refused(passed: int, total: int) -> None:
    with pytest.raises(ValueError, match=f"{passed} of {total} is not a rate"):
        rate(passed, total)


@given(st.integers(0, 400), st.integers(0, 400))
def test_the_interval_is_scipy_s(passed: int, failed: int) -> None:
    if passed + failed:
        known = rate(passed, passed + failed)
        theirs = binomtest(passed, passed + failed).proportion_ci(0.95, method="wilson")
        assert (known.low, known.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@given(st.integers(1, 300), st.data())
def test_pass_at_k_is_evalplus_s(samples: int, data: st.DataObject) -> None:
    correct, k = data.draw(st.integers(0, samples)), data.draw(st.integers(1, samples))
    evalplus: Any = importlib.import_module("evalplus.eval")
    (theirs,) = evalplus.estimate_pass_at_k(samples, [correct], k)
    assert pass_at_k(samples, correct, k) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(
    ("samples", "correct", "k"), [(0, 0, 1), (3, 4, 1), (3, -1, 1), (3, 1, 4), (3, 1, 0)]
)
def test_pass_at_k_of_too_few_samples_is_refused(samples: int, correct: int, k: int) -> None:
    with pytest.raises(ValueError, match=f"pass@{k} of {correct} correct among {samples}"):
        pass_at_k(samples, correct, k)


def test_the_bootstrap_is_over_tasks_and_the_same_each_time() -> None:
    low, high = bootstrap([0.0, 1.0] * 50) or (0, 0)
    assert 0.3 < low < 0.45 < 0.55 < high < 0.7
    assert bootstrap([0.0, 1.0] * 50) == (low, high)
    low_of_few, high_of_few = bootstrap([0.0, 1.0] * 5) or (0, 0)
    assert (low_of_few < low) and (high < high_of_few)


def test_equal_tasks_show_no_spread() -> None:
    assert bootstrap([1.0] * 20) is None
    assert bootstrap([]) is None
