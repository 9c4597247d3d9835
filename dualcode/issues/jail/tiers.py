"""Which jail for commands this machine gives: each is tried by a command that attacks it, strongest first"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

from dualcode.errors import SandboxError
from dualcode.issues.bases import Base
from dualcode.issues.jail import bubblewrap
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.jail.room import Ended, Room
from dualcode.issues.packages import Environment, interpreter, write_tools
from dualcode.issues.task import Limits
from dualcode.issues.worktrees import Worktree, clear_abandoned, give
from dualcode.sandbox.sandbox import Tier

TIERS = ("bubblewrap", "landlock")
"""Strongest first; below them there is `unsafe`, which is only used when asked for."""

_LIMITS = "limits on time, memory, processes, output and growth of the tree, kept from outside"
_CALLS = "system calls: a deny list; no mount, namespaces, keys, tracing or io_uring"
_HOLDS = {
    "bubblewrap": (
        "files: the system's programs and libraries, read-only, without installed packages; an empty /tmp",
        "the tree at /repo, the same path for everyone; its git dir read-only, with one commit",
        "processes: a pid namespace that ends with the command; an unprivileged user, no capabilities",
        "network: a loopback of its own",
        _CALLS,
        _LIMITS,
    ),
    "landlock": (
        "files: the system's programs and libraries, for reading, without the contents of installed packages",
        "processes: a guard ends all descendants; no signals to others; an unprivileged user",
        "network: no sockets but connected pairs",
        _CALLS,
        _LIMITS,
    ),
    "unsafe": (_LIMITS,),
}
_LACKS = {
    "bubblewrap": ("the host's kernel, load and number of processors can be seen",),
    "landlock": (
        "names, sizes and times of the host's files can be asked for (stat), their contents not",
        "paths of the host, such as the user's name in them, are seen",
        "no /proc: programs that read it fail",
        "tests that open sockets fail",
    ),
    "unsafe": ("FILES, NETWORK AND PROCESSES ARE OPEN, as the user who runs this: use it on code you trust",),
}

_FLOOD = 300
_INSIDE = 64
"""More processes than the probe has started in its pid namespace when it tries to reach one of the host."""
_ATTACKS = {
    "read a file of the host": "open({host!r}).read()",
    "write a file of the host": "open({host!r}, 'a')",
    "make a file beside it": "open({host!r} + '-made', 'w')",
    "connect to the host": "socket.create_connection(('127.0.0.1', {port}), 2)",
    "signal a process of the host": "os.kill({pid}, 0)",
    "read the environment of the host": "os.environ['DUALCODE_PROBE']",
    "read an installed package": "open({installed!r}).read(1)",
    "write into Python's own files": "open(os.__file__, 'r+')",
    "make a user namespace": "unshare()",
    "start 300 processes": "flood()",
    "allocate more than its memory": "len(b'x' * (1 << 31))",
}
_NEEDS = {
    "write into the tree": "open('probe', 'w').write('x')",
    "write into the home": "open(os.path.expanduser('~/probe'), 'w').write('x')",
    "start a program": "subprocess.run(['sh', '-c', 'exit 0'], check=True)",
    "start a thread": "threading.Thread(target=int).start()",
    "import from the standard library": "__import__('sqlite3')",
    "write to /dev/null": "open('/dev/null', 'w').write('x')",
}
_PROGRAM = """
import ctypes, json, os, signal, socket, subprocess, sys, threading, time
def unshare():
    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000):
        raise OSError(ctypes.get_errno(), "unshare")
def flood():
    pids = []
    try:
        for _ in range(FLOOD):
            pid = os.fork()
            if not pid:
                time.sleep(60)
                os._exit(0)
            pids.append(pid)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
def attempt(source):
    try:
        eval(source)
    except (OSError, KeyError, MemoryError):
        return "denied"
    except ImportError as error:
        return "done" if "No module named '_" in str(error) else str(error)  # built without it
    except BaseException as error:
        return type(error).__name__ + ": " + str(error)
    return "done"
subprocess.Popen(["setsid", "sh", "-c", "sleep 600; : " + MARK], stdout=2)
print(json.dumps({name: attempt(source) for name, source in SOURCES.items()}))
"""


def describe(name: str, failures: dict[str, SandboxError]) -> Tier:
    """Return what holds and lacks in a jail here, and why no stronger one was chosen."""
    reason = "; ".join(f"{stronger}: {error.message}" for stronger, error in failures.items())
    return Tier(name=name, holds=_HOLDS[name], lacks=_LACKS[name], reason=reason)


async def open_jail(wanted: str | None = None, *, unsafe: bool = False) -> CommandJail:
    """Return the strongest jail that holds here, or the wanted one.

    SandboxError, with each and why it failed, if none holds and `unsafe` was not allowed.
    """
    if wanted not in (None, *TIERS, "unsafe"):
        raise SandboxError(
            f"there is no jail {wanted!r} for commands; there are {', '.join(TIERS)} and unsafe"
        )
    if wanted == "unsafe" and not unsafe:
        raise SandboxError("the jail `unsafe` contains nothing and must be allowed", hint="--unsafe")
    clear_abandoned()
    failures: dict[str, SandboxError] = {}
    for name in TIERS if wanted is None else () if wanted == "unsafe" else (wanted,):
        failure = await probe(name)
        if failure is None:
            return CommandJail(describe(name, failures))
        failures[name] = failure
    if unsafe and wanted in (None, "unsafe"):
        return CommandJail(describe("unsafe", failures))
    tried = "; ".join(f"{name}: {error.message}" for name, error in failures.items())
    hint = next((error.hint for error in failures.values() if error.hint), None)
    raise SandboxError(
        f"no jail for commands holds on this machine ({tried})",
        hint=hint or "--unsafe runs commands without one, on code that you trust",
    )


_probed: dict[str, SandboxError | None] = {}


async def probe(name: str) -> SandboxError | None:
    """Attack a jail from inside; None if it holds, else what went wrong. Cached for this process."""
    if name not in _probed:
        try:
            await _attack(name)
            _probed[name] = None
        except SandboxError as error:
            _probed[name] = error
    return _probed[name]


async def _attack(name: str) -> None:
    if name == "bubblewrap" and bubblewrap.find() is None:
        raise SandboxError("bwrap is not installed", hint=bubblewrap.HINT)
    jail = CommandJail(describe(name, {}))
    with room_for_tests() as lent, _host() as (host, port), _victim() as pid:
        room = replace(lent, scratch=None)  # as graders and agents have it
        mark = os.urandom(12).hex()
        values = {"host": str(host), "port": port, "pid": pid, "installed": _installed()}
        sources = {each: text.format(**values) for each, text in (*_ATTACKS.items(), *_NEEDS.items())}
        given = f"MARK = {mark!r}\nFLOOD = {_FLOOD}\nSOURCES = {sources!r}\n"
        program = room.files[0][0]
        program.write_text(given + _PROGRAM)
        program.chmod(0o644)
        command = f"exec python -S {jail.places(room).given}/probe.py"
        ended = await jail.run(command, room, Limits(memory_mb=1024, command_seconds=30.0))
        _judge(ended)
        if mark in await asyncio.to_thread(_command_lines):
            raise SandboxError("a command could leave a process behind")


def _judge(ended: Ended) -> None:
    """Raise unless every attack was denied and everything needed was done."""
    expected = {**dict.fromkeys(_ATTACKS, "denied"), **dict.fromkeys(_NEEDS, "done")}
    try:
        outcomes = json.loads(ended.output.strip().rpartition("\n")[2])
    except ValueError:
        told = " ".join(ended.output.split())[-400:]
        hint = bubblewrap.HINT if "uid map" in told or "RTM_NEWADDR" in told else None
        raise SandboxError(f"the probe {ended.ending}, code {ended.exit_code}: {told}", hint=hint) from None
    for what, right in expected.items():
        if outcomes.get(what) != right:
            verb = "could not" if right == "done" else "could"
            raise SandboxError(f"a command {verb} {what}: {outcomes.get(what)}")


@contextlib.contextmanager
def room_for_tests() -> Generator[Room]:
    """Lend a room with an empty tree, as the probe and the tests of jails take it; one file is `probe.py`."""
    with tempfile.TemporaryDirectory(prefix="dualcode-probe-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for each in ("tree", "base.git/worktrees/probe", "scratch", "packages", "given"):
            (folder / each).mkdir(parents=True)
        write_tools(folder / "bin", interpreter(">=3.8"))
        program = folder / "given" / "probe.py"
        program.touch()
        tree = Worktree(Base(folder, ""), "probe", folder / "tree", folder / "base.git/worktrees/probe")
        tree.give()
        room = Room(
            tree,
            Environment(interpreter(">=3.8"), folder / "packages"),
            scratch=folder / "scratch",
            files=((program, program.name),),
        )
        give(folder / "scratch")
        yield room


@contextlib.contextmanager
def _host() -> Generator[tuple[Path, int]]:
    """Make what is to be out of reach: a file that any user may read and write, and a listener."""
    with tempfile.TemporaryDirectory(prefix="dualcode-host-") as folder, socket.socket() as listener:
        path = Path(folder, "host")
        path.write_text("the host's")
        path.chmod(0o666)
        path.parent.chmod(0o777)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield path, listener.getsockname()[1]


@contextlib.contextmanager
def _victim() -> Generator[int]:
    """Start a process that is to be out of reach, and yield its id: none that a jail's own processes have.

    A parent's id will not do: it is 1 where the parent has ended, 0 in a container, and both name something
    inside a pid namespace, too.
    """
    with contextlib.ExitStack() as started:
        while True:
            process = started.enter_context(subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL))
            started.callback(process.kill)
            if process.pid > _INSIDE:
                yield process.pid
                return


def _installed() -> str:
    """Return a file of a package that is installed for the interpreter of the jail, or a name of none."""
    folders = bubblewrap.package_folders(interpreter(">=3.8"))
    packages = (path for each in folders for path in sorted(Path(each).glob("*/__init__.py")))
    return str(next(packages, "/none"))


def _command_lines() -> str:
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_text(errors="replace"))
    return "\n".join(found)
