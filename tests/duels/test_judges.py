"""The judges of a duel: whose work is whose, what each gave it, and what is said of that."""

from dataclasses import replace
from statistics import fmean

import pytest

from dualcode.duels.findings import find, makers, measured
from dualcode.duels.judges import estimate, judges, table
from dualcode.duels.notes import of_quality
from dualcode.panel.agreement import Estimate
from tests.duels.made import MODELS, cell, condition, found, judgement, matrix, records, whole

SERVED = {name: f"{name}-served" for name in MODELS}


def test_a_drawn_model_has_a_part_in_the_work() -> None:
    drawn = makers(condition("drawn", "kimi", "opus"), SERVED)
    assert drawn.implementer == {"kimi-served", "opus-served"}
    pair = makers(condition("pair", "gpt", "kimi"), SERVED)
    assert (pair.planner, pair.implementer) == ({"gpt-served"}, {"kimi-served"})
    assert makers(condition("no-plan", "kimi"), SERVED).planner == frozenset()


def test_own_and_other_are_the_judges_means_by_who_implemented() -> None:
    for each in judges(found()):
        own: list[float] = []
        other: list[float] = []
        for row in found().records.judgements:
            if (row.judge, row.rendering, row.calibration) == (each.name, "plain", None) and row.scores:
                mine = each.name in row.condition.rpartition(">")[2].rpartition(":")[2].split("+")[:1]
                drawn = row.condition.startswith("drawn:") and each.name in row.condition
                (own if mine or drawn else other).append(fmean(row.scores.values()))
        assert each.own == pytest.approx(fmean(own))
        assert each.other == pytest.approx(fmean(other))
        assert each.preference.delta.value == pytest.approx(fmean(own) - fmean(other))
        assert (each.preference.own, each.preference.other) == (len(own), len(other))


def test_a_judge_that_is_no_contestant_has_nothing_of_its_own() -> None:
    solo = condition("solo", "kimi", "kimi")
    scores = [judgement(solo.id, issue, 1, "gpt", 7) for issue in "ab"]
    (only,) = judges(find(records([solo], [cell(solo, each) for each in "ab"], scores, issues=("a", "b"))))
    assert (only.own, only.other) == (None, 7)
    assert only.preference.delta.value is None
    assert only.by_condition == {solo.id: 7}


def test_errored_cells_are_no_truth_for_judges() -> None:
    for each in measured(found().records).judges:
        assert each.graded == each.asked // 2 - each.missing // 2


def test_nobody_was_asked() -> None:
    unjudged = find(replace(whole(matrix()), judgements=()))
    assert judges(unjudged) == []
    assert table(unjudged) == "nothing was judged"


@pytest.mark.parametrize(
    ("of", "text"),
    [
        (Estimate(value=None), "–"),
        (Estimate(value=0.32), "+0.32"),
        (Estimate(value=-0.2, low=-0.5, high=0.1), "−0.20 [−0.50, +0.10]"),
    ],
)
def test_an_estimate_has_its_sign_and_its_interval_where_there_is_one(of: Estimate, text: str) -> None:
    assert estimate(of) == text
    assert estimate(Estimate(value=0.5), signed=False) == "0.50"


def test_a_change_that_is_empty_lowers_quality_and_says_nothing_of_its_judges() -> None:
    """By rule, not by a judge: agreement, preference and what a judge gave are of fixes that it saw."""
    solo = condition("solo", "kimi", "kimi")
    cells = [cell(solo, "a"), cell(solo, "b", solved=False, diff="")]
    seen = [judgement(solo.id, "a", 1, each, 7) for each in ("gpt", "opus")]
    ruled = [judgement(solo.id, "b", 1, each, 1, by_rule=True, money={}) for each in ("gpt", "opus")]
    whole = find(records([solo], cells, [*seen, *ruled], issues=("a", "b")))
    without = find(records([solo], cells, seen, issues=("a", "b")))
    assert whole.panel == without.panel
    assert [(each.own, each.other) for each in judges(whole)] == [(None, 7), (None, 7)]
    (row,), (other,) = whole.standings, without.standings
    assert row.quality and other.quality
    assert (row.quality.mean, row.quality.cells, row.unjudged) == (4, 2, 0)
    assert (other.quality.mean, other.quality.cells, other.unjudged) == (7, 1, 1)
    assert "1 cell changed nothing: no judge was asked" in "\n".join(of_quality(whole))
    assert "changed nothing" not in "\n".join(of_quality(without))


def test_a_duel_of_empty_changes_alone_has_no_panel() -> None:
    solo = condition("solo", "kimi", "kimi")
    ruled = [judgement(solo.id, "a", 1, "gpt", 1, by_rule=True)]
    only = find(records([solo], [cell(solo, "a", solved=False, diff="")], ruled, issues=("a",)))
    assert (only.panel, judges(only), table(only)) == (None, [], "nothing was judged")
    assert only.standings[0].quality and only.standings[0].quality.mean == 1
