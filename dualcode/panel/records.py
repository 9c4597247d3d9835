"""What a judge said of one exhibit, as it is on record wherever judges are asked."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from dualcode.call import Usage
from dualcode.panel.exhibit import Calibration
from dualcode.panel.renderings import Rendering
from dualcode.record import Record

Key = tuple[str, str, int]
"""Condition, issue, trial."""
Cause = Literal["", "judge", "server"]
"""Whose fault it is that scores are missing: the judge answered none, or its server answered nothing."""


@dataclass(frozen=True)
class Asked:
    """What tells one judgement from every other."""

    key: Key
    judge: str
    rendering: Rendering
    calibration: Calibration | None = None


class Judged(Record):
    """One judge's view of one exhibit in one rendering."""

    condition: str
    """Empty for a calibration."""
    issue: str
    trial: int
    """From 1."""
    judge: str
    """The endpoint's name in the team, or the judge's among those that were given."""
    model: str
    """As its server names it."""
    rubric: str
    rendering: Rendering
    same: bool = False
    """Whether the other rendering came out as the plain one, to the letter: of one file without comments. It
    says nothing of how sensitive the judge is."""
    calibration: Calibration | None = None
    """Which exhibit of known worth it is; None: a fix."""
    scores: dict[str, int] | None = None
    """By dimension, those alone that could be asked; None: missing, never zero."""
    reasons: dict[str, str] = Field(default_factory=dict[str, str])
    why_missing: str = ""
    usage: Usage = Usage()
    """Of all attempts, a failed call's and a replayed one's too."""
    seconds: float = 0.0
    checksum: str = ""
    """Of the rubric: scores of another wording are other scores."""
    cause: Cause = ""
    """What is the server's fault is asked again on resume; what the judge said stands."""

    @property
    def key(self) -> Key:
        """What was judged; a calibration's is no cell's."""
        return self.condition, self.issue, self.trial

    @property
    def asked(self) -> Asked:
        """What it is, among all judgements."""
        return Asked(self.key, self.judge, self.rendering, self.calibration)

    @property
    def settled(self) -> bool:
        """Whether it need not be asked again."""
        return self.cause != "server"
