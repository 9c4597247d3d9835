"""Which sandbox this machine can give: each tier is tried, strongest first, by a job that attacks it."""

import asyncio
import contextlib
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dualcode.errors import SandboxError
from dualcode.sandbox import early, kernel, policy
from dualcode.sandbox.job import Expressions, Job, Limits, Ran
from dualcode.sandbox.sandbox import Tier
from dualcode.sandbox.worker import BrokenError, Worker

TIERS = (early.STRONGEST, "landlock")
"""Strongest first; below them there is `unsafe`, which is only used when asked for."""

_LIMITS = "limits on CPU, wall time, memory, files and output, enforced from outside"
_CALLS = "system calls: an allow list; no fork, exec, socket, signal, ptrace or mount"
_HOLDS = {
    "namespaces": (
        "files: the standard library, numpy and shared libraries, read-only; an empty /tmp of 64 MiB",
        "processes: a pid namespace for each run; no capabilities",
        "network: none, not even loopback",
        _CALLS,
        _LIMITS,
    ),
    "landlock": (
        "files: of the standard library, numpy and shared libraries, for reading",
        "a scratch folder of 64 MiB, counted within 0.1 s",
        "processes: one, which cannot fork or signal others; no capabilities",
        "network: no sockets",
        _CALLS,
        _LIMITS,
    ),
    "unsafe": (_LIMITS,),
}
_LACKS = {
    "namespaces": (),
    "landlock": (
        "names, sizes, times and links of the host's files can be asked for (stat, readlink), not contents",
        "reading a library's file leaves its access time, which the next program can ask for",
        "numbers of the host's processes can be guessed",
        "the host's name can be read, beside its kernel and its load",
    ),
    "unsafe": ("FILES CAN BE READ AND WRITTEN, as the user who runs this: use it on programs you trust",),
}

_ATTACKS = {
    "read a file of the host": "io.open({path!r}).read()",
    "write a file of the host": "io.open({path!r}, 'a')",
    "make a file beside it": "io.open({path!r} + '-made', 'w')",
    "open a socket": "socket.socket()",
    "fork": "posix.fork() or posix._exit(7)",
    "signal another process": "posix.kill(posix.getppid(), 0)",
}
_NEEDS = {
    "write a scratch file": "io.open('probe', 'w').write('x')",
    "start a thread": "threading.Thread(target=int).start()",
    "import from the standard library": "__import__('sqlite3')",
}
_PROGRAM = """
import io, os, posix, socket, threading
def attempt(source):
    try:
        eval(source)
    except OSError:
        return "denied"
    except ImportError as error:
        return "done" if "No module named '_" in str(error) else str(error)  # built without it
    except BaseException as error:
        return type(error).__name__
    return "done"
"""


@dataclass(frozen=True)
class Choice:
    """A tier that works here, with what its servers need."""

    tier: Tier
    policy: bytes
    servers: Sequence[Worker] = ()
    """Those that were started for it already: whoever has the choice uses or closes them."""


async def choose(wanted: str | None = None, *, unsafe: bool = False) -> Choice:
    """Return the strongest tier that works, or the wanted one.

    SandboxError, with each tier and why it failed, if none works and `unsafe` was not allowed.
    """
    if wanted not in (None, *TIERS, "unsafe"):
        raise SandboxError(f"there is no sandbox tier {wanted!r}; there are {', '.join(TIERS)} and unsafe")
    if wanted == "unsafe" and not unsafe:
        raise SandboxError("the tier `unsafe` contains nothing and must be allowed", hint="--unsafe")
    failures: dict[str, SandboxError] = {}
    for name in TIERS if wanted is None else (wanted,):
        if name == "unsafe":
            break
        servers = early.take(name)
        try:
            failure = await probe(name, servers)
            if failure is None:
                return Choice(describe(name, failures), await _policy(), servers)
        except BaseException:
            await _close(servers)
            raise
        await _close(servers)
        failures[name] = failure
    if unsafe and wanted in (None, "unsafe"):
        try:
            return Choice(describe("unsafe", failures, filtered=True), await _policy())
        except SandboxError as error:
            return Choice(describe("unsafe", {**failures, "seccomp": error}), b"")
    tried = "; ".join(f"{name}: {error.message}" for name, error in failures.items())
    hints = [error.hint for error in failures.values() if error.hint]
    raise SandboxError(
        f"no sandbox works on this machine ({tried})",
        hint=hints[0] if hints else "dualcode sandbox tells more; --unsafe runs programs without one",
    )


async def _close(servers: Sequence[Worker]) -> None:
    for server in servers:
        await asyncio.shield(server.close())


async def _policy() -> bytes:
    """Compile it in a thread: finding libseccomp asks other programs."""
    return await asyncio.to_thread(policy.compile_policy)


def describe(name: str, failures: dict[str, SandboxError], *, filtered: bool = False) -> Tier:
    """Return what holds and lacks in a tier here, and why no stronger one was chosen."""
    reason = "; ".join(f"{stronger}: {error.message}" for stronger, error in failures.items())
    holds, lacks = _HOLDS[name], _LACKS[name]
    if name == "unsafe" and filtered:
        holds = (_CALLS, *holds)
    elif name == "unsafe":
        lacks = (*lacks, "PROCESSES AND NETWORK ARE OPEN")
    if name == "landlock":
        lacks = (*lacks, *_lacks_by_abi(kernel.landlock_abi()))
    if kernel.reaches_handler():
        lacks = (
            *lacks,
            "a crash handler of the host, if there is one, is given what crashes (ulimit -Hc is 0)",
        )
    return Tier(name=name, holds=holds, lacks=lacks, reason=reason)


def _lacks_by_abi(abi: int) -> tuple[str, ...]:
    """Name what the filter alone stops, with no second wall behind it, on older kernels."""
    second_walls = ((3, "truncation of files"), (4, "TCP"), (6, "signals and abstract sockets"))
    return tuple(
        f"Landlock ABI {abi}: {what} stopped by the filter alone"
        for since, what in second_walls
        if abi < since
    )


_probed: dict[str, SandboxError | None] = {}


async def probe(name: str, servers: Sequence[Worker] = ()) -> SandboxError | None:
    """Try a tier in the first of these servers, or a throwaway one; None if it holds, else what went wrong.

    Cached for this process.
    """
    if name not in _probed:
        try:
            await (_attack(servers[0]) if servers else _try(name))
            _probed[name] = None
        except SandboxError as error:
            _probed[name] = error
    return _probed[name]


async def _try(name: str) -> None:
    worker = Worker(name, await _policy())
    try:
        await _attack(worker)
    finally:
        await worker.close()


async def _attack(worker: Worker) -> None:
    try:
        await worker.ready()
        with _file_of_the_host() as path:
            attempts = (source.format(path=str(path)) for source in (*_ATTACKS.values(), *_NEEDS.values()))
            sources = tuple(f"attempt({source!r})" for source in attempts)
            _judge(await worker.run(Job(_PROGRAM, Expressions(sources), limits=Limits(wall=30.0))))
    except BrokenError as error:
        raise SandboxError(f"the fork server broke: {error}") from error


@contextlib.contextmanager
def _file_of_the_host() -> Generator[Path]:
    """Make a file that any user may read and write, and no candidate."""
    with tempfile.TemporaryDirectory(prefix="dualcode-probe-") as folder:
        path = Path(folder, "host")
        path.write_text("the host's")
        path.chmod(0o666)
        path.parent.chmod(0o777)
        yield path


def _judge(ran: Ran) -> None:
    """Raise unless every attack was denied and everything needed was done."""
    expected = {**dict.fromkeys(_ATTACKS, b"denied"), **dict.fromkeys(_NEEDS, b"done")}
    outcomes = ran.returned()
    if ran.ending != "finished" or len(outcomes) != len(expected):
        raise SandboxError(f"the probe ended: {ran.ending} {ran.detail} {ran.told() or ''}".strip())
    for (what, right), outcome in zip(expected.items(), outcomes, strict=True):
        if not outcome.payload.endswith(right):
            verb = "could not" if right == b"done" else "could"
            raise SandboxError(f"a program {verb} {what}: {outcome.payload!r}")
