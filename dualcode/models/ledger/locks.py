"""Locks on single bytes of a file, which the kernel frees when their holder dies."""

import fcntl
import os
import struct
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from dualcode.errors import RunError

WRITING = 0
"""The byte that whoever changes the database holds; the others stand for keys."""
_FLOCK = "hhqqi4x"  # struct flock: type, whence, start, length, pid (0: of the open file, not of the process)


class Locks:
    """The bytes of one lock file. Two `Locks` exclude each other, in one process or in two.

    These are open-file-description locks: kill -9 frees them, and neither a clock nor a pid has to be
    trusted. Raises RunError where the file system has none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def close(self) -> None:
        """Free all that is held."""
        os.close(self._file)

    def take(self, place: int) -> bool:
        """Take the byte, unless another holds it; say whether."""
        try:
            self._set(fcntl.F_WRLCK, place)
        except (BlockingIOError, PermissionError):
            return False
        except OSError as error:
            raise RunError(
                f"{self.path}: cannot lock: {error}", hint="--run-dir on a local file system"
            ) from error
        return True

    def free(self, place: int) -> None:
        """Give the byte back."""
        self._set(fcntl.F_UNLCK, place)

    @contextmanager
    def held(self, place: int, patience: float) -> Generator[None]:
        """Hold the byte; wait for it at most `patience` seconds, in which the thread sleeps."""
        until, pause = time.monotonic() + patience, 0.0005
        while not self.take(place):
            if time.monotonic() > until:
                raise RunError(
                    f"{self.path}: another process holds it for more than {patience:g} s",
                    hint=f"fuser -v {self.path}",
                )
            time.sleep(pause)
            pause = min(2 * pause, 0.004)
        try:
            yield
        finally:
            self.free(place)

    def _set(self, kind: int, place: int) -> None:
        fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, kind, os.SEEK_SET, place, 1, 0))


def place_of(key: bytes) -> int:
    """Return the byte that stands for a key: its first 62 bits, past WRITING."""
    return (int.from_bytes(key[:8]) >> 2) + 1
