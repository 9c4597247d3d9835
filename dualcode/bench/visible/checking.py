"""What came of each visible test: checked outside the jail, from data that nothing here trusts."""

import ast
import doctest
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from dualcode.bench.visible.evaluation import FAULTS, TYPES, constant, equates, evaluate, parse_expression
from dualcode.bench.visible.tests import VisibleTest
from dualcode.sandbox.codec import CodecError, Opaque, decode
from dualcode.sandbox.job import HEAD, VALUE_KINDS, Ending, Frame, Told, told

Outcome = Literal["passed", "failed", "raised", "timed_out", "died", "not_run"]
"""`failed`: another value, text or exception than shown. `raised`: an exception where a value is shown.
`timed_out`, `died`: a limit, or the end of the process, while the test ran. `not_run`: after such an end.
Each but the first is the program's fault; a fault of the sandbox is a SandboxError and no outcome."""

ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")  # another one in each process


@dataclass(frozen=True)
class Event:
    """What one source came to: a frame, and what was printed meanwhile."""

    kind: str
    payload: bytes
    printed: str = ""


@dataclass(frozen=True)
class Checked:
    """One test's outcome, and what there is to say about it."""

    outcome: Outcome
    expected: str = ""
    got: str = ""
    raised: Told | None = None
    printed: str = ""


class _Unseen(Opaque):
    """A value that was not sent whole."""

    def __repr__(self) -> str:
        return self.type_name


def read_events(frames: Iterator[Frame]) -> list[Event]:
    """Return what each source came to, in order."""
    events: list[Event] = []
    for frame in frames:
        if frame.kind in VALUE_KINDS or frame.kind in "RL":
            events.append(Event(frame.kind, frame.payload))
        elif frame.kind == "P" and events:
            last = events[-1]
            events[-1] = Event(last.kind, last.payload, frame.payload.decode("utf-8", "replace"))
    return events


def check_tests(tests: Sequence[VisibleTest], events: Sequence[Event], ending: Ending) -> list[Checked]:
    """Check the tests by the events of their sources: for each test its setup, then its calls."""
    found: list[Checked] = []
    at, ended = 0, False
    for test in tests:
        count = len(test.setup) + len(test.calls)
        own = events[at : at + count]
        at += count
        each = Checked("not_run") if ended else _check_test(test, own, ending)
        ended = ended or each.outcome in ("timed_out", "died")
        found.append(each)
    return found


def _check_test(test: VisibleTest, events: Sequence[Event], ending: Ending) -> Checked:
    if any(event.kind == "L" for event in events):
        return Checked("timed_out")
    setup, calls = events[: len(test.setup)], events[len(test.setup) :]
    if failed := next((event for event in setup if event.kind == "R"), None):
        return Checked("raised", raised=told(failed.payload), printed=failed.printed)
    if test.raises and calls and calls[-1].kind == "R":
        # As doctest does, the type by its last name; but a class that the program calls `ValueError` is none.
        raised, wanted = told(calls[-1].payload), test.message
        own, _, last = raised.type.rpartition(".")
        right_type = last == test.raises.rpartition(".")[2] and own != "program"
        if right_type and (wanted is None or _same_text(wanted, raised.message, doctest.ELLIPSIS)):
            return Checked("passed")
        expected = test.raises if wanted is None else f"{test.raises}: {wanted}"
        return Checked("failed", expected, raised=raised)
    if failed := next((event for event in calls if event.kind == "R"), None):
        expected = "" if test.raises else _expected(test)
        return Checked("raised", expected, raised=told(failed.payload), printed=failed.printed)
    if len(calls) < len(test.calls):
        return Checked("timed_out" if ending == "timed_out" else "died")
    values = {f"_{index}": value_of(event) for index, event in enumerate(calls)}
    printed = "".join(event.printed for event in calls)
    if test.raises:
        return Checked("failed", test.raises, render(values[f"_{len(calls) - 1}"]), printed=printed)
    check = parse_expression(test.check)
    if check is not None and _value(ast.UnaryOp(ast.Not(), check), values, True) is False:
        return Checked("passed")
    value = values["_0"]
    # What a Python prompt would show; but an object's own text, being the program's word, decides nothing.
    shown = printed + ("" if value is None else render(value))
    told_by_data = test.output is not None and not isinstance(value, Opaque)
    if told_by_data and _same_text(test.output or "", shown, test.flags):
        return Checked("passed")
    if test.check:
        return Checked("failed", _expected(test), _got(test, values), printed=printed)
    return Checked("failed", test.output or "", shown)


def value_of(event: Event) -> Any:
    """Return the value in a frame as plain data; an Opaque for what is no data, or too long."""
    if event.kind == "D":
        length = HEAD.unpack_from(event.payload, 32)[1] if len(event.payload) >= 32 + HEAD.size else 0
        return _Unseen(f"a value of {length} bytes")
    try:
        return decode(event.kind, event.payload)
    except CodecError:
        return _Unseen("a value that cannot be read")


def _same_text(want: str, got: str, flags: int) -> bool:
    """Compare text as doctest does; a missing line end at the end is no difference."""
    return doctest.OutputChecker().check_output(f"{want.rstrip()}\n", f"{got.rstrip()}\n", flags)


def _expected(test: VisibleTest) -> str:
    """Say what a test wants: the other side of its comparison, or that its condition holds."""
    if test.output is not None and not test.check:
        return test.output
    node = parse_expression(test.check)
    if equates(node):
        return render(constant(node.comparators[0]), ast.unparse(node.comparators[0]))
    return "None" if test.check == "_0 is None" else ""


def _got(test: VisibleTest, values: Mapping[str, Any]) -> str:
    node = parse_expression(test.check)
    if equates(node):
        value = _value(node.left, values, next(iter(values.values())))
        got = render(value)
        return got if got != _expected(test) else f"{got} (a {type(value).__name__})"
    if test.check == "_0 is None":
        return render(values["_0"])
    pairs = zip(test.calls, values.values(), strict=False)
    return "\n".join(f"{call} returned {render(value)}" for call, value in pairs)


def _value(node: ast.expr, values: Mapping[str, Any], otherwise: Any) -> Any:
    try:
        return evaluate(node, {**TYPES, **values})
    except FAULTS:
        return otherwise


def render(value: Any, otherwise: str = "") -> str:
    """Return a value as Python would write it, the same in every process: sets sorted, no addresses."""
    try:
        return ADDRESS.sub("0x…", _written(value))
    except FAULTS:  # an integer of too many digits, containers too deep
        return otherwise or f"<a {type(value).__name__}>"


def _written(value: Any) -> str:
    kind = cast(type[object], type(value))
    if kind in (list, tuple):
        members = ", ".join(map(_written, value))
        return f"[{members}]" if kind is list else f"({members}{',' if len(value) == 1 else ''})"
    if kind in (set, frozenset):
        members = ", ".join(sorted(map(_written, cast(set[Any], value))))
        text = f"{{{members}}}" if members else "set()"
        return text if kind is set else f"frozenset({text if members else ''})"
    if kind is dict:
        pairs = cast(dict[Any, Any], value).items()
        return "{" + ", ".join(f"{_written(key)}: {_written(each)}" for key, each in pairs) + "}"
    return repr(value)
