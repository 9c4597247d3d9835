"""Compares outputs with what they ought to be. Runs in a jail of its own, in which no candidate's code runs.

`oracles` sends this file behind the codec's halves and before `check_jail.py`, as one program, and has
`compare`, or one of the checks, called. What a candidate returned is decoded here: made to hang, to fill
memory or to crash, it ends this process, and its program has failed.

The comparison is EvalPlus 0.3.1's (`evalplus.eval.unsafe_execute`), step by step, but for two things: the
oracles see the inputs as they were before the call, and `out` is data, not an object of the candidate's.
"""

import itertools
import marshal
import math
import re
import struct
from collections.abc import Callable, Iterator
from typing import Any

from dualcode.sandbox.decoder import CodecError, Opaque, decode

HEAD = struct.Struct("<cI")
VALUES = frozenset("VGDO")
ENDS = frozenset("RL")
SHOWN = 2000
"""Characters of a value that are kept for people."""

LARGE = 1 << 20
"""Bytes of a payload above which a value is not shown."""

FLOAT_ATOL = 1e-6
"""The tolerance from the first expected float on, where a task has none."""

RTOL = 1e-07

NAN = re.compile(rb"[gy].{6}[\xf0-\xff][\x7f\xff]|y.{14}[\xf0-\xff][\x7f\xff]", re.DOTALL)
"""What stands in a `V` payload with a NaN or an infinity, and seldom in another."""

Fields = tuple[bool, int | None, str | None, str | None, str | None, bool]
"""`(passed, at, reason, expected, got, whole)`: the fields of a `Compared`."""

PASSED: Fields = (True, None, None, None, None, False)


class Frame:
    """One call's outcome: the frame of its value or of its end; no kind where the stream was cut."""

    def __init__(self, kind: str = "", payload: bytes = b"") -> None:
        self.kind = kind
        self.payload = payload

    def value(self) -> Any:
        """Return the value; a CodecError if there is none to be had."""
        return decode(self.kind, self.payload)

    def failure(self) -> str | None:
        """Say why there is no value."""
        if self.kind in VALUES:
            return None
        if self.kind != "R":
            return "time-out" if self.kind == "L" else "no output"
        import json  # seldom needed, and loading it takes longer than comparing

        try:
            name, message, *_ = json.loads(self.payload)
        except (ValueError, TypeError, RecursionError):
            return "raised an exception"
        return f"raised {name}: {message}"[:SHOWN] if message else f"raised {name}"[:SHOWN]


def outcomes(stream: bytes) -> Iterator[Frame]:
    """Yield the outcomes of the calls in order, then empty ones without end."""
    at = 0
    while at + HEAD.size <= len(stream):
        kind, length = HEAD.unpack_from(stream, at)
        at += HEAD.size + length
        name = kind.decode("latin-1")
        if (name in VALUES or name in ENDS) and at <= len(stream):
            yield Frame(name, stream[at - length : at])
    while True:
        yield Frame()


def compare(
    oracle: str, atol: float, count: int, inputs: bytes | None, candidate: bytes, expected: bytes
) -> Fields:
    """Compare two streams of `count` calls, up to the first call that fails."""
    referee = Referee(oracle, atol)
    every = marshal.loads(inputs) if inputs is not None else itertools.repeat([])
    for at, inp, wanted, given in zip(
        range(count), every, outcomes(expected), outcomes(candidate), strict=False
    ):
        found = referee.look(at, inp, wanted, given)
        if found is not None:
            return found
    return PASSED


class Referee:
    """Compares the outputs of one set of tests in order. The tolerance depends on those before."""

    def __init__(self, oracle: str, atol: float) -> None:
        self.oracle = oracle
        self.atol = atol
        self.unseen = False
        """Whether an expected value went by unseen, a digest, that may have been a float."""

    def look(self, at: int, inp: list[Any], wanted: Frame, given: Frame) -> Fields | None:
        """Compare one call's output; return what is wrong."""
        failure = given.failure() or (wanted.failure() and "there is no expected output")
        if failure:
            return (False, at, failure, _show_frame(wanted), None, False)
        if self._passes_unread(wanted, given):
            return None
        if "D" in (wanted.kind, given.kind):
            return (False, at, "wrong output", None, None, True)
        try:
            out, exp = given.value(), wanted.value()
        except CodecError as error:
            return (False, at, f"its output cannot be compared: {error}", _show_frame(wanted), None, False)
        try:
            if self._passes(out, exp, inp):
                return None
        except Exception:  # ambiguous, of other shapes, not hashable: EvalPlus fails it
            pass
        reason = "wrong output"
        if type(out) is Opaque:
            article = "an" if out.type_name[:1].lower() in tuple("aeiou") else "a"
            reason = f"returned {article} {out.type_name} object"
        return (False, at, reason, show(exp, wanted), show(out, given), self.unseen)

    def _passes_unread(self, wanted: Frame, given: Frame) -> bool:
        """Whether the frames alone tell that the output passes."""
        if self.oracle == "not_none" and given.kind == "D":
            return wanted.kind != "V" or wanted.payload != b"N"
        if (given.kind, given.payload) != (wanted.kind, wanted.payload):
            return False
        if wanted.kind == "D":
            self.unseen = self.atol == 0
            return self.oracle != "find_zero"
        if self.oracle != "equal" or wanted.kind != "V" or NAN.search(wanted.payload):
            return False
        if _holds_floats(wanted.payload):
            self._meet_float()
        return True

    def _passes(self, out: Any, exp: Any, inp: list[Any]) -> bool:
        """Whether EvalPlus passes a value; whatever comparing it raises fails it."""
        if self.oracle == "not_none":
            exp = exp is not None
        exact = out == exp
        if self.oracle == "find_zero":
            return bool(abs(polynomial(inp[0], out)) <= self.atol)
        exact = ORACLES[self.oracle](exact, out, exp, inp, self.atol)
        if is_floats(exp):
            self._meet_float()
        if exact or self.atol == 0:
            return bool(exact)
        if type(out) is not type(exp) or (_is_sequence(exp) and len(out) != len(exp)):
            return False
        import numpy

        if not (numpy.size(out) and numpy.size(exp)) and numpy.shape(out) != numpy.shape(exp):
            return False  # numpy finds nothing that differs in them: it broadcasts to no elements
        return bool(numpy.allclose(out, exp, rtol=RTOL, atol=self.atol))

    def _meet_float(self) -> None:
        if self.atol == 0:
            self.atol = FLOAT_ATOL


def is_floats(value: Any) -> bool:
    """Whether a value is a float, a list or tuple of floats, or an array of them."""
    if isinstance(value, float):
        return True
    if _is_sequence(value) and value:
        return all(isinstance(each, float) for each in value)
    return type(value).__name__ == "ndarray" and str(value.dtype) in ("float64", "float32")


def _is_sequence(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _holds_floats(payload: bytes) -> bool:
    """Whether a `V` payload is a float or a list or tuple of floats."""
    if payload[:1] == b"g":
        return True
    return (
        payload[:1] in (b"[", b"(")
        and len(payload) > 5
        and len(payload) % 9 == 5
        and payload[5::9] == b"g" * (len(payload) // 9)
    )


def polynomial(coefficients: list[Any], x: Any) -> Any:
    """Return the value of a polynomial at x, the coefficient of the lowest power first."""
    return sum([coefficient * math.pow(x, power) for power, coefficient in enumerate(coefficients)])


def surface_area(edge: Any, height: Any) -> Any:
    """Return the rounded surface of a square pyramid; `height` is that of the apex above the base."""
    slant = math.sqrt((edge / 2) ** 2 + height**2)
    return round(edge**2 + 4 * (edge * slant) / 2)


def digit_distance(one: Any, other: Any) -> int:
    """Return the sum of the differences of two numbers' digits, the shorter filled up with zeros."""
    width = max(len(str(one)), len(str(other)))
    digits = zip(str(one).zfill(width), str(other).zfill(width), strict=True)
    return sum(abs(int(left) - int(right)) for left, right in digits)


ORACLES: dict[str, Callable[[Any, Any, Any, Any, float], Any]] = {
    "equal": lambda exact, _out, _exp, _inp, _atol: exact,
    "any": lambda exact, _out, _exp, _inp, _atol: exact or True,
    "sum_div": lambda exact, out, _exp, _inp, _atol: exact or out == 0,
    "surface_area": lambda exact, out, _exp, inp, atol: exact or abs(out - surface_area(*inp)) <= atol,
    "digit_distance": lambda exact, out, _exp, inp, _atol: exact or out == digit_distance(*inp),
    "set": lambda _exact, out, exp, _inp, _atol: set(out) == set(exp),
    "not_none": lambda _exact, out, exp, _inp, _atol: (
        out == exp if isinstance(out, bool) else exp == (out is not None)
    ),
}
"""What EvalPlus makes of `out == exp`, by oracle; `find_zero` goes its own way."""


def _show_frame(frame: Frame) -> str | None:
    if frame.failure() or frame.kind == "D":
        return None
    try:
        return show(frame.value(), frame)
    except CodecError:
        return None


def show(value: Any, frame: Frame) -> str:
    """Return a value's repr, cut; what cannot be shown says so."""
    name = type(value).__name__
    if len(frame.payload) > LARGE:
        return f"<{name} of {len(frame.payload)} bytes>"
    try:
        text = repr(value)
    except (ValueError, RecursionError, OverflowError, MemoryError):  # an int of more than 4,300 digits
        return f"<{name} that cannot be shown>"
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
