"""What a task's reference makes of its tests: the data that grading a program takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dualcode.sandbox.job import HEAD, Arguments
from dualcode.suites.suite import Form
from dualcode.verdict import Part

SLOW_CALL = 0.1
"""CPU seconds from which a call of the reference is timed with care."""


@dataclass(frozen=True)
class Tests:
    """One set of a task's tests, and what the reference returned on it."""

    inputs: Arguments
    expected: bytes = field(repr=False)
    """The reference's stream; long values by their digest."""
    has_nan: bool
    """Whether a value holds a NaN, so that equal bytes are not equal values."""
    long: Mapping[int, int]
    """Bytes of the values that are in the stream by their digest, by call."""
    peak: int = field(compare=False)
    """Bytes of memory that the reference held at most."""


@dataclass(frozen=True)
class Times:
    """CPU seconds of the reference on one set of tests, on this machine."""

    total: float
    """All calls together."""
    slow: Mapping[int, float]
    """Of the calls of more than `SLOW_CALL`, by index."""
    other: float = 0.0
    """Of its process beside the calls: loading, and sending what they return."""


@dataclass(frozen=True)
class Reference:
    """A task's tests with the reference's outputs; the same on every machine."""

    task_id: str
    form: Form
    entry_point: str
    atol: float
    tests: Mapping[Part, Tests]


@dataclass(frozen=True)
class Calibrated:
    """All that grading a task's programs takes."""

    reference: Reference
    times: Mapping[Part, Times]


def digested_bytes(payload: bytes) -> int:
    """Return the length of the value that a `D` frame's payload stands for."""
    return HEAD.unpack(payload[-HEAD.size :])[1]
