"""Tables as data, and their forms: Markdown, CSV, LaTeX, JSON, and the one for a terminal.

A table's numbers are ours, or stand in columns of their own that are marked as published.

| file | what it makes |
|---|---|
| `models.py` | the paper's Table 1 |
| `pipelines.py` | its Tables 2 and 4, and all pipelines on all suites |
| `comparisons.py` | its Table 3, and what `compare` shows |
| `reviewers.py`, `regressions.py`, `costs.py`, `trial.py`, `days.py` | tables that the paper lacks |
| `catalogue.py` | those of a study by name |
| `lines.py`, `selection.py`, `cells.py`, `grid.py` | what they share: rows, titles, notes, texts, columns |
| `forms.py`, `latex.py` | the forms |
"""
