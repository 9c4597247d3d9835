"""What host and fork server say to each other, over a socket that keeps messages apart.

    host -> server   `Settings` (marshal), once; then for each run a `Request`, with the job's memory file
                     (sealed: a `Work`, then the calls) as a passed descriptor; CANCEL while one runs
    server -> host   READY, or FAILED and why; then for each run an `Answer`, with the stream's memory file

The host reads only fixed records from the server, never marshal. This file is imported on both sides, in the
server without the package around it: standard library only.
"""

import marshal
import struct
from collections.abc import Sequence
from typing import Literal, NamedTuple

READY = b"ready"
FAILED = b"failed "
CANCEL = b"cancel"
MESSAGE_BYTES = 128 << 10
"""No message is longer."""

SLACK = 0.5
"""CPU seconds beyond a limit after which a child is killed that did not end by itself."""

Ending = Literal["finished", "unloaded", "timed_out", "died", "flooded"]
ENDINGS: tuple[Ending, ...] = ("finished", "unloaded", "timed_out", "died", "flooded")
_REQUEST = struct.Struct("<QddddQQQQ")
_ANSWER = struct.Struct("<QBiddQQH")
_ARRIVAL = struct.Struct("<Qdd")


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
    waiting: float
    memory: int
    output: int
    length: int
    """Bytes of the `Work`, with which the job's memory file begins."""
    calls: int
    """Bytes of the calls behind it, which the program is given once it is loaded."""

    def pack(self) -> bytes:
        """Return the message."""
        return _REQUEST.pack(*self)

    @classmethod
    def unpack(cls, message: bytes) -> "Request":
        """Read the message; struct.error if it is none."""
        return cls(*_REQUEST.unpack(message))


class Arrival(NamedTuple):
    """When bytes of the stream came, in the child's CPU seconds."""

    length: int
    """Bytes that had come in all."""
    by: float
    """They had come by then."""
    until: float
    """No more had come until then."""


class Answer(NamedTuple):
    """What came of a run, as far as the server knows: it never reads what the stream says."""

    number: int
    ending: Ending | None
    """How the server ended it; None: it ended by itself."""
    status: int
    """The process's, as of wait(2)."""
    cpu: float
    wall: float
    peak: int
    length: int
    """Bytes of the stream."""
    arrivals: Sequence[Arrival]
    detail: str

    def pack(self) -> bytes:
        """Return the message."""
        ending = len(ENDINGS) if self.ending is None else ENDINGS.index(self.ending)
        measured = (self.status, self.cpu, self.wall, self.peak, self.length)
        head = _ANSWER.pack(self.number, ending, *measured, len(self.arrivals))
        return head + b"".join(_ARRIVAL.pack(*each) for each in self.arrivals) + self.detail.encode()

    @classmethod
    def unpack(cls, message: bytes) -> "Answer":
        """Read the message; struct.error or IndexError if it is none."""
        number, index, status, cpu, wall, peak, length, count = _ANSWER.unpack_from(message)
        at = _ANSWER.size + count * _ARRIVAL.size
        arrivals = [Arrival(*each) for each in _ARRIVAL.iter_unpack(message[_ANSWER.size : at])]
        if len(arrivals) != count:
            raise struct.error("arrivals are missing")
        ending = (*ENDINGS, None)[int(index)]
        detail = message[at:].decode("utf-8", "replace")
        return cls(number, ending, status, cpu, wall, peak, length, arrivals, detail)


class Work(NamedTuple):
    """A job as the harness reads it, without its calls: they come when the program is loaded."""

    program: str
    entry_point: str | None
    """None: the calls are expressions."""
    calls: int
    """Bytes of the calls: the marshalled list of argument lists, or of the expressions' sources."""
    call_cpu: float
    slow_calls: dict[int, float]
    go_on: bool
    drain: bool
    digest_above: int | None
    timed: bool
    printed: int | None
    """None: what the program prints is not kept."""

    def pack(self) -> bytes:
        """Return the beginning of the job's memory file."""
        return marshal.dumps(tuple(self), 4)

    @classmethod
    def unpack(cls, content: bytes) -> "Work":
        """Read the job; in the candidate's process, before the program runs."""
        return cls(*marshal.loads(content))
