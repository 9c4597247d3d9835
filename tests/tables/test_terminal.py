"""The form for a terminal: nothing is wider than it, nothing is lost without a word, nothing is broken."""

import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from dualcode.analysis.comparisons import compare_runs
from dualcode.analysis.runs import load_runs
from dualcode.cli.main import main
from dualcode.tables.cells import NOTHING
from dualcode.tables.comparisons import suite_table
from dualcode.tables.forms import fit, to_terminal
from dualcode.tables.grid import listed, numbers, words
from dualcode.tables.table import Table
from tests.made import Story, write_run

WIDTHS = (80, 120)


def printed(table: Table, width: int) -> str:
    out = Console(file=io.StringIO(), width=width, record=True)
    out.print(to_terminal(table, width))
    return out.export_text()


@pytest.mark.parametrize("width", WIDTHS)
def test_no_table_is_wider_than_its_terminal(every: Sequence[Table], width: int) -> None:
    for table in every:
        assert max(map(len, printed(table, width).splitlines())) <= width, table.name


@pytest.mark.parametrize("width", WIDTHS)
def test_every_column_is_shown_whole_or_named_as_left_out(every: Sequence[Table], width: int) -> None:
    for table in every:
        text = printed(table, width)
        squeezed = " ".join(text.split())
        shown = fit(table, width)
        for at, column in enumerate(table.columns):
            if at not in shown:
                left_out = squeezed.rpartition(f"left out at {width} columns: ")[2]
                assert column.name in left_out, (table.name, column.name)
            elif not column.wraps:
                assert all(row[at].strip() in text for row in table.rows), (table.name, column.name)


def test_what_a_table_is_there_for_stands_at_80_columns(tmp_path: Path) -> None:
    for pipeline in ("raw-coder", "review-fix-guarded", "enriched"):
        write_run(tmp_path, pipeline, {f"HumanEval/{n}": Story(plus=n % 3 > 0) for n in range(40)})
    found = compare_runs(load_runs([tmp_path]))
    table = suite_table(found.suites[0], 2)
    names = [table.columns[at].name for at in fit(table, 80)]
    assert names == ["pipeline", "pass@1", "Δ (pp)", "gained/lost", "p Holm"]


def test_without_need_nothing_is_left_out() -> None:
    table = listed("t", "", (words("a", drop=1), numbers("b", drop=2)), [("x", "1")])
    assert list(fit(table, 80)) == [0, 1]
    assert "left out" not in printed(table, 80)


def test_the_highest_is_left_out_first_and_of_equals_the_last() -> None:
    heads = (words("first"), numbers("second", drop=2), numbers("third", drop=1), numbers("fourth"))
    table = listed("t", "", heads, [("x" * 9, "1" * 9, "2" * 9, "3" * 9)])
    left = {42: [0, 1, 2, 3], 41: [0, 2, 3], 30: [0, 3], 19: [0], 5: [0]}
    assert {width: list(fit(table, width)) for width in left} == left


def test_what_has_only_dashes_is_left_out_before_anything_else() -> None:
    heads = (words("first"), numbers("second", drop=2), numbers("third"), numbers("fourth", drop=1))
    table = listed("t", "", heads, [("x" * 9, "1" * 9, "2" * 9, NOTHING), ("x", "1", "", NOTHING)])
    assert list(fit(table, 33)) == [0, 1, 2]
    assert list(fit(table, 9)) == [0]


def test_texts_wrap_before_a_column_is_left_out() -> None:
    heads = (words("task"), words("why", wraps=True, drop=9))
    table = listed("t", "", heads, [("HumanEval/1", "a reason of many words " * 8)])
    assert list(fit(table, 60)) == [0, 1]
    assert "HumanEval/1" in printed(table, 60)


@given(st.lists(st.text("ab c", min_size=1, max_size=40), min_size=1, max_size=8), st.integers(20, 120))
def test_a_table_fits_whatever_stands_in_it(cells: list[str], width: int) -> None:
    heads = [words(f"column {n}", drop=n % 3, wraps=bool(n % 2)) for n in range(len(cells))]
    table = listed("t", "", heads, [cells])
    shown = fit(table, width)
    assert shown
    assert len(shown) == 1 or sum(shown.values()) + 2 * (len(shown) - 1) <= width


def test_a_form_for_reading_is_no_value() -> None:
    table = listed("t", "", (words("a", short="b", drop=3, wraps=True),), [("x",)], tones=["bold"])
    dumped = table.model_dump(mode="json")
    assert dumped["columns"] == [{"name": "a", "align": "left", "published": False}]
    assert "tones" not in dumped


@pytest.mark.parametrize("columns", [80, 120, None])
@pytest.mark.parametrize("command", ["compare", "costs", "reviewer"])
def test_commands_keep_to_the_terminal_and_put_no_escape_code_into_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], command: str,
    columns: int | None,
) -> None:  # fmt: skip
    stories = {f"HumanEval/{n}": Story(plus=n % 3 > 0, review="approve") for n in range(12)}
    for pipeline in ("raw-coder", "review-fix", "enriched"):
        write_run(tmp_path, pipeline, stories)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    monkeypatch.setattr(sys, "argv", ["dualcode", command, str(tmp_path)])
    main()
    out = capfd.readouterr().out
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out)
    assert max(map(len, plain.splitlines())) <= (columns or 120)
    assert ("\x1b" in out) == (columns is not None)
    assert columns == 80 or "left out" not in plain
