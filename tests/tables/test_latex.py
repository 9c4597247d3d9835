"""LaTeX that is read at 10 pt: no part is wider than a page's text, and nothing of a table is lost in it."""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.ft2font import FT2Font, LoadFlags

from dualcode.tables import latex
from dualcode.tables.grid import listed, numbers, words
from dualcode.tables.latex import PAGE, WORDS, column_width, fold, parts, to_latex, width_of
from dualcode.tables.table import Column, Table

FONT = Path(mpl.get_data_path()) / "fonts" / "ttf" / "cmr10.ttf"
"""Computer Modern Roman itself."""


def real_width(text: str) -> float:
    """Return the points of a text at 10 pt by the font's own metrics, without kerning; it has ASCII alone."""
    font = FT2Font(str(FONT))
    font.set_size(10, 72)
    known = "".join(each for each in text if each.isascii())
    advances = (font.load_char(ord(each), flags=LoadFlags.NO_HINTING).linearHoriAdvance for each in known)
    return sum(advances) / 65536 + width_of("".join(each for each in text if not each.isascii()))


@pytest.mark.parametrize(
    "text",
    ["87.8 (144/164)", "[71.1, 83.7]", "review-fix-guarded", "Configuration", "HumanEval, 95", "pass@1",
     "alone: tokens in", "synthetic-coder-14b", "WILLIAM MMMM", "quick brown fox jumps over the lazy dog",
     "QZXKJVBPYGDHNAOURSTLEFC", "0123456789+-=/.,:;()[]"],
)  # fmt: skip
def test_widths_are_computer_modern_s_or_a_little_more(text: str) -> None:
    assert real_width(text) <= width_of(text) + 0.05 * len(text)
    assert width_of(text) <= 1.12 * real_width(text)


def blocks(text: str) -> list[list[list[str]]]:
    """Return the rows of each part, as cells without their marks, the head's two lines first.

    A part that is longer than a page comes in pieces with one and the same head.
    """
    found: list[list[list[str]]] = []
    last: list[list[str]] = []
    for body in re.findall(r"\\begin{tabular}.*?\n(.*?)\\end{tabular}", text, re.S):
        head, rows = map(_cells, body.split("\\midrule"))
        if head == last:
            groups = [row for row in found[-1] if row[0].startswith("<")]
            found[-1] += [row for row in rows if row not in groups[-1:]]
        else:
            found.append(head + rows)
        last = head
    return found


def _cells(text: str) -> list[list[str]]:
    rows = [line[:-3] for line in text.splitlines() if line.endswith(r" \\")]
    return [[plain(cell) for cell in re.split(r"(?<!\\) & ", row)] for row in rows]


def plain(cell: str) -> str:
    """Return what a cell sets, one character for each."""
    if group := re.fullmatch(r"\\multicolumn{\d+}{@{}l@{}}{\\textit{(.*)}}", cell):
        return f"<{plain(group[1])}>"
    for mark, text in (
        (r"\ensuremath{-}", "−"), (r"\ensuremath{\Delta}", "Δ"), (r"\ensuremath{\rightarrow}", "→"),
        (r"\ensuremath{\times}", "×"), (r"\,\%", " %"), (r"\textless{}", "<"),
        (r"\textasciitilde{}", "~"), (r"\textasciigrave{}", "`"), (r"\textbar{}", "|"), (r"\ldots{}", "…"),
        (r"\textgreater{}", ">"), (r"\textquotedbl{}", '"'), ("``", "“"), ("''", "”"),
        ("--", "–"), ("\\", ""), ("{}", ""),
    ):  # fmt: skip
        cell = cell.replace(mark, text)
    return cell.strip()


def measured(table: Table, columns: Sequence[int]) -> float:
    """Return the points that a part takes, by the font's own metrics."""
    total = 0.0
    for at in columns:
        cells = [row[at] for row in table.rows]
        lines = [*fold(table.columns[at].name), *cells]
        widest = max(real_width(line.replace("\n", " ")) for line in lines)
        if table.columns[at].align == "left" and max(map(width_of, cells), default=0.0) > WORDS:
            widest = column_width(table.columns[at], cells)
        total += widest
    return total + latex.GAP * (len(columns) - 1)


def test_every_part_of_every_table_fits_the_width_of_a_page(every: Sequence[Table]) -> None:
    for table in every:
        for columns in parts(table)[1]:
            assert measured(table, columns) <= PAGE, (table.name, [table.columns[at].name for at in columns])


def test_nothing_is_made_smaller_to_fit(every: Sequence[Table]) -> None:
    for table in every:
        body = re.sub(r"\\par\\smallskip\\raggedright\\footnotesize.*", "", to_latex(table))
        assert not re.search(r"resizebox|scalebox|\\(tiny|scriptsize|footnotesize|small)\b", body)


def test_the_parts_hold_every_column_once_and_the_rows_names_in_each(every: Sequence[Table]) -> None:
    for table in every:
        grouped, split = parts(table)
        keys = set(split[0]).intersection(*split[1:]) if len(split) > 1 else set[int]()
        others = [at for columns in split for at in columns if at not in keys]
        assert sorted([*keys, *others, *([0] if grouped else [])]) == list(range(len(table.columns)))
        assert all(columns[: len(keys)] == sorted(keys) for columns in split if keys)


def test_every_cell_stands_in_the_text_below_its_head(every: Sequence[Table]) -> None:
    for table in (each for each in every if each.rows):
        _, split = parts(table)
        found = blocks(to_latex(table))
        assert len(found) == len(split)
        for columns, rows in zip(split, found, strict=True):
            data = [row for row in rows if not row[0].startswith("<")][-len(table.rows) :]
            wanted = [[" ".join(row[at].split()) for at in columns] for row in table.rows]
            assert [[" ".join(cell.split()) for cell in row] for row in data] == wanted, table.name
            first = next(n for n, row in enumerate(rows) if row == data[0] or row[0].startswith("<"))
            heads = rows[:first]
            for place, at in enumerate(columns):
                assert " ".join(row[place] for row in heads).split() == table.columns[at].name.split()


def test_a_column_of_repeated_words_becomes_lines_between_the_rows(every: Sequence[Table]) -> None:
    (costs,) = [table for table in every if table.name == "costs"]
    assert parts(costs)[0]
    found = blocks(to_latex(costs))
    for rows in found:
        groups = [row[0] for row in rows if row[0].startswith("<")]
        assert groups == ["<HumanEval+>", "<MBPP+>"]


def test_a_table_with_one_column_of_words_has_no_such_lines(every: Sequence[Table]) -> None:
    (main,) = [table for table in every if table.name == "table-2"]
    assert not parts(main)[0]
    assert r"\multicolumn" not in to_latex(main)


def test_a_float_holds_no_more_rows_than_a_page(every: Sequence[Table]) -> None:
    for table in every:
        for body in re.findall(r"\\begin{table}(.*?)\\end{table}", to_latex(table), re.S):
            tabulars = re.findall(r"\\begin{tabular}(.*?)\\end{tabular}", body, re.S)
            lines = sum(text.count("\n") for text in tabulars)
            assert lines <= latex.LINES + 2 * len(tabulars), "beside rules that are thin"


def test_floats_of_one_table_have_one_label_and_one_number(every: Sequence[Table]) -> None:
    for table in every:
        text = to_latex(table)
        floats = text.count(r"\begin{table}")
        assert text.count(r"\label{") == 1 and text.count(rf"\label{{tab:{table.name}}}") == 1
        assert text.count(r"\addtocounter{table}{-1}") == text.count("(continued)") == floats - 1
        assert text.count(r"\end{table}") == floats


def test_every_environment_and_brace_closes(every: Sequence[Table]) -> None:
    for table in every:
        text = re.sub(r"(?<!\\)%.*", "", to_latex(table))
        assert text.count(r"\begin{") == text.count(r"\end{")
        bare = re.sub(r"\\[{}]", "", text)
        assert bare.count("{") == bare.count("}")
        assert text.isascii()


def test_rows_have_a_cell_for_each_column_of_their_part(every: Sequence[Table]) -> None:
    for table in every:
        for columns, rows in zip(parts(table)[1], blocks(to_latex(table)), strict=True):
            assert {len(row) for row in rows if not row[0].startswith("<")} == {len(columns)}


def test_notes_and_runs_stand_once_at_the_end(every: Sequence[Table]) -> None:
    for table in every:
        text = to_latex(table)
        after = text.rpartition(r"\end{tabular}")[2]
        assert after.count(r"\footnotesize") == len(table.notes) + bool(table.runs)
        assert ("% no run of ours is in it" in text) == (not table.runs)


@pytest.mark.parametrize(
    ("name", "lines"),
    [("p", ("", "p")), ("HumanEval+, 95 %", ("HumanEval+,", "95 %")), ("Δ (paper)", ("Δ", "(paper)")),
     ("spent: tokens in", ("spent:", "tokens in")), ("", ("", ""))],
)  # fmt: skip
def test_heads_fold_into_two_lines_the_narrowest_way(name: str, lines: tuple[str, str]) -> None:
    assert fold(name) == lines


@given(st.lists(st.text("abcM", min_size=1, max_size=9), min_size=1, max_size=6))
def test_no_other_fold_of_a_head_is_narrower(names: list[str]) -> None:
    first, second = fold(" ".join(names))
    assert f"{first} {second}".split() == names
    ways = [(" ".join(names[:at]), " ".join(names[at:])) for at in range(len(names))]
    assert max(width_of(first), width_of(second)) == min(max(map(width_of, way)) for way in ways)


def test_long_words_are_broken_and_numbers_never() -> None:
    text = "a reason of many words that goes on and on beyond the column"
    prose, number = Column(name="why", align="left"), Column(name="n")
    assert column_width(prose, [text]) == WORDS
    assert column_width(number, [text]) == width_of(text) > WORDS
    assert column_width(prose, ["short"]) == width_of("short")
    model = "Qwen2.5-Coder-14B-Instruct-AWQ-with-a-long-tail"
    assert column_width(prose, [model]) == WORDS, "a hyphen is a place to break"
    assert column_width(prose, ["x" * 60]) == width_of("x" * 60), "one word cannot be broken"


@given(st.lists(st.integers(1, 22), min_size=1, max_size=14), st.integers(1, 18))
def test_any_table_of_numbers_fits_and_keeps_its_order(sizes: list[int], key: int) -> None:
    heads = [words("k"), *(numbers(f"c{n}") for n in range(len(sizes)))]
    table = listed("t", "", heads, [["n" * key, *("8" * size for size in sizes)]])
    _, split = parts(table)
    order = [at for columns in split for at in columns if at]
    assert order == list(range(1, len(sizes) + 1))
    for columns in split:
        taken = sum(column_width(table.columns[at], [table.rows[0][at]]) for at in columns)
        assert taken + latex.GAP * (len(columns) - 1) <= PAGE or len(columns) == 2
    for before, after in pairwise(split):
        extra = column_width(table.columns[after[1]], [table.rows[0][after[1]]])
        taken = sum(column_width(table.columns[at], [table.rows[0][at]]) + latex.GAP for at in before)
        assert taken + extra > PAGE, "a part is not ended before it is full"
