"""The fork server: a lean process that forks a fresh, confined child for each job and watches it.

Started by `worker` with a clean environment and one descriptor, the control socket; what is said there stands
in `wire`. Each child inherits its memory, so it never reads a program, an input or an output: programs are
read by the child, calls are moved to it by the kernel once the program is loaded, and outputs from its pipe
to a memory file for the host, which tells how the run ended (`ending`). All that is known here is how many
bytes came, and when. Its end, whatever the cause, is the end of all that it started; the control socket's
end is its own.

A fork costs what this process has mapped: numpy's 140 mappings and few more. Therefore it imports nothing
that loads a shared library without need (`_socket` instead of `socket`, `kernel.limit` for `resource`). This
file is imported in the fork server, without the package around it.
"""

import contextlib
import errno
import gc
import io
import math
import os
import posix  # its names stay when those in `os` go, see `harness.prepare`
import select
import signal
import struct
import sys
import time
import types
from _socket import CMSG_SPACE, MSG_CMSG_CLOEXEC, SCM_RIGHTS, SOL_SOCKET, socket
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from dualcode.sandbox import fence, harness, jail, kernel, surroundings
from dualcode.sandbox.libraries import all_reachable, find_libraries
from dualcode.sandbox.wire import (
    CANCEL,
    FAILED,
    MESSAGE_BYTES,
    READY,
    SLACK,
    Answer,
    Arrival,
    Ending,
    Request,
    Settings,
    Work,
)

LOADING = 15.0
"""CPU seconds that a program may take until it is loaded. EvalPlus knows only its 62 s in all."""

WAITING, CROWD = 10.0, 8.0
"""A call has waited too long if WAITING seconds more passed than CROWD times its CPU time: it sleeps, say.
One that computes gets more than an eighth of a core on any machine that is of use. All calls together have
waited too long if the request's seconds more passed."""

PIPE_BYTES, USUAL_PIPE_BYTES = 1 << 20, 64 << 10
LOOK_SECONDS = 0.1
"""How often it is looked whether bytes have come: so exactly is it known how long none came."""

ARRIVALS = 1000
"""How many arrivals are kept: those that are apart by that part of the CPU limit, or by LEAST_APART."""
LEAST_APART = 0.01

COUNT_SECONDS = 0.1
"""The most that passes until files and threads are counted again in the Landlock tier, where no kernel limit
bounds them. A program sees that it was counted, and is not to know when it will be the next time."""
STILL_SECONDS = 0.05
"""How long a child is waited for that was told to stand still while it is counted."""

STACK_BYTES = 4 << 30
DESCRIPTORS = 64
PROCESSES = 256
SHARED_PROCESSES = 4096
"""Threads, where the limit counts all that the same user runs on the machine."""

_CONTROL = 3
"""The server's descriptor of the control socket."""
_STREAM, _CALLS = 3, 4
"""The child's descriptors: for its frames, and the one from which it reads its calls when it is loaded."""

_PROCESSORS = os.cpu_count() or 1
_DESCRIPTOR = struct.Struct("=i")
_SPLICE_NONBLOCK = 2


class Verdict(NamedTuple):
    """How a child ended."""

    ending: Ending
    detail: str


class Child:
    """A forked child: its pipes, its process and what came of them so far."""

    def __init__(self, pid: int, pipe: int, request: Request, job: int, feeding: int) -> None:
        self.pid = pid
        self.pipe = pipe
        self.job = job
        self.feeding = feeding
        """The pipe for its calls; -1 once all have gone in."""
        self.fed = 0
        self.process = os.pidfd_open(pid)
        self.request = request
        self.stream = os.memfd_create("stream", os.MFD_CLOEXEC)
        self.length = 0
        self.loaded = False
        """Whether bytes came: from then on it may know its calls, and it has the time of calls."""
        self.marked = 0.0
        """CPU seconds used when bytes last came."""
        self.arrivals = [Arrival(0, 0.0, 0.0)]
        self.started = self.heard = time.monotonic()
        self._clock = (~pid << 3) | 2
        self._cpu = 0.0

    def cpu(self) -> float:
        """Return the CPU seconds used so far, by all threads."""
        with contextlib.suppress(OSError):  # it has ended
            self._cpu = max(self._cpu, time.clock_gettime(self._clock))
        return self._cpu

    def take(self) -> bool:
        """Have what waits in the pipe moved into the stream; False at the pipe's end."""
        before = self.cpu()
        try:
            room = self.request.output + 1 - self.length
            moved = os.splice(self.pipe, self.stream, room, flags=_SPLICE_NONBLOCK)
        except BlockingIOError:
            self.arrivals[-1] = self.arrivals[-1]._replace(until=before)
            return True
        if not moved:
            return False
        self.length += moved
        self.loaded, self.marked, self.heard = True, self.cpu(), time.monotonic()
        last = self.arrivals[-1]
        apart = max(LEAST_APART, self.request.total_cpu / ARRIVALS)
        if self.marked < last.by + apart and last.length:
            self.arrivals.pop()
            self.arrivals.append(Arrival(self.length, last.by, before))
        else:
            self.arrivals.append(Arrival(self.length, self.marked, before))
        return True

    def feed(self) -> bool:
        """Have calls moved on to it as far as there is room; False once all are, or it takes none."""
        try:
            while self.fed < self.request.calls:
                left, at = self.request.calls - self.fed, self.request.length + self.fed
                self.fed += os.splice(self.job, self.feeding, left, offset_src=at, flags=_SPLICE_NONBLOCK)
        except BlockingIOError:
            return True
        except BrokenPipeError:
            pass
        os.close(self.feeding)
        self.feeding = -1
        return False

    @property
    def flooded(self) -> bool:
        """Whether more came than allowed."""
        return self.length > self.request.output

    def find_breach(self) -> tuple[str, float]:
        """Return the limit that is broken, or '' and the seconds for which none can be."""
        request, cpu = self.request, self.cpu()
        left = [(request.total_cpu - cpu) / _PROCESSORS]
        if left[0] <= 0:
            return f"{request.total_cpu:g} s of CPU time in all", 0.0
        if not self.loaded:
            left.append((LOADING - cpu) / _PROCESSORS)
            if left[1] <= 0:
                return f"{LOADING:g} s of CPU time for loading", 0.0
        else:
            left.append((self.marked + request.call_cpu + SLACK - cpu) / _PROCESSORS)
            if left[1] <= 0:
                return f"{request.call_cpu:g} s of CPU time for a call", 0.0
        passed = time.monotonic() - self.started
        if passed >= request.wall:
            return f"{request.wall:g} s of time", 0.0
        silent = time.monotonic() - self.heard
        waiting = min(request.waiting + CROWD * cpu - passed, WAITING + CROWD * (cpu - self.marked) - silent)
        if waiting <= 0:
            return f"{passed:.0f} s of time, of which it computed {cpu:.1f} s", 0.0
        return "", max(0.01, min(*left, request.wall - passed, waiting))

    def close(self) -> None:
        """Close the descriptors."""
        for descriptor in (self.pipe, self.process, self.stream, self.job, self.feeding):
            if descriptor >= 0:
                os.close(descriptor)


_GONE = {signal.SIGTERM}
"""What comes when the host has died."""


class Server:
    """Answers requests on the control socket, one at a time."""

    def __init__(self, control: socket, settings: Settings) -> None:
        self.control = control
        self.settings = settings
        self.filter = kernel.Filter(settings.filter) if settings.filter else None
        self.scratch = ""
        self.untouched = ()
        self.child: Child | None = None
        self.take_id = 0
        self.namespace = self.ruleset = -1
        self.has_counted = False

    def prepare(self) -> None:
        """Confine the server itself, then import what programs need."""
        settings = self.settings
        os.umask(0o022)
        kernel.limit(kernel.RLIMIT_NOFILE, DESCRIPTORS)
        kernel.limit(kernel.RLIMIT_CORE, kernel.NO_HANDLER)
        kernel.limit(kernel.RLIMIT_STACK, STACK_BYTES)
        _offer_to_oom_killer()
        self.libraries = libraries = find_libraries(settings.packages)
        if settings.tier == "namespaces":
            self.take_id = jail.enter(settings.unprivileged)
            self.namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
            jail.build(settings.folder, libraries)
            self.scratch = jail.SCRATCH
        else:
            signal.signal(signal.SIGTERM, self._leave)
            kernel.die_with_parent(signal.SIGTERM)
            if settings.unprivileged and all_reachable(libraries.readable):
                self.take_id = settings.unprivileged
            self._renew_scratch()
            if settings.tier == "unsafe":
                kernel.adopt_orphans()
        surroundings.settle(self.scratch)
        kernel.forbid_new_privileges()
        kernel.bound_capabilities()
        kernel.forbid_dumps()
        _import(settings.packages)
        surroundings.prepare()
        _forget_ourselves()
        harness.prepare()
        gc.collect()
        gc.freeze()

    def _renew_scratch(self) -> None:
        """Take a fresh scratch folder; what may be left of another one the host removes."""
        self.scratch = fence.make_scratch(self.settings.folder, self.take_id)
        self.untouched = _traces(self.scratch)
        posix.chdir(self.scratch)
        if self.settings.tier == "landlock":
            if self.ruleset >= 0:
                os.close(self.ruleset)
            self.ruleset = fence.build(self.scratch, self.libraries)

    def serve(self) -> None:
        """Answer until the socket ends."""
        while True:
            message, ancillary, _, _ = self.control.recvmsg(MESSAGE_BYTES, CMSG_SPACE(4), MSG_CMSG_CLOEXEC)
            if not message:
                return
            if message == CANCEL:  # of a run that was just answered
                continue
            (job,) = _DESCRIPTOR.unpack(ancillary[0][2])
            self._answer(Request.unpack(message), job)

    def _answer(self, request: Request, job: int) -> None:
        """Run one job. Nothing of it is left in the frames that the next child inherits.

        The folder is cleared before it is told that the run is over: the next one's time is its own.
        """
        child = self._fork(request, job)
        self.child = child
        verdict = self._watch(child)
        answer = self._reap(child, verdict)
        self.child = None
        self._clear()
        stream = (SOL_SOCKET, SCM_RIGHTS, _DESCRIPTOR.pack(child.stream))
        self.control.sendmsg([answer.pack()], [stream])
        child.close()

    def _fork(self, request: Request, job: int) -> Child:
        receiving, sending = os.pipe2(os.O_CLOEXEC)
        calls, feeding = os.pipe2(os.O_CLOEXEC)
        kernel.widen(sending, PIPE_BYTES)
        if request.calls > USUAL_PIPE_BYTES:
            kernel.widen(feeding, PIPE_BYTES)
        pid = jail.fork_inside(self.namespace) if self.namespace >= 0 else posix.fork()
        if pid == 0:
            self._run_child(request, job, sending, calls)
        os.close(sending)
        os.close(calls)
        os.set_blocking(receiving, False)
        return Child(pid, receiving, request, job, feeding)

    def _run_child(self, request: Request, job: int, sending: int, calls: int) -> NoReturn:
        leave = os._exit
        try:
            if self.namespace < 0:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
            work = Work.unpack(os.pread(job, request.length, 0))
            _take_null()
            self._confine(request)
            os.dup2(sending, _STREAM)
            os.dup2(calls, _CALLS)
            kernel.close_from(_CALLS + 1)
            if self.filter:
                self.filter.load()
            harness.Harness(work, _STREAM, _CALLS).run()
        finally:
            leave(1)

    def _confine(self, request: Request) -> None:
        _limit(request, self.namespace < 0)
        self._take_rights()
        if self.namespace < 0:
            kernel.die_with_parent(signal.SIGKILL)
        if self.ruleset >= 0:
            kernel.landlock_restrict(self.ruleset)
            kernel.allow_looking()  # for the count; Landlock and the filter keep other candidates away

    def _take_rights(self) -> None:
        """Become the candidates' user, without capabilities."""
        if self.take_id:
            os.setresgid(self.take_id, self.take_id, self.take_id)
            os.setresuid(self.take_id, self.take_id, self.take_id)
        kernel.drop_capabilities()

    def _watch(self, child: Child) -> Verdict | None:
        """Move bytes until the child breaks a limit, or ends by itself (None)."""
        poll = select.poll()
        for descriptor in (child.pipe, child.process, self.control.fileno()):
            poll.register(descriptor, select.POLLIN)
        # The first count shows whether it can be counted.
        due = child.started + (_until_count() if self.has_counted else 0.0) if self.ruleset >= 0 else math.inf
        open_ = True
        while True:
            breach, seconds = child.find_breach()
            if breach:
                return Verdict("timed_out", breach)
            left = max(0.0, due - time.monotonic())
            ready = dict(poll.poll(min(seconds, LOOK_SECONDS, left) * 1000))
            if open_ and not child.take():
                open_ = False
                poll.unregister(child.pipe)
            if child.loaded and child.feeding >= 0:
                feeding = child.feeding
                poll.register(feeding, select.POLLOUT)
                if not child.feed():
                    poll.unregister(feeding)
            if child.flooded:
                return _flooded(child.request)
            if self.control.fileno() in ready:
                return self._cancel()
            if child.process in ready:
                return None
            if time.monotonic() >= due:
                if excess := self._find_excess(child):
                    return Verdict("died", excess)
                due = time.monotonic() + (_until_count() if self.has_counted else LEAST_APART)

    def _find_excess(self, child: Child) -> str:
        """Count what a child holds, while it stands still so that it can hide nothing meanwhile."""
        still: bool | None = False
        posix.kill(child.pid, signal.SIGSTOP)
        try:
            still = _stands_still(child.pid)
            excess = self._apart(
                lambda: fence.find_excess(None if still is False else child.pid, self.scratch)
            )
        except OSError:
            if still and child.loaded:  # it is the machine that does not show what a process holds
                raise
            return ""  # it has ended, or not confined itself yet, after which it can be looked at
        finally:
            posix.kill(child.pid, signal.SIGCONT)
        self.has_counted = True
        if excess:
            return f"more than {fence.SCRATCH_BYTES >> 20} MiB or {fence.SCRATCH_ENTRIES} files"
        return f"more than {PROCESSES} threads" if _count_threads(child.pid) > PROCESSES else ""

    def _cancel(self) -> Verdict:
        if not self.control.recv(MESSAGE_BYTES):
            self._leave()
        return Verdict("died", "cancelled")

    def _leave(self, *_: object) -> NoReturn:
        """End because the host is gone, of which the end of the socket and a signal tell: once."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if self.child is not None:
            with contextlib.suppress(OSError):  # it has ended already
                posix.kill(self.child.pid, signal.SIGKILL)
                kernel.wait(self.child.pid)
        self.close()
        os._exit(0)

    def _reap(self, child: Child, verdict: Verdict | None) -> Answer:
        """End what is left of the child, take its last bytes, and tell what came of it."""
        request = child.request
        if verdict:
            posix.kill(child.pid, signal.SIGKILL)
        status, cpu, peak = kernel.wait(child.pid)
        wall = time.monotonic() - child.started
        if not self.filter:
            _kill_descendants()
        while not child.flooded and _has_input(child.pipe) and child.take():
            pass
        if child.flooded:
            verdict = verdict or _flooded(request)
        ending, detail = verdict or (None, "")
        measured = (status, cpu, wall, peak, min(child.length, request.output))
        return Answer(request.number, ending, *measured, child.arrivals, detail)

    def close(self) -> None:
        """Remove the folders, as the host does, if it can."""
        if self.namespace < 0:
            with contextlib.suppress(OSError):
                if self.scratch:
                    self._empty_scratch()
                fence.clear(self.settings.folder)
                posix.rmdir(self.settings.folder)

    def _clear(self) -> None:
        if self.namespace >= 0:
            jail.clear_scratch()
            return
        if kernel.is_empty(self.scratch) and _traces(self.scratch) == self.untouched:
            return
        with contextlib.suppress(OSError):  # it stays for the host
            self._empty_scratch()
            posix.rmdir(self.scratch)
        self._renew_scratch()

    def _empty_scratch(self) -> None:
        self._apart(lambda: fence.clear(self.scratch))

    def _apart(self, act: Callable[[], object]) -> bool:
        """Do something in a process of its own, as the candidates' user; return whether its result was true.

        For what meets names that a program chose: the next program would find them in this process's memory.
        Raises OSError if it could not be done. The signal that the host is gone waits meanwhile, for what
        is being cleared will be cleared anyway.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, _GONE)
        try:
            pid = posix.fork()
            if pid == 0:
                code = 2
                try:
                    with fence.acting_as(self.take_id):
                        code = int(bool(act()))
                finally:
                    os._exit(code)
            status, _, _ = kernel.wait(pid)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _GONE)
        code = os.waitstatus_to_exitcode(status)
        if code not in (0, 1):
            raise OSError(errno.EIO, f"looking after the scratch folder ended with {code}")
        return bool(code)


def _flooded(request: Request) -> Verdict:
    return Verdict("flooded", f"more than {request.output} bytes")


def _limit(request: Request, shared: bool) -> None:
    """Set the resource limits, which none of the child's threads can exceed or raise."""
    kernel.limit(kernel.RLIMIT_AS, request.memory)
    kernel.limit(kernel.RLIMIT_DATA, request.memory)
    kernel.limit(kernel.RLIMIT_FSIZE, fence.FILE_BYTES)
    kernel.limit(kernel.RLIMIT_CPU, int(request.total_cpu * 1.25) + 5)  # counts ticks, too many under load
    kernel.limit(kernel.RLIMIT_NPROC, SHARED_PROCESSES if shared else PROCESSES)


def _take_null() -> None:
    """Open /dev/null anew as the three standard streams: flags that a program sets on them go with it."""
    null = posix.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        posix.dup2(null, descriptor)


def _traces(folder: str) -> tuple[int, ...]:
    """Return what a folder that is empty again still tells of what was in it."""
    status = posix.stat(folder)
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size)


def _has_input(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return any(event & select.POLLIN for _, event in poll.poll(0))


def _until_count() -> float:
    """Return the seconds until the next count, by a chance that no program can foresee.

    One that holds too much for a while after each count does so for no longer than COUNT_SECONDS in all on
    average, until it is found.
    """
    return COUNT_SECONDS * int.from_bytes(os.urandom(2), "little") / (1 << 16)


def _stands_still(pid: int) -> bool | None:
    """Wait until a child that was told to stop has; False if it ended, None if it is in a long call still."""
    until = time.monotonic() + STILL_SECONDS
    while time.monotonic() < until:
        changed = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT | os.WNOHANG)
        if changed is not None:
            return changed.si_code == os.CLD_STOPPED
        time.sleep(0.0002)
    return None


def _count_threads(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}/task").st_nlink - 2
    except OSError:  # it has ended
        return 0


def _offer_to_oom_killer() -> None:
    """Be the first to be ended where memory runs out; children inherit it."""
    descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(descriptor, b"1000")
    os.close(descriptor)


def _kill_descendants() -> None:
    """End what a child left behind where no filter keeps it from forking (tier `unsafe`)."""
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is not None:
            os.waitpid(found.si_pid, 0)
            continue
        with io.open("/proc/thread-self/children") as file:  # noqa: UP020
            children = file.read().split()
        for pid in children:
            posix.kill(int(pid), signal.SIGKILL)
        time.sleep(0.001)


def _import(packages: str | None) -> None:
    """Import what many programs use; numpy from a path that they do not get, and so no package beside it."""
    for name in ("collections", "copy", "functools", "heapq", "itertools", "math", "re", "string", "typing"):
        __import__(name)
    if packages is None:
        return
    sys.path.append(packages)
    try:
        import numpy  # noqa: F401  # pyright: ignore[reportUnusedImport]
    finally:
        sys.path.remove(packages)


def _forget_ourselves() -> None:
    """Leave no trace of this server among the modules and arguments that a program sees."""
    ours = [name for name in sys.modules if name.partition(".")[0] == "dualcode"]
    _KEPT.extend(sys.modules.pop(name) for name in ours)
    _KEPT.append(sys.modules["__main__"])
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.argv[:] = sys.orig_argv[:] = [""]


_KEPT: list[Any] = []


def main(descriptor: int) -> None:
    """Serve on a control socket until it ends."""
    if descriptor != _CONTROL:
        os.dup2(descriptor, _CONTROL)
    os.set_inheritable(_CONTROL, False)
    kernel.close_from(_CONTROL + 1)  # whatever the host had open
    # A host that was started in the background ignores these, and programs would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    control = socket(fileno=_CONTROL)
    server = Server(control, Settings.unpack(control.recv(MESSAGE_BYTES)))
    try:
        server.prepare()
        control.send(READY)
        server.serve()
    except Exception as error:
        with contextlib.suppress(OSError):  # the host may be what is gone
            control.send(FAILED + _tell(error).encode("utf-8", "replace")[:2000])
        raise SystemExit(1) from None
    finally:
        server.close()


def _tell(error: Exception) -> str:
    """Describe what ended this server: what the kernel refused, or else a fault of ours and its place."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} {error.filename or ''}".strip()
    trace, lines = error.__traceback__, list[str]()
    while trace is not None:
        lines.append(str(trace.tb_lineno))
        trace = trace.tb_next
    return f"{type(error).__name__}: {error} (lines {', '.join(lines)})"
