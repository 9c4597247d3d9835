"""The namespaces tier: a process tree of its own that sees libraries, a small /tmp, and nothing else.

Called once by each fork server, before any thread is there. Afterwards the server is the first process of its
own namespaces, and the process that the host started waits for it. This file is imported in the fork server,
without the package around it.
"""

import os
import posix  # its names stay when those in `os` go, see `harness.prepare`
import signal

from dualcode.sandbox import kernel
from dualcode.sandbox.libraries import Libraries

SCRATCH = "/scratch"
"""Not /tmp, beneath which the interpreter itself may lie; /tmp is a link to it wherever it can be."""

SCRATCH_OPTIONS = "size=64m,nr_inodes=4096,mode=1777"
HOST_NAME = b"sandbox"
INSIDE_ID = 1000
"""The user and group id that candidates see."""

_NAMESPACES = (
    kernel.CLONE_NEWUSER
    | kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS
)
_READ_ONLY = kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY
_SAFE = kernel.MS_NOSUID | kernel.MS_NODEV
_KEPT = ((os.ST_NOSUID, kernel.MS_NOSUID), (os.ST_NODEV, kernel.MS_NODEV), (os.ST_NOEXEC, kernel.MS_NOEXEC))
_ATIME = ((os.ST_NOATIME, 1024), (os.ST_NODIRATIME, 2048), (os.ST_RELATIME, 1 << 21))


def enter(unprivileged: int | None) -> int:
    """Move into new namespaces; the process that returns is the first of its own.

    `unprivileged` is the id, outside, of the candidates of a privileged host. Returns the id, inside, that
    candidates must take: INSIDE_ID where the server keeps another, else 0 for none. Raises OSError.
    """
    mapped = _unshare_mapped(unprivileged) if unprivileged is not None else False
    if not mapped:
        user, group = os.geteuid(), os.getegid()
        if unprivileged is None:
            kernel.unshare(_NAMESPACES)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{INSIDE_ID} {user} 1")
        _write("/proc/self/gid_map", f"{INSIDE_ID} {group} 1")
    kernel.name_host(HOST_NAME)
    pid = os.fork()
    if pid:  # the process that the host knows: it ends when the one inside ends
        kernel.die_with_parent(signal.SIGKILL)
        kernel.close_from(3)
        _, status = os.waitpid(pid, 0)
        os._exit(1 if status else 0)
    kernel.die_with_parent(signal.SIGKILL)
    return INSIDE_ID if mapped else 0


def _unshare_mapped(unprivileged: int) -> bool:
    """Unshare with two ids mapped: root for the server, which may read the libraries, another for candidates.

    Only a process outside may map more than itself, so one is forked for it. False if that was refused.
    """
    os.setgroups([])
    receiving, sending = os.pipe()
    outside = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(sending)
        code = 1
        try:
            if os.read(receiving, 1):  # else unsharing was refused
                both = f"0 0 1\n{INSIDE_ID} {unprivileged} 1"
                _write(f"/proc/{outside}/setgroups", "deny")
                _write(f"/proc/{outside}/uid_map", both)
                _write(f"/proc/{outside}/gid_map", both)
                code = 0
        finally:
            os._exit(code)
    os.close(receiving)
    try:
        kernel.unshare(_NAMESPACES)
        os.write(sending, b"x")
    finally:
        os.close(sending)
        mapped = os.waitpid(pid, 0)[1] == 0
    return mapped


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    except OSError as error:
        raise OSError(error.errno, f"{path}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def build(at: str, libraries: Libraries) -> None:
    """Make a new root of read-only libraries at a folder, and enter it. Raises OSError."""
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("root", at, "tmpfs", _SAFE, "size=1m,nr_inodes=4096,mode=755")
    for path in sorted((*libraries.readable, *libraries.hidden)):
        if path in libraries.hidden:
            kernel.mount("hidden", at + path, "tmpfs", _SAFE, "size=64k,nr_inodes=64,mode=755")
        else:
            _bind(path, at + path)
    for place, target in libraries.links:
        os.symlink(target, at + place)
    os.makedirs(at + "/dev")
    _bind_file("/dev/null", at + "/dev/null")
    os.mkdir(at + SCRATCH)
    if not os.path.lexists(at + "/tmp"):
        os.symlink(SCRATCH, at + "/tmp")
    os.chdir(at)
    kernel.pivot_root(".", ".")  # the old root lies on top of the new one for a moment, and goes
    kernel.unmount(".")
    os.chdir("/")
    mount_scratch()
    for path in ("/", *libraries.hidden):
        kernel.mount("none", path, flags=_READ_ONLY | _SAFE)


def _bind(source: str, target: str) -> None:
    """Show a folder or file, read-only."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
        kernel.mount(source, target, flags=kernel.MS_BIND | kernel.MS_REC)
    else:
        _bind_file(source, target)
    # Flags that a mount has outside are locked in here: a remount must repeat them.
    had = os.statvfs(target).f_flag
    kept = sum(flag for bit, flag in (*_KEPT, *_ATIME) if had & bit)
    kernel.mount("none", target, flags=_READ_ONLY | kept | _SAFE)


def _bind_file(source: str, target: str) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o444))
    kernel.mount(source, target, flags=kernel.MS_BIND)


def mount_scratch() -> None:
    """Mount an empty scratch folder and make it the working one."""
    flags = _SAFE | kernel.MS_NOEXEC
    kernel.mount("scratch", SCRATCH, "tmpfs", flags, SCRATCH_OPTIONS)
    posix.chdir(SCRATCH)


def clear_scratch() -> None:
    """Put a new scratch folder in the place of one that was used, whatever was left in it.

    Also of one that was emptied: its times and the numbers of its files would tell of the program before.
    """
    kernel.unmount(SCRATCH)
    mount_scratch()


def fork_inside(namespace: int) -> int:
    """Fork; the child is the first process of a new pid namespace, which ends with it.

    `namespace` is a descriptor of the caller's own: only from there a further one can be made.
    """
    kernel.setns(namespace, kernel.CLONE_NEWPID)
    kernel.unshare(kernel.CLONE_NEWPID)
    return posix.fork()
