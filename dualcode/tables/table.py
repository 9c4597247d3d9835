"""A table before it is written: what stands in which cell, and where it came from."""

from typing import Any, Literal

from dualcode.record import Record


class Column(Record):
    """A column's head."""

    name: str
    align: Literal["left", "right"] = "right"
    published: bool = False
    """Whether its numbers are somebody else's: never measured here, and shown as such."""


class Table(Record):
    """A table of texts, with the values behind them."""

    name: str
    """For file names, such as `table-2`."""
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    """A text for each column; `–` where there is nothing to say."""
    notes: tuple[str, ...]
    """Under the table: sources, what is not comparable, what was not run."""
    runs: tuple[str, ...]
    """Ids of the runs that our numbers came from."""
    values: tuple[dict[str, Any], ...]
    """A row each, unrounded, for JSON."""
