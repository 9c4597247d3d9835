"""Every table in every form: the same cells come back from Markdown, CSV, JSON and the terminal."""

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from dualcode.errors import InputError
from dualcode.tables import cells
from dualcode.tables.forms import FORMS, fit, to_csv, to_json, to_markdown, to_terminal, to_text, write_tables
from dualcode.tables.grid import Field, Grid, cited, left, listed, numbers, right, words
from dualcode.tables.table import Table

CLOSE = pytest.approx


def from_markdown(text: str) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of a table in Markdown."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    found = [[_unescaped(cell) for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return found[0], found[2:]


def _unescaped(cell: str) -> str:
    return re.sub(r"\\([\\|*`<])", r"\1", cell.strip())


def test_markdown_gives_back_every_head_and_cell(every: Sequence[Table]) -> None:
    for table in every:
        heads, rows = from_markdown(to_markdown(table))
        assert heads == [column.name for column in table.columns]
        assert rows == [[" ".join(cell.strip().split("\n")) for cell in row] for row in table.rows], (
            table.name
        )


def test_markdown_ends_with_every_note_and_run(every: Sequence[Table]) -> None:
    for table in every:
        text = to_markdown(table)
        assert text.startswith(f"### {table.title}\n")
        assert all(f"- {note}\n" in text for note in table.notes)
        assert all(f"`{run}`" in text for run in table.runs)


def test_csv_gives_back_every_cell_with_numbers_that_a_program_reads(every: Sequence[Table]) -> None:
    for table in every:
        heads, *rows = list(csv.reader(io.StringIO(to_csv(table), newline="")))
        assert heads == [column.name for column in table.columns]
        for row, original in zip(rows, table.rows, strict=True):
            for cell, shown in zip(row, original, strict=True):
                assert (cell == "") == (shown in ("", "–"))
                if re.fullmatch(r"−?\d[\d,]*(\.\d+)?", shown):
                    assert float(cell) == float(shown.replace("−", "-").replace(",", ""))


def test_json_gives_back_the_table_with_a_value_a_row(every: Sequence[Table]) -> None:
    for table in every:
        found = json.loads(to_json(table))
        assert found["rows"] == [list(row) for row in table.rows]
        assert len(found["values"]) in (0, len(table.rows))
        assert not {"short", "wraps", "drop", "tones"} & {
            key for column in found["columns"] for key in column
        }


@pytest.mark.parametrize("width", [80, 120, 400])
def test_a_terminal_shows_every_row_and_every_note(every: Sequence[Table], width: int) -> None:
    for table in every:
        out = Console(file=io.StringIO(), width=width, record=True)
        out.print(to_terminal(table, width))
        text = out.export_text()
        squeezed = " ".join(text.split())
        assert all(" ".join(note.split()) in squeezed for note in table.notes), table.name
        first = min(fit(table, width))
        if not table.columns[first].wraps:
            assert all(row[first].strip() in text for row in table.rows)
        assert ("left out at" in text) == (len(fit(table, width)) < len(table.columns))


def test_a_pipe_of_any_width_leaves_nothing_out_of_what_fits(every: Sequence[Table]) -> None:
    for table in every:
        widest = fit(table, 10_000)
        assert list(widest) == list(range(len(table.columns)))
        natural = sum(widest.values()) + 2 * (len(widest) - 1)
        assert list(fit(table, natural)) == list(widest)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_several_tables_holds_them_all(every: Sequence[Table], form: str) -> None:
    some = [table for table in every if table.name.startswith("table-")]
    text = to_text(some, form)
    if form == "json":
        assert [each["name"] for each in json.loads(text)] == [table.name for table in some]
    else:
        whole = "\n".join(FORMS[form](table) for table in some)
        assert text == whole


def test_forms_are_the_same_whenever_they_are_made(every: Sequence[Table]) -> None:
    for table in every:
        again = Table.model_validate(table.model_dump())
        for make in FORMS.values():
            assert make(again) == make(table)


def test_a_folder_that_cannot_be_written_is_named(every: Sequence[Table], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write to .*file"):
        write_tables(every[:1], tmp_path / "file")


# What tables are made of


def test_a_grid_keeps_its_columns_in_order_and_leaves_out_those_that_are_none() -> None:
    fields: list[Field[int] | None] = [
        left("a", lambda n: str(n)),
        None,
        right("b", lambda n: f"{n * 2}"),
        cited("c (paper)", lambda _: "–"),
    ]
    table = Grid([1, 2], fields).table(
        "t", "T", values=lambda n: {"n": n}, notes=["x", "", "x", "y"], runs="aab"
    )
    assert [(column.name, column.align, column.published) for column in table.columns] == [
        ("a", "left", False), ("b", "right", False), ("c (paper)", "right", True),
    ]  # fmt: skip
    assert table.rows == (("1", "2", "–"), ("2", "4", "–"))
    assert (table.notes, table.runs) == (("x", "y"), ("a", "b"))
    assert table.values == ({"n": 1}, {"n": 2})


def test_tones_are_a_row_s_own() -> None:
    table = Grid([1, 2], [left("a", str)]).table(
        "t", "T", values=lambda _: {}, tones=lambda n: "bold" * (n > 1)
    )
    assert table.tones == ("", "bold")
    assert listed("t", "", [words("a"), numbers("b")], [("x", "1")], tones=["dim"]).tones == ("dim",)


@given(st.floats(-1, 1))
def test_points_and_their_sign_agree(share: float) -> None:
    text = cells.points(share)
    value = float(text.replace("−", "-"))
    assert value == CLOSE(100 * share, abs=0.0501)
    assert (text[0] == "+") == (value > 0) and (text[0] == "−") == (value < 0)


@given(st.floats(1e-12, 1))
def test_p_keeps_three_digits_or_says_that_it_is_small(p: float) -> None:
    text = cells.p_value(p)
    assert (text == "< 0.001") == (p < 0.001)
    if p >= 0.001:
        assert float(text) == CLOSE(p, rel=0.006)


@given(st.integers(0, 500), st.integers(1, 500))
def test_a_ratio_has_the_share_of_its_counts(part: int, more: int) -> None:
    whole = part + more
    text = cells.ratio(part, whole)
    assert text.endswith(f"({part}/{whole})")
    assert float(text.split(" ")[0]) == CLOSE(100 * part / whole, abs=0.0501)


@given(st.integers(0, 10**9))
def test_counts_come_back_from_their_text(amount: int) -> None:
    assert int(cells.count(amount).replace(",", "")) == amount


@given(st.floats(1.0, 9.9e11), st.sampled_from([(1e6, "M"), (1e9, "B"), (2**30, "GiB")]))
def test_sizes_are_within_half_a_percent_or_a_hundredth_of_a_unit(
    count: float, unit: tuple[float, str]
) -> None:
    value, name = cells.size(count, *unit).split(" ")
    assert name == unit[1]
    assert float(value) == CLOSE(count / unit[0], rel=0.006, abs=0.006)


@pytest.mark.parametrize(
    ("joules", "text"),
    [(None, "–"), (0.0, "0.0 J"), (812.04, "812.0 J"), (9_999.9, "9,999.9 J"), (12_345.0, "12.3 kJ")],
)
def test_energy_is_in_joules_or_thousands_of_them(joules: float | None, text: str) -> None:
    assert cells.energy(joules) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(None, 1, "–"), (0.0, 1, "0.0"), (1234.5, 1, "1,234.5"), (2 / 3, 3, "0.667")],
)
def test_decimals_have_their_digits_and_nothing_is_a_dash(
    value: float | None, digits: int, text: str
) -> None:
    assert cells.decimal(value, digits) == text


def test_money_of_several_currencies_is_never_added() -> None:
    assert cells.money({"$": 1.0, "€": 2.0}) == "$1 + €2"
    assert cells.money({"$": 0.000123456}) == "$0.0001235"
