"""Server processes: told from strangers by pid and creation time, ended with everything that they started."""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import psutil

# Servers that this very process started: they must be reaped, and their objects not collected before.
_OWN: dict[int, subprocess.Popen[bytes]] = {}


class Identity(Protocol):
    """What tells one process from a later one with the same pid."""

    @property
    def pid(self) -> int:
        """The pid, which is the process group's too."""
        ...

    @property
    def created(self) -> float:
        """The process's creation time, seconds since 1970, as psutil tells it."""
        ...


def spawn(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, cores: Sequence[int] | None
) -> tuple[int, float]:
    """Start a process in its own session, output to `log`, bound to `cores`; return (pid, creation time)."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _OWN[process.pid] = process
    if cores:
        os.sched_setaffinity(process.pid, cores)
    return process.pid, psutil.Process(process.pid).create_time()


def exit_code(server: Identity) -> int | None:
    """Return a dead server's exit code if this process started it; None if it lives or is not our child."""
    process = _OWN.get(server.pid)
    return process.poll() if process else None


def alive(server: Identity) -> bool:
    """Whether this very process still runs; another one that got its pid does not count."""
    exit_code(server)  # a dead child of ours would stay a zombie
    try:
        process = psutil.Process(server.pid)
        return _same(process, server) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _same(process: psutil.Process, server: Identity) -> bool:
    return abs(process.create_time() - server.created) < 0.05


def members(server: Identity) -> list[psutil.Process]:
    """Return the living processes of the server's group.

    A pid is not given out again while a group of that number exists. So if the leader's pid now belongs to
    another process the group is gone, and if it belongs to none, whoever is in the group was put there by us.
    """
    exit_code(server)  # a dead child of ours would stay a zombie
    with contextlib.suppress(psutil.NoSuchProcess):
        if not _same(psutil.Process(server.pid), server):
            return []
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == server.pid and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def end(
    servers: Sequence[Identity], *, patience: float, tick: Callable[[], None] = lambda: None
) -> list[int]:
    """End these servers and all that they started; return the pids that had to be killed.

    The leaders get SIGTERM and `patience` seconds: vLLM's API server finishes its requests and stops its
    engine itself, and would lose both if the engine got the signal at the same time. Then the rest of the
    group gets SIGTERM, and after two seconds SIGKILL. `tick` is called while the leaders are waited for.
    """
    _signal((server.pid for server in servers if alive(server)), signal.SIGTERM)
    _wait(lambda: not any(alive(server) for server in servers), patience, tick)
    _signal(_pids(servers), signal.SIGTERM)
    _wait(lambda: not _pids(servers), 2)
    killed = _pids(servers)
    _signal(killed, signal.SIGKILL)
    _wait(lambda: not _pids(servers), 5)
    for server in servers:
        if exit_code(server) is not None:
            del _OWN[server.pid]
    return killed


def _pids(servers: Sequence[Identity]) -> list[int]:
    return [process.pid for server in servers for process in members(server)]


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _wait(done: Callable[[], bool], seconds: float, tick: Callable[[], None] = lambda: None) -> None:
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        tick()
        time.sleep(0.1)


@contextlib.contextmanager
def locked(file: Path, busy: Callable[[], None]) -> Generator[None]:
    """Hold a lock, which the kernel frees if we die. If another holds it, call `busy` and then wait."""
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            busy()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def free_ports(count: int, host: str) -> list[int]:
    """Return `count` different ports that are free on `host` at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((host, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """Return who listens on `port`, as `name (pid N)`; `another process` where the system does not tell."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        connections = []
    for each in connections:
        if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr[1] == port and each.pid:
            try:
                return f"{psutil.Process(each.pid).name()} (pid {each.pid})"
            except psutil.NoSuchProcess:
                break
    return "another process"
