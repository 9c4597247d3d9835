"""Tables as LaTeX, with booktabs."""

import re

from dualcode.tables.table import Table

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    '"': r"\textquotedbl{}",
    "−": r"\ensuremath{-}",
    "–": "--",
    "—": "---",
    "×": r"\ensuremath{\times}",
    "Δ": r"\ensuremath{\Delta}",
    "→": r"\ensuremath{\rightarrow}",
    "…": r"\ldots{}",
    "“": "``",
    "”": "''",
    "’": "'",
    "§": r"\S{}",
    "\u00a0": "~",
    "\n": " ",
}
_ESCAPED = re.compile("|".join(map(re.escape, _ESCAPES)))


def escape(text: str) -> str:
    """Return text that LaTeX sets as it stands; `12 %` does not break between number and sign."""
    escaped = _ESCAPED.sub(lambda found: _ESCAPES[found.group()], text)
    return re.sub(r"(?<=\d) \\%", r"\\,\\%", escaped)


def to_latex(table: Table) -> str:
    r"""Return a `table` with caption, label `tab:NAME` and notes.

    It needs `\usepackage[T1]{fontenc}`, booktabs and graphicx; one that is wider than the text is made
    smaller.
    """
    caption = re.sub(r"^Table \d+: ", "", table.title)  # LaTeX counts itself
    lines = [
        "% needs \\usepackage[T1]{fontenc}, \\usepackage{booktabs} and \\usepackage{graphicx}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(caption)}}}",
        rf"\label{{tab:{table.name}}}",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{''.join(column.align[0] for column in table.columns)}}}",
        r"\toprule",
        _row(tuple(column.name for column in table.columns)),
        r"\midrule",
        *(_row(row) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}}",
        *(rf"\par\smallskip\raggedright\footnotesize {escape(note)}" for note in table.notes),
        rf"\par\smallskip\raggedright\footnotesize Runs: {escape(', '.join(table.runs))}."
        if table.runs
        else "% no run of ours is in it",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _row(cells: tuple[str, ...]) -> str:
    r"""Return a row; `{}` first where a bracket or a star would be taken for the last row's `\\[length]`."""
    text = " & ".join(escape(cell) for cell in cells)
    return ("{}" if text[:1] in ("[", "*") else "") + text + r" \\"
