"""Compares outputs with what they ought to be. Runs in a jail of its own, in which no candidate's code runs.

`oracles` sends this file behind the codec's halves, as one program, and has `judge`, `record_check` or
`judge_check` called. What a candidate returned is decoded here: made to hang, to fill memory or to crash, it
ends this process, and its program has failed.

`judge` and `judge_check` return `(passed, at, reason, expected, got, whole)`: the fields of a `Judgement`.

The comparison is EvalPlus 0.3.1's (`evalplus.eval.unsafe_execute`), step by step, but for two things: the
oracles see the inputs as they were before the call, and `out` is data, not an object of the candidate's.
"""

import builtins
import contextlib
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

BUILT_IN = frozenset(kind for kind in vars(builtins).values() if isinstance(kind, type))

Finding = tuple[bool, int | None, str | None, str | None, str | None, bool]
PASSED: Finding = (True, None, None, None, None, False)


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
        return {"R": self._raised, "L": lambda: "time-out"}.get(self.kind, lambda: "no output")()

    def _raised(self) -> str:
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


def judge(
    oracle: str, atol: float, count: int, inputs: bytes | None, candidate: bytes, expected: bytes
) -> Finding:
    """Compare two streams of `count` calls, up to the first call that fails."""
    referee = Referee(oracle, atol)
    every = marshal.loads(inputs) if inputs is not None else itertools.repeat([])
    for at, inp, wanted, given in zip(
        range(count), every, outcomes(expected), outcomes(candidate), strict=False
    ):
        finding = referee.look(at, inp, wanted, given)
        if finding is not None:
            return finding
    return PASSED


class Referee:
    """Compares the outputs of one set of tests in order. The tolerance depends on those before."""

    def __init__(self, oracle: str, atol: float) -> None:
        self.oracle = oracle
        self.atol = atol
        self.unseen = False
        """Whether an expected value went by unseen, a digest, that may have been a float."""

    def look(self, at: int, inp: list[Any], wanted: Frame, given: Frame) -> Finding | None:
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
        if self._passes(out, exp, inp):
            return None
        reason = f"returned {_a(out.type_name)} object" if type(out) is Opaque else "wrong output"
        return (False, at, reason, _show(exp, wanted), _show(out, given), self.unseen)

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
        if self.oracle == "not_none":
            exp = exp is not None
        try:
            return self._compare(out, exp, inp)
        except Exception:  # ambiguous, of other shapes, not hashable: EvalPlus fails it
            return False

    def _compare(self, out: Any, exp: Any, inp: list[Any]) -> bool:
        exact = out == exp
        if self.oracle == "find_zero":
            return bool(abs(polynomial(inp[0], out)) <= self.atol)
        exact = ORACLES[self.oracle](exact, out, exp, inp, self.atol)
        if is_floats(exp):
            self._meet_float()
        if exact or self.atol == 0:
            return bool(exact)
        return self._is_close(out, exp)

    def _is_close(self, out: Any, exp: Any) -> bool:
        import numpy

        if type(out) is not type(exp):
            return False
        if _is_sequence(exp) and len(out) != len(exp):
            return False
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


def _is_not_none(_exact: Any, out: Any, exp: Any, _inp: Any, _atol: float) -> Any:
    return out == exp if isinstance(out, bool) else exp == (out is not None)


def _is_surface(exact: Any, out: Any, _exp: Any, inp: list[Any], atol: float) -> Any:
    return exact or abs(out - surface_area(*inp)) <= atol


def _is_distance(exact: Any, out: Any, _exp: Any, inp: list[Any], _atol: float) -> Any:
    return exact or out == digit_distance(*inp)


ORACLES: dict[str, Callable[[Any, Any, Any, Any, float], Any]] = {
    "equal": lambda exact, _out, _exp, _inp, _atol: exact,
    "any": lambda exact, _out, _exp, _inp, _atol: exact or True,
    "sum_div": lambda exact, out, _exp, _inp, _atol: exact or out == 0,
    "surface_area": _is_surface,
    "digit_distance": _is_distance,
    "set": lambda _exact, out, exp, _inp, _atol: set(out) == set(exp),
    "not_none": _is_not_none,
}
"""What EvalPlus makes of `out == exp`, by oracle; `find_zero` goes its own way."""


def _show_frame(frame: Frame) -> str | None:
    if frame.failure() or frame.kind == "D":
        return None
    try:
        return _show(frame.value(), frame)
    except CodecError:
        return None


def _show(value: Any, frame: Frame) -> str:
    """Return a value's repr, cut; what cannot be shown says so."""
    name = type(value).__name__
    if len(frame.payload) > LARGE:
        return f"<{name} of {len(frame.payload)} bytes>"
    try:
        text = repr(value)
    except (ValueError, RecursionError, OverflowError, MemoryError):  # an int of more than 4,300 digits
        return f"<{name} that cannot be shown>"
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _a(name: str) -> str:
    return f"an {name}" if name[:1].lower() in tuple("aeiou") else f"a {name}"


def record_check(reference: str, check: str, entry_point: str) -> tuple[str, list[list[Any]]]:
    """Run a `check` on the reference; return the entry point and the arguments of each call.

    Raises CheckFailedError, with the line of the check, for whatever the check raises.
    """
    import random

    function, names = _load(reference)[entry_point], _load(reference)
    calls: list[list[Any]] = []

    def record(*arguments: Any) -> Any:
        calls.append(marshal.loads(marshal.dumps(list(arguments), 2)))
        state = random.getstate()
        try:
            return function(*arguments)
        except BaseException as error:
            kinds = [type(error), *(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")]
            raise exception([kind.__name__ for kind in kinds], str(error), names) from None
        finally:
            random.setstate(state)

    try:
        _run_check(names, check, entry_point, record)
    except BaseException as error:
        name, number = type(error).__name__, _line_number(error)
        where = f"line {number}: {_line(error, check)}: " if number else ""
        raise CheckFailedError(f"{where}{name}: {error}" if str(error) else f"{where}{name}") from None
    return entry_point, calls


def judge_check(
    reference: str, check: str, entry_point: str, inputs: bytes, candidate: bytes, catches: bool
) -> Finding:
    """Run a `check` on what a candidate returned for the calls that `record_check` recorded."""
    names = _load(reference)
    stand_in = StandIn(marshal.loads(inputs), outcomes(candidate), names if catches else None)
    try:
        _run_check(names, check, entry_point, stand_in)
    except BaseException as error:
        at, got = stand_in.at, stand_in.shown()
        if error is stand_in.raised:
            return (False, at, stand_in.frame.failure(), _line(error, check), None, False)
        if stand_in.failure:
            return (False, at, stand_in.failure, _line(error, check), got, stand_in.whole)
        return (False, at, "wrong output", _line(error, check), got, False)
    return PASSED


class StandIn:
    """Answers the calls of a `check` by what a candidate returned when it got the same arguments."""

    def __init__(
        self, calls: list[list[Any]], given: Iterator[Frame], names: dict[str, Any] | None = None
    ) -> None:
        self.names = names
        """The tests' own, in which the classes of exceptions are looked for; None if none is raised again."""
        self.raised: BaseException | None = None
        """The candidate's last exception, if a test may catch it."""
        self.calls = iter(calls)
        self.given = given
        self.at = -1
        self.frame = Frame()
        self.value: Any = None
        self.failure: str | None = None
        self.whole = False

    def __call__(self, *arguments: Any) -> Any:
        """Return the next output; fail for good where there is none."""
        self.at += 1
        self.frame = next(self.given)
        if self.names is not None and self.frame.kind == "R" and not self.failure:
            self.failure = self._mismatch(arguments)
            if not self.failure:
                self.raised = _told(self.frame.payload, self.names)
                raise self.raised
        self.failure = self.failure or self._mismatch(arguments) or self.frame.failure()
        if self.failure:
            raise NoOutputError(self.failure)
        if self.frame.kind == "D":
            self.failure, self.whole = "wrong output", True
            raise NoOutputError(self.failure)
        try:
            self.value = self.frame.value()
        except CodecError as error:
            self.failure = f"its output cannot be compared: {error}"
            raise NoOutputError(self.failure) from None
        return self.value

    def _mismatch(self, arguments: tuple[Any, ...]) -> str | None:
        recorded = next(self.calls, None)
        same = recorded is not None and marshal.dumps(recorded, 2) == marshal.dumps(list(arguments), 2)
        return None if same else "the tests make another call than with the reference"

    def shown(self) -> str | None:
        """Return the last output for people."""
        if self.failure or self.at < 0 or self.frame.kind == "R":
            return None
        return _show(self.value, self.frame)


class NoOutputError(BaseException):
    """There is no output to go on with; no handler of a test's takes it for its own."""


class CheckFailedError(Exception):
    """A check that its own reference does not pass."""


class Raises:
    """`with raises(ValueError): f(0)`, and `match`, a regular expression that the message holds."""

    def __init__(self, kind: type[BaseException] | tuple[type[BaseException], ...], match: str = "") -> None:
        self.kind = kind
        self.match = match

    def __enter__(self) -> "Raises":
        """Let the block raise."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> bool:
        """Fail unless it did; another exception passes through."""
        if kind is None:
            raise AssertionError("nothing was raised")
        return issubclass(kind, self.kind) and bool(re.search(self.match, str(error)))


def _told(payload: bytes, names: dict[str, Any]) -> BaseException:
    """Return a candidate's exception as the tests see it. A candidate can claim any, as it can raise any."""
    import json

    try:
        name, message, _, *bases = json.loads(payload)
    except (ValueError, TypeError, RecursionError):
        return Exception("")
    return exception([each for each in (name, *bases) if isinstance(each, str)], str(message), names)


def exception(kinds: list[str], message: str, names: dict[str, Any]) -> BaseException:
    """Return an exception as one of a class that the tests know: its own, or the nearest of its bases.

    A class is found by its name: among the tests' own names (the reference's classes, or those that they
    define), in Python, or in a module that they import. It has to be of all built-in classes that what was
    raised is of.
    """
    modules = [vars(each) for each in names.values() if type(each) is type(builtins)]
    for name in kinds:
        for found in (space.get(name) for space in (names, vars(builtins), *modules)):
            if not (isinstance(found, type) and issubclass(found, BaseException)):
                continue
            own = {base.__name__ for base in found.__mro__ if base.__module__ == "builtins"}
            if own <= {*kinds}:
                with contextlib.suppress(Exception):  # one that cannot be made of a message alone
                    return _made(found, message)
    return Exception(message)


def _made(kind: type[BaseException], message: str) -> BaseException:
    """Make an exception that says `message`, whatever its class does when it is made or shown."""
    built_in = next(base for base in kind.__mro__ if base in BUILT_IN)
    error = built_in.__new__(kind)
    error.args = (message,)
    with contextlib.suppress(Exception):  # it shows what its own `__init__` would have set
        if str(error) == message:
            return error
    said = type(kind.__name__, (kind,), {"__str__": lambda _: message})
    error = built_in.__new__(said)
    error.args = (message,)
    return error


def _load(program: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(compile(program, "<reference>", "exec"), namespace)
    return namespace


def _run_check(names: dict[str, Any], check: str, entry_point: str, candidate: Callable[..., Any]) -> None:
    """Run `check(candidate)` where HumanEval does: beside the prompt's helpers and the entry point.

    Tests written by hand call the entry point by its name, at the margin and in functions, and may use
    `raises`.

    The helpers are the reference's. HumanEval takes the candidate's own, so that there one who breaks
    `encode_cyclic` or `poly` is measured with what it broke.
    """
    import random

    names[entry_point] = candidate
    names.setdefault("raises", Raises)
    exec(compile(check, "<check>", "exec"), names)
    random.seed(0)
    names["check"](candidate)


def _line(error: BaseException, check: str) -> str | None:
    """Return the line of the check that was left by an exception."""
    number = _line_number(error)
    return check.splitlines()[number - 1].strip()[:SHOWN] if number else None


def _line_number(error: BaseException) -> int:
    """Return the number of that line; 0 if the check was not reached."""
    number, step = 0, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == "<check>":
            number = step.tb_lineno
        step = step.tb_next
    return number
