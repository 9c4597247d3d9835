"""EvalPlus 0.3.1's own verdicts, without its fat parent: the peer that parity is measured against.

`evalplus.evaluate` forks each check from a process that holds every task's data, up to 2.4 GB. Here a lean
child forks a *bench* for each task, which holds that task alone, and the bench calls `untrusted_check` with
the settings of the command: so a check costs milliseconds, and what a candidate inherits does not count
against its memory. Everything else is EvalPlus's, the depth of the stack included.

    with Peer() as peer:
        for side in peer.check("mbpp", row, programs): ...

Requests go as JSON lines to the child's stdin, replies come as JSON lines from what was its stdout:

    request   {"form": "humaneval" | "mbpp", "problem": {the benchmark's row}, "programs": ["…", …]}
    reply     a line for each program, {"base": side, "plus": side};   or   {"error": "…"}
    side      {"status": "pass" | "fail" | "timeout", "done": how many tests were finished, "seconds": …}
"""

import contextlib
import functools
import inspect
import json
import multiprocessing
import os
import pickle
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

import psutil

import dualcode
from dualcode.suites import evalplus

Side = dict[str, Any]

MEMORY_BYTES = 4 << 30
"""What a candidate may map beyond what it inherits: EvalPlus's default limit."""

DEPTH = 29
"""On which level of the stack the candidate's function runs under the command `evalplus.evaluate`: its frame
28, and a call through C that counts as well. Measured: there a function can call itself 969 times below the
candidate's own frame, and not 970 times. It decides which recursions reach Python's limit."""


class Tests(NamedTuple):
    """One set of tests as `untrusted_check` takes it."""

    inputs: list[Any]
    expected: list[Any]
    seconds: list[float]
    """The reference's time on each input."""


class Peer:
    """A child process that checks programs as `evalplus.evaluate` does, one at a time."""

    def __init__(self) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="dualcode-peer-", ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-s", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self._scratch.name,
            env=_environment(self._scratch.name),
        )

    def check(self, form: str, row: Mapping[str, Any], programs: Sequence[str]) -> Iterator[dict[str, Side]]:
        """Yield the sides of each program; a RuntimeError if the child cannot check the task."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"form": form, "problem": row, "programs": programs}
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        for _ in programs:
            reply = json.loads(self._process.stdout.readline() or b'{"error": "the child died"}')
            if "error" in reply:
                raise RuntimeError(f"{row['task_id']}: {reply['error']}")
            yield reply

    def close(self) -> None:
        """End the child and remove its scratch folder."""
        self._process.kill()
        self._process.communicate()
        self._scratch.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _environment(scratch: str) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": scratch,
        "TMPDIR": scratch,
        "PYTHONPATH": str(Path(dualcode.__file__).parent.parent),
        "PYTHONHASHSEED": "0",  # EvalPlus leaves it to chance; then its verdicts on set orders are chance
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def main() -> None:
    """Answer requests until stdin ends; candidates get neither stdin nor stdout."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    evalplus.checker()
    os.dup2(null, 2)  # EvalPlus's guard breaks its own cleaning up, loudly
    multiprocessing.set_start_method("fork")  # what EvalPlus relies on
    for line in requests:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            pid = os.fork()
            if pid == 0:
                tempfile.tempdir = scratch
                _run_bench(json.loads(line), requests, replies)
            os.waitpid(pid, 0)


def _run_bench(request: dict[str, Any], requests: BinaryIO, replies: BinaryIO) -> None:
    os.register_at_fork(after_in_child=functools.partial(_be_candidate, (requests, replies)))

    def tell(reply: dict[str, Any]) -> None:
        replies.write(json.dumps(reply).encode() + b"\n")
        replies.flush()

    try:
        checks = prepare(request["form"], request["problem"])
        for program in request["programs"]:
            tell({name: check(program) for name, check in checks.items()})
    except BaseException as error:
        tell({"error": f"{type(error).__name__}: {error}"})
    os._exit(0)


def _be_candidate(streams: Sequence[BinaryIO]) -> None:
    for stream in streams:
        os.close(stream.fileno())
    random.seed(0)  # after `random` itself, which seeds every fork by chance


def prepare(form: str, row: dict[str, Any]) -> dict[str, Callable[[str], Side]]:
    """Compute the expected outputs as the command does, and return the check of each set of tests."""
    return {
        name: functools.partial(check, form, row, _tests(form, row, row[f"{name}_input"]))
        for name in ("base", "plus")
    }


def _tests(form: str, row: dict[str, Any], inputs: list[Any]) -> Tests:
    if form == "mbpp":
        inputs = evalplus.deserialize_mbpp(row["task_id"], inputs)
    outputs, seconds = evalplus.run_reference(
        row["prompt"] + row["canonical_solution"],
        inputs,
        row["entry_point"],
        not_none=form == "mbpp" and evalplus.only_not_none(row["entry_point"]),
    )
    # EvalPlus's process pool copies both: no object, such as a NaN, is in an input and expected as well.
    return Tests(*pickle.loads(pickle.dumps((inputs, outputs, seconds))))


def check(form: str, row: dict[str, Any], tests: Tests, program: str) -> Side:
    """Run a program on one set of tests in a process of its own."""
    inherited = psutil.Process().memory_info().vms
    os.environ["EVALPLUS_MAX_MEMORY_BYTES"] = str(MEMORY_BYTES + inherited)
    started = time.monotonic()
    status, details = _at_depth(functools.partial(_check, form, row, tests, program))
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:  # what a candidate left behind
            pass
    return {"status": status, "done": len(details), "seconds": round(time.monotonic() - started, 3)}


def _check(form: str, row: dict[str, Any], tests: Tests, program: str) -> tuple[str, list[bool]]:
    return evalplus.checker().untrusted_check(
        form,
        program,
        tests.inputs,
        row["entry_point"],
        expected=tests.expected,
        atol=row["atol"],
        ref_time=tests.seconds,
        fast_check=True,
    )


_BELOW = 11
"""Frames from `_check` to the candidate's function, both included."""


def _at_depth(work: Callable[[], Any]) -> Any:
    """Do the work so far down the stack that the candidate's function runs on level `DEPTH`."""
    return _deeper(DEPTH - _BELOW - _here(), work)


def _here() -> int:
    frame, depth = inspect.currentframe(), -1
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    return depth


def _deeper(frames: int, work: Callable[[], Any]) -> Any:
    return _deeper(frames - 1, work) if frames > 1 else work()


if __name__ == "__main__":
    main()
