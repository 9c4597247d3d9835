"""What a program finds around it on any machine, and would miss in a jail: a user, a home, a load, locks.

Most of it the C library takes from files or calls of the system that a jail has no use for. There is one
process, so locks between processes and semaphores need nothing from the kernel. A program that undoes this
meets what the kernel refuses. This file is imported in the fork server, without the package around it.
"""

import ctypes
import os
import pwd
import sys
import types
from collections.abc import Callable
from importlib import import_module
from typing import Any

USER = "user"
SHELL = "/bin/sh"
PATH = "/usr/local/bin:/usr/bin:/bin"
"""As on any machine. Nothing can be started from there."""

_SEMAPHORE_BYTES = 64
"""More than a `sem_t` has on any machine."""


def settle(scratch: str) -> None:
    """Make the scratch folder the home and the place of temporary files."""
    os.environ.update(HOME=scratch, TMPDIR=scratch, PATH=PATH)


def prepare() -> None:
    """Change what is loaded already or built in; `CHANGES` is for what a program loads."""
    os.getloadavg = lambda: (0.0, 0.0, 0.0)
    _know_user()
    for name, change in CHANGES.items():
        if name in sys.builtin_module_names or name in sys.modules:
            change(import_module(name))


def _know_user() -> None:
    """Know the candidates' user, whichever number it has, and no other of this machine."""

    def entry() -> pwd.struct_passwd:
        return pwd.struct_passwd((USER, "x", os.getuid(), os.getgid(), "", os.environ["HOME"], SHELL))

    def getpwuid(uid: int, /) -> pwd.struct_passwd:
        if uid != os.getuid():
            raise KeyError(f"getpwuid(): uid not found: {uid}")
        return entry()

    def getpwnam(name: str, /) -> pwd.struct_passwd:
        if name != USER:
            raise KeyError(f"getpwnam(): name not found: {name!r}")
        return entry()

    pwd.getpwuid, pwd.getpwnam, pwd.getpwall = getpwuid, getpwnam, lambda: [entry()]


def _lock_nothing(fcntl: Any) -> None:
    """Let `flock` and `lockf` succeed: no other process sees these files."""

    def lock(file: Any, operation: int, *_: int) -> None:
        os.fstat(file if isinstance(file, int) else file.fileno())
        operation.__index__()

    fcntl.flock = fcntl.lockf = lock


def _keep_semaphores_in_memory(synchronize: Any) -> None:
    """Make the semaphores of `multiprocessing` without a file in /dev/shm, of which any could be opened."""
    build, kept = synchronize._multiprocessing.SemLock._rebuild, list[Any]()
    libc = ctypes.CDLL(None)

    def make(kind: int, value: int, most: int, _name: str, _unlink: bool) -> Any:
        memory = ctypes.create_string_buffer(_SEMAPHORE_BYTES)
        libc.sem_init(memory, 0, value)
        kept.append(memory)
        return build(ctypes.addressof(memory), kind, most, None)

    synchronize._multiprocessing = types.SimpleNamespace(SemLock=make)


CHANGES: dict[str, Callable[[Any], None]] = {
    "fcntl": _lock_nothing,
    "multiprocessing.synchronize": _keep_semaphores_in_memory,
}
"""What happens to a module once it is loaded."""
