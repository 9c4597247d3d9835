"""The four forms of one table with everything that could break them."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

from dualcode.tables.forms import FORMS, to_csv, to_json, to_markdown, to_text, write_tables
from dualcode.tables.latex import escape, to_latex
from dualcode.tables.table import Column, Table

NASTY = r"a|b & 100% $x_1$ #2 {y} ~z^2 \w <tag> *it* `c` [q] −5 – Δ×→… “q”"
TABLE = Table(
    name="table-9",
    title="Table 9: 50 % & more",
    columns=(
        Column(name="Configuration", align="left"),
        Column(name="pass@1"),
        Column(name="pass@1 (paper)", published=True),
    ),
    rows=(
        (NASTY, "−2.4", "87.8 %"),
        ("[bracket]", "[−7.1, +7.1]", "–"),
        ('quote", comma', "+9.8", "two\nlines"),
    ),
    notes=("a_note with 5 %",),
    runs=("synthetic-run_1",),
    values=({"pipeline": "a", "ours": {"value": 1 / 3}, "published": []},),
)


def test_markdown_reads_as_plain_text_with_cells_below_each_other() -> None:
    lines = [line for line in to_markdown(TABLE).splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1
    assert len(lines) == 2 + len(TABLE.rows)
    starts = [[found.start() for found in re.finditer(r"(?<!\\)\|", line)] for line in lines]
    assert all(each == starts[0] for each in starts)


def test_markdown_aligns_numbers_to_the_right() -> None:
    rule = to_markdown(TABLE).splitlines()[3]
    assert re.fullmatch(r"\| -+ \| -+: \| -+: \|", rule)


def test_markdown_cells_hold_no_tag_and_no_emphasis() -> None:
    assert r"\<tag> \*it\* \`c\`" in to_markdown(TABLE)
    assert "< 0.001" in to_markdown(TABLE.model_copy(update={"rows": (("a", "< 0.001", "b"),)}))


def test_markdown_names_runs_and_notes() -> None:
    assert to_markdown(TABLE).endswith("- a_note with 5 %\n- Runs: `synthetic-run_1`\n")


def test_csv_comes_back_as_it_was_but_for_the_minus_of_numbers_and_nothing() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(TABLE), newline="")))
    assert rows[0]["Configuration"] == NASTY
    assert [row["pass@1"] for row in rows] == ["-2.4", "[−7.1, +7.1]", "+9.8"]
    assert [row["pass@1 (paper)"] for row in rows] == ["87.8 %", "", "two\nlines"]
    assert rows[2]["Configuration"] == 'quote", comma'


def test_json_has_everything_unrounded() -> None:
    found = json.loads(to_json(TABLE))
    assert found["values"][0]["ours"]["value"] == 1 / 3
    assert found["columns"][2] == {"name": "pass@1 (paper)", "align": "right", "published": True}
    assert Table.model_validate(found) == TABLE


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("87.8 %", r"87.8\,\%"),
        ("a % b", r"a \% b"),
        ("a_b & c#d", r"a\_b \& c\#d"),
        ("{$x^2~}", r"\{\$x\textasciicircum{}2\textasciitilde{}\}"),
        ("\\begin", r"\textbackslash{}begin"),
        ("< 0.001", r"\textless{} 0.001"),
        ("−2.4", r"\ensuremath{-}2.4"),
        ("“Δ” – 4×", r"``\ensuremath{\Delta}'' -- 4\ensuremath{\times}"),
    ],
)
def test_latex_sets_what_the_text_says(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_latex_leaves_no_special_character_to_tex() -> None:
    plain = re.sub(r"\\(?:[a-zA-Z]+(?:\{\})?|[&%$#_{},])", "", escape(NASTY).replace(r"\ensuremath{", "{"))
    assert not re.search(r"[&%$#_~^\\<>|]", plain)
    assert plain.count("{") == plain.count("}")
    assert plain.isascii()


def test_latex_rows_have_as_many_cells_as_columns() -> None:
    body = to_latex(TABLE).partition(r"\toprule")[2].partition(r"\bottomrule")[0]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 2 + len(TABLE.rows)  # heads in two rows
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {2}


def test_latex_row_that_begins_with_a_bracket_is_no_length_of_the_row_before() -> None:
    assert r"{}[bracket] & " in to_latex(TABLE)


def test_latex_environments_and_braces_close() -> None:
    text = re.sub(r"(?<!\\)%.*", "", to_latex(TABLE))
    begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", text) for word in ("begin", "end"))
    assert begun == ended[::-1] == ["table", "tabular"]
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    assert re.search(r"\\begin{tabular}{@{}>{\\raggedright\\arraybackslash}p{\d+pt}rr@{}}", text)
    assert r"\caption{50\,\% \& more}" in text


def test_files_are_named_by_table_and_form_and_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "tables"
    first = write_tables([TABLE], folder)
    assert [path.name for path in first] == [f"table-9.{form}" for form in FORMS]
    changed = TABLE.model_copy(update={"title": "changed"})
    assert write_tables([changed], folder) == first
    assert (folder / "table-9.md").read_text().startswith("### changed\n")
    assert {path.name for path in folder.iterdir()} == {path.name for path in first}


def test_several_tables_as_json_are_one_array() -> None:
    assert [each["name"] for each in json.loads(to_text([TABLE, TABLE], "json"))] == ["table-9", "table-9"]
