"""What host and fork server say to each other, over a socket that keeps messages apart.

    host -> server   `Settings` (marshal), once; then for each run a `Request`, with the job's memory file
                     (`pack_job`, sealed) as a passed descriptor; CANCEL while one runs
    server -> host   READY, or FAILED and why; then for each run an `Answer`, with the stream's memory file

The host reads only fixed records from the server, never marshal. This file is imported on both sides, in the
server without the package around it: standard library only.
"""

import marshal
import struct
from typing import Literal, NamedTuple

READY = b"ready"
FAILED = b"failed "
CANCEL = b"cancel"
MESSAGE_BYTES = 128 << 10
"""No message is longer."""

Ending = Literal["finished", "unloaded", "timed_out", "died", "flooded"]
ENDINGS: tuple[Ending, ...] = ("finished", "unloaded", "timed_out", "died", "flooded")
_REQUEST = struct.Struct("<QdddQQQQ")
_ANSWER = struct.Struct("<QBddQQ")


class Settings(NamedTuple):
    """How a server confines what it runs."""

    tier: str
    folder: str
    """A private, empty folder of the host's: mount point of the new root, or what candidates may write."""
    packages: str | None
    """The folder from which numpy is imported; None: without numpy."""
    filter: bytes
    """The seccomp program; empty: none (tier `unsafe` only)."""
    unprivileged: int | None
    """The user and group id for candidates, where the host is root and can give it; None: the host's own."""

    def pack(self) -> bytes:
        """Return the message."""
        return marshal.dumps(tuple(self), 4)

    @classmethod
    def unpack(cls, message: bytes) -> "Settings":
        """Read the message; in the server only."""
        return cls(*marshal.loads(message))


class Request(NamedTuple):
    """The bounds of one run, as the server enforces them."""

    number: int
    call_cpu: float
    """CPU seconds of the longest call."""
    total_cpu: float
    wall: float
    memory: int
    output: int
    frames: int
    """The most frames that a true stream can have."""
    length: int
    """Bytes of the job's memory file."""

    def pack(self) -> bytes:
        """Return the message."""
        return _REQUEST.pack(*self)

    @classmethod
    def unpack(cls, message: bytes) -> "Request":
        """Read the message; struct.error if it is none."""
        return cls(*_REQUEST.unpack(message))


class Answer(NamedTuple):
    """What came of a run."""

    number: int
    ending: Ending
    cpu: float
    wall: float
    peak: int
    length: int
    """Bytes of the stream, cut behind the last whole frame."""
    detail: str

    def pack(self) -> bytes:
        """Return the message."""
        head = (self.number, ENDINGS.index(self.ending), self.cpu, self.wall, self.peak, self.length)
        return _ANSWER.pack(*head) + self.detail.encode("utf-8", "replace")

    @classmethod
    def unpack(cls, message: bytes) -> "Answer":
        """Read the message; struct.error or IndexError if it is none."""
        number, ending, cpu, wall, peak, length = _ANSWER.unpack_from(message)
        detail = message[_ANSWER.size :].decode("utf-8", "replace")
        return cls(number, ENDINGS[ending], cpu, wall, peak, length, detail)


class Work(NamedTuple):
    """A job as the harness reads it."""

    program: str
    entry_point: str | None
    """None: the calls are expressions."""
    calls: bytes | tuple[str, ...]
    """Marshalled argument lists, or the expressions' sources."""
    call_cpu: float
    slow_calls: dict[int, float]
    go_on: bool
    drain: bool
    digest_above: int | None
    timed: bool
    printed: int | None
    """None: what the program prints is not kept."""

    def pack(self) -> bytes:
        """Return the content of the job's memory file."""
        return marshal.dumps(tuple(self), 4)

    @classmethod
    def unpack(cls, content: bytes) -> "Work":
        """Read the job; in the candidate's process, before the program runs."""
        return cls(*marshal.loads(content))
