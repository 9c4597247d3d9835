"""All tables by name."""

from collections.abc import Callable, Sequence

from dualcode.analysis.analyse import Analysis
from dualcode.errors import UnknownNameError
from dualcode.published.published import Published
from dualcode.tables.comparisons import richness_gap
from dualcode.tables.costs import costs
from dualcode.tables.models import models_table
from dualcode.tables.pipelines import leaderboard, main_results, pipelines
from dualcode.tables.regressions import regressions
from dualcode.tables.reviewers import reviewers
from dualcode.tables.table import Table

Build = Callable[[Analysis, Published], Table | str]
"""Returns a table, or why there is nothing to show in it."""

TABLES: dict[str, Build] = {
    "table-1": models_table,
    "table-2": main_results,
    "table-3": richness_gap,
    "table-4": leaderboard,
    "pipelines": pipelines,
    "reviewers": reviewers,
    "regressions": regressions,
    "costs": costs,
}
"""The paper's four, then ours."""


def build(
    analysis: Analysis, published: Published, names: Sequence[str] | None = None
) -> tuple[list[Table], dict[str, str]]:
    """Return the named tables (None: all), and for each that has nothing to show: why.

    Raises UnknownNameError.
    """
    made: list[Table] = []
    absent: dict[str, str] = {}
    for name in dict.fromkeys(TABLES if names is None else names):
        if name not in TABLES:
            raise UnknownNameError("table", name, TABLES, hint="dualcode tables --help")
        result = TABLES[name](analysis, published)
        if isinstance(result, str):
            absent[name] = result
        else:
            made.append(result)
    return made, absent


def tables(analysis: Analysis, published: Published, names: Sequence[str] | None = None) -> list[Table]:
    """Return the named tables (None: all) that have something to show. Raises UnknownNameError."""
    return build(analysis, published, names)[0]
