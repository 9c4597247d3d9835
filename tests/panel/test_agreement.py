"""The statistics: against published numbers, brute force and scipy, and their known properties."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dualcode.panel import agreement
from dualcode.panel.agreement import Estimate, Level, alpha

N = math.nan
KRIPPENDORFF = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
    [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
]
"""Four observers, twelve units, with missing values (Krippendorff 2011, Computing alpha-reliability)."""
PUBLISHED: dict[Level, float] = {"ordinal": 0.815, "interval": 0.849}
LEVELS: tuple[Level, ...] = tuple(PUBLISHED)

score = st.integers(1, 10).map(float) | st.just(N)
tables = st.integers(1, 6).flatmap(
    lambda units: st.lists(st.lists(score, min_size=units, max_size=units), min_size=1, max_size=4)
)
whole = st.lists(st.integers(1, 10), min_size=2, max_size=12)
pairs = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=3, max_size=12)


@pytest.mark.parametrize("level", LEVELS)
def test_alpha_is_the_published_one(level: Level) -> None:
    found = alpha(KRIPPENDORFF, level)
    assert found is not None and round(found, 3) == PUBLISHED[level]


def brute_alpha(table: list[list[float]], level: Level) -> float | None:
    """Alpha as its definition has it: over all pairs of scores, within units and of all."""
    units = [[row[at] for row in table if not math.isnan(row[at])] for at in range(len(table[0]))]
    units = [unit for unit in units if len(unit) > 1]
    every = [each for unit in units for each in unit]

    def distance(one: float, two: float) -> float:
        if level == "interval":
            return (one - two) ** 2
        low, high = sorted((one, two))
        between = sum(low <= each <= high for each in every)
        return (between - (every.count(one) + every.count(two)) / 2) ** 2 if one != two else 0.0

    observed = sum(
        sum(distance(*pair) for pair in itertools.permutations(unit, 2)) / (len(unit) - 1) for unit in units
    )
    expected = sum(distance(*pair) for pair in itertools.permutations(every, 2)) / max(1, len(every) - 1)
    return None if expected == 0 else 1 - observed / expected


@given(table=tables)
@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=40, deadline=None)
def test_alpha_is_that_of_all_pairs(level: Level, table: list[list[float]]) -> None:
    assert alpha(table, level) == pytest.approx(brute_alpha(table, level))


@pytest.mark.parametrize("level", LEVELS)
def test_alpha_of_equal_scores_is_undefined_and_of_agreement_is_one(level: Level) -> None:
    assert alpha([[8, 8, 8], [8, 8, 8]], level) is None
    assert alpha([[1, 5, 9], [1, 5, 9]], level) == pytest.approx(1.0)
    assert alpha([[1, 5, 9]], level) is None
    assert alpha([[1, N, 3], [N, 2, N]], level) is None
    assert alpha(np.empty((0, 0)), level) is None


@given(table=tables, shift=st.integers(1, 50), scale=st.integers(2, 9))
@settings(max_examples=40, deadline=None)
def test_alpha_does_not_depend_on_what_its_level_ignores(
    table: list[list[float]], shift: int, scale: int
) -> None:
    array = np.array(table)
    same: dict[Level, np.ndarray] = {
        "ordinal": array**3,
        "interval": array * scale + shift,
    }
    for level, changed in same.items():
        assert alpha(changed, level) == pytest.approx(alpha(table, level))
    mixed = array[::-1, ::-1]
    assert alpha(mixed, "ordinal") == pytest.approx(alpha(table, "ordinal"))


def test_ratings_that_are_no_table_are_refused() -> None:
    with pytest.raises(ValueError, match="judges x units"):
        alpha([1, 2, 3])


@given(both=pairs)
@settings(max_examples=60, deadline=None)
def test_kappa_is_that_of_its_table(both: list[tuple[int, int]]) -> None:
    seen, expected = np.zeros((5, 5)), np.zeros((5, 5))
    for one, two in both:
        seen[one - 1, two - 1] += 1
    expected = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / len(both)
    weights = np.subtract.outer(np.arange(5), np.arange(5)) ** 2
    found = agreement.weighted_kappa(*zip(*both, strict=True))
    if (weights * expected).sum() == 0:
        assert found is None
    else:
        assert found == pytest.approx(1 - (weights * seen).sum() / (weights * expected).sum())


@given(both=pairs)
@settings(max_examples=60, deadline=None)
def test_spearman_is_scipys(both: list[tuple[int, int]]) -> None:
    one, two = zip(*both, strict=True)
    found = agreement.spearman(one, two)
    if len(set(one)) == 1 or len(set(two)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(float(stats.spearmanr(one, two)[0]))
    assert agreement.ranks(one).tolist() == stats.rankdata(one).tolist()


@given(both=pairs, cut=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_auc_is_mann_whitneys(both: list[tuple[int, int]], cut: int) -> None:
    scores = [one for one, _ in both]
    truth = [two <= cut for _, two in both]
    solved = [one for one, true in zip(scores, truth, strict=True) if true]
    unsolved = [one for one, true in zip(scores, truth, strict=True) if not true]
    found = agreement.auc(scores, truth)
    if not solved or not unsolved:
        assert found is None
    else:
        u = float(stats.mannwhitneyu(solved, unsolved, method="asymptotic")[0])
        assert found == pytest.approx(u / len(solved) / len(unsolved))


def test_what_is_missing_is_left_out_in_pairs() -> None:
    assert agreement.spearman([1, N, 2, 3], [1, 9, N, 3]) == pytest.approx(1.0)
    assert agreement.auc([9, 1, 5], [1, 0, N]) == 1.0
    assert agreement.weighted_kappa([1, N], [N, 2]) is None


ISSUES = [f"issue-{n}" for n in range(6) for _ in range(6)]
OWN = [n % 3 == 0 for n in range(36)]


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.3, 36)


def test_a_judge_biased_to_its_own_is_found_and_a_fair_one_is_not() -> None:
    fair = 6 + noise(1)
    biased = fair + 1.5 * np.array(OWN)
    found = agreement.own_minus_other(biased, OWN, ISSUES, peers=6 + noise(2))
    for each in (found.delta, found.excess):
        assert each.value == pytest.approx(1.5, abs=0.3)
        assert each.low is not None and each.low > 1.0
    honest = agreement.own_minus_other(fair, OWN, ISSUES, peers=6 + noise(2))
    assert honest.delta.low is not None and honest.delta.high is not None
    assert honest.delta.low < 0.2 and honest.delta.high > -0.2
    assert (found.own, found.other) == (12, 24)


def test_own_work_that_is_better_for_all_judges_is_no_bias() -> None:
    better = 6 + 1.5 * np.array(OWN)
    found = agreement.own_minus_other(better + noise(1), OWN, ISSUES, peers=better + noise(2))
    assert found.delta.value == pytest.approx(1.5, abs=0.3)
    assert found.excess.low is not None and found.excess.high is not None
    assert found.excess.low < 0 < found.excess.high


def test_without_other_judges_what_is_the_judges_alone_is_unknown() -> None:
    found = agreement.own_minus_other([5.0] * 36, OWN, ISSUES)
    assert found.excess == Estimate(value=None) and found.delta.value == 0.0


def test_one_issue_has_no_interval() -> None:
    found = agreement.mean_over([7, 8, 9], ["one"] * 3)
    assert found == Estimate(value=8.0, n=3, clusters=1)
    several = agreement.mean_over([7, 8, 9], ["one", "two", "three"])
    assert several.low is not None and several.low <= 8 <= (several.high or 0)


def test_scores_of_one_issue_are_no_independent_ones() -> None:
    values = [float(n // 6) for n in range(36)]
    clustered = agreement.mean_over(values, ISSUES)
    single = agreement.mean_over(values, list(range(36)))
    assert clustered.low is not None and clustered.high is not None
    assert single.low is not None and single.high is not None
    assert clustered.high - clustered.low > 1.5 * (single.high - single.low)


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    generator, held = np.random.default_rng(0), 0
    issues = [n // 3 for n in range(60)]
    for seed in range(120):
        values = generator.normal(0, 1, 20).repeat(3) + generator.normal(0, 0.5, 60)
        found = agreement.mean_over(values, issues, draws=200, seed=seed)
        assert found.low is not None and found.high is not None
        held += found.low <= 0 <= found.high
    assert 0.85 <= held / 120 <= 0.99


def test_own_work_on_one_issue_alone_gives_a_number_and_no_interval() -> None:
    own = [each == "issue-0" for each in ISSUES]
    found = agreement.own_minus_other(np.arange(36.0), own, ISSUES)
    assert found.delta == Estimate(value=2.5 - 20.5, n=36, clusters=6)
    two = agreement.own_minus_other(np.arange(36.0), [each <= "issue-1" for each in ISSUES], ISSUES)
    assert two.delta.low is not None
    never = agreement.own_minus_other(np.arange(36.0), [False] * 36, ISSUES)
    assert never.delta == Estimate(value=None, n=36, clusters=6) and never.own == 0


@given(values=whole)
@settings(max_examples=30, deadline=None)
def test_a_mean_lies_within_its_interval_and_is_the_same_again(values: list[int]) -> None:
    issues = [n // 2 for n in range(len(values))]
    found = agreement.mean_over(values, issues, draws=100)
    assert found == agreement.mean_over(values, issues, draws=100)
    assert found.value == pytest.approx(np.mean(values))
    if found.low is not None and found.high is not None:
        assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_sensitivity_is_the_mean_change_whichever_way() -> None:
    found = agreement.sensitivity([8, 5, N], [6, 7, 9], ["a", "b", "c"])
    assert found.value == 2.0 and found.n == 2


def test_copies_of_a_judge_are_one_vote_and_strangers_are_many() -> None:
    generator = np.random.default_rng(3)
    one, truth = generator.normal(0, 1, 400), generator.integers(0, 2, 400)
    strangers = generator.normal(0, 1, (4, 400)) + 5 * truth
    assert agreement.effective_votes([one, one, one]) == pytest.approx(1.0)
    assert agreement.effective_votes(strangers, truth) == pytest.approx(4.0, rel=0.15)
    seen = agreement.effective_votes(strangers)
    assert seen is not None and seen < 1.5, "what is common because it is true looks like one vote"
    assert agreement.effective_votes([one]) is None
    assert agreement.effective_votes([[8.0] * 5, [8.0] * 5]) is None
