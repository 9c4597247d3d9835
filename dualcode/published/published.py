"""The paper's numbers as data, with their places and contradictions. None of them was measured here.

They stand in `published.toml`, and nowhere else.
"""

import functools
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from dualcode.errors import UnknownNameError
from dualcode.record import Record

PUBLISHED = Path(__file__).with_suffix(".toml")
SUITES: Mapping[str, tuple[str, str | None]] = {
    "humaneval": ("HumanEval", "HumanEval+"),
    "mbpp": ("MBPP", "MBPP+"),
    "humaneval-base": ("HumanEval", None),
}
"""Our dataset to the published names of its base tests and of its base and plus tests together."""


class PublishedScore(Record):
    """pass@1 of one configuration, as printed."""

    suite: str
    """`HumanEval`, `HumanEval+`, `MBPP` or `MBPP+`."""
    pipeline: str
    """By our name, such as `review-fix`."""
    percent: float
    delta: float | None = None
    """Percentage points against raw-coder, as printed; None where none is."""
    place: str
    """Such as `Table 2`."""
    also: tuple[str, ...] = ()
    """Where else the same number stands."""
    note: str = ""


class PublishedModel(Record):
    """A row of Table 1."""

    role: str
    model: str
    parameters: str
    quantization: str
    gpu: str
    vram: str
    place: str


class LeaderboardEntry(Record):
    """A model on EvalPlus's leaderboard, or in Table 4."""

    model: str
    scores: dict[str, float]
    """Suite to per cent."""
    note: str
    place: str


class PublishedRegressions(Record):
    """A bar of Figure 5 and its words in section 4.4."""

    kind: str
    """By our failure taxonomy."""
    words: str
    count: int
    place: str


class PublishedNumber(Record):
    """A number that stands in no table."""

    name: str
    value: float
    high: float | None = None
    """The upper end of a range."""
    unit: str
    meaning: str
    place: str
    also: tuple[str, ...] = ()


class PublishedFigure(Record):
    """A figure: what it shows, by names whose numbers stand in `scores`, `numbers` or `regressions`."""

    number: int
    caption: str
    shows: str
    pipelines: tuple[str, ...]
    suites: tuple[str, ...]


class Contradiction(Record):
    """Two statements of the paper that do not agree, or one that does not agree with a plain fact."""

    name: str = ""
    places: tuple[str, ...] = ()
    says: str
    but: str
    reading: str
    """What dualcode takes it to mean, and why."""


class Published(Record):
    """Everything published that dualcode compares with."""

    source: str
    url: str
    read: str
    """How the text was read, such as `scanned: 7$2/hr is ~$2/hr`."""
    scores: tuple[PublishedScore, ...]
    models: tuple[PublishedModel, ...]
    leaderboard: tuple[LeaderboardEntry, ...]
    regressions: tuple[PublishedRegressions, ...]
    contradictions: tuple[Contradiction, ...]
    suites: dict[str, int] = Field(default_factory=dict[str, int])
    """How many tasks each suite has."""
    names: dict[str, str] = Field(default_factory=dict[str, str])
    """Our pipelines to the paper's words for them."""
    numbers: tuple[PublishedNumber, ...] = ()
    figures: tuple[PublishedFigure, ...] = ()

    def score(self, suite: str, pipeline: str) -> PublishedScore | None:
        """Return what the paper prints for a suite and a pipeline, or None."""
        found = (each for each in self.scores if (each.suite, each.pipeline) == (suite, pipeline))
        return next(found, None)

    def delta(self, suite: str, pipeline: str, baseline: str) -> float | None:
        """Return the published difference to a baseline, in percentage points; None where it cannot be told.

        Against raw-coder it is the printed one, against another it follows from the printed percentages.
        """
        own, other = self.score(suite, pipeline), self.score(suite, baseline)
        if own is None or pipeline == baseline:
            return None
        if baseline == "raw-coder":
            return own.delta
        return round(own.percent - other.percent, 1) if other else None

    def passed(self, suite: str, pipeline: str) -> int | None:
        """Return how many tasks the printed percentage stands for; None if nothing is printed."""
        score = self.score(suite, pipeline)
        return None if score is None else count_of(score.percent, self.suites[suite])

    def number(self, name: str) -> PublishedNumber:
        """Return a number of the text. Raises UnknownNameError."""
        for each in self.numbers:
            if each.name == name:
                return each
        raise UnknownNameError("published number", name, [each.name for each in self.numbers])


def count_of(percent: float, total: int) -> int:
    """Return the only number of tasks whose share prints as `percent`; a ValueError if there is not one."""
    fitting = [n for n in range(total + 1) if abs(100 * n / total - percent) <= 0.05 + 1e-9]
    if len(fitting) != 1:
        raise ValueError(f"{percent} % of {total} fits {fitting or 'no count'}")
    return fitting[0]


@functools.cache
def load_published() -> Published:
    """Return what `published.toml` holds, read once."""
    with PUBLISHED.open("rb") as file:
        return Published.model_validate(tomllib.load(file))
