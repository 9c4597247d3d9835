"""Tables as LaTeX, with booktabs: at 10 pt no wider than the text of an ordinary page.

A table that is wider is split into parts below each other, each with the columns that name its rows. Widths
are those of Computer Modern, so that no TeX is needed to know them.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from math import ceil

from dualcode.tables.table import Column, Table

PAGE = 345.0
"""Points: the text's width of LaTeX's `article` at 10 pt, in one column."""
GAP = 12.0
"""Points between two columns."""
WORDS = 110.0
"""Points of a column of words, beyond which they are broken between words."""
LINES = 44
"""Rows, heads included, that one float holds beside its caption; beyond them is another float."""

_NOTE_LINE = 9.5 / 12
"""Height of a line of a note against that of a row."""
_ESCAPES = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {
        "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
        "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "`": r"\textasciigrave{}",
        '"': r"\textquotedbl{}", "−": r"\ensuremath{-}", "–": "--", "—": "---", "×": r"\ensuremath{\times}",
        "Δ": r"\ensuremath{\Delta}", "→": r"\ensuremath{\rightarrow}", "…": r"\ldots{}", "“": "``",
        "”": "''", "’": "'", "§": r"\S{}", "\u00a0": "~", "\n": " ",
    }
)  # fmt: skip
_EMS = {
    0.278: "ijl.,:;!|'`’[]", 0.306: "f", 0.333: " -\u00a0", 0.395: "rst()", 0.444: "cez§", 0.472: "?",
    0.5: "0123456789ago/*$–{}~^\\\"“”", 0.528: "vkqxy", 0.556: "bdhnpuS", 0.611: "Z_", 0.625: "L", 0.653: "F",
    0.681: "EP", 0.722: "wCT", 0.736: "R", 0.75: "AHNOUVXQGDBY", 0.778: "&+−=<>×K@", 0.833: "m%#Δ",
    0.917: "M", 1.028: "W→—", 1.2: "…",
}  # fmt: skip
_WIDTHS = {character: ems for ems, characters in _EMS.items() for character in characters} | {
    "I": 0.361,
    "J": 0.514,
}
"""By Computer Modern Roman's metrics, some rounded up; others are taken for wide."""


def escape(text: str) -> str:
    """Return text that LaTeX sets as it stands; `12 %` does not break between number and sign."""
    return re.sub(r"(?<=\d) \\%", r"\\,\\%", text.translate(_ESCAPES))


def width_of(text: str) -> float:
    """Return the width of a line of text in points, as LaTeX sets it at 10 pt, but for kerning."""
    return 10 * sum(_WIDTHS.get(character, 0.8) for character in text)


def fold(name: str) -> tuple[str, str]:
    """Return a head in two lines, the narrowest way; one word stands in the second."""
    words = name.split()
    ways = [(" ".join(words[:at]), " ".join(words[at:])) for at in range(len(words))]
    return min(ways, key=lambda way: max(map(width_of, way))) if ways else ("", "")


def column_width(column: Column, cells: Sequence[str]) -> float:
    """Return the points that a column takes: the widest of its head's lines and its cells.

    Words are broken at blanks and after hyphens where that makes the column narrower than WORDS.
    """
    widest = max(map(width_of, cells), default=0.0)
    if column.align == "left" and widest > WORDS:
        pieces = [piece for cell in cells for word in cell.split() for piece in re.split(r"(?<=-)", word)]
        widest = max(WORDS, *map(width_of, pieces))
    return max(widest, *map(width_of, fold(column.name)))


def parts(table: Table) -> tuple[bool, list[list[int]]]:
    """Return whether the first column becomes lines between the rows, and the columns of each part.

    It does where its words repeat and others name the rows within. Columns keep their order; those that name
    the rows stand in every part.
    """
    columns = table.columns
    cells = [[row[at] for row in table.rows] for at in range(len(columns))]
    words = len(list(takewhile(lambda column: column.align == "left" and not column.published, columns)))
    grouped = words > 1 and len(set(cells[0])) < len(table.rows)
    keys = list(range(1, words)) if grouped else [0]
    wide = [column_width(column, own) for column, own in zip(columns, cells, strict=True)]
    taken = sum(wide[at] + GAP for at in keys)
    found: list[list[int]] = [[]]
    room = PAGE - taken
    for at in range(keys[-1] + 1, len(columns)):
        if found[-1] and room < wide[at]:
            found.append([])
            room = PAGE - taken
        found[-1].append(at)
        room -= wide[at] + GAP
    return grouped, [[*keys, *own] for own in found]


def to_latex(table: Table) -> str:
    r"""Return a `table` with caption, label `tab:NAME` and notes; several where one would not fit a page.

    It needs `\usepackage[T1]{fontenc}`, booktabs and array.
    """
    caption = escape(re.sub(r"^Table \d+: ", "", table.title))  # LaTeX counts itself
    grouped, split = parts(table)
    runs = f"Runs: {', '.join(table.runs)}." if table.runs else ""
    blocks = [block for part in split for block in _tabulars(table, part, grouped=grouped)]
    small = r"\par\smallskip\raggedright\footnotesize "
    # A note's height in rows of a table: at 8 pt, with a little space above it.
    blocks += [
        ([small + escape(note)], ceil(0.8 * width_of(note) / PAGE * 1.1) * _NOTE_LINE + 0.25)
        for note in (*table.notes, runs)
        if note
    ]
    lines = ["% needs \\usepackage[T1]{fontenc}, \\usepackage{booktabs} and \\usepackage{array}"]
    used = 0.0
    for block, height in blocks:
        if not used or used + height > LINES:
            again = [r"\end{table}", r"\addtocounter{table}{-1}"] if used else []
            label = "" if used else rf"\label{{tab:{table.name}}}"
            more = " (continued)" if used else ""
            lines += [*again, r"\begin{table}", r"\centering", rf"\caption{{{caption}{more}}}{label}"]
            used = 0.0
        elif block[0].startswith(r"\begin"):
            lines.append(r"\par\medskip")
        lines += block
        used += height
    lines += [] if runs else ["% no run of ours is in it"]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _tabulars(table: Table, columns: Sequence[int], *, grouped: bool) -> Iterator[tuple[list[str], float]]:
    """Yield the lines of one part, in pieces that each fit a page, and the height of each in rows."""
    specification = ""
    heights = [1.0] * len(table.rows)
    for at in columns:
        column, cells = table.columns[at], [row[at] for row in table.rows]
        broken = column.align == "left" and max(map(width_of, cells), default=0.0) > WORDS
        points = column_width(column, cells)
        wide = f">{{\\raggedright\\arraybackslash}}p{{{points:.0f}pt}}"
        specification += wide if broken else column.align[0]
        if broken:  # a line's end stays empty where the next word is too long for it
            heights = [
                max(high, ceil(1.2 * width_of(cell) / points))
                for high, cell in zip(heights, cells, strict=True)
            ]
    heads = [fold(table.columns[at].name) for at in columns]
    begin = [rf"\begin{{tabular}}{{@{{}}{specification}@{{}}}}", r"\toprule"]
    begin += [_row([head[line] for head in heads]) for line in (0, 1) if any(head[line] for head in heads)]
    begin.append(r"\midrule")
    end = [r"\bottomrule", r"\end{tabular}"]
    lines, used, group = list(begin), float(len(begin)), ""
    for row, height in zip(table.rows, heights, strict=True):
        if used + height + 1 > LINES and len(lines) > len(begin):
            yield [*lines, *end], used + 1
            lines, used, group = list(begin), float(len(begin)), ""
        if grouped and row[0] != group:
            group, used = row[0], used + 1
            lines.append(rf"\multicolumn{{{len(columns)}}}{{@{{}}l@{{}}}}{{\textit{{{escape(group)}}}}} \\")
        lines.append(_row([row[at] for at in columns]))
        used += height
    yield [*lines, *end], used + 1


def _row(cells: Sequence[str]) -> str:
    r"""Return a row; `{}` first where a bracket or a star would be taken for the last row's `\\[length]`."""
    text = " & ".join(escape(cell) for cell in cells)
    return ("{}" if text[:1] in ("[", "*") else "") + text + r" \\"
