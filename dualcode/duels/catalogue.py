"""Every table of a duel by name, in the order in which they are shown."""

from collections.abc import Callable, Sequence

from dualcode.duels import judges, tables
from dualcode.duels.findings import Findings
from dualcode.errors import UnknownNameError
from dualcode.published.duels import PublishedDuels, load_published_duels
from dualcode.tables.table import Table

Made = Table | str
"""A table, or why there is none."""
OURS: dict[str, Callable[[Findings], Made]] = {
    "leaderboard": tables.leaderboard,
    "contests": tables.contests,
    "effects": tables.effects,
    "costs": tables.costs,
    "work": tables.work,
    "issues": tables.issues,
    "dimensions": tables.dimensions,
    "judges": judges.table,
}
PUBLISHED: dict[str, Callable[[Findings, PublishedDuels], Made]] = {
    "duobench": tables.duobench,
    "archon": tables.archon,
}
"""What others published: always tables of their own."""
NAMES = (*OURS, *PUBLISHED)


def build(found: Findings, names: Sequence[str] | None = None) -> tuple[list[Table], dict[str, str]]:
    """Return the tables that were asked for, or all, and why others are absent.

    Raises UnknownNameError for a name that is no table's.
    """
    made: dict[str, Made] = {}
    for name in dict.fromkeys(names or NAMES):
        if name in OURS:
            made[name] = OURS[name](found)
        elif name in PUBLISHED:
            made[name] = PUBLISHED[name](found, load_published_duels())
        else:
            raise UnknownNameError("table", name, NAMES, hint="dualcode duel tables --help")
    return (
        [each for each in made.values() if isinstance(each, Table)],
        {name: each for name, each in made.items() if isinstance(each, str)},
    )
