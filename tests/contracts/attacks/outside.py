"""The world around a jail, laid out so that any trespass leaves a trace."""

import contextlib
import os
import secrets
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Self
from unittest import mock

import psutil

SECRET_VARIABLE = "DUALCODE_TEST_SECRET"


class Outside:
    """Canaries: files, an environment variable, listening sockets, and a process of the same user.

    `harm()` tells what was done to them. Use it as a context manager.
    """

    def __init__(self, folder: Path) -> None:
        self.secret = f"secret-{secrets.token_hex(12)}"
        self.vault = folder / "vault"
        self._parts = contextlib.ExitStack()
        self._parts.enter_context(mock.patch.dict(os.environ, {SECRET_VARIABLE: self.secret}))
        self._lay_out()
        self._before = self._state()

    def _lay_out(self) -> None:
        self.vault.mkdir()
        self.vault.chmod(0o777)
        self.canary.write_text(self.secret)
        self.canary.chmod(0o666)
        (self.vault / "empty").mkdir()
        (self.vault / "link").symlink_to("nowhere")
        self.port, self._tcp = self._listen(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
        self.udp_port, self._udp = self._listen(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))
        self.path_socket = str(self.vault / "socket")
        self.abstract_socket = f"\0dualcode-{secrets.token_hex(8)}"
        _, self._unix = self._listen(socket.AF_UNIX, socket.SOCK_STREAM, self.path_socket)
        _, self._abstract = self._listen(socket.AF_UNIX, socket.SOCK_STREAM, self.abstract_socket)
        self._victim = self._start_victim()
        self.free_port = self._free_port()

    @property
    def canary(self) -> Path:
        """The file with the secret."""
        return self.vault / "canary"

    def known(self) -> dict[str, object]:
        """Return what an attack is told: where everything is, but not the secret."""
        return {
            "VAULT": str(self.vault),
            "CANARY": str(self.canary),
            "SECRET_VARIABLE": SECRET_VARIABLE,
            "PORT": self.port,
            "UDP_PORT": self.udp_port,
            "FREE_PORT": self.free_port,
            "PATH_SOCKET": self.path_socket,
            "ABSTRACT_SOCKET": self.abstract_socket,
            "VICTIM": self._victim.pid,
            "HOST": os.getpid(),
            "HOST_NAME": socket.gethostname(),
            "PYTHON": sys.executable,
        }

    def harm(self) -> list[str]:
        """Return what was done to the outside since it was laid out."""
        now = self._state()
        return [
            f"{name}: {self._before[name]} became {now[name]}"
            for name in now
            if now[name] != self._before[name]
        ]

    def _state(self) -> dict[str, object]:
        return {
            "files": self._files(),
            "connections": [_touched(each) for each in (self._tcp, self._udp, self._unix, self._abstract)],
            "victim": self._victim_state(),
            "host": _process_state(os.getpid()),
        }

    def _files(self) -> dict[str, tuple[int, int, bytes]]:
        found: dict[str, tuple[int, int, bytes]] = {}
        if not self.vault.is_dir():
            return found
        for path in sorted([self.vault, *self.vault.rglob("*")]):
            info = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(info.st_mode) else b""
            found[str(path)] = (info.st_mode, info.st_mtime_ns, content)
        return found

    def _victim_state(self) -> object:
        code = self._victim.poll()
        return f"ended with {code}" if code is not None else _process_state(self._victim.pid)

    def _listen(self, family: int, kind: int, address: tuple[str, int] | str) -> tuple[int, socket.socket]:
        listening = self._parts.enter_context(socket.socket(family, kind))
        listening.bind(address)
        if kind == socket.SOCK_STREAM:
            listening.listen(50)
        listening.setblocking(False)
        name = listening.getsockname()
        return (name[1] if family == socket.AF_INET else 0), listening

    def _free_port(self) -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    def _start_victim(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(1000)"],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.readline()
        self._parts.callback(process.wait)
        self._parts.callback(process.kill)
        self._parts.callback(process.stdout.close)
        return process

    def close(self) -> None:
        """Take everything down."""
        self._parts.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _process_state(pid: int) -> tuple[object, ...]:
    """Return what another process could change of this one."""
    process = psutil.Process(pid)
    stopped = process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP, psutil.STATUS_ZOMBIE)
    memory = process.rlimit(psutil.RLIMIT_AS)
    files = process.rlimit(psutil.RLIMIT_NOFILE)
    return stopped, process.nice(), memory, files, tuple(process.cpu_affinity() or ())


def _touched(listening: socket.socket) -> bool:
    """Whether anything came in; what came is taken, so that it is told once."""
    try:
        if listening.type == socket.SOCK_DGRAM:
            listening.recv(100)
        else:
            listening.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def descendants(expected: int = 0) -> list[psutil.Process]:
    """Return the living processes that descend from this one.

    The kernel needs a moment to take a killed one apart: those beyond the expected number get two seconds.
    """
    found = list[psutil.Process]()
    for _ in range(100):
        found = [child for child in psutil.Process().children(recursive=True) if _lives(child)]
        if len(found) <= expected:
            return found
        time.sleep(0.02)
    return found


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
