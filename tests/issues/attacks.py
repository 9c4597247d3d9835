"""What a command may try, and how it is seen from outside whether it did harm.

`python -m tests.issues.attacks` prints the table of docs/issues.md, for the jails that hold here.
"""

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

from dualcode.issues.jail.jail import CommandJail, host_places
from dualcode.issues.jail.room import Ended, Places, Room
from dualcode.issues.jail.tiers import TIERS, describe, probe, room_for_tests
from dualcode.issues.packages import interpreter
from dualcode.issues.task import Limits

LIMITS = Limits(command_seconds=20, memory_mb=256, processes=64, disk_mb=8, output_kb=16)


@dataclass
class Scene:
    """Things of the host that a command must not reach."""

    folder: Path
    room: Room
    victim: "subprocess.Popen[bytes]"
    port: int
    mark: str
    reached: list[str] = field(default_factory=list[str])

    @property
    def secret(self) -> Path:
        return self.folder / "secret"


Harm = Callable[[Scene, Ended], bool]


@dataclass(frozen=True)
class Attack:
    """A command in Bash, with `{names}` of the scene, and whether it did harm."""

    name: str
    command: str
    harm: Harm
    limit: bool = False
    """Whether a limit stops it, which holds without a jail, too."""


def told(word: str) -> Harm:
    return lambda scene, ended: word.format(mark=scene.mark) in ended.output


def alive(scene: Scene, ended: Ended) -> bool:
    return any(scene.mark in line for line in command_lines())


def command_lines() -> list[str]:
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_text(errors="replace"))
    return found


PYTHON = "python -I -S -c"
ATTACKS = (
    Attack("read a file of the host", "cat {folder}/secret", told("{mark}")),
    Attack("read it through a link in the tree", "ln -s {folder} up && cat up/secret", told("{mark}")),
    Attack("write a file of the host", "echo x > {folder}/secret", lambda s, e: s.mark not in s.secret.read_text()),
    Attack("make a file of the host", "echo x > {folder}/made", lambda s, e: (s.folder / "made").exists()),
    Attack("read the environment of a process", "cat /proc/{victim}/environ", told("{mark}")),
    Attack("read what an installed package holds", "cat {installed} > /dev/null && echo read-{mark}", told("read-{mark}")),
    Attack("kill a process of the host", "kill -9 {victim}", lambda s, e: s.victim.poll() is not None),
    Attack(
        "stop every process that it can", "kill -STOP {victim}",
        lambda s, e: Path(f"/proc/{s.victim.pid}/stat").read_text().split(") ")[1][0] == "T",
    ),
    Attack("connect to the host", "exec 3<>/dev/tcp/127.0.0.1/{port}; echo tcp >&3", lambda s, e: "tcp" in s.reached),
    Attack(
        "send a datagram to the host", "echo udp > /dev/udp/127.0.0.1/{port}", lambda s, e: "udp" in s.reached
    ),
    Attack(
        "connect to a socket in a folder",
        PYTHON + " 'import socket; s = socket.socket(1); s.connect(\"{folder}/socket\"); s.send(b\"unix\")'",
        lambda s, e: "unix" in s.reached,
    ),
    Attack(
        "connect to an abstract socket",
        PYTHON + " 'import socket; s = socket.socket(1); s.connect(chr(0) + \"{mark}\"); s.send(b\"abstract\")'",
        lambda s, e: "abstract" in s.reached,
    ),
    Attack("leave a daemon", "setsid bash -c 'sleep 600; : {mark}' > /dev/null 2>&1 < /dev/null &", alive),
    Attack(
        "leave a daemon that holds the output", "setsid bash -c 'sleep 600; : {mark}' &",
        lambda s, e: alive(s, e) or e.seconds > 15,
    ),
    Attack(
        "leave a daemon by forking twice",
        PYTHON + " 'import os, time\nif not os.fork():\n    os.setsid()\n    if not os.fork():\n        time.sleep(600)  # {mark}\n'",
        alive,
    ),
    Attack(
        "leave a key in the kernel's keyring",
        PYTHON + " 'import ctypes; c = ctypes.CDLL(None); "
        "print(\"key\", c.syscall(248, b\"user\", b\"{mark}\", b\"x\", 1, -4) > 0)'",
        told("key True"),
    ),
    Attack("make a user namespace", "unshare -Ur true && echo made-{mark}", told("made-{mark}")),
    Attack(
        "trace a process",
        PYTHON + " 'import ctypes; c = ctypes.CDLL(None); print(\"traced\", c.ptrace(16, {victim}, 0, 0) == 0)'",
        told("traced True"),
    ),
    Attack("write into Python's own files", "echo >> {library} && echo wrote-{mark}", told("wrote-{mark}")),
    Attack("write into the packages of the task", "echo x > {packages}/{mark}", lambda s, e: (s.room.environment.packages / s.mark).exists()),
    Attack("write into the base's git dir", "mkdir -p {base}/hooks && echo x > {base}/hooks/post-checkout", lambda s, e: (s.room.worktree.base.git_dir / "hooks/post-checkout").exists()),
    Attack("print 50 MB", "head -c 50000000 /dev/zero | tr '\\0' x", lambda s, e: len(e.output) > 40_000, limit=True),
    Attack("run for ever", "sleep 600", lambda s, e: e.seconds > 60, limit=True),
    Attack("use up all memory in one process", PYTHON + " 'len(bytearray(2 << 30))'", lambda s, e: e.peak_memory > 1 << 30, limit=True),
    Attack(
        "use up all memory in many processes",
        "for i in 1 2 3 4 5 6 7 8; do " + PYTHON + " 'import time; x = bytearray(100 << 20); time.sleep(60)' & done; wait",
        lambda s, e: e.ending != "too much memory", limit=True,
    ),
    Attack(
        "fill the disk by one file", "head -c 50000000 /dev/zero > big",
        lambda s, e: (s.room.worktree.path / "big").stat().st_size > 9 << 20, limit=True,
    ),
    Attack(
        "fill the disk by many files", "for i in $(seq 400); do head -c 200000 /dev/zero > f$i; done; sleep 60",
        lambda s, e: e.ending != "too much disk", limit=True,
    ),
)  # fmt: skip
_FORKS = 3000
BOMB = Attack(
    "fork without end",
    PYTHON
    + " 'import os, time\nn = 0\ntry:\n    while n < {forks}:\n        if not os.fork(): time.sleep(600)  # {mark}\n        n += 1\n"
    'except OSError: pass\nprint("forked", n)\'',
    lambda s, e: not any(f"forked {n}\n" in e.output for n in range(65)),
)
"""Its control forks a few more than it may in a jail, and no more: it would do its harm to whoever runs it."""


class Bare:
    """Runs a command with nothing around it, as whoever runs the tests: no jail, no guard, no limit but time."""

    tier = describe("unsafe", {})
    forks = LIMITS.processes + 6

    def places(self, room: Room) -> Places:
        return host_places(room)

    async def run(self, command: str, room: Room, limits: Limits) -> Ended:
        return await asyncio.to_thread(self._run, command, room, limits)

    def _run(self, command: str, room: Room, limits: Limits) -> Ended:
        began = time.monotonic()
        with tempfile.TemporaryFile() as output:  # what a daemon may hold
            done = subprocess.run(
                ["/bin/bash", "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=room.worktree.path,
                start_new_session=True,
                timeout=limits.command_seconds,
                check=False,
            )
            output.seek(0)
            text = output.read().decode(errors="replace")
        seconds = time.monotonic() - began
        return Ended(ending="finished", exit_code=done.returncode, output=text, seconds=seconds)


def forget_key(mark: str) -> None:
    """Take a key out of the user's keyring, where an attack left it."""
    libc = ctypes.CDLL(None)
    key = libc.syscall(_KEYCTL, _SEARCH, _USER_KEYRING, b"user", mark.encode(), 0)
    if key > 0:
        libc.syscall(_KEYCTL, _UNLINK, key, _USER_KEYRING)


_KEYCTL, _UNLINK, _SEARCH, _USER_KEYRING = 250, 9, 10, -4


@contextlib.contextmanager
def scene() -> Generator[Scene]:
    """Set the scene, with its listeners and its victim."""
    mark = os.urandom(8).hex()
    with (
        tempfile.TemporaryDirectory(prefix="dualcode-scene-") as name,
        room_for_tests() as room,
        contextlib.ExitStack() as stack,
    ):
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "secret").write_text(mark)
        (folder / "secret").chmod(0o666)
        victim = subprocess.Popen(["sleep", "600"], env={"SECRET": mark})
        stack.callback(victim.wait)
        stack.callback(victim.send_signal, signal.SIGKILL)
        made = Scene(folder, room, victim, 0, mark)
        kinds: tuple[tuple[int, int, object], ...] = (
            (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            (socket.AF_INET, socket.SOCK_DGRAM, None),
            (socket.AF_UNIX, socket.SOCK_STREAM, f"{folder}/socket"),
            (socket.AF_UNIX, socket.SOCK_STREAM, f"\0{mark}"),
        )
        for family, kind, address in kinds:
            listener = stack.enter_context(socket.socket(family, kind))
            listener.bind(address or ("127.0.0.1", made.port))
            if not made.port:
                made.port = listener.getsockname()[1]
            if kind == socket.SOCK_STREAM:
                listener.listen()
            listener.settimeout(0.05)  # else it waits for ever once it is closed, and keeps a descriptor
            hearing = threading.Thread(target=_hear, args=(listener, made.reached), daemon=True)
            hearing.start()
            stack.callback(hearing.join)
            stack.callback(listener.close)
        (folder / "socket").chmod(0o777)
        yield made


def _hear(listener: socket.socket, reached: list[str]) -> None:
    while listener.fileno() != -1:
        with contextlib.suppress(OSError):  # a time-out, or the end
            if listener.type == socket.SOCK_DGRAM:
                reached.append(listener.recv(100).decode().strip())
            else:
                with listener.accept()[0] as heard:
                    heard.settimeout(1)
                    reached.append(heard.recv(100).decode().strip())


def end_marked(mark: str) -> None:
    """End what a command left behind."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if mark in path.read_text(errors="replace"):
                os.kill(int(path.parent.name), signal.SIGKILL)


async def attempt(attack: Attack, jail: CommandJail | Bare) -> tuple[bool, Ended]:
    """Run an attack; whether it did harm, and what came of it. What it left is ended."""
    with scene() as set_scene:
        places = jail.places(set_scene.room)
        python = interpreter(">=3.8")
        bare = isinstance(jail, Bare)
        library = Path(os.__file__).parent
        places_of_packages = (library, library.with_name("python3"))
        found = (path for each in places_of_packages for path in each.glob("*-packages/*/__init__.py"))
        installed = next(found, Path("/none"))
        names = {
            "folder": set_scene.folder, "mark": set_scene.mark, "victim": set_scene.victim.pid,
            "port": set_scene.port, "packages": places.packages, "installed": installed,
            "library": python.prefix / f"lib/python{python.version[0]}.{python.version[1]}/this.py",
            "base": "/base" if jail.tier.name == "bubblewrap" else set_scene.room.worktree.base.git_dir,
            "forks": jail.forks if isinstance(jail, Bare) else _FORKS,
        }  # fmt: skip
        if bare:  # a copy, which is as writable as the file itself is to whoever runs this
            names["library"] = shutil.copy(str(names["library"]), set_scene.folder)
        command = attack.command
        for key, value in names.items():
            command = command.replace(f"{{{key}}}", str(value))
        limits = (
            LIMITS.model_copy(update={"command_seconds": 1.0}) if attack.name == "run for ever" else LIMITS
        )
        ended = await jail.run(command, set_scene.room, limits)
        await asyncio.sleep(0.1)
        try:
            return attack.harm(set_scene, ended), ended
        finally:
            end_marked(set_scene.mark)
            if bare:
                forget_key(set_scene.mark)


async def table() -> str:
    """Return the rows of the table in docs/issues.md."""
    jails = [CommandJail(describe(name, {})) for name in TIERS if await probe(name) is None]
    lines = [f"| attack | {' | '.join(each.tier.name for each in jails)} |", "|---" * (len(jails) + 1) + "|"]
    for attack in (*ATTACKS, BOMB):
        cells: list[str] = []
        for jail in jails:
            harmed, ended = await attempt(attack, jail)
            how = ended.ending if ended.ending != "finished" else f"exit code {ended.exit_code}"
            cells.append(f"**DID HARM** ({how})" if harmed else f"no harm ({how})")
        lines.append(f"| {attack.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(asyncio.run(table()))
