"""A table before it is written: what stands in which cell, and where it came from."""

from typing import Any, Literal

from pydantic import Field

from dualcode.record import Record


class Column(Record):
    """A column's head."""

    name: str
    align: Literal["left", "right"] = "right"
    published: bool = False
    """Whether its numbers are somebody else's: never measured here, and shown as such."""
    short: str = Field(default="", exclude=True)
    """The name where there is little room."""
    wraps: bool = Field(default=False, exclude=True)
    """Whether its texts may be broken between words; others stand on one line each."""
    drop: int = Field(default=0, exclude=True)
    """Which column is left out first where there is no room: the highest; of equal ones the last."""


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
    tones: tuple[Literal["", "bold", "dim"], ...] = Field(default=(), exclude=True)
    """How a row stands out on a terminal; none where it is empty."""
