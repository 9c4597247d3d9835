"""What an agent's tree holds beyond its base after each step, kept once each by checksum."""

import hashlib
import os
import re
import stat
from pathlib import Path

from dualcode.errors import RunError
from dualcode.issues.worktrees import Worktree, entries_beneath

NOTHING = hashlib.sha256(b"").hexdigest()
"""The checksum of a tree that is its base."""
_LEFT = re.compile(rb"\.(rej|orig)\"?$")


class Changes:
    """A tree's difference from its base, looked at after each command.

    Git is asked only where a file's time of change has moved, which nobody but the kernel sets. `folder` gets
    each distinct difference as CHECKSUM.diff.
    """

    def __init__(self, worktree: Worktree, folder: Path) -> None:
        self._worktree, self._folder = worktree, folder
        self._seen: dict[str, tuple[int, ...]] | None = None
        """What the kernel said of each file, no link followed."""
        self.checksum = NOTHING
        self._solid = NOTHING

    def look(self) -> bool:
        """Look at the tree, and return whether it differs from what was seen before.

        What `patch` leaves beside a file that it could not change is no difference in that sense.
        """
        look = {
            entry.path: (about.st_ino, about.st_mode, about.st_size, about.st_ctime_ns)
            for entry, about in entries_beneath(self._worktree.path)
            if not (stat.S_ISDIR(about.st_mode) or stat.S_ISSOCK(about.st_mode))
        }
        if look == self._seen:
            return False
        diff = self._worktree.change().diff.encode("utf-8", "surrogateescape")
        before, self._solid = self._solid, _checksum(_solid(diff))
        self._seen, self.checksum = look, _checksum(diff)
        self._keep(diff)
        return self._solid != before

    def restore(self, checksum: str) -> None:
        """Make the tree what it was at a step on record. Raises RunError if that is not kept."""
        self.look()
        if checksum == self.checksum:
            return
        self._worktree.restore("" if checksum == NOTHING else self._kept(checksum))
        self._seen = None
        self.look()

    def _keep(self, diff: bytes) -> None:
        if not diff:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self.checksum}.diff"
        if not path.exists():
            made = path.with_suffix(f".{os.getpid()}")
            made.write_bytes(diff)
            made.replace(path)

    def _kept(self, checksum: str) -> str:
        path = self._folder / f"{checksum}.diff"
        try:
            diff = path.read_bytes()
        except OSError as error:
            told = f"{path}, the change of a step on record, cannot be read: {error.strerror}"
            raise RunError(told, hint="remove the steps of that node, and it begins anew") from None
        if _checksum(diff) != checksum:
            raise RunError(f"{path} is not what it was", hint=f"rm {path}, and the steps of that node")
        return diff.decode("utf-8", "surrogateescape")


def _checksum(diff: bytes) -> str:
    return hashlib.sha256(diff).hexdigest()


def _solid(diff: bytes) -> bytes:
    """Return the parts of a diff that are no leavings of `patch`."""
    parts = re.split(rb"(?m)^(?=diff --git )", diff)
    return b"".join(part for part in parts if not _LEFT.search(part.split(b"\n", 1)[0]))
