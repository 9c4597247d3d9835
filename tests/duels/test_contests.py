"""What is compared with what, how sure that is, and what a model does in a role."""

import random
from dataclasses import replace

import pytest

from dualcode.analysis.changes import Changes
from dualcode.analysis.statistics import holm
from dualcode.duels.contests import QUESTIONS, contests, controls, effects
from tests.duels.made import cell, condition, every_arm, judgement, matrix, phase, records, whole

PAIR = condition("pair", "opus", "kimi")
ISSUES = tuple(f"issue-{at}" for at in range(12))


def test_a_pair_is_compared_with_all_of_its_controls() -> None:
    found = {(question, other.id) for question, other in controls(PAIR, every_arm())}
    assert found == {
        ("planner", "kimi->kimi"),
        ("implementer", "opus->opus"),
        ("plan", "no-plan:kimi"),
        ("order", "review:kimi+opus"),
        ("chance", "drawn:kimi+opus"),
    }


def test_a_review_is_compared_with_no_plan_and_with_chance() -> None:
    review = condition("review", "kimi", "opus")
    found = {(question, other.id) for question, other in controls(review, every_arm())}
    assert found == {("review", "no-plan:kimi"), ("chance", "drawn:kimi+opus")}


def test_models_that_are_not_drawn_have_no_chance_as_control() -> None:
    found = [question for question, _ in controls(condition("pair", "gpt", "kimi"), every_arm())]
    assert "chance" not in found


def test_controls_have_no_controls_of_their_own() -> None:
    assert not list(controls(condition("no-plan", "kimi"), every_arm()))
    assert not list(controls(condition("drawn", "kimi", "opus"), every_arm()))


def test_a_comparison_is_the_engines_with_one_trial() -> None:
    solo = condition("solo", "kimi", "kimi")
    cells = [cell(PAIR, each, 1, at < 10) for at, each in enumerate(ISSUES)]
    cells += [cell(solo, each, 1, at in (0, 11)) for at, each in enumerate(ISSUES)]
    (found,) = contests(records([PAIR, solo], cells, issues=ISSUES))
    plain = Changes(gained=9, lost=1, tasks=12)
    assert (found.gained, found.lost, found.pairs, found.issues) == (9, 1, 12, 12)
    assert found.delta == pytest.approx(plain.delta)
    assert found.p_value == pytest.approx(plain.p_value)
    assert (found.low, found.high) == pytest.approx((plain.interval().low, plain.interval().high))
    assert found.significant and found.delta > 0


def test_errored_trials_are_paired_with_nothing() -> None:
    solo = condition("solo", "kimi", "kimi")
    cells = [cell(PAIR, "a", 1), cell(PAIR, "b", 1, None), cell(solo, "a", 1), cell(solo, "b", 1)]
    (found,) = contests(records([PAIR, solo], cells, issues=("a", "b")))
    assert (found.pairs, found.issues) == (1, 1)
    only = [each for each in cells if each.condition == PAIR.id]
    assert contests(records([PAIR, solo], only, issues=("a", "b"))) == ()


def test_p_is_corrected_for_all_that_is_shown() -> None:
    found = contests(whole())
    assert {each.family for each in found} == {len(found)}
    assert [each.p_holm for each in found] == pytest.approx(holm([each.p_value for each in found]))
    assert {each.question for each in found} == set(QUESTIONS)


def test_three_issues_can_claim_nothing() -> None:
    for each in (*contests(whole()), *effects(whole())):
        assert each.p_value >= each.least_p == 0.25
        assert not each.significant


def test_the_order_of_cells_changes_no_comparison() -> None:
    found = whole()
    cells = list(found.cells)
    random.Random(1).shuffle(cells)
    assert contests(replace(found, cells=tuple(cells))) == contests(found)


def test_effects_by_hand() -> None:
    # Opus plans right for whoever implements, kimi never; who implements changes nothing but the price.
    duel = matrix(("kimi", "opus"))
    cells = [
        cell(each, issue, 1, each.planner == "opus",
             phases=(phase("implement", "implement", each.implementer, 1_000_000),))
        for each in duel for issue in ISSUES
    ]  # fmt: skip
    scores = [judgement(each.condition, each.issue, 1, "gpt", 9 if each.solved else 3) for each in cells]
    found = {(each.seat, each.model): each for each in effects(records(duel, cells, scores, issues=ISSUES))}
    planner, implementer = found["planner", "opus"], found["implementer", "opus"]
    assert (planner.delta, planner.quality, planner.cost) == (1.0, 6.0, 0.0)
    assert planner.p_value == pytest.approx(2 * 0.5**12)
    assert planner.significant
    assert (implementer.delta, implementer.quality, implementer.p_value) == (0.0, 0.0, 1.0)
    assert implementer.cost == pytest.approx(7.0)
    assert found["planner", "kimi"].delta == -1.0
    assert (planner.partners, planner.pairs) == (2, 24)


def test_effects_of_two_models_mirror_each_other() -> None:
    found = effects(whole(matrix(("kimi", "opus"))))
    for seat in ("planner", "implementer"):
        one, other = [each for each in found if each.seat == seat]
        assert one.delta == pytest.approx(-other.delta)
        assert one.p_holm == pytest.approx(other.p_holm)


def test_an_unknown_price_leaves_the_effect_on_cost_unknown() -> None:
    duel = matrix(("kimi", "opus"))
    known = whole(duel)
    assert {each.cost for each in effects(known)} == {None}  # its last cell has no price
    assert all(each.quality is not None for each in effects(known))
    unjudged = replace(known, judgements=())
    assert {each.quality for each in effects(unjudged)} == {None}


def test_one_model_alone_has_no_effect() -> None:
    assert effects(whole(matrix(("kimi",)))) == ()
