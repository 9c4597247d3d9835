"""Columns with what fills them, and the table that they make of some rows."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from dualcode.tables.table import Column, Table

R = TypeVar("R")
Field = tuple[Column, Callable[[R], str]]
"""A column and the text of a row in it."""


def words(name: str, **more: Any) -> Column:
    """Return the head of a column of words; `more` is of `Column`, such as `drop`."""
    return Column(name=name, align="left", **more)


def numbers(name: str, **more: Any) -> Column:
    """Return the head of a column of numbers."""
    return Column(name=name, **more)


def left(name: str, text: Callable[[R], str], **more: Any) -> Field[R]:
    """Return a column of words; `more` is of `Column`."""
    return words(name, **more), text


def right(name: str, text: Callable[[R], str], **more: Any) -> Field[R]:
    """Return a column of our numbers."""
    return numbers(name, **more), text


def cited(name: str, text: Callable[[R], str], *, align: Any = "right") -> Field[R]:
    """Return a column of somebody else's numbers."""
    return Column(name=name, published=True, align=align), text


def listed(
    name: str,
    title: str,
    columns: Sequence[Column],
    rows: Iterable[Sequence[str]],
    *,
    notes: Sequence[str] = (),
    tones: Sequence[Any] = (),
) -> Table:
    """Return a table of texts that are at hand; it has no values, for the command prints its own JSON."""
    return Table(
        name=name,
        title=title,
        columns=tuple(columns),
        rows=tuple(tuple(row) for row in rows),
        notes=tuple(notes),
        runs=(),
        values=(),
        tones=tuple(tones),
    )


class Grid(Generic[R]):
    """Rows of one kind, and the columns to show of them."""

    def __init__(self, rows: Iterable[R], fields: Iterable[Field[R] | None]) -> None:
        """Keep the fields that are not None."""
        self.rows = tuple(rows)
        self.fields = tuple(field for field in fields if field is not None)

    def table(
        self,
        name: str,
        title: str,
        *,
        values: Callable[[R], dict[str, Any]] | None = None,
        notes: Iterable[str] = (),
        runs: Iterable[str] = (),
        tones: Callable[[R], Any] | None = None,
    ) -> Table:
        """Return the table; a note that comes twice is kept once, an empty one not at all.

        Without `values` it has none, for the command prints its own JSON.
        """
        return Table(
            name=name,
            title=title,
            columns=tuple(column for column, _ in self.fields),
            rows=tuple(tuple(text(row) for _, text in self.fields) for row in self.rows),
            notes=tuple(dict.fromkeys(note for note in notes if note)),
            runs=tuple(dict.fromkeys(runs)),
            values=tuple(map(values, self.rows)) if values else (),
            tones=tuple(map(tones, self.rows)) if tones else (),
        )
