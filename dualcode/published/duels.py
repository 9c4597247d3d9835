"""What others published of planner and implementer pairs, as data; none of it was measured here.

It stands in `duels.toml`, and nowhere else.
"""

import functools
import tomllib
from pathlib import Path

from dualcode.record import Record

DUELS = Path(__file__).with_suffix(".toml")


class PublishedPair(Record):
    """A row of duobench's table."""

    rank: int
    """By efficiency, as printed."""
    planner: str
    implementer: str
    quality: float
    """0 to 10, the mean over both judges."""
    cost: float
    """Dollars."""
    efficiency: float
    """Quality for a dollar, as printed: not always quality / cost, which are rounded."""


class PublishedBias(Record):
    """How a judge scored its own model's work against the others'."""

    judge: str
    delta: float
    words: str


class Finding(Record):
    """What a text says that it found."""

    words: str


class Disagreement(Record):
    """Two statements of one text that do not agree."""

    says: str
    but: str


class Duobench(Record):
    """The article's data."""

    source: str
    url: str
    issue: str
    trials: int
    judges: tuple[str, ...]
    models: tuple[str, ...]
    dimensions: tuple[str, ...]
    missing: tuple[str, ...]
    """Conditions of the matrix that its table lacks."""
    caveat: str
    rows: tuple[PublishedPair, ...]
    bias: tuple[PublishedBias, ...]
    findings: tuple[Finding, ...]
    contradictions: tuple[Disagreement, ...]


class Archon(Record):
    """What is known of the video's benchmark."""

    source: str
    url: str
    issues: int
    conditions: tuple[str, ...]
    scale: str
    named: tuple[str, ...]
    """The dimensions that are named."""
    caveat: str
    findings: tuple[Finding, ...]


class PublishedDuels(Record):
    """Everything published on pairs that dualcode shows beside its own."""

    duobench: Duobench
    archon: Archon


@functools.cache
def load_published_duels() -> PublishedDuels:
    """Return what `duels.toml` holds, read once."""
    with DUELS.open("rb") as file:
        return PublishedDuels.model_validate(tomllib.load(file))
