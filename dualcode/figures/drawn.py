"""A figure that was drawn: its files and where its numbers came from."""

from pathlib import Path

from dualcode.record import Record


class Drawn(Record):
    """One figure in its three forms."""

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
