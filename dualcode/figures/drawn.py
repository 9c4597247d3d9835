"""A figure that was drawn: its files and where its numbers came from."""

from pathlib import Path
from typing import Literal

from dualcode.record import Record

Form = Literal["svg", "png", "pdf"]
FORMS: tuple[Form, ...] = ("svg", "png", "pdf")


class Drawn(Record):
    """One figure in its forms; only those that were asked for are there."""

    name: str
    """For file names, such as `figure-2`."""
    title: str
    caption: str
    """What is seen, and what is published and what is ours."""
    runs: tuple[str, ...]
    """Ids of the runs that it was drawn from; they stand in the figure, too."""
    svg: Path
    png: Path
    pdf: Path
