"""A duel's tables: every cell in every form, nothing lost at 80 and 120 columns, unknown never zero."""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from rich.console import Console

from dualcode.duels.catalogue import NAMES, OURS, PUBLISHED, build
from dualcode.duels.findings import find
from dualcode.duels.notes import NO_RANK
from dualcode.errors import UnknownNameError
from dualcode.published.duels import load_published_duels
from dualcode.tables.forms import fit, to_csv, to_json, to_latex, to_markdown, to_terminal
from dualcode.tables.table import Table
from tests.duels.made import cell, condition, found, matrix, phase, records, whole

SOLO = condition("solo", "kimi", "kimi")


@pytest.fixture(scope="module")
def every() -> Sequence[Table]:
    """Every table of a whole duel, and of one of a single cell a condition."""
    return [*build(found())[0], *build(find(whole(matrix(), ("flask-4041",), 1, judged=False)))[0]]


def named(tables: Sequence[Table], name: str) -> Table:
    return next(each for each in tables if each.name == name)


def printed(table: Table, width: int) -> str:
    out = Console(file=io.StringIO(), width=width, record=True)
    out.print(to_terminal(table, width))
    return out.export_text()


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_is_wider_than_the_terminal_or_lost_without_a_word(
    every: Sequence[Table], width: int
) -> None:
    for table in every:
        text = printed(table, width)
        assert max(map(len, text.splitlines())) <= width, table.name
        squeezed, shown = " ".join(text.split()), fit(table, width)
        assert all(" ".join(note.split()) in squeezed for note in table.notes), table.name
        for at, column in enumerate(table.columns):
            if at not in shown:
                assert column.name in squeezed.rpartition(f"left out at {width} columns: ")[2]
            elif not column.wraps:
                assert all(row[at].strip() in text for row in table.rows), (table.name, column.name)


def test_at_80_columns_the_leaderboard_still_says_who_solved_what_for_how_much(
    every: Sequence[Table],
) -> None:
    table = named(every, "leaderboard")
    shown = [table.columns[at].name for at in fit(table, 80)]
    assert {"rank", "condition", "solved", "95 %", "quality", "cost a cell", "quality/$"} <= set(shown)


def test_every_form_holds_every_condition(every: Sequence[Table]) -> None:
    names = [each.id for each in whole().duel.conditions]
    for name in ("leaderboard", "costs", "work", "issues", "dimensions"):
        table = named(every, name)
        assert sorted(
            row[[c.name for c in table.columns].index("condition")] for row in table.rows
        ) == sorted(names)
        for form in (to_markdown, to_csv, to_json):
            assert all(each in form(table) for each in names)
        assert to_latex(table).count("\\\\") >= len(names)
        assert len(json.loads(to_json(table))["values"]) == len(names)


def test_csv_has_numbers_that_a_program_reads(every: Sequence[Table]) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(named(every, "leaderboard")))))
    assert [int(row["rank"]) for row in rows] == list(range(1, 20))
    assert rows[0]["solved"] == "6/6"


def test_ours_and_published_never_share_a_table(every: Sequence[Table]) -> None:
    for table in every:
        published = [column.published for column in table.columns]
        assert all(published) == any(published) == (table.name in PUBLISHED)
        for value in table.values:
            assert not (value["ours"] and value["published"])
        if table.name in PUBLISHED:
            assert table.runs == ()
            assert any("Not measured here" in note for note in table.notes)


def test_duobenchs_table_is_as_printed_and_names_the_cells_that_it_lacks(every: Sequence[Table]) -> None:
    table = named(every, "duobench")
    assert len(table.rows) == 7
    assert table.rows[0] == ("Kimi K2.6 -> Kimi K2.6", "7.50", "$0.25", "29.5")
    assert table.rows[-1] == ("GPT-5.5 -> GPT-5.5", "8.50", "$0.89", "9.6")
    notes = " ".join(table.notes)
    assert "GPT-5.5 -> Opus 4.8 and Opus 4.8 -> GPT-5.5" in notes
    assert "indicative rather than gospel" in notes
    assert "GPT-5.5 as a judge: +0.32" in notes and "Opus 4.8 as a judge: −0.20" in notes


def test_the_published_matrix_is_whole_with_its_missing_cells() -> None:
    data = load_published_duels().duobench
    pairs = {f"{row.planner} -> {row.implementer}" for row in data.rows} | set(data.missing)
    assert pairs == {f"{one} -> {other}" for one in data.models for other in data.models}
    assert [row.rank for row in data.rows] == list(range(1, 8))


def test_published_efficiencies_are_what_rounded_quality_and_cost_allow() -> None:
    for row in load_published_duels().duobench.rows:
        low, high = (row.quality - 0.005) / (row.cost + 0.005), (row.quality + 0.005) / (row.cost - 0.005)
        assert low - 0.05 <= row.efficiency <= high + 0.05, row


def test_archons_findings_are_there_with_what_they_lack(every: Sequence[Table]) -> None:
    table = named(every, "archon")
    assert len(table.rows) == 4
    assert any("no score and no cost" in note for note in table.notes)


def test_one_cell_a_condition_says_that_nothing_is_ranked() -> None:
    made, absent = build(find(whole(matrix(), ("flask-4041",), 1, judged=False)))
    table = named(made, "leaderboard")
    assert NO_RANK in table.notes
    assert {row[0] for row in table.rows} == {"–"}
    assert set(absent) == {"dimensions", "judges"}


def test_unknown_costs_are_words_and_never_zero(every: Sequence[Table]) -> None:
    table = named(every, "costs")
    row = next(row for row in table.rows if row[0] == "drawn:kimi+opus")
    cells = dict(zip([column.name for column in table.columns], row, strict=True))
    assert (cells["plan"], cells["implement"], cells["total"]) == ("$0.02", "unknown", "unknown")
    assert "unknown" in cells["source"]
    assert any("1 cell is not known (drawn:kimi+opus)" in note for note in table.notes)
    assert named(every, "leaderboard").values[16]["ours"]["cost"]["total"] is None


def test_two_currencies_stand_beside_each_other() -> None:
    parts = (
        phase("plan", "plan", "x", money={"€": 1.0}),
        phase("implement", "implement", "y", money={"$": 2.0}),
    )
    mixed = find(records([SOLO], [cell(SOLO, "a", phases=parts)], issues=("a",)))
    (table,), _ = build(mixed, ["costs"])
    assert "€1 + $2" in table.rows[0]
    assert any("several currencies" in note for note in table.notes)


def test_errored_and_missing_cells_are_told_on_every_table_of_ours(every: Sequence[Table]) -> None:
    for name in OURS:
        assert any("1 cell errored" in note and "kimi->kimi" in note for note in named(every, name).notes), (
            name
        )


def test_issues_by_condition_add_up_to_the_leaderboard(every: Sequence[Table]) -> None:
    for row in named(every, "issues").rows:
        solved = [re.findall(r"(\d+)/(\d+)", each)[-1] for each in row[1:]]
        total, parts = solved[0], solved[1:]
        assert [sum(map(int, each)) for each in zip(*parts, strict=True)] == list(map(int, total))


def test_contests_say_what_so_few_issues_can_claim(every: Sequence[Table]) -> None:
    assert any("no p Holm can be below 1.00" in note for note in named(every, "contests").notes)


def test_judges_that_take_part_are_named_and_their_agreement_is_told(every: Sequence[Table]) -> None:
    assert any("contestants, too: opus, gpt" in note for note in named(every, "leaderboard").notes)
    notes = " ".join(named(every, "judges").notes)
    assert "Krippendorff" in notes and "no schema in its reply (2)" in notes


def test_a_table_by_name_a_wrong_name_and_one_with_nothing_to_show() -> None:
    alone = find(whole(matrix(("kimi",)), judged=False))
    made, absent = build(alone, ["leaderboard", "effects", "leaderboard"])
    assert [each.name for each in made] == ["leaderboard"]
    assert list(absent) == ["effects"]
    with pytest.raises(UnknownNameError, match="leaderbord"):
        build(alone, ["leaderbord"])
    assert set(NAMES) == set(OURS) | set(PUBLISHED)


def test_a_duel_that_has_only_begun_makes_tables() -> None:
    begun = find(replace(whole(), cells=(), judgements=(), steps={}))
    made, absent = build(begun)
    assert {"leaderboard", "work"} <= {each.name for each in made}
    assert {"issues", "costs", "contests", "effects", "dimensions", "judges"} == set(absent)
