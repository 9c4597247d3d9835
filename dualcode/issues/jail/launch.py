"""The last step before a command: limits, the user it runs as, and the jail that is entered; then it is it.

Run by path as a program of its own, with the descriptor of a file of JSON, for what happens here must happen
in the process that becomes the command. For a host that is root, what the jail will show is first bound into
a folder that an unprivileged user can reach, in a mount namespace of this process alone: an interpreter
beneath /root could not be shown otherwise.
"""

import base64
import json
import os
import resource
import signal
import sys
import time
from typing import Any

sys.path.insert(
    0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
)

from dualcode.sandbox import kernel

FAILED = 125
"""The exit code of a launch that did not come to the command; stderr says why, behind MARK."""
MARK = "dualcode-launch: "


def main(spec: dict[str, Any]) -> None:
    """Stay as the guard of a child that becomes the command."""
    os.umask(0o022)
    _end_with(spec["parent"], signal.SIGKILL)
    for kind, most in (
        (resource.RLIMIT_AS, spec["memory"]),
        (resource.RLIMIT_FSIZE, spec["file"]),
        (resource.RLIMIT_CORE, 1),  # 0 would leave the host's crash handler in place (`core_pattern`)
        (resource.RLIMIT_NOFILE, 1024),
    ):
        hard = resource.getrlimit(kind)[1]
        lower = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (lower, lower))
    argv = list(spec["argv"])
    sources = list(spec["sources"])
    if spec["user"] and spec["stage"]:
        sources = _stage(spec["stage"], sources)
    argv = [sources[int(each[1:])] if each[:1] == "\0" else each for each in argv]
    if spec["seccomp"] and not spec["landlock"]:
        argv[argv.index("\1")] = str(in_memory(base64.b64decode(spec["seccomp"]), 0))
        argv[argv.index("\2")] = str(spec["status"])
    guard = _guard(spec["parent"])
    if spec["user"]:
        os.setgroups([])
        os.setresgid(spec["user"], spec["user"], spec["user"])
        os.setresuid(spec["user"], spec["user"], spec["user"])
    _end_with(guard, signal.SIGKILL)  # anew: who changes the user loses it
    if spec["landlock"]:
        os.chdir(spec["cwd"])
        resource.setrlimit(resource.RLIMIT_NPROC, (spec["processes"], spec["processes"]))
        _confine(spec["landlock"], base64.b64decode(spec["seccomp"]))
    elif spec["cwd"]:
        os.chdir(spec["cwd"])
    os.execve(argv[0], argv, spec["environment"])


def _stage(folder: str, sources: list[str]) -> list[str]:
    """Bind what the jail will show where any user can reach it; nobody else sees these mounts."""
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("stage", folder, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,mode=755")
    staged: list[str] = []
    for number, source in enumerate(sources):
        target = f"{folder}/{number}"
        if os.path.isdir(source):
            os.mkdir(target)
            kernel.mount(source, target, flags=kernel.MS_BIND | kernel.MS_REC)
        elif os.path.exists(source):
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
            kernel.mount(source, target, flags=kernel.MS_BIND)
        staged.append(target)
    return staged


def in_memory(content: bytes, flags: int) -> int:
    """Return the descriptor of a file that has no place; `flags` say whether who is executed has it, too."""
    descriptor = os.memfd_create("given", flags)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_ODD = 1 << 6 | 1 << 9 | 1 << 11
"""Making devices and sockets."""
_ABI = 6
"""The first Landlock that keeps TCP, abstract sockets and signals to others inside."""


def _confine(rules: dict[str, list[str]], program: bytes) -> None:
    """Landlock and seccomp, for good."""
    abi = kernel.landlock_abi()
    if abi < _ABI:
        raise OSError(f"Landlock here is of version {abi}, and commands need {_ABI}")
    every = (1 << 16) - 1
    ruleset = kernel.landlock_create(abi, every, 3, 3)
    for path in rules["readable"]:
        _allow_reading(ruleset, os.path.realpath(path), [os.path.realpath(each) for each in rules["hidden"]])
    for path in rules["writable"]:
        file = not os.path.isdir(path)
        kernel.landlock_allow(ruleset, path, _READ_FILE | _WRITE_FILE if file else every & ~_ODD)
    kernel.forbid_new_privileges()
    kernel.landlock_restrict(ruleset)
    os.close(ruleset)
    kernel.Filter(program).load()


def _allow_reading(ruleset: int, path: str, hidden: list[str]) -> None:
    """Grant reading and executing beneath a path, but around what is hidden: rules have no exceptions."""
    if not os.path.isdir(path):
        kernel.landlock_allow(ruleset, path, _EXECUTE | _READ_FILE)
    elif not any(each.startswith(path + "/") for each in hidden):
        kernel.landlock_allow(ruleset, path, _READ)
    else:
        kernel.landlock_allow(ruleset, path, _READ_DIR)
        for name in os.listdir(path):
            entry = os.path.join(path, name)
            if entry not in hidden and os.path.exists(entry) and not os.path.islink(entry):
                _allow_reading(ruleset, entry, hidden)


def _end_with(parent: int, number: signal.Signals) -> None:
    """Be sent a signal when the host ends; if it has ended already, end here."""
    kernel.die_with_parent(number)
    if os.getppid() != parent:
        os._exit(FAILED)


def _guard(parent: int) -> int:
    """Fork; the child goes on, and is told this process, which ends whatever the child leaves, however deep.

    bubblewrap alone would not do: a host that is killed while it sets itself up leaves a process behind.
    """
    kernel.adopt_orphans()
    signal.signal(signal.SIGTERM, lambda _number, _frame: _end(FAILED))
    _end_with(parent, signal.SIGTERM)
    guard = os.getpid()
    child = os.fork()
    if not child:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _end_with(guard, signal.SIGKILL)
        return guard
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            _end(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


def _end(code: int) -> None:
    """Stop, then kill all descendants, until there are none, and end."""
    while found := descendants(os.getpid()):
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in found:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        time.sleep(0.005)
    os._exit(code)


def descendants(pid: int) -> list[int]:
    """Return the processes beneath one, from the nearest on."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{task}/children", encoding="ascii") as file:
                    children = [int(each) for each in file.read().split()]
                found += children
                waiting += children
        except OSError:  # it has ended
            continue
    return found


if __name__ == "__main__":
    try:
        with open(int(sys.argv[1]), encoding="ascii") as given:
            spec = json.load(given)
        main(spec)
    except BaseException as error:
        os.write(2, f"{MARK}{type(error).__name__}: {error}\n".encode())
        os._exit(FAILED)
