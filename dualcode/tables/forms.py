"""The forms in which tables are written: Markdown, CSV, LaTeX, JSON, and the one for a terminal."""

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dualcode.errors import InputError
from dualcode.tables.cells import MINUS, NOTHING
from dualcode.tables.latex import to_latex
from dualcode.tables.table import Table

if TYPE_CHECKING:
    from rich.console import RenderableType

BETWEEN = 2
"""Blanks between two columns on a terminal."""
LEAST_TEXT = 14
"""Columns that a text which wraps keeps."""
COLOURS = {"passed": "green", "failed": "red", "errored": "yellow"}
_NEGATIVE = re.compile(rf"{MINUS}(?=\d+(\.\d+)?$)")
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")


def to_markdown(table: Table) -> str:
    """Return a table that also reads as plain text: cells stand below each other."""
    heads = [_markdown_cell(column.name) for column in table.columns]
    rows = [[_markdown_cell(cell) for cell in row] for row in table.rows]
    widths = [max(3, *(len(row[at]) for row in [heads, *rows])) for at in range(len(heads))]
    sides = [(column.align == "left", width) for column, width in zip(table.columns, widths, strict=True)]
    rule = ["-" * width if to_left else "-" * (width - 1) + ":" for to_left, width in sides]
    lines: list[str] = []
    for row in (heads, rule, *rows):
        each = zip(row, sides, strict=True)
        padded = (cell.ljust(width) if to_left else cell.rjust(width) for cell, (to_left, width) in each)
        lines.append(f"| {' | '.join(padded)} |")
    notes = [f"- {note}" for note in table.notes]
    runs = [f"- Runs: {', '.join(f'`{run}`' for run in table.runs)}"] if table.runs else []
    return "\n".join([f"### {table.title}", "", *lines, "", *notes, *runs]) + "\n"


def _markdown_cell(text: str) -> str:
    """Return text that neither ends the cell nor is taken for HTML or emphasis."""
    return re.sub(r"([\\|*`])|<(?=\S)", lambda found: f"\\{found.group()}", text.replace("\n", " "))


def to_csv(table: Table) -> str:
    """Return heads and rows; `–` is an empty cell, a number alone has an ASCII minus and no commas.

    Notes and runs stand in the JSON. A head that says (paper) or (published) is of numbers that were not
    measured here.
    """

    def plain(text: str) -> str:
        if _THOUSANDS.fullmatch(text):
            return text.replace(",", "")
        return "" if text == NOTHING else _NEGATIVE.sub("-", text)

    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(column.name for column in table.columns)
    writer.writerows([plain(cell) for cell in row] for row in table.rows)
    return file.getvalue()


def to_json(table: Table) -> str:
    """Return all of a table; in `values`, ours stand unrounded under `ours`, others' under `published`."""
    return json.dumps(table.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


FORMS: dict[str, Callable[[Table], str]] = {
    "md": to_markdown,
    "csv": to_csv,
    "tex": to_latex,
    "json": to_json,
}
"""By the file's ending."""


def fit(table: Table, width: int) -> dict[int, int]:
    """Return the columns that a terminal shows, by their places, and how wide each is.

    Where they do not fit as they are, heads are folded and shortened and texts that wrap are narrowed; where
    that is not enough, whole columns are left out: first those of dashes alone, then those with the highest
    `drop`, then from the right.
    """
    wide: dict[int, int] = {}
    silent: set[int] = set()
    narrow: dict[int, int] = {}
    for at, column in enumerate(table.columns):
        cells = [row[at] for row in table.rows]
        if at and NOTHING in cells and not set(cells) - {NOTHING, ""}:
            silent.add(at)
        longest = max((len(line) for cell in cells for line in cell.split("\n")), default=0)
        wide[at] = max(longest, len(column.name))
        word = max((len(word) for cell in cells for word in cell.split()), default=0)
        least = min(longest, max(LEAST_TEXT, word)) if column.wraps else longest
        narrow[at] = max(least, *(len(word) for word in (column.short or column.name).split() or [""]), 1)
    while sum(narrow.values()) + BETWEEN * (len(narrow) - 1) > width:
        if len(narrow) == 1:
            break
        del narrow[max(narrow, key=lambda at: (at in silent, table.columns[at].drop, at))]
    room = width - sum(narrow.values()) - BETWEEN * (len(narrow) - 1)
    for at in sorted(narrow, key=lambda at: not table.columns[at].wraps):
        more = max(0, min(room, wide[at] - narrow[at]))
        narrow[at] += more
        room -= more
    return narrow


def to_terminal(table: Table, width: int, *, more: str = "--json") -> "RenderableType":
    """Return a table for a terminal of so many columns, with its notes below.

    Never wider, and never silent: columns that are left out are named, with `more` as where they are.
    """
    from rich import box
    from rich.console import Group
    from rich.table import Table as Drawn
    from rich.text import Text

    shown = fit(table, width)
    drawn = Drawn(
        title=Text(table.title, "bold") if table.title else None, title_justify="left", box=box.SIMPLE_HEAD,
        pad_edge=False, padding=(0, BETWEEN - 1, 0, 0), show_edge=False,
    )  # fmt: skip
    for at, size in shown.items():
        column = table.columns[at]
        head = column.name if len(column.name) <= size or not column.short else column.short
        drawn.add_column(Text(head), justify=column.align, width=size, overflow="fold")
    for number, row in enumerate(table.rows):
        cells = (Text(row[at], COLOURS.get(row[at], "")) for at in shown)
        drawn.add_row(*cells, style=table.tones[number] if table.tones else "")
    gone = [column.name for at, column in enumerate(table.columns) if at not in shown]
    notes = list(table.notes)
    if gone:
        notes.append(f"left out at {width} columns: {', '.join(gone)} (a wider terminal or {more} has them)")
    return Group(drawn, *(Text(note, "dim") for note in notes))


def to_text(tables: Sequence[Table], form: str) -> str:
    """Return tables one after the other; as JSON one array, whatever their number."""
    if form == "json":
        return "[\n" + ",\n".join(to_json(table).rstrip() for table in tables) + "\n]\n"
    return "\n".join(FORMS[form](table) for table in tables)


def write_tables(tables: Sequence[Table], folder: Path, forms: Sequence[str] = tuple(FORMS)) -> list[Path]:
    """Write each table as NAME.md, .csv, .tex and .json, and return the files; older ones are replaced.

    Raises InputError if the folder cannot be written.
    """
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for table in tables:
            for form in forms:
                path = folder / f"{table.name}.{form}"
                path.write_text(FORMS[form](table), encoding="utf-8", newline="\n")
                written.append(path)
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error}", hint="-o FOLDER") from error
    return written
