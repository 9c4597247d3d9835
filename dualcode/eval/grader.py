"""Graders: a program in, a verdict out.

`EvalPlusGrader` asks EvalPlus 0.3.1 itself, through child processes (`worker.py`): its `untrusted_check`
with the settings of `evalplus.evaluate` without options (it stops at the first failure; a test may take
max(1 s, 4 times the reference's time), all together min(60 s, sum) + 2 s; base and plus apart), expected
outputs from its own runner of the reference, computed per task when the task is graded.

Where verdicts differ from `evalplus.evaluate`, and where one would wish that they did:

- HumanEval/32 can never pass in 0.3.1: the special oracle of `find_zero` does not record that a test was
  done. Here it fails just so, for EvalPlus's sake, though the reference solution is right.
- Memory: EvalPlus counts what a candidate inherits from a parent of up to 2.4 GB against its limit of
  4 GiB, so Mbpp/255 fails there, and now and then a task that the same process checks after it (Mbpp/392,
  Mbpp/630). Here a candidate has 4 GiB of its own.
- Hash seed and `random` start from a fixed state, so that a program which depends on them is judged the
  same way each time; EvalPlus leaves both to chance.
- A time-out, or a process that died, is tried once more with nothing else in this grader running.
- `humaneval-base` runs HumanEval's own `check(candidate)` under HumanEval's limit of 3 s through the same
  function; loading the program is not part of the 3 s.

What protects the machine from a candidate today: a process of its own with EvalPlus's guard (a 4 GiB
limit, some functions of `os`, `shutil` and `subprocess` taken away, no `open`, no stdin), an environment
without the user's variables, an empty scratch folder, no way to the terminal. That stops accidents. It does
not stop an attack: a hostile program can read files, use the network, start processes, and forge a pass.
Grade models that you trust not to attack, or run dualcode in a container.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import dualcode
from dualcode.errors import GraderError
from dualcode.eval.suites import Suite
from dualcode.verdict import Outcome, Verdict

START_SECONDS = 60.0
"""How long a worker may take to import EvalPlus."""

DEADLINE_SECONDS = 240.0
"""How long a worker may take for one program: two overall limits of 62 s, the slowest reference (15 s on
a quiet machine), and slack. Beyond it the worker is at fault, not the program."""


class Grader(Protocol):
    """Judges programs."""

    async def grade(self, task_id: str, program: str) -> Verdict:
        """Return the verdict on a program; an errored one where grading broke.

        Raises UnknownNameError for a task that the suite lacks, GraderError if nothing can be graded at all.
        """
        ...

    async def close(self) -> None:
        """End what runs and free what is held; may be called twice."""
        ...


def default_workers() -> int:
    """Return half of the cores that this process may use, as EvalPlus does: the other half generates."""
    return max(1, len(os.sched_getaffinity(0)) // 2)


class EvalPlusGrader:
    """Grades with EvalPlus's own functions in `workers` child processes, each started when first needed.

    Use it as a context manager, or `close` it.
    """

    def __init__(
        self, suite: Suite, workers: int | None = None, *, deadline: float = DEADLINE_SECONDS
    ) -> None:
        self._suite = suite
        self._size = workers or default_workers()
        self._idle: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        self._workers = [_Worker(deadline) for _ in range(self._size)]
        self._quiet = asyncio.Lock()
        self._closed = False
        for worker in self._workers:
            self._idle.put_nowait(worker)

    async def grade(self, task_id: str, program: str) -> Verdict:
        """Return the verdict on a program; an errored one if its worker died or hung.

        Raises UnknownNameError for a task that the suite lacks, and GraderError if the grader is closed or
        its workers cannot start.
        """
        self._suite.task(task_id)
        async with self._one() as worker:
            reply = await self._ask(worker, self._request(task_id, program))
        if _may_be_load(reply):
            async with self._alone() as worker:
                reply = await self._ask(worker, self._request(task_id, program))
        return self._verdict(task_id, reply)

    async def close(self) -> None:
        """Kill the workers, whatever they do, and remove their scratch folders."""
        self._closed = True
        await asyncio.gather(*(worker.stop() for worker in self._workers))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _request(self, task_id: str, program: str) -> bytes:
        hidden = self._suite.hidden[task_id]
        head = json.dumps({"form": hidden.form, "program": program})[:-1].encode()
        return head + b', "problem": ' + hidden.row.strip() + b"}\n"

    @contextlib.asynccontextmanager
    async def _one(self) -> AsyncGenerator["_Worker"]:
        """Hold one worker."""
        worker = await self._idle.get()
        try:
            yield worker
        finally:
            self._idle.put_nowait(worker)

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncGenerator["_Worker"]:
        """Hold all workers, so that nothing else is graded meanwhile, and give one of them."""
        async with contextlib.AsyncExitStack() as held:
            await held.enter_async_context(self._quiet)
            workers = [await held.enter_async_context(self._one()) for _ in range(self._size)]
            yield workers[-1]

    async def _ask(self, worker: "_Worker", request: bytes) -> dict[str, Any]:
        """Return the worker's reply, or one with `error` if this request broke it."""
        if self._closed:
            raise GraderError("the grader is closed")
        await worker.start()
        try:
            return await worker.ask(request)
        except GraderError as error:
            await worker.stop()
            return {"error": error.message}
        except BaseException:  # cancelled: the worker is in the middle of a request that nobody waits for
            await asyncio.shield(worker.stop())
            raise

    def _verdict(self, task_id: str, reply: dict[str, Any]) -> Verdict:
        if "error" in reply:
            reason = f"GraderError: {reply['error']}"
            return Verdict.of_error(task_id, reason, plus=self._suite.has_plus)
        plus = reply["plus"]
        return Verdict(
            task_id=task_id, base=_outcome(reply["base"]), plus=None if plus is None else _outcome(plus)
        )


def _outcome(side: dict[str, Any]) -> Outcome:
    if side["passed"]:
        return Outcome(status="passed")
    return Outcome(status="failed", reason=side["reason"], failing_input=side["failing_input"])


def _may_be_load(reply: dict[str, Any]) -> bool:
    """Whether the machine's load may have failed the program."""
    return any(side["again"] for side in (reply.get("base"), reply.get("plus")) if side)


class _Worker:
    """One child process in a group of its own; started when needed, replaced after it was stopped."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._changing = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    async def start(self) -> None:
        """Start the process unless it runs; a GraderError says why it cannot."""
        async with self._changing:
            if self._process is not None and self._process.returncode is None:
                return
            await self._end()
            try:
                await self._begin()
            except BaseException:
                await asyncio.shield(self._end())
                raise

    async def ask(self, request: bytes) -> dict[str, Any]:
        """Return the reply to one request; a GraderError if the process died, hung or talked nonsense."""
        process = self._process
        if process is None or process.stdin is None:
            raise GraderError("the grader's worker is not running")
        with contextlib.suppress(ConnectionError):  # dead: then the reply is missing too
            process.stdin.write(request)
            await process.stdin.drain()
        return await self._reply(process, self._deadline)

    async def stop(self) -> None:
        """Kill the process with its whole group and remove its scratch folder."""
        async with self._changing:
            await self._end()

    async def _begin(self) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="dualcode-grader-", ignore_cleanup_errors=True)
        try:
            self._process = await _spawn(self._scratch.name)
            await self._reply(self._process, START_SECONDS)
        except (GraderError, OSError) as error:
            told = _last_line(Path(self._scratch.name) / "stderr")
            raise GraderError(f"the grader's worker does not start: {error}{told}") from error

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if process.stdin is not None:
                process.stdin.close()
            await process.wait()
        scratch, self._scratch = self._scratch, None
        if scratch is not None:
            scratch.cleanup()

    async def _reply(self, process: asyncio.subprocess.Process, seconds: float) -> dict[str, Any]:
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), seconds)
            return json.loads(line)
        except TimeoutError:
            raise GraderError(f"the grader's worker gave no answer within {seconds:g} s") from None
        except ValueError:
            raise GraderError("the grader's worker died") from None


async def _spawn(scratch: str) -> asyncio.subprocess.Process:
    """Start a worker with a scrubbed environment; its messages before it is ready go to a file."""
    with (Path(scratch) / "stderr").open("wb") as stderr:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-s", "-m", "dualcode.eval.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            cwd=scratch,
            env=_environment(scratch),
            start_new_session=True,
        )


def _environment(scratch: str) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": scratch,
        "TMPDIR": scratch,
        "PYTHONPATH": str(Path(dualcode.__file__).parent.parent),
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",  # EvalPlus sets it for candidates; a thread a core would cost memory
        "OPENBLAS_NUM_THREADS": "1",
    }


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return f": {lines[-1]}" if lines else ""
