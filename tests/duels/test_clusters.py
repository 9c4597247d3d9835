"""Rates and differences over trials of the same issues."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode.analysis.changes import Changes
from dualcode.analysis.clusters import Clusters, clustered_rate, worth
from dualcode.metrics import rate, wilson

GROUPS = st.lists(st.lists(st.booleans(), min_size=1, max_size=6), min_size=1, max_size=9)


def named(groups: list[list[bool]]) -> dict[str, list[bool]]:
    return {f"issue {at}": each for at, each in enumerate(groups)}


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_with_one_trial_an_issue_the_rate_is_wilsons(outcomes: list[bool]) -> None:
    assert clustered_rate(named([[each] for each in outcomes])) == rate(sum(outcomes), len(outcomes))


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(2, 7))
def test_trials_that_always_agree_are_worth_their_issues(outcomes: list[bool], trials: int) -> None:
    found = clustered_rate(named([[each] * trials for each in outcomes]))
    assert found is not None
    once = rate(sum(outcomes), len(outcomes))
    assert (found.low, found.high) == pytest.approx((once.low, once.high))
    assert (found.passed, found.total) == (sum(outcomes) * trials, len(outcomes) * trials)


@given(GROUPS)
def test_trials_are_worth_between_their_issues_and_themselves(groups: list[list[bool]]) -> None:
    total = sum(map(len, groups))
    assert len(groups) <= worth(groups) <= total + 1e-9
    found = clustered_rate(named(groups))
    assert found is not None
    assert found.low <= found.value <= found.high
    loose, tight = wilson(found.value, len(groups)), wilson(found.value, total)
    width = found.high - found.low
    assert tight[1] - tight[0] - 1e-9 <= width <= loose[1] - loose[0] + 1e-9


@given(GROUPS)
def test_the_order_of_issues_and_trials_does_not_matter(groups: list[list[bool]]) -> None:
    turned = [each[::-1] for each in groups[::-1]]
    one, other = clustered_rate(named(groups)), clustered_rate(named(turned))
    assert one is not None and other is not None
    assert one.model_dump() == pytest.approx(other.model_dump())


def test_trials_that_differ_within_every_issue_are_worth_themselves() -> None:
    assert worth([[True, False]] * 6) == 12


def test_nothing_graded_has_no_rate() -> None:
    assert clustered_rate({}) is None
    assert clustered_rate({"flask": []}) is None


@settings(max_examples=60)
@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=25))
def test_with_one_trial_an_issue_a_comparison_is_the_engines(signs: list[int]) -> None:
    plain = Changes(signs.count(1), signs.count(-1), len(signs))
    found = Clusters(tuple(map(Fraction, signs)))
    assert found.delta == pytest.approx(plain.delta)
    assert found.p_value == pytest.approx(plain.p_value)
    assert found.interval().low == pytest.approx(plain.interval().low)
    assert found.interval().high == pytest.approx(plain.interval().high)


@settings(max_examples=60)
@given(st.lists(st.fractions(-1, 1, max_denominator=6), min_size=1, max_size=8))
def test_a_comparison_turned_round_has_the_other_sign_and_the_same_p(parts: list[Fraction]) -> None:
    one, other = Clusters(tuple(parts)), Clusters(tuple(-each for each in reversed(parts)))
    assert one.delta == pytest.approx(-other.delta)
    assert one.p_value == pytest.approx(other.p_value)
    assert one.interval().low == pytest.approx(-other.interval().high)
    assert one.least_p <= one.p_value + 1e-12 <= 1.0 + 2e-12


def test_the_sign_flip_test_by_hand() -> None:
    # 1/2 and 1 and -1/2: of the eight sums of signs 2, 1, 1 and 0 and their negatives, six are 1 or more.
    found = Clusters((Fraction(1, 2), Fraction(1), Fraction(-1, 2)))
    assert found.p_value == 6 / 8
    assert found.delta == pytest.approx(1 / 3)
    assert found.least_p == 0.25


def test_trials_do_not_make_a_difference_surer_than_its_issues_can() -> None:
    assert Clusters((Fraction(1),) * 3).p_value == 0.25


def test_differences_without_a_common_denominator_are_rounded() -> None:
    odd = Clusters(tuple(Fraction(1, each) for each in (97, 89, 83, 79)))
    assert odd.p_value == pytest.approx(0.125)
    assert odd.interval().low < odd.delta < odd.interval().high
