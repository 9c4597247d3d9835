"""What a run says of a program: the first failing test decides, and why. Pure functions, no I/O."""

import marshal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dualcode.sandbox.job import VALUE_KINDS, Arguments, Frame, Limits, Ran, Told, frames, told
from dualcode.verdict import Cause, Outcome

SHOWN = 500
"""Characters of a failing input that a verdict keeps."""

_MESSAGE = 200
"""Characters of an exception's message that a verdict keeps."""

_UNCOMPILABLE = ("SyntaxError", "IndentationError", "TabError", "UnicodeEncodeError")

KILLED_BY_KERNEL = "signal SIGKILL"

OWN_WAITING = 8.0
"""Seconds. A program that waited that long of its own choice was ended for it (`Limits.waiting`,
`server.WAITING`), less what may have passed since it was last looked at."""


@dataclass(frozen=True)
class Mismatch:
    """The first output that is not what the reference gave."""

    at: int
    reason: str = "wrong output"
    expected: str | None = None
    got: str | None = None


def outcome(ran: Ran, mismatch: Mismatch | None, calls: Arguments) -> Outcome:
    """Return the outcome of a run whose first wrong output, if any, is `mismatch`.

    A program may have written frames of its own making, so passing takes a value for every call, and no
    frame of another kind before them.
    """
    if mismatch is not None:
        return failed("wrong_output", mismatch.reason, calls, mismatch.at)
    if ran.ending == "unloaded":
        return failed("not_loaded", _reason_at_load(ran.told(), calls.entry_point), calls, None)
    returned = sum(1 for _ in values(ran.stream))
    if ran.ending == "finished" and returned == calls.count:
        return Outcome(status="passed")
    last = next((each for each in ran.frames() if each.kind in "RL"), None)
    return _unfinished(ran, last, returned, calls)


def checked(ran: Ran, mismatch: Mismatch | None, calls: Arguments) -> Outcome:
    """Return the outcome of a run whose calls may raise: tests looked at what came of each, in order.

    `mismatch` is where they failed, if they did.
    """
    ends = ran.returned()
    last = ends[-1] if ends and ends[-1].kind == "L" else None
    if mismatch is None and ran.ending == "finished" and len(ends) == calls.count and last is None:
        return Outcome(status="passed")
    if ran.ending == "unloaded":
        return failed("not_loaded", _reason_at_load(ran.told(), calls.entry_point), calls, None)
    if mismatch is None or (mismatch.at >= len(ends) or ends[mismatch.at].kind == "L"):
        return _unfinished(ran, last, len(ends) - (last is not None), calls)
    if mismatch.at >= 0 and ends[mismatch.at].kind == "R":
        reason = f"raised {describe(told(ends[mismatch.at].payload))}"
        return failed("raised", reason, calls, mismatch.at)
    return failed("wrong_output", mismatch.reason, calls, mismatch.at if mismatch.at >= 0 else None)


def _unfinished(ran: Ran, last: Frame | None, returned: int, calls: Arguments) -> Outcome:
    if last is not None and last.kind == "R":
        return failed("raised", f"raised {describe(told(last.payload))}", calls, returned)
    if last is not None:
        return failed("time_out", "time-out", calls, returned)
    # Frames that were still on their way are lost, so nobody knows which call it was.
    if ran.ending == "timed_out":
        return failed("total_time_out", "time-out (all tests together)", calls, None)
    if ran.ending == "flooded":
        return failed("flooded", "returned more than is read", calls, None)
    how = f" ({ran.detail})" if ran.detail else ""
    return failed("died", f"the process died{how}", calls, None)


def failed(cause: Cause, reason: str, calls: Arguments, at: int | None) -> Outcome:
    """Return a failure on the input `at`; None if no call was made."""
    at = at if at is not None and at < calls.count else None
    shown = None if at is None else shown_input(calls, at)
    return Outcome(status="failed", cause=cause, reason=reason, failing_input=shown, at=at)


def unreadable(program: str, calls: Arguments) -> Outcome | None:
    """Return the failure of a text that is no Unicode, so that no process can be given it; None if it is."""
    try:
        program.encode()
    except UnicodeEncodeError as error:
        where = f"character {error.start} is half of a surrogate pair"
        return failed("not_loaded", f"does not compile: UnicodeEncodeError: {where}", calls, None)
    return None


def may_be_load(ran: Ran, result: Outcome, limits: Limits) -> bool:
    """Whether the machine's load may have failed a program: only what ended it from outside can be load.

    - CPU time: others make a program slower (caches, hyperthreads, stolen time), so a limit of CPU time may
      have ended it too early. Its own word that a call reached its limit (`L`) counts if the kernel has
      counted as much.
    - The clock: it goes on while others run. But it is not load what a program itself waited for.
    - Memory: the kernel kills where the machine has none left, whoever took it.

    Exits, crashes, floods, files, threads and exceptions are a program's own; so is memory up to its limit.
    """
    if result.cause == "died":
        return ran.killed and ran.detail == KILLED_BY_KERNEL
    if result.cause not in ("time_out", "total_time_out"):
        return False
    call = limits.call_cpu if result.at is None else limits.slow_calls.get(result.at, limits.call_cpu)
    waited = ran.wall - ran.cpu - ran.kept
    return (ran.killed or ran.cpu >= call) and waited < OWN_WAITING


def values(stream: bytes) -> Iterator[Frame]:
    """Yield the frames of the values that calls returned, up to the first call that returned none."""
    for each in frames(stream):
        if each.kind in VALUE_KINDS:
            yield each
        elif each.kind not in "BP":
            return


def ends(stream: bytes, *, catches: bool) -> Iterator[Frame]:
    """Yield how calls ended: the `values`, or with `catches` the exceptions between them, too."""
    if not catches:
        return values(stream)
    return (each for each in frames(stream) if each.kind in VALUE_KINDS or each.kind == "R")


def came_through(ran: Ran, calls: Arguments, *, catches: bool = False) -> bool:
    """Whether every call returned a value, or with `catches` raised, and the run ended by itself."""
    return ran.ending == "finished" and sum(1 for _ in ends(ran.stream, catches=catches)) == calls.count


def shown_input(calls: Arguments, at: int, limit: int = SHOWN) -> str | None:
    """Return the arguments of one call as Python would show them, cut; None if there are none.

    The inputs are the benchmark's own, encoded here: they may be decoded without a jail.
    """
    arguments: list[Any] = marshal.loads(calls.encoded)[at]
    if not arguments:
        return None
    try:
        text = ", ".join(repr(argument) for argument in arguments)
    except ValueError:  # an integer of more digits than Python converts
        return "(too long to show)"
    return clean(cut(text, limit))


def describe(said: Told | None) -> str:
    """Return an exception as `type: message`, on one line and cut."""
    if said is None:
        return "an exception"
    text = f"{said.type}: {said.message}" if said.message else said.type
    return clean("".join(char if char.isprintable() else " " for char in cut(text, _MESSAGE)))


def clean(text: str) -> str:
    """Return the text with what is no Unicode replaced: a record must be writable."""
    return text.encode("utf-8", "replace").decode()


def cut(text: str, limit: int) -> str:
    """Return at most `limit` characters, an ellipsis as the last of them if something is missing."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _reason_at_load(said: Told | None, entry_point: str) -> str:
    if said is None:
        return "cannot be loaded"
    text = describe(said)
    if text.startswith(_UNCOMPILABLE) or "null bytes" in text:
        return f"does not compile: {text}"
    if said.type == "NameError" and said.message == f"the program does not define {entry_point!r}":
        return f"does not define {entry_point}"
    return f"cannot be loaded: {text}"
