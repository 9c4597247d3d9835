"""How a run ended: told by the host, from what the server saw of the process and from the frames.

The server reads no frame, since what it reads, the next program could find in its memory. It counts bytes and
the CPU seconds at which they came. A call's limit is held against that count: a frame is what the program
answers to a call and cannot be taken back, so writing one before its time only fixes the answer sooner, and
bytes that are no whole frame count for nothing.
"""

import os
import signal
from bisect import bisect_left
from typing import NamedTuple

from dualcode.sandbox.job import HEAD, VALUE_KINDS, Ending, Job, Ran
from dualcode.sandbox.wire import SLACK, Answer

_CALL_KINDS = frozenset(kind.encode() for kind in VALUE_KINDS | {"R"})
_NAMED = frozenset(signal.Signals)
_ROUNDING = 0.01
"""CPU seconds: the kernel's two counts of a process, by clock and at its end, are not rounded alike."""


class _Told(NamedTuple):
    """What frames say."""

    end: int
    """Where the last whole frame ends."""
    kinds: frozenset[bytes]
    last: bytes
    calls: list[int]
    """Where the frames of calls end that returned or raised."""


def tell(job: Job, answer: Answer, content: bytes) -> Ran:
    """Return what came of a job whose server gave this answer and these bytes."""
    told = _read(content, job.calls.count * (2 if job.capture else 1) + 4)
    if answer.ending is not None:
        ending, detail, killed = answer.ending, answer.detail, True
    else:
        ending, detail, killed = _judge(job, answer, told, whole=told.end == len(content))
    stream = content if told.end == len(content) else content[: told.end]
    return Ran(ending, stream, detail, answer.cpu, answer.wall, answer.peak, killed)


def _read(content: bytes, most: int) -> _Told:
    """Look at no more than `most` frames, nor at any behind the first that says it is the last."""
    kinds = set[bytes]()
    calls = list[int]()
    at, kind = 0, b""
    length = len(content)
    for _ in range(most):
        if at + HEAD.size > length:
            break
        following, size = HEAD.unpack_from(content, at)
        if at + HEAD.size + size > length:
            break
        at, kind = at + HEAD.size + size, following
        kinds.add(kind)
        if kind in _CALL_KINDS:
            calls.append(at)
        elif kind == b"E":
            break
    return _Told(at, frozenset(kinds), kind, calls)


def _judge(job: Job, answer: Answer, told: _Told, *, whole: bool) -> tuple[Ending, str, bool]:
    """Tell how a process ended that the server did not end: the ending, why, and whether it was killed."""
    limits = job.limits
    if os.WIFSIGNALED(answer.status):
        number = os.WTERMSIG(answer.status)
        killed = number == signal.SIGKILL
        if killed and answer.cpu >= limits.total_cpu:
            return "timed_out", f"{limits.total_cpu:g} s of CPU time in all", True
        name = signal.Signals(number).name if number in _NAMED else str(number)
        return "died", f"signal {name}", killed
    if code := os.WEXITSTATUS(answer.status):
        return "died", f"exit code {code}", False
    if not whole or told.last != b"E":
        return "died", "exit code 0 before the end", False
    if b"F" in told.kinds:
        return "unloaded", "", False
    if b"L" in told.kinds:
        limit = _limit(job, len(told.calls))
        # The harness counts from when it last sent frames, at the earliest two arrivals ago: with the last
        # the rest came. Frames of quick calls before may have come with it.
        before = answer.arrivals[-3].until if len(answer.arrivals) > 2 else 0.0
        if answer.cpu - before < limit - _ROUNDING:
            return "died", f"told of a limit, {limit:g} s of CPU time, that it had not reached", False
        return "timed_out", f"{limit:g} s of CPU time for a call", True
    if breach := _find_excess(job, answer, told):
        return "timed_out", breach, False
    return "finished", "", False


def _find_excess(job: Job, answer: Answer, told: _Told) -> str:
    """Return the limit of a call, or of the calls so far, that a run surely broke; '' if it broke none.

    Nobody is blamed for what a busy machine delayed: a call began at the latest by when the frame before had
    come, and had not ended at the earliest while its own had not.
    """
    smallest = min((job.limits.call_cpu, *job.limits.slow_calls.values()))
    if answer.cpu <= smallest + SLACK:
        return ""
    began = first = _come(answer, 1)  # with the first byte, whatever it says, the program is given its calls
    allowed = 0.0
    for index, end in enumerate(told.calls):
        limit, lacking = _limit(job, index), _lacking(answer, end)
        allowed += limit
        if lacking - began > limit + SLACK:
            return f"{limit:g} s of CPU time for a call"
        if lacking - first > allowed + SLACK:
            return f"{allowed:g} s of CPU time for {index + 1} calls"
        began = _come(answer, end)
    return ""


def _limit(job: Job, index: int) -> float:
    return job.limits.slow_calls.get(index, job.limits.call_cpu)


def _come(answer: Answer, end: int) -> float:
    """Return the CPU seconds by which the bytes up to `end` had come."""
    at = bisect_left(answer.arrivals, end, key=lambda each: each.length)
    return answer.arrivals[min(at, len(answer.arrivals) - 1)].by


def _lacking(answer: Answer, end: int) -> float:
    """Return the CPU seconds until which not all bytes up to `end` had come."""
    at = bisect_left(answer.arrivals, end, key=lambda each: each.length)
    return answer.arrivals[at - 1].until if at else 0.0
