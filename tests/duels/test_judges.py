"""The judges of a duel: whose work is whose, what each gave it, and what is said of that."""

from dataclasses import replace
from statistics import fmean

import pytest

from dualcode.duels.findings import find, makers, measured
from dualcode.duels.judges import estimate, judges, table
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
