"""TeX itself sets every table: nothing that it refuses, nothing wider than the text of an ordinary page."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from dualcode.tables.latex import to_latex
from dualcode.tables.table import Table

DOCUMENT = r"""\documentclass[10pt]{{article}}
\usepackage[T1]{{fontenc}}
\usepackage{{booktabs}}
\usepackage{{array}}
\extrafloats{{100}}
\begin{{document}}
{tables}
\end{{document}}
"""
SLACK = 1.0
"""Points over the text's width that no reader sees."""


@pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="no TeX here: apt-get install texlive-latex-base"
)
def test_every_table_compiles_and_none_is_wider_than_the_text(every: Sequence[Table], tmp_path: Path) -> None:
    path = tmp_path / "tables.tex"
    path.write_text(DOCUMENT.format(tables="\n\\clearpage\n".join(map(to_latex, every))), encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-no-shell-escape", path.name],
        cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False,
    )  # fmt: skip
    log = path.with_suffix(".log").read_text(encoding="latin-1")
    assert done.returncode == 0, "\n".join(re.findall(r"^! .*(?:\n.*){2}", log, re.M)[:5])
    wide = [
        points for each in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log) if (points := float(each)) > SLACK
    ]
    assert not wide, f"{len(wide)} boxes up to {max(wide)} pt too wide"
    assert path.with_suffix(".pdf").exists()
    assert "Float too large" not in log
