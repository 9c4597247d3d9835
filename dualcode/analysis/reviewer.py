"""The reviewer judged: its verdicts against the hidden truth of the drafts that it read."""

from dualcode.record import Record


class Confusion(Record):
    """Verdicts against truth. Positive: the reviewer says that the draft has a bug (`revise`)."""

    true_positive: int
    """Wrong drafts that it found wrong."""
    false_positive: int
    """Right drafts that it found wrong."""
    false_negative: int
    """Wrong drafts that it approved."""
    true_negative: int
    """Right drafts that it approved."""
    unknown: int
    """Reviews without a truth to be set against: the draft could not be graded, or there was no verdict."""


class Fixes(Record):
    """What became of the drafts whose review asked for a fix."""

    helped: int
    """Wrong before, right after."""
    broke: int
    """Right before, wrong after."""
    right_stayed: int
    wrong_stayed: int
    unchanged: int
    """Of all four kinds, those whose program is the draft's, text for text."""
    unknown: int


class Judged(Record):
    """A reviewer over one set of tasks."""

    label: str
    """`all`, or a quartile of specification richness such as `Q1 (0.10-0.35)`."""
    tasks: int
    confusion: Confusion
    fixes: Fixes


class ReviewerReport(Record):
    """The reviewer of one run."""

    run: str
    pipeline: str
    dataset: str
    overall: Judged
    quartiles: tuple[Judged, ...]
    """By richness of the specification, leanest first; empty where there are too few tasks (under 8)."""
