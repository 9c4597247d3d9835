"""The paper's numbers as data, with their places and contradictions. None of them was measured here."""

from dualcode.record import Record


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


class Contradiction(Record):
    """Two statements of the paper that do not agree."""

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

    def score(self, suite: str, pipeline: str) -> PublishedScore | None:
        """Return what the paper prints in its tables for a suite and a pipeline, or None."""
        found = (each for each in self.scores if (each.suite, each.pipeline) == (suite, pipeline))
        return next(found, None)
