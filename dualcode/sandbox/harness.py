"""Runs a program and makes its calls: the trusted code in the candidate's own process.

Everything here can be seen and changed by the program once it runs, so nothing here decides anything: frames
are data for the host, and the server enforces every limit from outside. What this file is careful about is
being *fair*: a program behaves as it does under EvalPlus, and no honest one disturbs the frames. One may put
its own `len` among the builtins, patch `time` or leave no descriptor free: what is needed once it runs is
bound before, and nothing is imported then.

This file is imported in the fork server, without the package around it: standard library only, and nothing
that loads a shared library, each of which costs every fork 30 us. It must not have future imports, for `exec`
would pass them on to the program.
"""

import builtins
import io
import linecache
import marshal
import os
import struct
import sys
import time
import traceback
import types
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any, NoReturn

from dualcode.sandbox import encoder, surroundings
from dualcode.sandbox.wire import Work

globals()["__builtins__"] = vars(builtins).copy()  # what is defined from here on keeps to these
_BUILT_IN: dict[str, Any] = vars(builtins).copy()

_signal: Any = import_module("_signal")  # what `signal` wraps, with enumerations that cost more than the call
_PROFILE: int = _signal.ITIMER_PROF
_python: Any = sys

DEPTH = 28
"""How many frames lie below the one that calls the candidate, as below EvalPlus's `unsafe_execute` when its
command runs. It decides which recursions reach Python's limit."""

PIECE_BYTES = 1 << 20
FLUSH_BYTES = 64 << 10
FLUSH_SECONDS = 0.01
"""Frames wait no longer than this for their transport: the server takes their arrival for progress."""

HEAD = struct.Struct("<cI")
TRACE_ENTRIES = 20

_TO_JSON = {code: f"\\u{code:04x}" for code in (*range(32), ord('"'), ord("\\"))}

GUARDED_BUILTINS = ("exit", "quit", "open", "help")
GUARDED_OS = (
    "kill",
    "system",
    "putenv",
    "remove",
    "removedirs",
    "rmdir",
    "fchdir",
    "setuid",
    "fork",
    "forkpty",
    "killpg",
    "rename",
    "renames",
    "truncate",
    "replace",
    "unlink",
    "fchmod",
    "fchown",
    "chmod",
    "chown",
    "chroot",
    "lchflags",
    "lchmod",
    "lchown",
    "getcwd",
    "chdir",
)
GUARDED_LATER = {"shutil": ("rmtree", "move", "chown"), "subprocess": ("Popen",)}
"""The names that EvalPlus's `reliability_guard` sets to None. They guard nothing here (the kernel does): a
program that uses them has to fail as it does there."""

GUARDED_MODULES = ("ipdb", "joblib", "resource", "psutil", "tkinter")


class Sink(io.StringIO):
    """What stands for stdin, stdout and stderr: can be written to, as EvalPlus's."""

    def read(self, *_: Any) -> NoReturn:
        """Refuse."""
        raise OSError

    readline = readlines = read  # type: ignore[assignment]  # pyright: ignore

    def readable(self) -> bool:
        """Return False."""
        return False


class Recorder(Sink):
    """A sink that keeps only the beginning of what is printed."""

    room = 0

    def write(self, text: str, /) -> int:
        """Keep what there is room for."""
        if self.room > 0:
            super().write(text[: self.room])
            self.room -= len(text)
        elif not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            super().write(text)  # which raises
        return len(text)


class Frames:
    """Frames on their way out."""

    def __init__(self, descriptor: int, wait: int) -> None:
        """`wait`: bytes that may wait; what waits is lost if the process has to be killed."""
        self._descriptor = descriptor
        self._wait = wait
        self._waiting = bytearray()
        self._flushed = time.monotonic()
        self.marked = 0.0
        """CPU seconds at the last flush, which is before the current call began, and hardly so."""
        self._write = os.write
        self._clock = time.monotonic
        self._cpu = time.process_time
        self._head = HEAD.pack

    def add(self, kind: bytes, payload: bytes) -> None:
        """Add a frame; it leaves now or soon."""
        waiting = self._waiting
        waiting += self._head(kind, len(payload))
        waiting += payload
        if len(waiting) > self._wait or self._clock() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        sent = 0
        with memoryview(self._waiting) as view:
            while sent < len(view):
                sent += self._write(self._descriptor, view[sent:])
        self._waiting.clear()
        self._flushed = self._clock()
        self.marked = self._cpu()


class Harness:
    """One job."""

    def __init__(
        self, work: Work, stream: int, calls: int, leave: Callable[[int], NoReturn] = os._exit
    ) -> None:
        """`stream` is the descriptor for frames, `calls` that from which the calls are read."""
        self.work = work
        self.frames = Frames(stream, FLUSH_BYTES if work.entry_point else 0)
        self._calls = calls
        self.times: list[float] = []
        self.calling = False
        self.index = 0
        self.stopped = False
        self.sink = self._fresh_sink()
        self._leave = leave
        self._encode = encoder.encode_within
        self._load = marshal.loads
        self._read, self._close = os.read, os.close
        self._clock = time.process_time
        self._set_timer = _signal.setitimer
        self._pack = struct.pack
        self._stack_of = traceback.StackSummary.extract
        self._walk = traceback.walk_tb
        self._name_syntax = traceback.format_exception_only

    def run(self) -> NoReturn:
        """Run the job and end the process."""
        _signal.signal(_signal.SIGPROF, self._on_alarm)
        _descend(DEPTH - _depth() - 2, self._run)  # less this frame and the last of `_descend`
        self._leave(1)
        raise AssertionError

    def _run(self) -> None:
        """Load the program and make the calls, all from here, and so from the depth that EvalPlus has."""
        work = self.work
        namespace: dict[str, Any] = {"__builtins__": vars(builtins)}  # as `exec` would add those of this file
        self._take_streams()
        try:
            # The star makes it a call with a level of its own on every path of the interpreter, as there.
            exec(*(work.program, namespace))
            call = self._callee(namespace)
        except BaseException as error:
            self._fail(error)
        self.frames.add(b"B", b"")
        self.frames.flush()
        self._set_timer(_PROFILE, work.call_cpu)
        encode, clock = self._encode, self._clock
        slow, timed, drain = work.slow_calls, work.timed, work.drain
        most = work.digest_above
        started = 0.0
        for index, inp in enumerate(self._inputs()):
            self._take_streams()
            self.index = index
            if slow and index in slow:
                self.frames.flush()  # what waits would seem to take as long as this call
            try:
                if timed:
                    started = clock()
                self.calling = True
                out = call(*inp)
                if timed:
                    self.times.append(clock() - started)
                self.calling = drain
                kind, payload = encode(out, drain, most)
                self.calling = False
            except BaseException as error:
                self.calling = False
                if timed and len(self.times) == index:
                    self.times.append(clock() - started)
                self._add_raised(error)
            else:
                out = None
                self.frames.add(kind, payload)
            if work.printed is not None:
                self._add_printed()
            if self.stopped:
                break
        self._finish()

    def _inputs(self) -> Iterable[Any]:
        """Read each call's arguments, which come now and not before the program is loaded.

        A program that had found its inputs while it was loaded could compute in the time for that.
        Expressions are the arguments of `_evaluator`'s function.
        """
        content = bytearray()
        while (left := self.work.calls - len(content)) > 0:
            piece = self._read(self._calls, min(left, PIECE_BYTES))
            if not piece:
                self._leave(1)
            content += piece
        self._close(self._calls)
        calls = self._load(content)
        return calls if self.work.entry_point else [(source,) for source in calls]

    def _add_raised(self, error: BaseException) -> None:
        self.frames.add(b"R", self._tell(error))
        self.stopped = not self.work.go_on

    def _callee(self, namespace: dict[str, Any]) -> Callable[..., Any]:
        name = self.work.entry_point
        if name is None:
            return _evaluator(namespace)
        if name not in namespace:
            raise NameError(f"the program does not define {name!r}")
        return namespace[name]

    def _take_streams(self) -> None:
        sink = self.sink
        if sink.closed or sink.tell():
            self.sink = sink = self._fresh_sink()
        _python.stdin = _python.stdout = _python.stderr = sink

    def _fresh_sink(self) -> Sink:
        if self.work.printed is None:
            return Sink()
        recorder = Recorder()
        recorder.room = self.work.printed
        return recorder

    def _add_printed(self) -> None:
        """Add what the last call printed, however much its characters grow as UTF-8."""
        text = "" if self.sink.closed else self.sink.getvalue()
        self.frames.add(b"P", text.encode("utf-8", "replace")[: self.work.printed])

    def _on_alarm(self, *_: object) -> None:
        """End the run at a call's limit: nothing that the candidate catches can undo it.

        The timer is not set for each call, of which there are thousands: it goes off when the first would
        have used its limit, and then when the one would have that it met. It counts ticks, which under load
        can be too many: the clock has the last word.
        """
        usual = left = self.work.call_cpu
        limit = self.work.slow_calls.get(self.index, usual)
        if self.calling:
            left = limit - (self._clock() - self.frames.marked)
        if left > 0:
            self._set_timer(_PROFILE, left if left < usual else usual)
            return
        if self.work.timed:
            self.times.append(limit)
        self.frames.add(b"L", b"")
        if self.work.printed is not None:
            self._add_printed()
        self._finish()

    def _fail(self, error: BaseException) -> NoReturn:
        self.frames.add(b"F", self._tell(error))
        self._finish()

    def _finish(self) -> NoReturn:
        """End the process at once: no thread, exit handler or finaliser of the candidate's can delay it."""
        if self.work.timed:
            self.frames.add(b"T", self._pack(f"<{len(self.times)}d", *self.times))
        self.frames.add(b"E", b"")
        self.frames.flush()
        self._leave(0)
        raise AssertionError

    def _tell(self, error: BaseException) -> bytes:
        """Describe an exception. Its class is the candidate's: whatever it does, there is a description."""
        told = ["Exception", "", ""]
        try:
            told[0] = _name(type(error))
            told[1] = str.__getitem__(str(error), slice(2000))  # of a class of its own, perhaps
            told[2] = self._trace(error)[-8000:]
            bases = type.__dict__["__mro__"].__get__(type(error))
            told += [_name(base) for base in bases]
        except BaseException:
            told[1] = told[1] or "(the exception cannot be shown)"
        return f"[{', '.join(map(_to_json, told))}]".encode("utf-8", "surrogatepass")

    def _trace(self, error: BaseException) -> str:
        """Return the traceback from the program's first frame on, with its lines."""
        program = self.work.program
        linecache.cache["<string>"] = (len(program), None, program.splitlines(keepends=True), "<string>")
        at: types.TracebackType | None = error.__traceback__
        while at is not None and at.tb_frame.f_code.co_filename == __file__:
            at = at.tb_next
        entries = self._stack_of(_ends(self._walk(at)))
        last = self._name_syntax(error) if isinstance(error, SyntaxError) else ()
        return "".join(["Traceback (most recent call last):\n", *entries.format(), *last])


def _name(kind: type[BaseException]) -> str:
    """Return a class's name; that of a class of the program's which only has a built-in's name says so."""
    name = str.__getitem__(type.__dict__["__name__"].__get__(kind), slice(None))
    return name if _BUILT_IN.get(name, kind) is kind else f"program.{name}"


def _to_json(text: str) -> str:
    return f'"{str.translate(text, _TO_JSON)}"'  # a class's name may be of a class of its own


def _ends(entries: Iterable[tuple[types.FrameType, int]]) -> list[tuple[types.FrameType, int]]:
    """Return the first and last of many frames: a thousand of a recursion tell no more."""
    every = list(entries)
    if len(every) <= TRACE_ENTRIES:
        return every
    return every[: TRACE_ENTRIES // 2] + every[-TRACE_ENTRIES // 2 :]


def _evaluator(namespace: dict[str, Any]) -> Callable[[str], Any]:
    def evaluate(source: str) -> Any:
        try:
            code = compile(source, "<call>", "eval", dont_inherit=True)
        except SyntaxError:
            code = compile(source, "<call>", "exec", dont_inherit=True)
        return eval(code, namespace)

    return evaluate


def prepare() -> None:
    """Make this process, the server, one in which programs behave as they do under EvalPlus."""
    _warm_up()
    mender = Mender()
    sys.meta_path.insert(0, mender)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    mender.guard()
    for name in GUARDED_MODULES:
        sys.modules[name] = None  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]


def _warm_up() -> None:
    """Run a small job here: what the interpreter learns of it, it does not learn anew in each fork."""

    class Left(BaseException):
        pass

    def leave(_: int) -> NoReturn:
        raise Left

    program = "def f(x):\n    return [x]\n"
    calls = marshal.dumps([[1]] * 64, 2)
    work = Work(program, "f", len(calls), 60.0, {}, False, False, 1 << 16, False, None)
    null = os.open(os.devnull, os.O_WRONLY)
    receiving, sending = os.pipe()
    os.write(sending, calls)
    streams = sys.stdin, sys.stdout, sys.stderr
    try:
        Harness(Work.unpack(work.pack()), null, receiving, leave).run()
    except Left:
        _signal.setitimer(_signal.ITIMER_PROF, 0)
        _signal.signal(_signal.SIGPROF, _signal.SIG_DFL)
    sys.stdin, sys.stdout, sys.stderr = streams
    os.close(null)
    os.close(sending)


def _depth() -> int:
    """Return how many frames lie below the caller's."""
    frame, depth = _python._getframe(1), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    return depth


def _descend(levels: int, call: Callable[[], None]) -> None:
    if levels > 0:
        _descend(levels - 1, call)
    else:
        call()


class Mender:
    """Finds modules as ever, and mends what loading them here, rather than long before, makes different.

    The guarded names are back while a module loads, for under EvalPlus most are loaded before they go. Random
    generators start from a fixed state, so that a program meets the same one in each run.
    """

    def __init__(self) -> None:
        self._loading = 0
        guarded = [(builtins, name) for name in GUARDED_BUILTINS] + [(os, name) for name in GUARDED_OS]
        self._guarded = [(module, name, vars(module).get(name)) for module, name in guarded]
        self._changes: dict[str, Callable[[Any], None]] = {
            "random": _seed,
            "numpy.random": _seed,
            "tempfile": _settle,
            **surroundings.CHANGES,
            **{name: _remover(names) for name, names in GUARDED_LATER.items()},
        }

    def guard(self) -> None:
        """Take the guarded names away."""
        for module, name, _ in self._guarded:
            setattr(module, name, None)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Find a module on the path; None for others, which the next finder knows."""
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            self._mend(spec.loader, self._changes.pop(name, None))
        return spec

    def _mend(self, loader: Any, change: Callable[[Any], None] | None) -> None:
        load = loader.exec_module

        def exec_module(module: types.ModuleType) -> None:
            self._loading += 1
            if self._loading == 1:
                for owner, name, value in self._guarded:
                    setattr(owner, name, value)
            try:
                load(module)
            finally:
                self._loading -= 1
                if not self._loading:
                    self.guard()
            if change:
                change(module)

        loader.exec_module = exec_module


def _seed(module: Any) -> None:
    module.seed(0)


def _settle(module: Any) -> None:
    """Name the folder for temporary files; finding it would take names that are guarded."""
    module.tempdir = os.environ["TMPDIR"]


def _remover(names: Iterable[str]) -> Callable[[Any], None]:
    def remove(module: Any) -> None:
        for name in names:
            setattr(module, name, None)

    return remove
