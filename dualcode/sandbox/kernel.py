"""The few Linux calls that Python has no name for, by ctypes, each raising an OSError that names itself.

Landlock's three are here, too: the `landlock` package is a development release without network rules (ABI 4)
and scopes (ABI 6). This file is imported in the fork server, without the package around it.
"""

import ctypes
import os
import platform
import sys

_libc = ctypes.PyDLL(None, use_errno=True)  # keeps the interpreter's lock: every call is short
_libc.syscall.restype = ctypes.c_long
for _name in ("capset", "prctl", "setrlimit", "setns", "unshare", "wait4"):
    getattr(_libc, _name)  # looked up once here, not in each fork

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP = 1, 4, 22
_PR_CAPBSET_DROP, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 24, 36, 38, 47
_AMBIENT_CLEAR_ALL = 4
_SECCOMP_MODE_FILTER = 2
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446  # the same everywhere


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Leave namespaces; os.unshare of Python 3.12."""
    _check(_libc.unshare(flags), "unshare")


def setns(descriptor: int, kind: int) -> None:
    """Enter a namespace; os.setns of Python 3.12."""
    _check(_libc.setns(descriptor, kind), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2); an empty kind or option is none."""
    parts = (os.fsencode(source), os.fsencode(target), kind.encode() or None)
    result = _libc.mount(*parts, ctypes.c_ulong(flags), options.encode() or None)
    _check(result, f"mount {kind or 'bind'} at {target}")


def unmount(target: str) -> None:
    """Detach a mount, and all beneath it, even if it is busy."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root and put the old one at `old`."""
    number = _PIVOT_ROOT[platform.machine()]
    _check(_libc.syscall(number, os.fsencode(new), os.fsencode(old)), "pivot_root")


def _prctl(option: int, value: int, what: str) -> None:
    rest = (ctypes.c_ulong(0),) * 3
    _check(_libc.prctl(option, ctypes.c_ulong(value), *rest), f"prctl {what}")


def die_with_parent(signal: int) -> None:
    """Have the kernel send a signal when the thread that forked this process ends."""
    _prctl(_PR_SET_PDEATHSIG, signal, "PR_SET_PDEATHSIG")


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ended."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, "PR_SET_CHILD_SUBREAPER")


def forbid_dumps() -> None:
    """Close /proc/PID and ptrace to other processes of the same user."""
    _prctl(_PR_SET_DUMPABLE, 0, "PR_SET_DUMPABLE")


def allow_looking() -> None:
    """Open /proc/PID to other processes of the same user again."""
    _prctl(_PR_SET_DUMPABLE, 1, "PR_SET_DUMPABLE")


def forbid_new_privileges() -> None:
    """Make set-user-id files and file capabilities ineffective, here and in all descendants."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, "PR_SET_NO_NEW_PRIVS")


def bound_capabilities() -> None:
    """Empty the ambient and bounding sets, as far as this process may."""
    _libc.prctl(_PR_CAP_AMBIENT, ctypes.c_ulong(_AMBIENT_CLEAR_ALL), *(ctypes.c_ulong(0),) * 3)
    capability = 0
    while _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), *(ctypes.c_ulong(0),) * 3) == 0:
        capability += 1


_CAPABILITY_HEADER = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
_NO_CAPABILITIES = (ctypes.c_uint32 * 6)()


def drop_capabilities() -> None:
    """Give up every capability."""
    _check(_libc.capset(_CAPABILITY_HEADER, _NO_CAPABILITIES), "capset")


_Limit = ctypes.c_uint64 * 2
RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_CORE = 0, 1, 2, 3, 4
RLIMIT_NPROC, RLIMIT_NOFILE, RLIMIT_AS = 6, 7, 9


def limit(kind: int, bound: int) -> None:
    """Lower a resource limit for good. The module `resource` is one that every fork would pay for."""
    lower = min(bound, _hard[kind])
    _check(_libc.setrlimit(kind, _Limit(lower, lower)), "setrlimit")


def _hard_limit(kind: int) -> int:
    had = _Limit()
    _check(_libc.getrlimit(kind, had), "getrlimit")
    return had[1]


NO_HANDLER = 1
"""Byte of a core dump. Too few for a file, as none would be; but with none the kernel still hands a crashed
process to the host's crash handler, if there is one (`core_pattern`), and with this it does not."""


def reaches_handler() -> bool:
    """Whether the limit cannot be given: another one was set for good by who started this process."""
    return _hard[RLIMIT_CORE] < NO_HANDLER


_hard = [_hard_limit(kind) for kind in range(RLIMIT_AS + 1)]


_Usage = ctypes.c_long * 18
"""struct rusage: seconds and microseconds of user and of system time, then kilobytes of memory."""


def wait(pid: int) -> tuple[int, float, int]:
    """Reap a child: its status, CPU seconds and peak of memory in bytes; os.wait4 imports `resource`."""
    status, usage = ctypes.c_int(), _Usage()
    _check(_libc.wait4(pid, ctypes.byref(status), 0, usage), "wait4")
    return status.value, usage[0] + usage[2] + (usage[1] + usage[3]) / 1e6, usage[4] << 10


_GETDENTS = {"x86_64": 217, "aarch64": 61}
_entries = ctypes.create_string_buffer(48)  # for "." and "..", 24 bytes each


def is_empty(folder: str) -> bool:
    """Tell whether a folder is empty; of the names in it, none stays in this process."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    number, size, total = _GETDENTS[platform.machine()], ctypes.c_size_t(len(_entries)), 0
    try:
        while (read := _libc.syscall(number, descriptor, _entries, size)) > 0:
            total += read
    finally:
        os.close(descriptor)
        ctypes.memset(_entries, 0, len(_entries))
    return read == 0 and total <= len(_entries)  # a name that does not fit is an error


_F_SETPIPE_SZ = 1031


_CLOSE_RANGE, _HIGHEST = 436, ctypes.c_uint(0xFFFFFFFF)


def close_from(first: int) -> None:
    """Close every descriptor from this number on, whatever opened it; os.closerange needs an end."""
    _check(_libc.syscall(_CLOSE_RANGE, ctypes.c_uint(first), _HIGHEST, ctypes.c_uint(0)), "close_range")


def name_host(name: bytes) -> None:
    """Give this UTS namespace a host name, and no domain."""
    _check(_libc.sethostname(name, ctypes.c_size_t(len(name))), "sethostname")
    _check(_libc.setdomainname(b"", ctypes.c_size_t(0)), "setdomainname")


def widen(pipe: int, size: int) -> None:
    """Give a pipe a larger buffer, if this user may still have one: a smaller one is slower, no less safe."""
    _libc.fcntl(pipe, _F_SETPIPE_SZ, size)


SELF = 0x7FFFFFFE
"""Stands in a seccomp program for the process that loads it: no process has this number."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class Filter:
    """A compiled seccomp program, ready to be loaded by any descendant."""

    def __init__(self, code: bytes) -> None:
        self._code = ctypes.create_string_buffer(code, len(code))
        self._program = _Program(len(code) // 8, ctypes.addressof(self._code))
        # An instruction is a code, two jumps and, in its last four bytes, the value to compare with.
        wanted = SELF.to_bytes(4, sys.byteorder)
        self._selves = [at for at in range(4, len(code), 8) if code[at : at + 4] == wanted]

    def load(self) -> None:
        """Confine this process by it, for good. `forbid_new_privileges` must have been called."""
        for at in self._selves:
            ctypes.memmove(ctypes.byref(self._code, at), os.getpid().to_bytes(4, sys.byteorder), 4)
        result = _libc.prctl(
            _PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(self._program), 0, 0
        )
        _check(result, "prctl PR_SET_SECCOMP")


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("access", ctypes.c_uint64), ("parent", ctypes.c_int32))


def landlock_abi() -> int:
    """Return the version of Landlock that the kernel offers; OSError if none."""
    return _check(_libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1), "landlock")


def landlock_create(abi: int, files: int, network: int, scopes: int) -> int:
    """Return the descriptor of a ruleset that denies these rights wherever no rule grants them."""
    rules = _Ruleset(files, network, scopes)
    size = ctypes.c_size_t(8 if abi < 4 else 16 if abi < 6 else 24)
    created = _libc.syscall(_LANDLOCK_CREATE, ctypes.byref(rules), size, 0)
    return _check(created, "landlock_create_ruleset")


def landlock_allow(ruleset: int, path: str, access: int) -> None:
    """Grant rights beneath a path."""
    parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _Beneath(access, parent)
        added = _libc.syscall(_LANDLOCK_ADD, ruleset, 1, ctypes.byref(rule), 0)
        _check(added, f"landlock_add_rule {path}")
    finally:
        os.close(parent)


def landlock_restrict(ruleset: int) -> None:
    """Confine this process and its descendants by a ruleset, for good."""
    _check(_libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0), "landlock_restrict_self")
