"""A command that may write nowhere but in given folders, and has no network. Run as a process of its own.

    python -m dualcode.reviews.enclosed SECONDS FOLDER[:FOLDER…] COMMAND

It leaves the network, and the processes outside, by namespaces where the kernel lets it, and every place to
write but the folders by Landlock; without either it says why and runs nothing (exit code 125). What it starts
has ended when it ends. Reading is not confined: a project's tests need the interpreter and what is installed.
"""

import contextlib
import os
import signal
import subprocess
import sys

from dualcode.sandbox import kernel

REFUSED = 125
TIMED_OUT = 124

_EXECUTE, _WRITE, _READ, _READ_DIR = 1, 2, 4, 8
_ALL = (1 << 13) - 1
_REFER, _TRUNCATE, _IOCTL = 1 << 13, 1 << 14, 1 << 15
_BY_ABI = ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL))
_TCP, _SCOPES = 3, 3
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def confine(folders: list[str]) -> None:
    """Let this process and its descendants write in these folders alone. Raises OSError."""
    abi = kernel.landlock_abi()
    rights = _ALL | sum(right for since, right in _BY_ABI if abi >= since)
    ruleset = kernel.landlock_create(abi, rights, _TCP if abi >= 4 else 0, _SCOPES if abi >= 6 else 0)
    kernel.landlock_allow(ruleset, "/", (_EXECUTE | _READ | _READ_DIR | _IOCTL) & rights)
    for device in _DEVICES:
        if os.path.exists(device):  # noqa: PTH110 - no package is imported here
            kernel.landlock_allow(ruleset, device, (_WRITE | _READ | _TRUNCATE) & rights & ~_READ_DIR)
    for folder in folders:
        kernel.landlock_allow(ruleset, folder, rights)
    kernel.forbid_new_privileges()
    kernel.landlock_restrict(ruleset)


def leave() -> bool:
    """Leave the host's network and processes behind; whether the kernel let us."""
    user, group = os.geteuid(), os.getegid()
    try:
        kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNET | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC)
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123
                file.write(text)
    except OSError:
        return False
    return True


def main() -> int:
    """Run the command; return its exit code."""
    seconds, folders, command = float(sys.argv[1]), sys.argv[2].split(":"), sys.argv[3]
    kernel.adopt_orphans()
    kernel.die_with_parent(signal.SIGKILL)
    left = leave()
    try:
        if not left and kernel.landlock_abi() < 4:
            raise OSError("neither namespaces nor a Landlock that knows the network (ABI 4)")
        confine(folders)
    except OSError as error:
        sys.stderr.write(f"this machine cannot confine a test command: {error}\n")
        return REFUSED
    child = subprocess.Popen(["/bin/sh", "-c", command], start_new_session=True, stdin=subprocess.DEVNULL)
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        return TIMED_OUT
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        _end_orphans(child.pid)


def _end_orphans(child: int) -> None:
    """Kill what the command left behind, in whichever session: it is ours since its parents ended."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            path = f"/proc/self/task/{os.getpid()}/children"
            try:
                with open(path) as file:  # noqa: PTH123
                    left = [int(word) for word in file.read().split()]
            except OSError:
                left = [child]
            for each in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(each, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
