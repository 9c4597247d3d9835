"""Paired statistics: against other ways to compute them, against simulation, and on the paper's totals."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap, permutation_test

from dualcode.analysis.changes import Changes, gap_interval, gap_p_value, ratio_interval
from dualcode.analysis.runs import Run, load_run
from dualcode.analysis.statistics import Gap, compare, compare_gaps, compare_pairs, holm
from dualcode.errors import InputError
from dualcode.published.published import load_published
from tests.made import Story, write_run

SMALL = [Changes(up, down, n) for n in (1, 2, 12, 40) for up, down in ((0, 0), (1, 0), (0, 1)) if up <= n]


@st.composite
def changes(draw: st.DrawFn, most: int = 400) -> Changes:
    tasks = draw(st.integers(1, most))
    gained = draw(st.integers(0, tasks))
    return Changes(gained, draw(st.integers(0, tasks - gained)), tasks)


def run_of(folder: Path, pipeline: str, passed: str, dataset: str = "humaneval", **options: Any) -> Run:
    """Write a synthetic run: a character a task, `+` passed, `-` failed, `?` errored, space not selected."""
    prefix = {"mbpp": "Mbpp"}.get(dataset, "HumanEval")
    stories = {
        f"{prefix}/{number}": Story(plus={"+": True, "-": False, "?": None}[each])
        for number, each in enumerate(passed)
        if each != " "
    }
    return load_run(write_run(folder, pipeline, stories, dataset=dataset, **options))


def test_gained_and_lost_tasks_are_told_by_name(tmp_path: Path) -> None:
    found = compare(run_of(tmp_path, "raw-coder", "++--+"), run_of(tmp_path, "review-fix", "+-++-"), "plus")
    assert found.gained == ("HumanEval/2", "HumanEval/3")
    assert found.lost == ("HumanEval/1", "HumanEval/4")
    assert (found.both, found.neither, found.tasks, found.delta) == (1, 0, 5, 0.0)
    assert found.needed is None


def test_errored_and_unselected_tasks_are_in_no_pair(tmp_path: Path) -> None:
    found = compare(run_of(tmp_path, "raw-coder", "-?-+ "), run_of(tmp_path, "review-fix", "++? +"), "plus")
    assert found.gained == ("HumanEval/0",)
    assert (found.tasks, found.delta) == (1, 1.0)
    assert found.unpaired == ("HumanEval/1", "HumanEval/2", "HumanEval/3", "HumanEval/4")


def test_the_part_decides_what_is_compared(tmp_path: Path) -> None:
    base_only = {"HumanEval/0": Story(plus=False, base=True)}
    baseline = load_run(write_run(tmp_path, "raw-coder", {"HumanEval/0": Story(plus=False)}))
    run = load_run(write_run(tmp_path, "review-fix", base_only))
    assert compare(baseline, run, "base").gained == ("HumanEval/0",)
    assert compare(baseline, run, "plus").gained == ()


def test_runs_of_different_suites_are_refused_by_name(tmp_path: Path) -> None:
    first, second = run_of(tmp_path, "raw-coder", "+"), run_of(tmp_path, "raw-coder", "+", "mbpp")
    with pytest.raises(InputError, match=f"{first.id} is of humaneval, {second.id} of mbpp") as refused:
        compare(first, second, "plus")
    assert refused.value.hint


@pytest.mark.parametrize("others", ["  ++", "??++"])
def test_runs_without_a_shared_graded_task_are_refused(tmp_path: Path, others: str) -> None:
    first, second = run_of(tmp_path, "raw-coder", "++"), run_of(tmp_path, "review-fix", others)
    with pytest.raises(InputError, match="share no graded task"):
        compare(first, second, "plus")


def test_no_change_has_an_interval_that_is_no_point() -> None:
    few, many = Changes(0, 0, 12).interval(), Changes(0, 0, 542).interval()
    assert few.low < 0 < few.high
    assert few.high > 0.2  # the rule of three: 0 of 12 leaves shares of up to about a quarter open
    assert 0 < many.high < 0.01
    assert (many.low, few.low) == (-many.high, -few.high)


def test_one_task_says_nothing() -> None:
    assert (Changes(1, 0, 1).interval().low, Changes(1, 0, 1).interval().high) == (-1.0, 1.0)


@given(changes())
def test_an_interval_holds_its_delta_and_mirrors_it(some: Changes) -> None:
    here, there = some.interval(), Changes(some.lost, some.gained, some.tasks).interval()
    assert -1 <= here.low <= some.delta + 1e-9
    assert some.delta - 1e-9 <= here.high <= 1
    assert (here.low, here.high) == pytest.approx((-there.high, -there.low), abs=1e-12)


@pytest.mark.parametrize(("gained", "lost", "tasks"), [(20, 4, 164), (60, 51, 378), (7, 3, 40)])
def test_the_interval_is_scipy_s_bootstrap_of_the_tasks_with_two_added(
    gained: int, lost: int, tasks: int
) -> None:
    each = [1] * (gained + 1) + [-1] * (lost + 1) + [0] * (tasks - gained - lost)
    random = np.random.default_rng(1)
    theirs = bootstrap((each,), np.mean, n_resamples=20_000, method="percentile", rng=random, batch=1000)
    ours = Changes(gained, lost, tasks).interval()
    step = 1 / (tasks + 2)
    known = theirs.confidence_interval
    assert (ours.low, ours.high) == pytest.approx((known.low, known.high), abs=1.01 * step)


def coverage(up: float, down: float, tasks: int, repetitions: int = 2000) -> float:
    drawn = np.random.default_rng(2).multinomial(tasks, [up, down, 1 - up - down], size=repetitions)
    kinds, counts = np.unique(drawn[:, :2], axis=0, return_counts=True)
    bounds = [Changes(int(g), int(lost), tasks).interval() for g, lost in kinds]
    holds = [each.low - 1e-9 <= up - down <= each.high + 1e-9 for each in bounds]
    return float(counts @ np.asarray(holds)) / repetitions


@pytest.mark.parametrize("tasks", [12, 40, 164])
@pytest.mark.parametrize(("up", "down"), [(0.005, 0.0), (0.02, 0.02), (0.05, 0.01), (0.12, 0.02), (0.3, 0.2)])
def test_the_interval_covers_even_where_few_tasks_change(up: float, down: float, tasks: int) -> None:
    assert coverage(up, down, tasks) > 0.93


def test_mcnemar_is_the_exact_binomial() -> None:
    assert Changes(0, 0, 164).p_value == 1.0
    assert Changes(6, 0, 164).p_value == pytest.approx(2 / 2**6)
    assert Changes(1, 9, 20).p_value == pytest.approx(2 * 11 / 2**10)


def test_interval_and_test_rarely_contradict_each_other() -> None:
    grid = [Changes(up, down, 164) for up, down in itertools.product(range(31), repeat=2)]
    split = [each for each in grid if each.interval().holds_zero != (each.p_value >= 0.05)]
    assert len(split) < 0.02 * len(grid)
    assert all(0.045 < each.p_value < 0.055 for each in split)


@pytest.mark.parametrize("some", [Changes(20, 4, 164), Changes(17, 8, 378), Changes(3, 0, 40)])
def test_the_needed_tasks_have_the_power_in_simulation(some: Changes) -> None:
    tasks = some.needed()
    assert tasks is not None
    shares = [some.gained / some.tasks, some.lost / some.tasks]
    drawn = np.random.default_rng(3).multinomial(tasks, [*shares, 1 - sum(shares)], size=4000)
    seen, often = np.unique(drawn[:, :2], axis=0, return_counts=True)
    shown = [Changes(int(gained), int(lost), tasks).p_value < 0.05 for gained, lost in seen]
    assert np.average(shown, weights=often) == pytest.approx(0.8, abs=0.025)
    assert some.power(tasks) >= 0.8 > some.power(tasks - 1)


def gaps(*pairs: tuple[Run, Run]) -> tuple[Gap, ...]:
    return compare_gaps(pairs, compare_pairs(pairs), {})


def test_needed_tasks_follow_from_the_rates_and_not_from_the_tasks_at_hand() -> None:
    assert Changes(20, 4, 164).needed() == Changes(200, 40, 1640).needed() == Changes(4, 20, 164).needed()
    assert Changes(5, 5, 164).needed() is None
    assert Changes(0, 0, 164).needed() is None


def test_six_sure_gains_are_the_fewest_that_can_show_anything() -> None:
    assert Changes(3, 0, 3).needed() == 6


def test_a_difference_of_one_task_in_many_changes_still_has_an_answer() -> None:
    needed = Changes(271, 270, 542).needed()
    assert needed is not None
    assert needed > 2_000_000


def test_a_gap_is_the_difference_of_two_deltas(tmp_path: Path) -> None:
    rich = run_of(tmp_path, "raw-coder", "-" * 20), run_of(tmp_path, "review-fix", "+" * 10 + "-" * 10)
    lean = (
        run_of(tmp_path, "raw-coder", "-" * 20, "mbpp"),
        run_of(tmp_path, "review-fix", "+" * 8 + "-" * 12, "mbpp"),
    )
    (found,) = gaps(lean, rich)
    assert (found.pipeline, found.baseline) == ("review-fix", "raw-coder")
    assert (found.rich.run, found.lean.run) == (rich[1].id, lean[1].id)
    assert found.difference == pytest.approx(0.1)
    assert found.low < 0.1 < found.high
    assert found.p_value > 0.5
    assert found.ratio == pytest.approx(1.25)
    assert found.ratio_low is not None
    assert found.ratio_high is not None
    assert found.ratio_low < 1.25 < found.ratio_high


def test_no_ratio_is_claimed_where_a_delta_may_be_zero_or_negative(tmp_path: Path) -> None:
    assert ratio_interval(Changes(16, 0, 164), Changes(17, 8, 378)) is None
    assert ratio_interval(Changes(3, 2, 164), Changes(40, 2, 378)) is None
    rich = run_of(tmp_path, "raw-coder", "--"), run_of(tmp_path, "review-fix", "+-")
    lean = run_of(tmp_path, "raw-coder", "--", "mbpp"), run_of(tmp_path, "review-fix", "--", "mbpp")
    assert gaps(rich, lean)[0].ratio is None


@pytest.mark.parametrize("turned", [False, True])
def test_a_ratio_s_interval_is_that_of_drawn_ratios(turned: bool) -> None:
    rich, lean = (30, 2, 164), (30, 5, 378)
    if turned:  # losses instead of gains have the same ratio
        rich, lean = (2, 30, 164), (5, 30, 378)
    found = ratio_interval(Changes(*rich), Changes(*lean))
    assert found is not None
    random = np.random.default_rng(4)
    deltas: list[Any] = []
    for up, down, tasks in (rich, lean):
        drawn = random.multinomial(
            tasks + 2, np.array([up + 1, down + 1, tasks - up - down]) / (tasks + 2), 40_000
        )
        deltas.append((drawn[:, 0] - drawn[:, 1]) / (tasks + 2))
    low, high = np.percentile(deltas[0] / deltas[1], [2.5, 97.5])
    assert (found.low, found.high) == pytest.approx((low, high), rel=0.03)


def test_the_gap_s_p_value_is_scipy_s_permutation_test() -> None:
    rich, lean = Changes(9, 1, 30), Changes(5, 4, 50)
    samples = [[1] * each.gained + [-1] * each.lost + [0] * (each.tasks - each.gained - each.lost)
               for each in (rich, lean)]  # fmt: skip

    def studentized(a: Any, b: Any, axis: int) -> Any:
        def error(each: Any) -> Any:
            total = each.shape[axis] + 2
            changed, delta = np.abs(each).sum(axis) + 2, each.sum(axis) / total
            return (changed / total - delta**2) / total

        return (a.mean(axis) - b.mean(axis)) / np.sqrt(error(a) + error(b))

    def distance(a: Any, b: Any, axis: int) -> Any:
        return np.abs(studentized(a, b, axis))

    theirs = permutation_test(
        [np.array(each) for each in samples], distance,
        n_resamples=40_000, alternative="greater", rng=np.random.default_rng(5), vectorized=True,
    )  # fmt: skip
    assert gap_p_value(rich, lean) == pytest.approx(theirs.pvalue, abs=0.006)


@given(changes(40), changes(40))
def test_a_gap_s_p_value_is_a_probability_and_knows_no_order(first: Changes, second: Changes) -> None:
    p = gap_p_value(first, second)
    assert 0 < p <= 1
    assert p == pytest.approx(gap_p_value(second, first), abs=1e-9)


def test_two_suites_without_a_change_have_no_gap() -> None:
    found = gap_interval(Changes(0, 0, 40), Changes(0, 0, 40))
    assert gap_p_value(Changes(0, 0, 40), Changes(0, 0, 40)) == 1.0
    assert found.low < 0 < found.high


@pytest.mark.parametrize(
    ("rich", "lean"),
    [((0.05, 0.05), (0.05, 0.05)), ((0.13, 0.10), (0.04, 0.01)), ((0.04, 0.01), (0.13, 0.10))],
)
def test_equal_deltas_are_seldom_called_a_gap_even_where_the_suites_change_unlike(
    rich: tuple[float, float], lean: tuple[float, float]
) -> None:
    random = np.random.default_rng(6)
    shares = [[up, down, 1 - up - down] for up, down in (rich, lean)]
    first, second = random.multinomial(164, shares[0], 400), random.multinomial(378, shares[1], 400)
    pairs = [
        (Changes(int(a[0]), int(a[1]), 164), Changes(int(b[0]), int(b[1]), 378))
        for a, b in zip(first, second, strict=True)
    ]
    p_values = [gap_p_value(*pair) for pair in pairs]
    assert np.mean(np.asarray(p_values) < 0.05) < 0.085  # 5 % and three standard errors of 400 draws
    intervals = [gap_interval(*pair) for pair in pairs[:100]]
    assert np.mean([each.low <= 0 <= each.high for each in intervals]) > 0.88


def test_a_gap_is_of_one_pipeline_over_one_baseline_on_suites_apart(tmp_path: Path) -> None:
    raw, fixed = run_of(tmp_path, "raw-coder", "--"), run_of(tmp_path, "review-fix", "+-")
    lean_raw, other = run_of(tmp_path, "raw-coder", "--", "mbpp"), run_of(tmp_path, "enriched", "+-", "mbpp")
    assert gaps((raw, fixed), (lean_raw, other)) == ()
    assert gaps((raw, fixed), (raw, fixed)) == ()


def published(suite: str, pipeline: str = "review-fix") -> list[Changes]:
    """Return everything that the paper's totals allow, the fewest changes first."""
    paper = load_published()
    before, after = (paper.passed(suite, name) or 0 for name in ("raw-coder", pipeline))
    tasks, net = paper.suites[suite], after - before
    most = min(tasks - before, after)
    return [Changes(gains, gains - net, tasks) for gains in range(max(net, 0), most + 1)]


def test_the_paper_s_totals_leave_open_whether_there_is_a_gap() -> None:
    rich, lean = published("HumanEval+"), published("MBPP+")
    assert (len(rich), len(lean)) == (21, 115)
    assert gap_p_value(rich[0], lean[0]) == pytest.approx(0.0016, abs=1e-4)
    assert gap_p_value(rich[-1], lean[-1]) == pytest.approx(0.231, abs=1e-3)
    # One loss in eight gains is enough to lose the claim where MBPP+ changed much, and 13 are in any case.
    assert gap_p_value(rich[0], lean[54]) > 0.05
    assert all(gap_p_value(rich[13], each) > 0.05 for each in lean[::19])


def test_no_feasible_pair_pins_the_paper_s_ratio_to_four() -> None:
    rich, lean = published("HumanEval+"), published("MBPP+")
    best = ratio_interval(rich[0], lean[0])
    assert best is not None
    assert (best.low, best.high) == pytest.approx((1.7, 13.2), abs=0.05)
    claimable = [each.lost for each in lean if not each.interval().holds_zero]
    assert max(claimable) == 4  # with more losses on MBPP+ its own gain may be zero: there is no ratio


def test_holm_is_the_step_down_of_bonferroni() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.6, 0.7]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_keeps_the_order_and_lowers_nothing(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(after >= before for before, after in zip(p_values, adjusted, strict=True))
    ranked = [value for _, value in sorted(zip(p_values, adjusted, strict=True))]
    assert ranked == sorted(ranked)
    assert all(math.isfinite(value) and value <= 1 for value in adjusted)


@pytest.mark.parametrize("some", SMALL)
def test_the_least_that_can_be_compared_has_every_number(some: Changes) -> None:
    assert 0 <= some.p_value <= 1
    assert -1 <= some.interval().low < some.interval().high <= 1
    assert (some.needed() is None) == (some.delta == 0)
