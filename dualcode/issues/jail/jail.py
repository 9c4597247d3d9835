"""The jail itself: one command in, what came of it out, and nothing of it left behind."""

import asyncio
import base64
import contextlib
import errno
import functools
import json
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

from dualcode.errors import SandboxError
from dualcode.issues.jail import bubblewrap, launch
from dualcode.issues.jail.room import Ended, Ending, Places, Room
from dualcode.issues.task import Limits
from dualcode.issues.worktrees import JAIL_USER, entries_beneath, give, temporary_folder
from dualcode.sandbox import fence, policy
from dualcode.sandbox.sandbox import Tier

LONGEST = 100_000
"""Characters of a command."""
_LAUNCH = str(Path(launch.__file__).resolve())
_LOOK_SECONDS = 0.25
_DISK_SECONDS = 1.0
_MOST_FILES = 200_000
_MIB = 1 << 20
_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
DENIED = (
    "acct", "add_key", "adjtimex", "bpf", "chroot", "clock_adjtime", "clock_settime", "create_module",
    "delete_module", "fanotify_init", "finit_module", "fsconfig", "fsmount", "fsopen", "fspick",
    "get_kernel_syms", "init_module", "io_uring_enter", "io_uring_register", "io_uring_setup", "ioperm",
    "iopl", "kcmp", "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "mbind", "mount",
    "mount_setattr", "move_mount", "move_pages", "name_to_handle_at", "nfsservctl", "open_by_handle_at",
    "open_tree", "perf_event_open", "personality", "pivot_root", "process_vm_readv", "process_vm_writev",
    "ptrace", "query_module", "quotactl", "reboot", "request_key", "set_mempolicy", "setdomainname",
    "sethostname", "setns", "settimeofday", "swapoff", "swapon", "syslog", "umount", "umount2", "unshare",
    "uselib", "userfaultfd", "vhangup", "vmsplice",
)  # fmt: skip
"""The system calls that no command needs: they reach past namespaces, or have often let somebody out of them.

A command forks, starts programs and, in a network of its own, opens sockets, so the candidates' allow list
(`sandbox.policy`) cannot be its own.
"""
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
"""The kinds of sockets that may be opened where the network is the command's own."""
_NEW_USER = 0x10000000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
"""What would type into a terminal."""


class CommandJail:
    """Runs commands that nobody trusts, any number at a time. `tiers.open_jail` gives one."""

    def __init__(self, tier: Tier) -> None:
        """Take a tier that was probed."""
        self.tier = tier
        self._inside = Counter[Path]()
        """Commands at work by their folder for temporary files, where that is not the room's own."""

    def places(self, room: Room) -> Places:
        """Return where a command in this room finds things."""
        return bubblewrap.PLACES if self.tier.name == "bubblewrap" else host_places(room)

    async def run(self, command: str, room: Room, limits: Limits | None = None) -> Ended:
        """Run a shell line; `limits` of the room's task by default those of `Limits`.

        When this returns, or is cancelled, all that the command started has ended. Raises SandboxError if
        the jail itself failed: that says nothing about the command.
        """
        limits = limits or Limits()
        if len(command.encode(errors="surrogateescape")) > LONGEST:
            return Ended(ending="too long", exit_code=None, output="", seconds=0.0)
        with temporary_folder() as folder, self._scratch(room) as room:
            spec = self._spec(command, room, limits, str(folder))
            return await _Run(spec, room, limits).ended()

    @contextlib.contextmanager
    def _scratch(self, room: Room) -> Generator[Room]:
        """Lend a room whose folder for temporary files is there; bubblewrap makes one in memory."""
        if self.tier.name == "bubblewrap" or room.scratch is not None:
            yield room
            return
        scratch = scratch_of(room)
        self._inside[scratch] += 1
        try:
            scratch.mkdir(parents=True, exist_ok=True)
            give(scratch)
            yield replace(room, scratch=scratch)
        finally:
            self._inside[scratch] -= 1
            if not self._inside[scratch]:
                fence.clear(str(scratch))
                scratch.rmdir()

    def _spec(self, command: str, room: Room, limits: Limits, folder: str) -> dict[str, object]:
        places, root = self.places(room), os.geteuid() == 0
        environment = _environment(places, room)
        limited = ["/bin/bash", "-c", 'ulimit -u "$0" && exec "$@"', str(limits.processes)]
        called = ["/bin/bash", "-c", command]
        spec: dict[str, object] = {
            "memory": (limits.memory_mb + 512) * _MIB,
            "file": limits.disk_mb * _MIB,
            "processes": limits.processes,
            "user": JAIL_USER if root and self.tier.name != "unsafe" else 0,
            "sources": [],
            "stage": "",
            "landlock": None,
            "cwd": places.tree,
            "seccomp": "",
            "environment": environment,
            "argv": called,
        }
        if self.tier.name == "bubblewrap":
            program = bubblewrap.find()
            if program is None:
                raise SandboxError("bubblewrap is not installed any more", hint=bubblewrap.HINT)
            argv, sources = bubblewrap.arguments(program, room, environment)
            filtered = base64.b64encode(compile_filter(sockets=True)).decode()
            more = {"stage": folder, "cwd": "", "seccomp": filtered}
            return spec | more | {"argv": [*argv, *limited, *called], "sources": sources}
        if self.tier.name == "landlock":
            filtered = base64.b64encode(compile_filter(sockets=False)).decode()
            spec |= {"landlock": landlock_rules(room), "seccomp": filtered}
        return spec


def scratch_of(room: Room) -> Path:
    """Return the host's folder for temporary files: the room's own, or one beside the worktree's git dir."""
    return room.scratch or room.worktree.base.folder / "scratch" / room.worktree.name


def host_places(room: Room) -> Places:
    """Return where a command that no bubblewrap holds finds things: the host's own paths."""
    return Places(
        tree=str(room.worktree.path),
        packages=str(room.environment.packages),
        tools=str(room.environment.packages.parent / "bin"),
        scratch=str(scratch_of(room)),
        results=str(room.results or ""),
        given=str(room.files[0][0].parent) if room.files else "",
    )


def landlock_rules(room: Room) -> dict[str, list[str]]:
    """Return what Landlock lets a command read, write, and what stays hidden beneath the readable."""
    interpreter, tree = room.environment.interpreter, room.worktree.path
    own = [each for each in _SYSTEM if Path(each).exists() and not Path(each).is_symlink()]
    readable = [*own, *bubblewrap.system_paths(interpreter)]
    readable += [str(room.environment.packages.parent), *(str(file) for file, _ in room.files)]
    git_dir = room.worktree.base.git_dir
    readable += [str(each) for each in git_dir.iterdir() if each.name != "worktrees"]
    readable.append(str(room.worktree.admin))
    writable = [str(scratch_of(room)), *_DEVICES, *([str(room.results)] if room.results else [])]
    (writable if room.writable else readable).append(str(tree))
    return {"readable": readable, "writable": writable, "hidden": bubblewrap.package_folders(interpreter)}


def _environment(places: Places, room: Room) -> dict[str, str]:
    """Return all the variables that a command sees."""
    roots = (places.tree if each == "." else f"{places.tree}/{each}" for each in room.pythonpath)
    return {
        "PATH": f"{places.tools}:{places.packages}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": places.scratch,
        "TMPDIR": places.scratch,
        "USER": "user",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "PAGER": "cat",
        "PYTHONPATH": ":".join((*roots, places.packages)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "GIT_PAGER": "cat",
        "GIT_OPTIONAL_LOCKS": "0",
    }


class _Run:
    """A command while it runs: its output, and the eye on what it uses."""

    def __init__(self, spec: dict[str, object], room: Room, limits: Limits) -> None:
        self._spec, self._limits = spec, limits
        self._folders = [
            each for each in (room.writable and room.worktree.path, room.scratch, room.results) if each
        ]
        self._output = _Output(limits.output_kb << 10)
        self._peak = 0
        self._ending: Ending = "finished"

    async def ended(self) -> Ended:
        began = time.monotonic()
        before = await asyncio.to_thread(_measure, self._folders)
        told, telling = os.pipe()
        with open(told, "rb") as status:  # noqa: PTH123, ASYNC230 - a pipe, read at its end
            # As an argument it could be too long: a command may be, once escaped.
            spec = json.dumps({**self._spec, "status": telling, "parent": os.getpid()})
            given = launch.in_memory(spec.encode("ascii"), os.MFD_CLOEXEC)
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-I", "-S", "-B", _LAUNCH, str(given),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                    env={"PATH": "/usr/bin:/bin"},
                    start_new_session=True,
                    pass_fds=(telling, given),
                    cwd="/",
                )  # fmt: skip
            finally:
                os.close(telling)
                os.close(given)
            await self._wait(process, before)
            told_all = await asyncio.to_thread(status.read)
            entered = not self._spec["stage"] or b"exit-code" in told_all
        if self._ending == "finished":
            after = await asyncio.to_thread(_measure, self._folders)
            if self._exceeds(before, after):
                self._ending = "too much disk"
        return self._result(process.returncode, time.monotonic() - began, entered)

    async def _wait(self, process: asyncio.subprocess.Process, before: tuple[int, int]) -> None:
        """Return when the command, and all that it started, has ended, by itself or by a limit."""
        assert process.stdout is not None
        reading = asyncio.create_task(self._output.read(process.stdout))
        watching = asyncio.create_task(self._watch(process.pid, before))
        try:
            done, _ = await asyncio.wait(
                {asyncio.ensure_future(process.wait()), watching},
                timeout=self._limits.command_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not done:
                self._ending = "timed out"
        finally:
            watching.cancel()
            await self._kill(process)
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            _, late = await asyncio.wait({reading}, timeout=5)
            for each in late:  # somebody outside the jail holds the pipe
                each.cancel()

    def _result(self, code: int | None, seconds: float, entered: bool) -> Ended:
        output, left_out = self._output.text()
        if (code == launch.FAILED and launch.MARK in output) or (self._ending == "finished" and not entered):
            why = output.partition(launch.MARK)[2].strip() or output.strip()[-400:]
            raise SandboxError(f"the jail could not be entered: {why}")
        if code is not None and code < 0:
            code = 128 - code
        return Ended(
            ending=self._ending,
            exit_code=code if self._ending == "finished" else None,
            output=output,
            left_out=left_out,
            seconds=seconds,
            peak_memory=self._peak,
        )

    async def _kill(self, process: asyncio.subprocess.Process) -> None:
        """End the command and all beneath it."""
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)  # its guard ends all
        try:
            await asyncio.wait_for(asyncio.shield(process.wait()), 60)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def _watch(self, pid: int, before: tuple[int, int]) -> None:
        """Return when the command uses more than it may; each look costs far less than the time between."""
        next_disk = time.monotonic() + _DISK_SECONDS
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            memory = _memory(pid, self._limits.memory_mb * _MIB)
            self._peak = max(self._peak, memory)
            if memory > self._limits.memory_mb * _MIB:
                self._ending = "too much memory"
                return
            if (now := time.monotonic()) >= next_disk:
                after = await asyncio.to_thread(_measure, self._folders)
                if self._exceeds(before, after):
                    self._ending = "too much disk"
                    return
                next_disk = time.monotonic() + max(_DISK_SECONDS, 20 * (time.monotonic() - now))

    def _exceeds(self, before: tuple[int, int], after: tuple[int, int]) -> bool:
        grown = after[0] - before[0]
        return grown > self._limits.disk_mb * _MIB or after[1] - before[1] > _MOST_FILES


class _Output:
    """The beginning and the end of what a command prints; the rest is read, and dropped."""

    def __init__(self, most: int) -> None:
        self._half = max(1, most // 2)
        self._head, self._tail, self._total = bytearray(), bytearray(), 0

    async def read(self, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(1 << 16):
            self._total += len(data)
            room = self._half - len(self._head)
            self._head += data[:room]
            self._tail += data[room:] if room > 0 else data
            if len(self._tail) > 2 * self._half:
                del self._tail[: -self._half]

    def text(self) -> tuple[str, int]:
        del self._tail[: max(0, len(self._tail) - self._half)]
        left_out = self._total - len(self._head) - len(self._tail)
        between = f"\n[{left_out:,} bytes left out]\n".encode() if left_out else b""
        return (self._head + between + self._tail).decode(errors="replace"), left_out


def _memory(pid: int, most: int) -> int:
    """Return the bytes that processes hold; what they share is counted once, where that matters."""
    pids = [pid, *launch.descendants(pid)]
    total = sum(_field(each, "status", ("RssAnon:", "RssShmem:")) for each in pids)
    if total > most:
        shares = [_field(each, "smaps_rollup", ("Pss_Anon:", "Pss_Shmem:")) for each in pids]
        total = sum(shares) or total
    return total


def _field(pid: int, file: str, names: tuple[str, ...]) -> int:
    try:
        text = Path(f"/proc/{pid}/{file}").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith(names))


def _measure(folders: list[Path]) -> tuple[int, int]:
    """Return bytes on disk and entries of some folders, as far as they can be seen."""
    size = count = 0
    for _, about in entries_beneath(*folders):
        size, count = size + about.st_blocks * 512, count + 1
    return size, count


@functools.cache
def compile_filter(*, sockets: bool) -> bytes:
    """Return the seccomp program that denies; without `sockets`, none can be opened but connected pairs.

    Raises SandboxError if libseccomp is not there or does not know this machine.
    """
    seccomp = policy.libseccomp()
    rules, deny = seccomp.SyscallFilter(seccomp.ALLOW), seccomp.ERRNO(errno.EPERM)
    for name in DENIED:
        policy.add_rule(rules, deny, name)
    # Its flags lie where no filter can read them.
    policy.add_rule(rules, seccomp.ERRNO(errno.ENOSYS), "clone3")
    policy.add_rule(rules, deny, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, _NEW_USER, _NEW_USER))
    for request in (_TIOCSTI, _TIOCLINUX):
        policy.add_rule(rules, deny, "ioctl", seccomp.Arg(1, seccomp.MASKED_EQ, 0xFFFFFFFF, request))
    if sockets:
        policy.add_rule(rules, deny, "socket", seccomp.Arg(0, seccomp.GT, max(_FAMILIES)))
        for family in set(range(max(_FAMILIES))) - set(_FAMILIES):
            policy.add_rule(rules, deny, "socket", seccomp.Arg(0, seccomp.EQ, family))
    else:
        policy.add_rule(rules, deny, "socket")
    return policy.program_of(rules)
