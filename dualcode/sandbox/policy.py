"""The system calls that a candidate may make: an allow list, compiled to a seccomp program by libseccomp.

Everything else fails with EPERM, calls of a foreign architecture (x32, i386) kill. What is allowed here is
all that Landlock does not see: changes of mode, owner, times and attributes of files, locks, signals to
others and sockets have no entry, so that they are denied whichever Landlock the kernel offers. Nor has what
would hide files from the count of what a run holds (`fence`).
"""

import contextlib
import errno
import functools
import os
import signal
import socket
import tempfile
from collections.abc import Iterable
from typing import Any

from dualcode.errors import SandboxError
from dualcode.sandbox.kernel import SELF

HINT = "apt-get install libseccomp2 (or your system's name for it)"

MEMORY = "brk madvise mmap mprotect mremap munmap"
THREADS = """exit exit_group futex futex_waitv getcpu gettid membarrier restart_syscall rseq sched_getaffinity
    sched_get_priority_max sched_get_priority_min sched_yield set_robust_list set_tid_address wait4 waitid"""
SIGNALS = """alarm getitimer pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend
    rt_sigtimedwait setitimer sigaltstack"""
CLOCKS = "clock_getres clock_gettime clock_nanosleep gettimeofday nanosleep time times"
IDENTITY = "getegid geteuid getgid getgroups getpgrp getpid getppid getresgid getresuid getuid"
MACHINE = "getrandom getrlimit getrusage sysinfo uname"
DESCRIPTORS = """close dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2
    epoll_wait eventfd eventfd2 fdatasync fsync ftruncate lseek pipe pipe2 poll ppoll pread64 preadv
    preadv2 pselect6 pwrite64 pwritev pwritev2 read readv select sendfile write writev"""
FILES = """access chdir creat faccessat faccessat2 fadvise64 fchdir fstat getcwd getdents getdents64 lstat
    mkdir mkdirat newfstatat readlink readlinkat rename renameat rmdir stat statx symlink symlinkat
    umask unlink unlinkat"""
SOCKET_PAIRS = "getpeername getsockname getsockopt recvfrom shutdown"
"""For the event loops of asyncio, which wake themselves over a pair of sockets."""
ABSENT = "clone3 openat2"
"""Their flags lie in memory that a filter cannot read. They fail with ENOSYS, so libc uses the older ones."""

_THREAD, _NAMESPACES = 0x00010F00, 0x7E020080
"""A thread shares memory, folder, descriptors and signal handlers with the others: with descriptors of its
own, each could hold as many as a process may."""
_CLOSE_RANGE = (0, 4)
"""Close, or close at exec; the third flag would give a thread descriptors of its own."""
_RAISED = sorted({*range(1, 32)} - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT})
"""What a process may send to itself. SIGKILL stays a word from outside, SIGSTOP would only waste time, and by
SIGCONT it would go on while it is counted."""
_FCNTL = (0, 1, 2, 3, 4, 1030, 1032)
# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, F_GETPIPE_SZ
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: what Python and libc ask of any descriptor
_RENAMING = (0, 1, 2)
"""Plainly, without replacing, or exchanging; another flag would leave a device behind."""
_PR_SET_NAME = 15
_OPTIMIZE, _BINARY_TREE = 8, 2
"""libseccomp's SCMP_FLTATR_CTL_OPTIMIZE. The kernel runs the program once for each call's number when it is
loaded, which is once a run: the tree more than halves that."""


@functools.cache
def compile_policy() -> bytes:
    """Return the program. SandboxError if libseccomp is not there or does not know this machine."""
    seccomp = libseccomp()
    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    with contextlib.suppress(OSError, ValueError):  # libseccomp before 2.5: slower, not weaker
        rules.set_attr(_OPTIMIZE, _BINARY_TREE)
    for name in _names(MEMORY, THREADS, SIGNALS, CLOCKS, IDENTITY, MACHINE, DESCRIPTORS, FILES, SOCKET_PAIRS):
        add_rule(rules, seccomp.ALLOW, name)
    for name in _names(ABSENT):
        add_rule(rules, seccomp.ERRNO(errno.ENOSYS), name)
    _add_guarded(rules, seccomp)
    return program_of(rules)


def libseccomp() -> Any:
    """Return the library's module. Raises SandboxError if it cannot be used."""
    try:
        import pyseccomp  # pyright: ignore[reportMissingTypeStubs]
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        raise SandboxError(f"libseccomp cannot be used: {error}", hint=HINT) from error
    return pyseccomp


def program_of(rules: Any) -> bytes:
    """Return a filter as the kernel takes it."""
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def _names(*groups: str) -> Iterable[str]:
    return (name for group in groups for name in group.split())


def add_rule(rules: Any, action: int, name: str, *conditions: Any) -> None:
    """Add a rule, unless this machine or this libseccomp does not know the call. Raises SandboxError."""
    try:
        rules.add_rule(action, name, *conditions)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EFAULT):
            raise SandboxError(f"libseccomp refuses a rule for {name}: {error}", hint=HINT) from error


def _add_guarded(rules: Any, seccomp: Any) -> None:
    """Add the calls whose arguments matter."""

    def allow(name: str, *conditions: Any) -> None:
        add_rule(rules, seccomp.ALLOW, name, *conditions)

    def equal(position: int, value: int) -> Any:
        return seccomp.Arg(position, seccomp.EQ, value)

    def masked(position: int, mask: int, value: int) -> Any:
        return seccomp.Arg(position, seccomp.MASKED_EQ, mask, value)

    allow("clone", masked(0, _THREAD | _NAMESPACES, _THREAD))
    for flags in _CLOSE_RANGE:
        allow("close_range", equal(2, flags))
    for flags in _RENAMING:
        allow("renameat2", equal(4, flags))
    for number in _RAISED:
        allow("tgkill", equal(0, SELF), equal(2, number))
    allow("prctl", equal(0, _PR_SET_NAME))
    allow("prlimit64", equal(0, 0), equal(2, 0))
    allow("socketpair", equal(0, socket.AF_UNIX))
    allow("sendto", equal(4, 0))  # to the other end only; sendmsg could name a third
    for command in _FCNTL:
        allow("fcntl", equal(1, command))
    for command in _IOCTL:
        allow("ioctl", equal(1, command))
    for name, flags in (("open", 1), ("openat", 2)):
        # O_TRUNC without the right to write truncates unseen by Landlock before ABI 3.
        allow(name, masked(flags, os.O_TRUNC, 0))
        for mode in (os.O_WRONLY, os.O_RDWR):
            allow(name, masked(flags, os.O_TRUNC | os.O_ACCMODE, os.O_TRUNC | mode))
