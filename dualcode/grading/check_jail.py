"""Runs tests that are Python, on what a candidate returned. In the oracles' jail, behind `oracle_jail.py`.

`oracles` has `record_check` called on the reference, which tells the calls that the tests make, and
`run_check` on the outputs of a candidate that made the same calls in a jail of its own.
"""

import builtins
import contextlib
import marshal
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, ClassVar

from dualcode.grading.oracle_jail import PASSED, SHOWN, Fields, Frame, outcomes, show
from dualcode.sandbox.decoder import CodecError

BUILT_IN: frozenset[Any] = frozenset(kind for kind in vars(builtins).values() if isinstance(kind, type))

SWALLOWED = (StopIteration, StopAsyncIteration, GeneratorExit)
"""What the interpreter takes for the end of a loop: raised by a call in the tests' `map`, it would end them
early. So they see a base of these instead, except in a `raises` that names them."""


def record_check(reference: str, check: str, entry_point: str) -> tuple[str, list[list[Any]]]:
    """Run a `check` on the reference; return the entry point and the arguments of each call.

    Raises CheckFailedError, with the line of the check, for whatever the check raises.
    """
    import random

    own, names = _load(reference), _load(reference)
    function: Callable[..., Any] = own[entry_point]
    calls: list[list[Any]] = []
    returned: Any = None
    swallowed: list[str] = []

    def record(*arguments: Any) -> Any:
        nonlocal returned
        swallowed.clear()
        calls.append(marshal.loads(marshal.dumps(list(arguments), 2)))
        state = random.getstate()
        try:
            returned = function(*arguments)
            return returned
        except BaseException as error:
            swallowed.extend([type(error).__name__] if isinstance(error, SWALLOWED) else [])
            kinds = [type(error), *(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")]
            raise exception([kind.__name__ for kind in kinds], str(error), names) from None
        finally:
            random.setstate(state)

    try:
        _run(names, check, entry_point, record)
    except BaseException as error:
        name, number = type(error).__name__, _line_number(error)
        where = f"line {number}: {_line(error, check)}: " if number else ""
        why = f"{name}: {error}" if str(error) else name
        if own.get(type(returned).__name__) is type(returned):
            why += f"; {entry_point} returned a {type(returned).__name__}, and tests see data, no objects"
        for kind in swallowed[-1:]:
            why += f"; {entry_point} raised {kind}, which tests see as such in `with raises({kind})` alone"
        raise CheckFailedError(f"{where}{why}") from None
    return entry_point, calls


def run_check(
    reference: str, check: str, entry_point: str, inputs: bytes, candidate: bytes, catches: bool
) -> Fields:
    """Run a `check` on what a candidate returned for the calls that `record_check` recorded."""
    names = _load(reference)
    stand_in = StandIn(marshal.loads(inputs), outcomes(candidate), names if catches else None)
    try:
        _run(names, check, entry_point, stand_in)
    except BaseException as error:
        at, got = stand_in.at, stand_in.shown()
        if error is stand_in.raised:
            return (False, at, stand_in.frame.failure(), _line(error, check), None, False)
        if stand_in.failure:
            return (False, at, stand_in.failure, _line(error, check), got, stand_in.whole)
        return (False, at, "wrong output", _line(error, check), got, False)
    if catches and stand_in.failure:  # a bare `except` of the tests took it for an exception
        return (False, stand_in.at, stand_in.failure, None, None, stand_in.whole)
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
        return show(self.value, self.frame)


class NoOutputError(BaseException):
    """There is no output to go on with. Where a bare `except` catches it, `run_check` fails all the same."""


class CheckFailedError(Exception):
    """A check that its own reference does not pass."""


class Raises:
    """`with raises(ValueError): f(0)`, and `match`, a regular expression that the message holds."""

    entered: ClassVar[list["Raises"]] = []
    """Those whose blocks run."""

    def __init__(self, kind: type[BaseException] | tuple[type[BaseException], ...], match: str = "") -> None:
        self.kind = kind
        self.match = match

    def __enter__(self) -> "Raises":
        """Let the block raise."""
        self.entered.append(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> bool:
        """Fail unless it did; another exception passes through."""
        self.entered.remove(self)
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
    raised is of, and none of SWALLOWED but where the tests want it.
    """
    kinds_wanted = [each.kind if isinstance(each.kind, tuple) else (each.kind,) for each in Raises.entered]
    wanted = [kind for each in kinds_wanted for kind in each if issubclass(kind, SWALLOWED)]
    modules = [vars(each) for each in names.values() if isinstance(each, ModuleType)]
    bare = [name.removeprefix("program.") for name in kinds]  # those that only look like Python's
    for name, known in zip(kinds, bare, strict=True):
        for found in (names.get(known), *(space.get(name) for space in (vars(builtins), *modules))):
            if not (isinstance(found, type) and issubclass(found, BaseException)):
                continue
            if issubclass(found, SWALLOWED) and not issubclass(found, (*wanted,)):
                continue
            own = {base.__name__ for base in found.__mro__ if base.__module__ == "builtins"}
            if own <= {*bare}:
                with contextlib.suppress(Exception):  # one that cannot be made of a message alone
                    return _made(found, message)
    return Exception(message)


def _made(kind: type[BaseException], message: str) -> BaseException:
    """Make an exception that says `message`, whatever its class does when it is made or shown."""
    built_in: Any = next(base for base in kind.__mro__ if base in BUILT_IN)
    error: BaseException = built_in.__new__(kind)
    error.args = (message,)
    with contextlib.suppress(Exception):  # it shows what its own `__init__` would have set
        if str(error) == message:
            return error

    def say(_: BaseException) -> str:
        return message

    said = type(kind.__name__, (kind,), {"__str__": say})
    error = built_in.__new__(said)
    error.args = (message,)
    return error


def _load(program: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(compile(program, "<reference>", "exec"), namespace)
    return namespace


def _run(names: dict[str, Any], check: str, entry_point: str, candidate: Callable[..., Any]) -> None:
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
