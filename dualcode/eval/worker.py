"""The grader's child process: checks programs with EvalPlus's own functions.

Requests come as JSON lines on stdin, replies go as JSON lines to what was stdout; candidates get neither.

    request   {"form": "humaneval" | "mbpp" | "check", "problem": {the benchmark's row}, "program": "…"}
    reply     {"base": side, "plus": side | null}   or   {"error": "…"}
    side      {"passed": bool, "reason": "…" | null, "failing_input": "…" | null, "again": bool}

`again` says that the failure may be the machine's load: a time-out, or a process that died.

Three processes stand in a row. This one is lean and outlives every request. It forks a *bench* for each
request, which reads the inputs and computes the expected outputs. The bench calls `untrusted_check`, which
forks the candidate's process. So a candidate inherits little memory, and what a task needed is gone with
its bench. EvalPlus counts what a candidate inherits against its 4 GiB; here it has 4 GiB of its own.
"""

import contextlib
import json
import mmap
import multiprocessing
import os
import pickle
import random
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from typing import Any, BinaryIO, NamedTuple

import psutil

from dualcode.eval import upstream

MEMORY_BYTES = 4 << 30
"""What a candidate may map beyond what it inherits: EvalPlus's default limit."""

FACTOR = 4.0
"""EvalPlus's `gt_time_limit_factor`: a limit is that often the reference's time."""

OVERALL_GRACE = 2.0
"""Seconds that `untrusted_check` waits beyond the sum of the limits, or 60, when it stops at a failure."""

CHECK_LIMIT = 3.0
"""HumanEval's own time limit for a task's whole test, in seconds."""

MISSING_FRAMES = 8
"""How much deeper than here EvalPlus's stack is where it calls the candidate: 28 frames under its command.
That decides which recursions reach Python's limit."""

_UNCOMPILABLE = ("SyntaxError", "IndentationError", "TabError", "UnicodeEncodeError")
_CHECK = "_dualcode_check"
_ORACLES = {"humaneval": "humaneval", "mbpp": "mbpp", "check": "humaneval"}


class Tests(NamedTuple):
    """One set of tests as `untrusted_check` takes it."""

    inputs: list[Any]
    expected: list[Any]
    seconds: list[float]
    """The reference's time on each input."""
    least_limit: float = 1.0
    """EvalPlus's `min_time_limit`."""


class Problem(NamedTuple):
    """A task, ready to be checked."""

    oracles: str
    """Whose special oracles hold: EvalPlus's name of the data set."""
    entry_point: str
    program: str
    called: str
    """The function that the tests call: the entry point, or the wrapper of HumanEval's `check`."""
    base: Tests
    plus: Tests | None
    atol: float


class Witness:
    """Memory shared with the candidate's process, in which it notes what the verdict alone does not say.

    Layout: how often a guarded block was entered (1: the program was loaded, n + 1: input n was called);
    for the exception that left the last one, its line inside HumanEval's `check` (or 0), its length and its
    text. The candidate could write here too: the notes explain a verdict and never make one.
    """

    _HEAD = struct.Struct("=III")
    _SIZE = 1024

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, self._SIZE)

    @property
    def entered(self) -> int:
        """How many guarded blocks were entered."""
        return self._HEAD.unpack_from(self._memory)[0]

    @property
    def line(self) -> int:
        """The line of the program at which its `check` was left by an exception, or 0."""
        return self._HEAD.unpack_from(self._memory)[1]

    @property
    def note(self) -> str:
        """The exception that left the last guarded block, or ''."""
        end = self._HEAD.size + self._HEAD.unpack_from(self._memory)[2]
        text = self._memory[self._HEAD.size : min(end, self._SIZE)].decode("utf-8", "replace")
        return "".join(char if char.isprintable() else " " for char in text)

    def watching(self, swallow_io: Callable[[], Any]) -> Callable[[], Any]:
        """Wrap EvalPlus's `swallow_io`, which it puts around the loading and around each call."""

        @contextlib.contextmanager
        def watched() -> Generator[None]:
            with swallow_io():
                self._write(self.entered + 1, 0, b"")
                try:
                    yield
                except BaseException as error:
                    with contextlib.suppress(BaseException):  # it may be a MemoryError, or hostile
                        self._write(self.entered, _line_in_check(error), _describe(error))
                    raise

        return watched

    def _write(self, entered: int, line: int, text: bytes) -> None:
        text = text[: self._SIZE - self._HEAD.size]
        self._memory[: self._HEAD.size] = self._HEAD.pack(entered, line, len(text))
        self._memory[self._HEAD.size : self._HEAD.size + len(text)] = text


def _line_in_check(error: BaseException) -> int:
    step = error.__traceback__
    while step is not None and step.tb_frame.f_code.co_name != "check":
        step = step.tb_next
    return step.tb_lineno if step else 0


def _describe(error: BaseException) -> bytes:
    """Name an exception and its message, without running code of a class that a candidate wrote."""
    name, told = type(error).__name__, error.args[:1]
    message = f": {told[0]}" if told and type(told[0]) in (str, int) else ""
    return f"{name}{message}"[:200].encode("utf-8", "replace")


def main() -> None:
    """Answer requests until stdin ends."""
    requests, replies = _claim_streams()
    _load()
    replies.write(b'{"ready": true}\n')
    replies.flush()
    for line in requests:
        replies.write(_answer(line, (requests, replies)) + b"\n")
        replies.flush()


def _claim_streams() -> tuple[BinaryIO, BinaryIO]:
    """Take stdin and stdout for the protocol and leave the null device in their places and for stderr."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)
    return requests, replies


def _load() -> None:
    """Import what checking needs, once, before the forks; clear what a candidate should not find."""
    upstream.checker()
    multiprocessing.set_start_method("fork")  # what EvalPlus relies on
    sys.path[:] = [entry for entry in sys.path if entry != os.environ.get("PYTHONPATH")]
    os.environ.pop("PYTHONPATH", None)


def _answer(line: bytes, streams: tuple[BinaryIO, BinaryIO]) -> bytes:
    """Check one request in a bench of its own, in a scratch folder that goes with it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        return _in_bench(lambda: _check_request(line, scratch), streams)


def _in_bench(work: Callable[[], dict[str, Any]], streams: tuple[BinaryIO, BinaryIO]) -> bytes:
    """Run `work` in a forked process and return its result as JSON; say so if it dies."""
    receiving, sending = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(receiving)
        _run_bench(work, sending, streams)
    os.close(sending)
    with os.fdopen(receiving, "rb") as pipe:
        reply = pipe.read()
    _, status = os.waitpid(pid, 0)
    if status or not reply:
        return json.dumps({"error": f"the checking process died ({_ending(status)})"}).encode()
    return reply


def _run_bench(work: Callable[[], dict[str, Any]], sending: int, streams: tuple[BinaryIO, BinaryIO]) -> None:
    """Be the bench; what it forks is a candidate, which keeps none of the protocol's descriptors."""
    inherited = (sending, *(stream.fileno() for stream in streams))

    def be_candidate() -> None:
        for descriptor in inherited:
            os.close(descriptor)
        random.seed(0)  # after `random` itself, which seeds every fork by chance

    os.register_at_fork(after_in_child=be_candidate)
    try:
        result = _deeper(MISSING_FRAMES - 1, work)
    except BaseException as error:
        result = {"error": f"the task cannot be checked: {_describe(error).decode('utf-8', 'replace')}"}
    with os.fdopen(sending, "wb") as pipe:
        pipe.write(json.dumps(result).encode())
    os._exit(0)


def _deeper(frames: int, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do the work so many frames down the stack, and one for this."""
    return _deeper(frames - 1, work) if frames else work()


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def _check_request(line: bytes, scratch: str) -> dict[str, Any]:
    tempfile.tempdir = scratch
    request: dict[str, Any] = json.loads(line)
    problem = prepare(request["form"], request["problem"], request["program"])
    return {
        "base": check(problem, problem.base),
        "plus": check(problem, problem.plus) if problem.plus else None,
    }


def prepare(form: str, row: dict[str, Any], program: str) -> Problem:
    """Return a program and its tests, expected outputs computed as `evalplus.evaluate` computes them."""
    entry_point: str = row["entry_point"]
    if form == "check":
        program, tests = f"{program}\n{row['test']}\n{_wrapper(entry_point)}", _tests_of_check()
        return Problem(_ORACLES[form], entry_point, program, _CHECK, tests, None, 0)
    base, plus = (_tests(form, row, row[key]) for key in ("base_input", "plus_input"))
    return Problem(_ORACLES[form], entry_point, program, entry_point, base, plus, row["atol"])


def _wrapper(entry_point: str) -> str:
    return f"def {_CHECK}():\n    check({entry_point})\n    return True\n"


def _tests_of_check() -> Tests:
    return Tests(inputs=[[]], expected=[True], seconds=[0.0], least_limit=CHECK_LIMIT)


def _tests(form: str, row: dict[str, Any], inputs: list[Any]) -> Tests:
    if form == "mbpp":
        inputs = upstream.deserialize_mbpp(row["task_id"], inputs)
    outputs, seconds = upstream.run_reference(
        row["prompt"] + row["canonical_solution"],
        inputs,
        row["entry_point"],
        not_none=form == "mbpp" and upstream.only_not_none(row["entry_point"]),
    )
    # EvalPlus's process pool copies both: no object, such as a NaN, is in an input and expected as well.
    inputs, expected = pickle.loads(pickle.dumps((inputs, outputs)))
    return Tests(inputs, expected, seconds)


def check(problem: Problem, tests: Tests) -> dict[str, Any]:
    """Run the program on the tests in a process of its own and return the reply's side."""
    evalplus, witness = upstream.checker(), Witness()
    original = evalplus.swallow_io
    evalplus.swallow_io = witness.watching(original)
    _limit_memory()
    started = time.monotonic()
    try:
        status, details = evalplus.untrusted_check(
            problem.oracles,
            problem.program,
            tests.inputs,
            problem.called,
            expected=tests.expected,
            atol=problem.atol,
            ref_time=tests.seconds,
            fast_check=True,
            min_time_limit=tests.least_limit,
            gt_time_limit_factor=FACTOR,
        )
    finally:
        evalplus.swallow_io = original
    if status == "pass":
        return _side()
    return _explain(problem, tests, status, len(details), witness, time.monotonic() - started)


def _limit_memory() -> None:
    """Tell EvalPlus the limit that leaves a candidate its due beyond what it inherits from this process."""
    inherited = psutil.Process().memory_info().vms
    os.environ["EVALPLUS_MAX_MEMORY_BYTES"] = str(MEMORY_BYTES + inherited)


def _side(
    reason: str | None = None, failing_input: str | None = None, *, again: bool = False
) -> dict[str, Any]:
    return {"passed": reason is None, "reason": reason, "failing_input": failing_input, "again": again}


def _explain(
    problem: Problem, tests: Tests, status: str, done: int, witness: Witness, elapsed: float
) -> dict[str, Any]:
    """Return the side of a failure: `done` tests were finished, the last of them is the failed one."""
    if status == "timeout":
        at = done if witness.entered > 1 else None
        limits = sum(max(tests.least_limit, FACTOR * seconds) for seconds in tests.seconds)
        over = elapsed >= min(60.0, limits) + OVERALL_GRACE
        reason = "time-out (all tests together)" if over else "the process died"
        return _side(reason, _shown(tests, at), again=True)
    if done == 0 < len(tests.inputs) < witness.entered:
        return _side("EvalPlus 0.3.1 passes no program here: its oracle does not record the tests")
    if done == 0:
        return _side(_reason_at_load(problem, witness.note))
    slow = witness.note.startswith("TimeoutException")
    reason = "time-out" if slow else _reason_at_call(problem, witness)
    return _side(reason, _shown(tests, done - 1), again=slow)


def _reason_at_load(problem: Problem, note: str) -> str:
    if note.startswith(_UNCOMPILABLE) or "null bytes" in note:
        return f"does not compile: {note}"
    if note == f"KeyError: {problem.called}":
        return f"does not define {problem.entry_point}"
    return f"cannot be loaded: {note or 'unknown error'}"


def _reason_at_call(problem: Problem, witness: Witness) -> str:
    if problem.called != _CHECK:
        return f"raised {witness.note}" if witness.note else "wrong output"
    if witness.note == f"NameError: name '{problem.entry_point}' is not defined":
        return f"does not define {problem.entry_point}"
    lines = problem.program.split("\n")
    shown = lines[witness.line - 1].strip()[:300] if 0 < witness.line <= len(lines) else ""
    if witness.note.startswith("AssertionError"):
        return f"wrong output: {shown}"
    return f"raised {witness.note} at {shown}"


def _shown(tests: Tests, index: int | None) -> str | None:
    """Return the arguments of one input as Python would show them, cut to 500 characters."""
    if index is None or index >= len(tests.inputs) or not tests.inputs[index]:
        return None
    try:
        text = ", ".join(repr(argument) for argument in tests.inputs[index])
    except ValueError:  # an integer of more digits than Python converts
        return "(too long to show)"
    return text if len(text) <= 500 else text[:499] + "…"


if __name__ == "__main__":
    main()
