"""The leaderboard's values, by hand and by what must not change them."""

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcode.duels.amounts import divided, paid, single, spread, total
from dualcode.duels.records import DuelRecords
from dualcode.duels.scores import scores_of
from dualcode.duels.standing import Board, Standing, board, flips
from dualcode.metrics import rate
from tests.duels.made import cell, condition, judgement, matrix, phase, phases, records, verdict, whole

SOLO = condition("solo", "kimi", "kimi")
PAIR = condition("pair", "opus", "kimi")
AMOUNTS = st.none() | st.dictionaries(st.sampled_from("$€"), st.floats(0, 100), max_size=2)


def only(found: DuelRecords) -> Standing:
    return board(found).standings[0]


def duel(*outcomes: tuple[str, int, bool | None], **changes: Any) -> DuelRecords:
    """Return the records of one condition with these outcomes."""
    trials = max(trial for _, trial, _ in outcomes)
    issues = tuple(dict.fromkeys(issue for issue, _, _ in outcomes))
    cells = [cell(SOLO, issue, trial, solved, **changes) for issue, trial, solved in outcomes]
    return records([SOLO], cells, issues=issues, trials=trials)


def priced(*amounts: Mapping[str, float] | None, solved: bool = True) -> DuelRecords:
    """Return the records of one condition whose cells cost so much."""
    cells = [
        cell(SOLO, "a", at, solved, phases=(phase("implement", "implement", "kimi", money=amount),))
        for at, amount in enumerate(amounts, start=1)
    ]
    return records([SOLO], cells, issues=("a",), trials=len(cells))


def test_solved_pass_k_and_flips_by_hand() -> None:
    row = only(
        duel(
            ("a", 1, True), ("a", 2, True), ("b", 1, True), ("b", 2, False), ("c", 1, False), ("c", 2, False)
        )
    )
    assert row.solved and (row.solved.passed, row.solved.total) == (3, 6)
    assert row.pass_k == pytest.approx(1 / 3)
    assert row.k == 2
    assert row.flips == pytest.approx(1 / 3)


def test_flips_of_three_trials() -> None:
    assert flips({"a": [True, True, False]}) == pytest.approx(2 / 3)
    assert flips({"a": [True]}) is None


def test_an_errored_cell_is_in_no_number_but_its_own() -> None:
    row = only(duel(("a", 1, True), ("b", 1, True), ("c", 1, None)))
    whole = only(duel(("a", 1, True), ("b", 1, True)))
    assert row.solved == whole.solved == rate(2, 2)
    assert (row.errored, row.cells, row.undone) == (1, 2, 0)
    assert row.statuses == {"complete": 2, "errored": 1}
    assert (row.cost, row.effort) == (whole.cost, whole.effort)


def test_a_cell_that_could_not_be_graded_is_no_failure() -> None:
    lost = cell(SOLO, "b", 1, True, verdict=verdict("b", None))
    row = only(records([SOLO], [cell(SOLO, "a"), lost], issues=("a", "b")))
    assert row.solved == rate(1, 1)
    assert row.errored == 1


def test_what_is_not_done_is_told() -> None:
    row = only(records([SOLO], [cell(SOLO, "a")], issues=("a", "b"), trials=3))
    assert row.undone == 5


def test_a_condition_without_a_graded_cell_has_nothing_but_its_name() -> None:
    row = only(records([SOLO], []))
    assert (row.rank, row.solved, row.quality, row.cost, row.effort, row.efficiency) == (None,) * 6


def test_one_cell_alone_gets_no_rank() -> None:
    found = board(records([SOLO, PAIR], [cell(SOLO, "a"), cell(PAIR, "a")], issues=("a",)))
    assert [row.rank for row in found.standings] == [None, None]
    assert not found.ranked


def test_tests_decide_before_quality_and_money() -> None:
    cells = [cell(SOLO, "a"), cell(SOLO, "b", solved=False), cell(PAIR, "a"), cell(PAIR, "b")]
    praised = [judgement(SOLO.id, each, 1, "gpt", 10) for each in "ab"]
    scorned = [judgement(PAIR.id, each, 1, "gpt", 1) for each in "ab"]
    found = board(records([SOLO, PAIR], cells, praised + scorned, issues=("a", "b")))
    assert [(row.rank, row.id) for row in found.standings] == [(1, PAIR.id), (2, SOLO.id)]
    assert found.standing(SOLO.id).efficiency == pytest.approx(10 / 0.12)


def test_equally_solved_goes_by_quality_for_money_and_ties_share_a_rank() -> None:
    twin = condition("solo", "opus", "opus")
    cells = [
        cell(of, issue, phases=(phase("implement", "implement", "x", money={"$": price}),))
        for of, price in ((SOLO, 2.0), (PAIR, 1.0), (twin, 2.0))
        for issue in "ab"
    ]
    scores = [judgement(of.id, issue, 1, "gpt", 8) for of in (SOLO, PAIR, twin) for issue in "ab"]
    found = board(records([SOLO, PAIR, twin], cells, scores, issues=("a", "b")))
    assert [(row.rank, row.id) for row in found.standings] == [(1, PAIR.id), (2, SOLO.id), (2, twin.id)]


def test_where_nobody_judged_the_cheaper_of_equals_stands_first() -> None:
    cells = [
        cell(of, issue, phases=(phase("implement", "implement", "x", money={"$": price}),))
        for of, price in ((SOLO, 2.0), (PAIR, 1.0))
        for issue in "ab"
    ]
    ranked = board(records([SOLO, PAIR], cells, issues=("a", "b")))
    assert [(row.rank, row.id) for row in ranked.standings] == [(1, PAIR.id), (2, SOLO.id)]
    unknown = [cell(SOLO, each, phases=(phase("implement", "implement", "x", money=None),)) for each in "ab"]
    ranked = board(records([SOLO, PAIR], [*unknown, *cells[2:]], issues=("a", "b")))
    assert [(row.rank, row.id) for row in ranked.standings] == [(1, PAIR.id), (2, SOLO.id)]


def test_money_in_two_currencies_decides_no_rank() -> None:
    cells = [
        cell(of, issue, phases=(phase("implement", "implement", "x", money=price),))
        for of, price in ((SOLO, {"$": 2.0}), (PAIR, {"€": 1.0}))
        for issue in "ab"
    ]
    scores = [judgement(of.id, issue, 1, "gpt", 8) for of in (SOLO, PAIR) for issue in "ab"]
    found = board(records([SOLO, PAIR], cells, scores, issues=("a", "b")))
    assert [row.rank for row in found.standings] == [1, 1]
    assert found.currency is None
    assert [row.efficiency for row in found.standings] == [4.0, 8.0]


def test_cost_by_hand() -> None:
    row = only(records([PAIR], [cell(PAIR, "a"), cell(PAIR, "b", solved=False)], issues=("a", "b")))
    assert row.cost is not None
    # 20,000 tokens of opus at $8 a million, 100,000 of kimi at $1.
    assert row.cost.plan == pytest.approx({"$": 0.16})
    assert row.cost.implement == pytest.approx({"$": 0.1})
    assert row.cost.review == {}
    assert row.cost.total == pytest.approx({"$": 0.26})
    assert row.cost.per_solved == pytest.approx({"$": 0.52})
    assert row.cost.std == 0
    assert row.cost.sources == {"tokens": 4}


def test_unknown_money_is_never_zero() -> None:
    row = only(priced({"$": 1.0}, None, {"$": 3.0}))
    assert row.cost is not None
    assert (row.cost.total, row.cost.per_solved, row.cost.std, row.cost.unknown) == (None, None, None, 1)
    assert row.efficiency is None


def test_an_unknown_plan_leaves_what_is_known_of_the_rest() -> None:
    unknown = phase("plan", "plan", "opus", money=None, source="unknown")
    own = cell(PAIR, "a", phases=(unknown, phase("implement", "implement", "kimi")))
    row = only(records([PAIR], [own], issues=("a",)))
    assert row.cost is not None
    assert (row.cost.plan, row.cost.total) == (None, None)
    assert row.cost.implement == pytest.approx({"$": 0.1})
    assert row.cost.sources == {"unknown": 1, "tokens": 1}


def test_nothing_solved_has_no_price_of_a_solution() -> None:
    row = only(priced({"$": 1.0}, {"$": 3.0}, solved=False))
    assert row.cost is not None
    assert row.cost.total == {"$": 2.0}
    assert row.cost.per_solved is None


def test_currencies_are_added_apart() -> None:
    row = only(priced({"$": 1.0}, {"€": 3.0}))
    assert row.cost is not None
    assert row.cost.total == {"$": 0.5, "€": 1.5}
    assert row.efficiency is None


def test_what_is_free_has_a_price_and_no_efficiency() -> None:
    found = priced({"$": 0.0}, {"$": 0.0})
    scores = tuple(judgement(SOLO.id, "a", trial, "gpt", 8) for trial in (1, 2))
    row = only(replace(found, judgements=scores))
    assert row.cost and row.cost.total == {"$": 0.0}
    assert row.efficiency is None


@given(st.lists(AMOUNTS))
def test_a_sum_is_known_only_if_every_part_is(amounts: list[dict[str, float] | None]) -> None:
    found = total(amounts)
    if None in amounts:
        assert found is None
        assert spread(amounts) is None
    else:
        assert found is not None
        for currency in "$€":
            assert found.get(currency, 0.0) == pytest.approx(
                sum((each or {}).get(currency, 0.0) for each in amounts)
            )


def test_a_phase_that_asked_nobody_is_free() -> None:
    assert paid(phases(SOLO)) == pytest.approx({"$": 0.12})
    assert divided(None, 2) is None
    assert divided({"$": 1.0}, 0) is None
    assert single({"$": 1.0, "€": 1.0}) is None


def test_quality_is_the_mean_of_judges_over_plain_renderings() -> None:
    scores = [
        judgement(SOLO.id, "a", 1, "gpt", 9),
        judgement(SOLO.id, "a", 1, "gpt", 1, rendering="other"),
        judgement(SOLO.id, "a", 1, "opus", {"correctness": 4, "verification": 2}),
    ]
    row = only(records([SOLO], [cell(SOLO, "a")], scores, issues=("a",)))
    assert row.quality is not None
    assert row.quality.mean == pytest.approx((9 + 3) / 2)
    assert row.quality.std is None
    assert row.dimensions["correctness"].mean == pytest.approx(6.5)
    assert row.dimensions["code_quality"].mean == pytest.approx(9)
    assert row.unjudged == 0


def test_a_missing_judge_is_missing_and_not_zero() -> None:
    scores = [judgement(SOLO.id, "a", 1, "gpt", 8), judgement(SOLO.id, "a", 1, "opus", None)]
    row = only(records([SOLO], [cell(SOLO, "a")], scores, issues=("a",)))
    assert row.quality and row.quality.mean == 8
    assert row.unjudged == 1
    assert scores_of(scores)[SOLO.id, "a", 1].missing == ("opus",)


def test_calibrations_are_no_conditions_scores() -> None:
    scores = [judgement("", "a", 1, "gpt", 1, calibration="wrong"), judgement(SOLO.id, "a", 1, "gpt", 8)]
    assert list(scores_of(scores)) == [(SOLO.id, "a", 1)]


def test_quality_for_money_of_solved_cells_alone() -> None:
    cells = [
        cell(SOLO, "a", phases=(phase("implement", "implement", "x", money={"$": 1.0}),)),
        cell(SOLO, "b", solved=False, phases=(phase("implement", "implement", "x", money={"$": 3.0}),)),
    ]
    scores = [judgement(SOLO.id, "a", 1, "gpt", 9), judgement(SOLO.id, "b", 1, "gpt", 5)]
    row = only(records([SOLO], cells, scores, issues=("a", "b")))
    assert row.efficiency == pytest.approx(7 / 2)
    assert row.efficiency_solved == pytest.approx(9)


def test_effort_by_hand() -> None:
    row = only(records([PAIR], [cell(PAIR, "a")], issues=("a",)))
    assert row.effort is not None
    assert (row.effort.steps, row.effort.calls, row.effort.failed_edits) == (9, 9, 2)
    assert (row.effort.prompt_tokens, row.effort.completion_tokens) == (120_000, 6_000)
    assert row.effort.cached_share == pytest.approx(0.9)
    assert (row.effort.plan_seconds, row.effort.implement_seconds) == (30, 30)


def shuffled(found: DuelRecords, seed: int) -> DuelRecords:
    chance = random.Random(seed)
    cells, judgements = list(found.cells), list(found.judgements)
    chance.shuffle(cells)
    chance.shuffle(judgements)
    return replace(found, cells=tuple(cells), judgements=tuple(judgements))


def plain(found: Board) -> list[Any]:
    return [_rounded(each.model_dump()) for each in found.standings]


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in sorted(value.items())}  # pyright: ignore
    return round(value, 9) if isinstance(value, float) else value


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_the_records_changes_nothing(seed: int) -> None:
    found = whole()
    assert plain(board(shuffled(found, seed))) == plain(board(found))


def test_every_condition_is_on_the_board_once_and_ranks_ascend() -> None:
    found = board(whole())
    assert sorted(row.id for row in found.standings) == sorted(each.id for each in whole().duel.conditions)
    ranks = [row.rank for row in found.standings if row.rank]
    assert ranks == sorted(ranks)
    rates = [row.solved.value for row in found.standings if row.solved]
    assert rates == sorted(rates, reverse=True)


def test_a_copy_of_a_condition_stands_where_the_first_one_stands() -> None:
    found = whole(matrix(("kimi", "opus")))
    names = {each.id: f"{each.id}-again" for each in found.duel.conditions}
    again = [each.model_copy(update={"id": names[each.id]}) for each in found.duel.conditions]
    cells = [each.model_copy(update={"condition": names[each.condition]}) for each in found.cells]
    scores = [
        each.model_copy(update={"condition": names.get(each.condition, "")}) for each in found.judgements
    ]
    both = board(
        records(
            [*found.duel.conditions, *again], [*found.cells, *cells], [*found.judgements, *scores], trials=2
        )
    )
    for id_, name in names.items():
        one, other = both.standing(id_), both.standing(name)
        assert one.rank == other.rank
        assert (one.solved, one.cost) == (other.solved, other.cost)
