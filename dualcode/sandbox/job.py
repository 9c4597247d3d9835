"""What runs in a sandbox, and what comes back.

A job is a program with calls to make after loading it: either a function on many argument lists (grading),
or expressions in the program's namespace (the tests that a prompt shows). What comes back is data: a stream
of frames that was read under a size bound and that nothing here trusts. It holds what the program returned,
raised and printed; it can never hold what the program ought to have returned, for that is not in the job.

Stream (written in the jail, read outside; all integers little-endian):

    frame   kind (1 byte), length of the payload (4 bytes), payload

    kind  payload                                   meaning
    `B`   empty                                     the program is loaded; the calls begin
    `V`   marshal, version 2                        a call returned a value of exact built-in types
    `G`   marshal, version 2, of a tagged tree      … a value with other known types in it (`codec`)
    `D`   SHA-256, then the kind and the length     … a value whose payload is longer than `digest_above`
                                                    (kind `J`: of texts, by far too long to be compared)
    `O`   UTF-8: the type's name                    … an object that cannot be sent as data
    `R`   JSON [type, message, traceback, *bases]   a call raised; after it the run ends unless `go_on`;
                                                    `bases`: its classes, the nearest first;
                                                    `program.ValueError` is none of Python's
    `L`   empty                                     a call used up its CPU limit; the run ends
    `P`   UTF-8                                     what the call before printed (only with `capture`)
    `T`   float64 a call                            CPU seconds of each call (only with `timed`)
    `F`   JSON [type, message, traceback]           the program could not be loaded; the run ends
    `E`   empty                                     the end: the harness went through
"""

import hashlib
import json
import marshal
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

DIGEST_ABOVE = 64 << 10
"""Bytes. A longer output travels as its SHA-256, so that a stream stays small whatever a task returns."""

HEAD = struct.Struct("<cI")
VALUE_KINDS = frozenset("VGDO")
MIB = 1 << 20
TOLD_BYTES = 256 << 10
"""No exception is told in more: 10,000 characters, each of which JSON may escape by 12, and types' names."""


@dataclass(frozen=True)
class Limits:
    """What one run may use. The sandbox enforces every one of them from outside the candidate's process,
    too: a program that masks signals is killed instead of interrupted.
    """

    call_cpu: float = 5.0
    """CPU seconds of one call (user and system, all threads)."""
    slow_calls: Mapping[int, float] = field(default_factory=dict[int, float])
    """CPU seconds of the calls, by index, whose limit is another."""
    total_cpu: float = 30.0
    """CPU seconds of the whole run, loading included."""
    wall: float = 120.0
    """Seconds of the whole run. A program that sleeps or waits is ended sooner."""
    waiting: float = 10.0
    """Seconds that the whole run may wait instead of computing; one call no more than `server.WAITING`."""
    memory: int = 4096 * MIB
    """Bytes of address space."""
    output: int = 64 * MIB
    """Bytes of the stream."""
    printed: int = 64 << 10
    """Bytes of each call's stdout and stderr that `capture` keeps; the rest is discarded."""


@dataclass(frozen=True)
class Arguments:
    """Calls of one function: `entry_point(*inputs[0])`, `entry_point(*inputs[1])`, …"""

    entry_point: str
    encoded: bytes = field(repr=False)
    """`marshal`, version 2, of the list of argument lists."""
    count: int

    @classmethod
    def of(cls, entry_point: str, inputs: Sequence[Sequence[Any]]) -> "Arguments":
        """Encode argument lists of exact built-in types; a ValueError for any other."""
        return cls(entry_point, marshal.dumps([list(each) for each in inputs], 2), len(inputs))


@dataclass(frozen=True)
class Expressions:
    """Sources, each evaluated in the program's namespace; one that is no expression is executed (None)."""

    sources: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.sources)


@dataclass(frozen=True)
class Job:
    """A program and the calls to make once it is loaded, all in one fresh process."""

    program: str = field(repr=False)
    """Executed once in an empty namespace (`__name__` is `builtins`, so main blocks do not run)."""
    calls: Arguments | Expressions
    limits: Limits = Limits()
    go_on: bool = False
    """Whether later calls are made although one raised."""
    drain: bool = False
    """Whether an iterable that cannot be sent as data (a generator, a map) is sent as a list of its items."""
    digest_above: int | None = DIGEST_ABOVE
    """None: every value is sent whole, under `limits.output`."""
    timed: bool = False
    capture: bool = False
    """Whether stdout and stderr are kept, call by call."""
    on_wait: Callable[[], None] | None = field(default=None, repr=False, compare=False)
    """Called if the run is found waiting instead of computing. It needs no processor of its own then, and the
    sandbox begins another job beside it if there is memory for one."""


class Frame(NamedTuple):
    """One frame of a stream."""

    kind: str
    payload: bytes


class Told(NamedTuple):
    """An exception, as the program's process told it. The text is the candidate's."""

    type: str
    message: str
    traceback: str


Ending = Literal["finished", "unloaded", "timed_out", "died", "flooded"]
"""`finished`: the harness went through, though a call may have raised. `unloaded`: the program does not
compile, raised while loading, or lacks the entry point. `timed_out`: a limit on CPU or wall time. `died`: the
process ended without a word (`os._exit`, a signal, memory). `flooded`: more output than allowed."""


@dataclass(frozen=True)
class Ran:
    """What came of a job."""

    ending: Ending
    stream: bytes = field(repr=False)
    """The frames, cut behind the last whole one."""
    detail: str = ""
    """Why, for people: the limit that was reached, `exit code 3`, `signal SIGSEGV`."""
    cpu: float = 0.0
    """CPU seconds of the process."""
    wall: float = 0.0
    """Seconds from fork to the end of the process."""
    peak: int = 0
    """Bytes of memory held at most (resident set)."""
    killed: bool = False
    """Whether it was ended from outside: by the watch, by the kernel, or at a limit that the kernel had
    counted. A program that ends by its own act, a crash too, was not."""
    kept: float = 0.0
    """Seconds in which it was ready to compute and others had the processors, when it was last looked at."""

    def frames(self) -> Iterator[Frame]:
        """Yield the frames in order."""
        return frames(self.stream)

    def returned(self) -> list[Frame]:
        """Return the frames of the calls in order: what each returned, raised (`R`), or `L`."""
        return [frame for frame in self.frames() if frame.kind in VALUE_KINDS or frame.kind in "RL"]

    def printed(self) -> list[str]:
        """Return what each call printed; empty unless the job captured."""
        return [frame.payload.decode("utf-8", "replace") for frame in self.frames() if frame.kind == "P"]

    def times(self) -> list[float]:
        """Return the CPU seconds of each call; empty unless the job was timed and finished."""
        payload = next((frame.payload for frame in self.frames() if frame.kind == "T"), b"")
        return [seconds for (seconds,) in struct.iter_unpack("<d", payload[: len(payload) // 8 * 8])]

    def told(self) -> Told | None:
        """Return the last exception that the program's process reported."""
        payloads = [frame.payload for frame in self.frames() if frame.kind in "RF"]
        return told(payloads[-1]) if payloads else None


def frames(stream: bytes) -> Iterator[Frame]:
    """Yield the whole frames of a stream; what is cut off at its end is left out."""
    at = 0
    while at + HEAD.size <= len(stream):
        kind, length = HEAD.unpack_from(stream, at)
        end = at + HEAD.size + length
        if end > len(stream):
            return
        yield Frame(kind.decode("latin-1"), stream[at + HEAD.size : end])
        at = end


def frame(kind: str, payload: bytes) -> bytes:
    """Return one frame as bytes."""
    return HEAD.pack(kind.encode("latin-1"), len(payload)) + payload


def told(payload: bytes) -> Told:
    """Return the exception in an `R` or `F` frame; a frame that is none says so itself.

    A forged one may be longer than the harness's, and as values of Python fifty times as long again, so it is
    not read. What is no Unicode is replaced: a record has to be writable.
    """
    try:
        if len(payload) > TOLD_BYTES:
            raise ValueError
        match json.loads(payload):
            case [name, message, trace, *_]:
                return Told(_text(name, 200), _text(message, 2000), _text(trace, 8000))
            case _:
                raise ValueError
    except (ValueError, TypeError, RecursionError):
        return Told("Exception", "(the report of the exception is not readable)", "")


def _text(value: object, limit: int) -> str:
    return str(value)[:limit].encode("utf-8", "replace").decode()


def digest(kind: str, payload: bytes) -> bytes:
    """Return the payload of the `D` frame that stands for a value."""
    return hashlib.sha256(payload).digest() + HEAD.pack(kind.encode("latin-1"), len(payload))
