"""The host's handle of one fork server: starts it, gives it jobs, notices its end."""

import asyncio
import contextlib
import fcntl
import importlib.util
import logging
import marshal
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

from dualcode.errors import SandboxError
from dualcode.sandbox import fence
from dualcode.sandbox.ending import tell
from dualcode.sandbox.job import Arguments, Job, Ran
from dualcode.sandbox.wire import CANCEL, FAILED, MESSAGE_BYTES, READY, Answer, Request, Settings, Work

START_SECONDS = 60.0
LATE_SECONDS = 120.0
"""How much longer than its wall limit a run may take before its server counts as broken. The server may
first have to clear away what the run before left: 5,000 folders took 20 s on a busy machine."""
PREFIX = "dualcode-sandbox-"
FORGOTTEN_SECONDS = 60.0
"""The age at which a private folder that no process holds counts as left behind."""
LARGE_BYTES = 1 << 20
"""Files longer than this are read and written in a thread, so that the event loop is not held up."""

_log = logging.getLogger(__name__)
_PACKAGE = Path(__file__).parent
_BOOT = """
import sys, types
for name, folder in (("dualcode", {outer!r}), ("dualcode.sandbox", {inner!r})):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
from dualcode.sandbox import server
sys.dont_write_bytecode = True
server.main({descriptor})
"""
"""Imports the server without the packages around it, which import more than it may."""
_ENVIRONMENT = {
    # A fixed order of sets: a program that depends on it has one verdict. (-I and -E would ignore it.)
    "PYTHONHASHSEED": "0",
    "LANG": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


_CACHING = ("-B",) if sys.dont_write_bytecode else ()
"""The server keeps its compiled files if the host does: to compile them takes a third of its start."""


class BrokenError(Exception):
    """The server died or answered nonsense; the reason is the message."""


class Worker:
    """One fork server, running one job at a time."""

    def __init__(self, tier: str, policy: bytes) -> None:
        """Start the server; `ready` waits until it can run jobs."""
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._claim = _claim(self.folder)
        self._tier = tier
        self._number = 0
        self._closed = self._receiving = self._is_ready = False
        self.usable = True
        """Whether it can be given another job."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
        with theirs:
            descriptor = theirs.fileno()
            boot = _BOOT.format(outer=str(_PACKAGE.parent), inner=str(_PACKAGE), descriptor=descriptor)
            self._process = subprocess.Popen(
                [sys.executable, "-s", "-S", "-P", *_CACHING, "-c", boot],
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[descriptor],
                start_new_session=True,
                cwd="/",
            )
        unprivileged = 65534 if os.geteuid() == 0 else None
        settings = Settings(tier, str(self.folder.resolve()), _find_packages(), policy, unprivileged)
        with contextlib.suppress(OSError):  # it died already: `ready` finds out
            self._control.send(settings.pack())

    @property
    def pid(self) -> int:
        """The process that was started; the server itself may be a child of it."""
        return self._process.pid

    async def ready(self) -> None:
        """Wait for the server. SandboxError with its own words if it cannot do what it was asked to."""
        if self._is_ready:
            return
        try:
            message, _ = await self._receive(START_SECONDS)
        except BrokenError as error:
            raise SandboxError(f"the fork server did not start: {error}") from error
        if message != READY:
            raise SandboxError(_told(message))
        if self._tier == "namespaces":
            self.folder.rmdir()  # its mount is the server's root now, and lies nowhere
        self._is_ready = True

    async def run(self, job: Job) -> Ran:
        """Run a job. BrokenError if the server is at fault; it is of no more use then."""
        self.usable = False
        self._number += 1
        calls = job.calls.encoded if isinstance(job.calls, Arguments) else marshal.dumps(job.calls.sources, 2)
        work = _work(job, len(calls)).pack()
        large = len(work) + len(calls) > LARGE_BYTES
        file = await asyncio.to_thread(_make_file, work, calls) if large else _make_file(work, calls)
        try:
            request = _request(self._number, job, len(work), len(calls))
            try:
                socket.send_fds(self._control, [request.pack()], [file])
            except OSError as error:
                raise BrokenError(f"it is gone ({error.strerror})") from error
        finally:
            os.close(file)
        try:
            return await self._answer(job)
        except asyncio.CancelledError:
            await self._cancel(job)
            raise

    async def _answer(self, job: Job) -> Ran:
        message, files = await self._receive(job.limits.wall + LATE_SECONDS)
        try:
            if message.startswith(FAILED):
                raise BrokenError(_told(message))
            answer = Answer.unpack(message)
            if answer.number != self._number or len(files) != 1 or answer.length > job.limits.output:
                raise BrokenError("its answer belongs to nothing that was asked")
            large = answer.length > LARGE_BYTES
            read = _read_file(files[0], answer.length)
            stream = await asyncio.to_thread(lambda: b"".join(read)) if large else b"".join(read)
        except (struct.error, IndexError) as error:
            raise BrokenError(f"its answer is none: {message[:40]!r}") from error
        finally:
            for file in files:
                os.close(file)
        if len(stream) != answer.length:
            raise BrokenError(f"its stream has {len(stream)} of {answer.length} bytes")
        self.usable = True
        return await asyncio.to_thread(tell, job, answer, stream) if large else tell(job, answer, stream)

    async def _cancel(self, job: Job) -> None:
        """End the run that is going on; the server, too, if that is not done soon or is cancelled itself."""
        try:
            self._control.send(CANCEL)
            await self._answer(job)
        except (OSError, BrokenError):
            pass
        finally:
            if not self.usable:
                self._process.kill()

    async def _receive(self, seconds: float) -> tuple[bytes, list[int]]:
        """Wait for a message and the descriptors that came with it; BrokenError at the end or too late."""
        loop, control = asyncio.get_running_loop(), self._control.fileno()
        readable = loop.create_future()
        loop.add_reader(control, _set, readable)
        self._receiving = True
        try:
            async with asyncio.timeout(seconds):
                await readable
            message, files, _, _ = socket.recv_fds(
                self._control, MESSAGE_BYTES, 4, socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
            )
        except TimeoutError as error:
            raise BrokenError(f"no answer within {seconds:g} s") from error
        except OSError as error:
            raise BrokenError(f"it is gone ({error.strerror})") from error
        finally:
            loop.remove_reader(control)
            self._receiving = False
            if self._closed:
                self._control.close()
        if not message:
            code = self._process.poll()
            how = f"signal {-code}" if code and code < 0 else f"exit code {code}"
            raise BrokenError(f"it ended ({'still closing' if code is None else how})")
        return message, files

    async def close(self) -> None:
        """End the server and all that it runs, and wait until they are gone. A run that waits breaks."""
        self._closed = True
        self._process.kill()
        if self._receiving:
            with contextlib.suppress(OSError):
                self._control.shutdown(socket.SHUT_RDWR)
        else:
            self._control.close()
        await asyncio.to_thread(self._clean_up)
        self._give_up_claim()

    def abandon(self) -> None:
        """End a server that was never waited for, without an event loop."""
        self._closed = True
        self._process.kill()
        self._control.close()
        self._clean_up()
        self._give_up_claim()

    def _clean_up(self) -> None:
        """Run in a thread of its own: what has begun there is done even if the event loop is ended."""
        self._process.wait()
        _remove(self.folder)

    def _give_up_claim(self) -> None:
        if self._claim >= 0:
            os.close(self._claim)
            self._claim = -1


def _remove(folder: Path) -> None:
    """Remove a private folder. A run that is being killed may make files in it for a moment yet."""
    for wait in (0.0, 0.01, 0.1, 1.0):
        time.sleep(wait)
        try:
            fence.clear(str(folder))
            folder.rmdir()
            return
        except OSError as error:
            if not folder.exists():  # its server removed it
                return
            fault = error
    _log.warning("the folder %s cannot be removed (%s): rm -r it", folder, fault)


def _claim(folder: Path) -> int:
    """Hold a private folder for as long as this process lives: `sweep` leaves it alone."""
    claim = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return claim


def sweep() -> None:
    """Remove the private folders of hosts that were killed together with their servers."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # it is another user's, or claimed
            status = folder.lstat()
            if status.st_uid != os.geteuid() or time.time() - status.st_mtime < FORGOTTEN_SECONDS:
                continue
            claim = _claim(folder)
            try:
                _remove(folder)
            finally:
                os.close(claim)


def _told(message: bytes) -> str:
    return message.removeprefix(FAILED).decode("utf-8", "replace")


@cache
def _find_packages() -> str | None:
    """Return the folder from which numpy is imported here."""
    spec = importlib.util.find_spec("numpy")
    return str(Path(spec.origin).parents[1]) if spec and spec.origin else None


def _set(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _work(job: Job, calls: int) -> Work:
    limits = job.limits
    return Work(
        program=job.program,
        entry_point=job.calls.entry_point if isinstance(job.calls, Arguments) else None,
        calls=calls,
        call_cpu=limits.call_cpu,
        slow_calls=dict(limits.slow_calls),
        go_on=job.go_on,
        drain=job.drain,
        digest_above=job.digest_above,
        timed=job.timed,
        printed=limits.printed if job.capture else None,
    )


def _request(number: int, job: Job, length: int, calls: int) -> Request:
    limits = job.limits
    longest = max((limits.call_cpu, *limits.slow_calls.values()))
    return Request(
        number=number,
        call_cpu=longest,
        total_cpu=limits.total_cpu,
        wall=limits.wall,
        waiting=limits.waiting,
        memory=limits.memory,
        output=limits.output,
        length=length,
        calls=calls,
    )


def _make_file(*contents: bytes) -> int:
    """Return a sealed memory file: what the server is given cannot change any more."""
    file = os.memfd_create("job", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    for content in contents:
        with memoryview(content) as view:
            sent = 0
            while sent < len(view):
                sent += os.write(file, view[sent:])
    seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
    return file


def _read_file(file: int, length: int) -> list[bytes]:
    chunks, at = list[bytes](), 0
    while at < length and (chunk := os.pread(file, length - at, at)):
        chunks.append(chunk)
        at += len(chunk)
    return chunks
