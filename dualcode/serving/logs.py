"""The servers' logs: where they lie, their last lines, and what is added to them."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from dualcode import resources
from dualcode.errors import ServingError


class Tail:
    """Reads what was added to a file of lines since the last time; tells when it is another file."""

    def __init__(self, path: Path, position: int = 0) -> None:
        """`position`: the byte to begin at."""
        self._path = path
        self._position = position
        self._inode: int | None = None

    def read(self) -> tuple[bool, bytes]:
        """Return whether the file was written anew, and the whole lines that are new; without a file none."""
        try:
            source = self._path.open("rb")
        except OSError:
            return False, b""
        with source:
            found = os.fstat(source.fileno())
            anew = found.st_size < self._position or self._inode not in (None, found.st_ino)
            self._position, self._inode = 0 if anew else self._position, found.st_ino
            source.seek(self._position)
            whole = source.read().rpartition(b"\n")
        self._position += len(whole[0]) + len(whole[1])
        return anew, whole[0]


def log_folder(state: Path) -> Path:
    """Return where the servers' logs lie."""
    return state / "logs"


def last_lines(file: Path, count: int) -> list[str]:
    """Return the last `count` lines of a log, reading no more than its last 256 KiB."""
    with file.open("rb") as source:
        size = source.seek(0, os.SEEK_END)
        source.seek(max(0, size - 262_144))
        return source.read().decode(errors="replace").splitlines()[-count:]


def logs(
    state: Path | None = None, server: str | None = None, *, lines: int = 40
) -> Iterator[tuple[str, str]]:
    """Yield (server, line) for the last lines of each log, or of one server's; logs outlive their servers."""
    folder = log_folder(state or resources.state_folder())
    files = sorted(folder.glob("*.log"))
    if server and server not in (file.stem for file in files):
        names = ", ".join(file.stem for file in files) or "none"
        raise ServingError(
            f"there is no log of a server {server!r} in {folder}; there is: {names}",
            hint="dualcode serve status",
        )
    for file in files:
        if server in (None, file.stem):
            yield from ((file.stem, line) for line in last_lines(file, lines))


def follow(state: Path | None = None, server: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield (server, line) as lines are written, without end."""
    files = sorted(log_folder(state or resources.state_folder()).glob("*.log"))
    tails = {file.stem: Tail(file, file.stat().st_size) for file in files if server in (None, file.stem)}
    while True:
        for name, tail in tails.items():
            _, fresh = tail.read()  # a new start rotates it, and it begins again
            yield from ((name, line) for line in fresh.decode(errors="replace").splitlines())
        time.sleep(0.3)
