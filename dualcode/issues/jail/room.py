"""What a command finds around it, what it may use, and what came of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dualcode.issues.packages import Environment
from dualcode.issues.worktrees import Worktree
from dualcode.record import Record

Ending = Literal["finished", "timed out", "too much memory", "too much disk", "too long"]
"""`too long`: the command itself has more characters than a command may have, and was not started."""


@dataclass(frozen=True)
class Room:
    """The surroundings of a command; everything else of the machine is out of its sight."""

    worktree: Worktree
    environment: Environment
    pythonpath: tuple[str, ...] = (".",)
    """Folders of the tree."""
    writable: bool = True
    """Whether the tree may be changed; one who only explores or plans gets it read-only."""
    scratch: Path | None = None
    """A host folder that is /tmp and the home, kept between commands; None: an empty one each time, which
    commands side by side in one tree share where no bubblewrap holds them."""
    results: Path | None = None
    """A host folder for what a command hands out beside its output."""
    files: tuple[tuple[Path, str], ...] = ()
    """Host files that it may read, and their names in /given."""


@dataclass(frozen=True)
class Places:
    """Where a command finds things: paths as it sees them."""

    tree: str
    packages: str
    tools: str
    scratch: str
    results: str
    given: str


class Ended(Record):
    """What came of a command. A command that fails has still `finished`: its exit code says so."""

    ending: Ending
    exit_code: int | None
    """As a shell tells it, 128 and the signal's number included; None if it did not finish."""
    output: str
    """stdout and stderr as they came, beginning and end; the middle is left out beyond the limit."""
    left_out: int = 0
    """Bytes of output that were left out."""
    seconds: float
    peak_memory: int = 0
    """Bytes, of all its processes together, as far as seen four times a second."""

    @property
    def succeeded(self) -> bool:
        """Whether it finished with exit code 0."""
        return self.ending == "finished" and self.exit_code == 0
