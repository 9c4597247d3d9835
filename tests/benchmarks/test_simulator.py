"""The simulator: closed forms against play, the paper's tables against what is solved for, the command."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.simulation import feasible, paper
from benchmarks.simulation.formulas import FORMULAS, predict
from benchmarks.simulation.rates import Model, Rates, Suite, changed
from benchmarks.simulation.sampling import PLAYS, RIGHT, Table, simulate

ROOT = Path(__file__).parents[2]
CALLS = {
    "raw-coder": (1, 1),
    "raw-planner": (1, 1),
    "plan-code": (2, 2),
    "review-fix": (2, 3),
    "review-fix-retry": (2, 6),
    "adversarial": (2, 5),
    "enriched": (3, 4),
    "gated": (2, 3),
    "self-review": (2, 3),
    "swapped": (2, 3),
    "best-of-k": (3, 3),
    "raw-retry": (1, 4),
    "review-fix-guarded": (2, 4),
    "review-fix-tests": (3, 6),
    "review-fix-confirmed": (2, 4),
    "review-fix-filtered": (2, 5),
}


def any_rates(seed: int, size: int | None = None) -> Rates:
    """Return rates drawn from all that are possible: floats, or arrays of a size."""
    random = np.random.default_rng(seed)

    def unit() -> Any:
        return random.random(size)

    def model() -> Model:
        return Model(unit(), unit(), unit(), unit(), unit())

    names = ("planned", "detection", "fix_detection", "test_repair", "choice", "synthesis", "exposure")
    more = ("arbitration", "enriched_hit", "enriched_false_alarm", "correlation")
    refuted = ("alarm_refuted", "hit_refuted")
    return Rates(
        model(), model(), **{name: unit() for name in names + more + refuted}, overlap=2 * unit() - 1
    )


def alone(pipeline: str, rates: Rates) -> Any:
    return FORMULAS[pipeline](rates).pass_at_1


@pytest.mark.parametrize("pipeline", FORMULAS)
def test_play_agrees_with_the_closed_form(pipeline: str) -> None:
    for seed in range(6):
        rich, lean = any_rates(seed), replace(any_rates(seed + 100), rich=False, drafts=5, retries=2)
        suite = Suite(((0.7, rich), (0.3, lean)))
        exact, played = predict(pipeline, suite), simulate(pipeline, suite, tasks=40_000, seed=seed)
        # 192 comparisons: 4.5 standard errors are passed by chance once in 700 runs, and the seeds are fixed.
        assert abs(played.pass_at_1 - exact.pass_at_1) < 4.5 * played.pass_error
        assert abs(played.calls - exact.calls) <= 4.5 * played.calls_error + 1e-9


@pytest.mark.parametrize("pipeline", FORMULAS)
def test_calls_of_a_task_take_the_whole_of_their_bounds(pipeline: str) -> None:
    _, calls = PLAYS[pipeline](Table(Rates(), 100_000, np.random.default_rng(0)))
    assert (calls.min(), calls.max()) == CALLS[pipeline]


def test_play_and_formulas_know_the_same_pipelines() -> None:
    assert PLAYS.keys() == FORMULAS.keys() == CALLS.keys()


@pytest.mark.parametrize("correlation", [0.0, 0.4, 1.0])
def test_drafts_of_a_task_disagree_as_their_correlation_says(correlation: float) -> None:
    rates = replace(Rates(), correlation=correlation)
    table = Table(rates, 200_000, np.random.default_rng(0))
    disagreeing = ((table.write() == RIGHT) != (table.write() == RIGHT)).mean()
    assert disagreeing == pytest.approx(2 * 0.75 * 0.25 * (1 - correlation), abs=0.005)


@pytest.mark.parametrize(("overlap", "both"), [(-1.0, 0.55), (0.0, 0.6), (1.0, 0.75)])
def test_overlap_spans_all_that_two_rates_allow(overlap: float, both: float) -> None:
    assert replace(Rates(), overlap=overlap).both_right == pytest.approx(both)


def test_review_that_rejects_nothing_is_raw_coder_with_a_call_more() -> None:
    rates = changed(Rates(), {"reviewer.hit": 0, "reviewer.false_alarm": 0})
    outcome = FORMULAS["review-fix"](rates)
    assert (outcome.pass_at_1, outcome.calls) == (rates.coder.right, 2)


def test_greedy_drafts_leave_best_of_k_nothing_to_choose() -> None:
    assert alone("best-of-k", replace(Rates(), correlation=1.0)) == Rates().coder.right


def test_independent_drafts_make_best_of_k_a_geometric_sum() -> None:
    rates = replace(Rates(), correlation=0.0, detection=0.5, drafts=3)
    assert alone("best-of-k", rates) == pytest.approx(0.75 * (1 + 0.125 + 0.125**2))


def test_guard_never_costs_a_right_program() -> None:
    rates = any_rates(0, size=100_000)
    assert np.all(alone("review-fix-guarded", rates) >= alone("review-fix", rates) - 1e-12)


def test_guard_without_checks_is_review_fix() -> None:
    rates = replace(any_rates(1, size=1000), fix_detection=0.0)
    assert np.allclose(alone("review-fix-guarded", rates), alone("review-fix", rates))


def test_confirming_pays_exactly_where_it_saves_more_alarms_than_it_costs_hits() -> None:
    rates = any_rates(2, size=100_000)
    p, coder, reviewer = rates.coder.right, rates.coder, rates.reviewer
    saved = p * reviewer.false_alarm * rates.alarm_refuted * coder.damage
    cost = (1 - p) * reviewer.hit * rates.hit_refuted * coder.repair
    gained = alone("review-fix-confirmed", rates) - alone("review-fix", rates)
    assert np.allclose(gained, saved - cost)


def test_a_reviewer_whose_every_claim_is_refuted_leaves_the_raw_coder() -> None:
    rates = changed(Rates(), {"alarm_refuted": 1, "hit_refuted": 1})
    assert alone("review-fix-confirmed", rates) == pytest.approx(rates.coder.right)


def test_a_filter_that_tells_everything_apart_rightly_breaks_nothing_and_keeps_every_repair() -> None:
    rates = replace(any_rates(3, size=1000), exposure=1.0, arbitration=1.0)
    undamaged = replace(rates, coder=replace(rates.coder, damage=0.0))
    assert np.allclose(alone("review-fix-filtered", rates), alone("review-fix-guarded", undamaged))


def test_guard_saves_between_the_square_of_detection_and_detection_of_the_losses() -> None:
    rates = changed(Rates(), {"reviewer.hit": 0, "fix_detection": 0.4})
    for damage in (1e-6, 0.3, 1.0):
        point = changed(rates, {"coder.damage": damage})
        lost = point.coder.right - alone("review-fix", point)
        saved = (alone("review-fix-guarded", point) - alone("review-fix", point)) / lost
        assert 0.4**2 - 1e-6 <= saved <= 0.4 + 1e-6


def test_arbiter_pays_from_the_share_of_gains_among_changes() -> None:
    for gains, losses in paper.change("HumanEval+", "raw-coder", "review-fix").pairs:
        rates = changed(
            Rates(detection=0.0, fix_detection=0.0, exposure=0.5),
            {"coder.right": 128 / 164, "reviewer.hit": 1, "reviewer.false_alarm": 1}
            | {"coder.repair": gains / 36, "coder.damage": losses / 128},
        )
        even = replace(rates, arbitration=gains / (gains + losses))
        assert alone("review-fix-tests", even) == pytest.approx(alone("review-fix-guarded", even))
        if losses:
            surer = replace(rates, arbitration=1.0)
            assert alone("review-fix-tests", surer) > alone("review-fix-guarded", surer)


@pytest.mark.parametrize("suite", paper.PUBLISHED)
def test_every_published_share_is_one_count_of_tasks(suite: str) -> None:
    for pipeline, percent in paper.PUBLISHED[suite].items():
        share = 100 * paper.passed(suite, pipeline) / paper.TASKS[suite]
        assert f"{share:.1f}" == f"{percent:.1f}"


def test_share_that_no_count_prints_as_is_refused() -> None:
    with pytest.raises(ValueError, match="fits no count"):
        paper.count_of(78.3, 164)


def test_regressions_and_improvements_are_those_of_base_humaneval() -> None:
    net = paper.PLAN_IMPROVEMENTS - paper.PLAN_REGRESSIONS
    assert paper.change("HumanEval", "raw-coder", "plan-code").net == net
    assert paper.change("HumanEval+", "raw-coder", "plan-code").net != net


def test_feasible_changes_are_all_and_only_those_that_keep_the_totals() -> None:
    change = paper.change("HumanEval+", "raw-coder", "review-fix")
    kept = [(a, b) for a in range(37) for b in range(129) if 128 + a - b == 144]
    assert change.pairs == kept
    worse = paper.change("HumanEval+", "raw-coder", "plan-code")
    assert worse.pairs == [(a, b) for a in range(37) for b in range(129) if 128 + a - b == 124]


def test_no_feasible_change_makes_planning_significantly_worse_and_each_makes_review_better() -> None:
    assert paper.change("HumanEval+", "raw-coder", "plan-code").significant == 0
    review = paper.change("HumanEval+", "raw-coder", "review-fix")
    assert review.significant == len(review.pairs) == 21


@pytest.mark.parametrize(("suite", "fitted"), feasible.FITTED.items())
def test_every_draw_of_the_feasible_set_reproduces_the_tables(suite: str, fitted: tuple[str, ...]) -> None:
    rates = feasible.draw(suite, size=20_000, seed=3)
    for pipeline in fitted:
        share = paper.passed(suite, pipeline) / paper.TASKS[suite]
        assert np.max(np.abs(alone(pipeline, rates) - share)) < 1e-9, pipeline


def test_feasible_set_spans_what_the_tables_leave_open() -> None:
    rates = feasible.draw("HumanEval+", size=50_000)
    for bounded in (rates.reviewer.hit, rates.coder.repair):
        assert (np.min(bounded), np.max(bounded)) == pytest.approx((16 / 36, 1))
    for free in (rates.reviewer.false_alarm, rates.coder.damage, rates.detection, rates.fix_detection):
        assert (np.min(free), np.max(free)) == pytest.approx((0, 1), abs=2e-3)


def test_draws_are_the_same_for_the_same_seed() -> None:
    first, second, other = (feasible.draw("MBPP+", size=2000, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(first.reviewer.hit, second.reviewer.hit)
    assert not np.array_equal(first.reviewer.hit, other.reviewer.hit)


@pytest.mark.parametrize("suite", ["HumanEval+", "MBPP+"])
def test_gate_blind_to_the_task_reproduces_the_published_gate(suite: str) -> None:
    through, skipped = paper.skipped_by_gate(suite)
    share = through / (through + skipped)
    rates = feasible.draw(suite, size=2000)
    gated = predict("gated", Suite(((share, rates), (1 - share, replace(rates, rich=False)))))
    assert np.allclose(gated.pass_at_1, paper.passed(suite, "gated") / paper.TASKS[suite])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"coder.rihgt": 0.5}, "no rate is named 'coder.rihgt'"),
        ({"coder": 0.5}, "no rate is named 'coder'"),
        ({"coder.right": 1.2}, "coder.right = 1.2 is outside 0 to 1"),
        ({"detection": float("nan")}, "detection = nan is no float"),
        ({"overlap": -1.5}, "overlap = -1.5 is outside -1 to 1"),
        ({"drafts": 0}, "drafts = 0 is no number of drafts"),
        ({"drafts": 2.5}, "drafts = 2.5 is no int"),
    ],
)
def test_rate_that_is_none_is_refused_by_name(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        changed(Rates(), settings)


def test_shares_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises(ValueError, match="do not sum to 1"):
        Suite(((0.5, Rates()), (0.6, Rates())))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "benchmarks/simulator.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_json_is_one_line_with_every_pipeline_and_the_paper_apart() -> None:
    done = run(
        "--json", "--tasks", "1000", "--draws", "20000", "--lean", "0.5", "--set", "lean.reviewer.hit=0"
    )
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    line = json.loads(done.stdout)
    assert line["benchmark"] == "simulator"
    assert line["pipelines"].keys() == FORMULAS.keys()
    assert line["pipelines"]["review-fix"]["calls"] == pytest.approx(2 + 0.75 * 0.2 + 0.25 * 0.4)
    assert line["paper"]["HumanEval+"]["gains"] == [16, 36]


def test_rate_unknown_to_the_command_ends_it_with_what_to_try() -> None:
    done = run("--set", "hit=0.5")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no rate is named 'hit'" in done.stderr
    assert "try: python benchmarks/simulator.py --help" in done.stderr


def test_figure_is_drawn_the_same_each_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the figure needs matplotlib")
    for name in ("one.svg", "two.svg"):
        assert run("--plot", str(tmp_path / name)).returncode == 0
    picture = (tmp_path / "one.svg").read_bytes()
    assert picture.startswith(b"<?xml")
    assert picture == (tmp_path / "two.svg").read_bytes()


@pytest.mark.parametrize("suite", ["HumanEval+", "MBPP+"])
def test_a_rivals_line_is_where_review_fix_equals_it(suite: str) -> None:
    pytest.importorskip("matplotlib", reason="the figure needs matplotlib")
    from benchmarks.simulation.figure import panel

    data = panel(suite)
    gain = np.linspace(0.3, 0.9, 7)
    for rival in data.rivals:
        loss = data.loss(gain, rival)
        model = Model(data.right, 1.0, 1.0, gain, loss)
        assert np.allclose(alone("review-fix", Rates(model, model)), rival.pass_at_1)
