"""Tables as data, and their four forms: Markdown, CSV, LaTeX and JSON.

A table's numbers are ours, or stand in columns of their own that are marked as published.

| file | what it makes |
|---|---|
| `models.py`, `pipelines.py`, `richness_gap.py`, `leaderboard.py` | the paper's Tables 1-4 |
| `pipelines.py`, `reviewers.py`, `regressions.py`, `costs.py` | tables that the paper lacks |
| `catalogue.py` | all of them by name |
| `lines.py`, `selection.py`, `cells.py`, `grid.py` | what they share: rows, titles, notes, texts, columns |
| `forms.py`, `latex.py` | the forms |
| `page.py` | docs/published.md |
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dualcode.tables.catalogue import TABLES, absences, build, tables
    from dualcode.tables.forms import FORMS, write_tables

__all__ = ["FORMS", "TABLES", "absences", "build", "tables", "write_tables"]

_HOMES = dict.fromkeys(("TABLES", "absences", "build", "tables"), "catalogue") | dict.fromkeys(
    ("FORMS", "write_tables"), "forms"
)


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: the command line imports this package for its command alone."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
