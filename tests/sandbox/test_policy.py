"""The seccomp program, read as the kernel reads it, for calls that no test could make."""

import errno
import os
import platform
import signal
import socket
import struct
from functools import partial
from typing import Any

import pytest

from dualcode.errors import SandboxError
from dualcode.sandbox import policy
from dualcode.sandbox.kernel import SELF

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
EPERM, ENOSYS = ERRNO | errno.EPERM, ERRNO | errno.ENOSYS
KILLS = (0x00000000, 0x80000000)
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
I386, X32_BIT = 0x40000003, 0x40000000
THREAD, NEW_USER, NEW_FILES = 0x003D0F00, 0x10000000, 0x00000400
"""What glibc gives a thread; a user namespace; and the flag that lets descriptors be shared."""

seccomp: Any = pytest.importorskip("pyseccomp")


def decide(number: int, *arguments: int, architecture: int | None = None) -> int:
    """Return what the program says of a call. All jumps lead ahead, so it ends."""
    machine = ARCHITECTURES[platform.machine()] if architecture is None else architecture
    given = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number, machine, 0, *(each & (1 << 64) - 1 for each in given))
    code = policy.compile_policy()
    at = accumulator = 0
    while True:
        operation, yes, no, value = struct.unpack_from("<HBBI", code, at * 8)
        at += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, value)
            case 0x54:
                accumulator &= value
            case 0x05:
                at += value
            case 0x15:
                at += yes if accumulator == value else no
            case 0x25:
                at += yes if accumulator > value else no
            case 0x35:
                at += yes if accumulator >= value else no
            case 0x45:
                at += yes if accumulator & value else no
            case 0x06:
                return value
            case _:
                raise AssertionError(f"an instruction that this test does not know: {operation:#x}")


def decide_named(name: str, *arguments: int) -> int:
    number = seccomp.resolve_syscall(seccomp.Arch.NATIVE, name)
    if number < 0:
        pytest.skip(f"this machine has no {name}")
    return decide(number, *arguments)


@pytest.mark.parametrize("name", ["read", "write", "mmap", "futex", "exit_group", "getrandom", "unlinkat"])
def test_what_every_program_needs_is_allowed(name: str) -> None:
    assert decide_named(name) == ALLOW


@pytest.mark.parametrize(
    "name",
    [
        "fork",
        "vfork",
        "execve",
        "execveat",
        "socket",
        "connect",
        "bind",
        "sendmsg",
        "kill",
        "tkill",
        "rt_sigqueueinfo",
        "ptrace",
        "mount",
        "setns",
        "unshare",
        "chroot",
        "pivot_root",
        "bpf",
        "perf_event_open",
        "keyctl",
        "process_vm_readv",
        "pidfd_open",
        "pidfd_getfd",
        "chmod",
        "fchmodat",
        "chown",
        "utimensat",
        "setxattr",
        "flock",
        "fallocate",
        "memfd_create",
        "io_uring_setup",
        "userfaultfd",
        "setrlimit",
        "seccomp",
    ],
)
def test_what_reaches_beyond_the_program_is_refused_whatever_its_arguments(name: str) -> None:
    assert decide_named(name) == EPERM
    assert decide_named(name, *[0xFFFFFFFFFFFFFFFF] * 6) == EPERM


@pytest.mark.parametrize("number", [463, 600, 4095])
def test_calls_that_were_not_yet_known_are_refused(number: int) -> None:
    assert decide(number) == EPERM


@pytest.mark.parametrize("name", ["clone3", "openat2"])
def test_calls_whose_flags_cannot_be_read_are_said_to_be_absent(name: str) -> None:
    assert decide_named(name) == ENOSYS


def test_calls_of_a_foreign_architecture_kill() -> None:
    assert decide(0, architecture=I386) in KILLS
    if platform.machine() == "x86_64":
        assert decide(X32_BIT | 1) in KILLS  # write, by the numbers of x32


def test_a_thread_shares_everything_and_has_no_namespace() -> None:
    clone = partial(decide_named, "clone")
    assert clone(THREAD) == ALLOW
    assert clone(signal.SIGCHLD) == EPERM  # as fork makes it
    assert clone(THREAD | NEW_USER) == EPERM
    assert clone(THREAD & ~NEW_FILES) == EPERM


def test_a_signal_is_for_the_program_itself_and_no_kill() -> None:
    assert decide_named("tgkill", SELF, 1, signal.SIGUSR1) == ALLOW
    assert decide_named("tgkill", SELF + 1, 1, signal.SIGUSR1) == EPERM
    assert decide_named("tgkill", SELF, 1, signal.SIGKILL) == EPERM
    assert decide_named("tgkill", SELF, 1, signal.SIGSTOP) == EPERM


def test_a_file_is_only_cut_by_who_may_write_it() -> None:
    openat = partial(decide_named, "openat", 0xFFFFFF9C, 0)
    assert openat(os.O_RDONLY) == openat(os.O_RDWR | os.O_CREAT) == ALLOW
    assert openat(os.O_TRUNC | os.O_WRONLY) == openat(os.O_TRUNC | os.O_RDWR) == ALLOW
    assert openat(os.O_TRUNC | os.O_RDONLY) == EPERM


@pytest.mark.parametrize(
    ("name", "position", "allowed", "refused"),
    [
        ("socketpair", 0, socket.AF_UNIX, socket.AF_INET),
        ("sendto", 4, 0, 0x7F0000000000),  # an address: a third one
        ("prlimit64", 2, 0, 0x7F0000000000),  # new limits
        ("close_range", 2, 4, 2),  # descriptors of a thread's own
        ("fcntl", 1, 2, 6),  # close at exec; a lock
        ("fcntl", 1, 1032, 1031),  # a pipe's size: told; changed
        ("ioctl", 1, 0x5401, 0x5412),  # a terminal's settings; a word typed into it
        ("prctl", 0, 15, 38),  # a thread's name; new privileges
    ],
)
def test_of_a_guarded_call_only_the_harmless_half_is_allowed(
    name: str, position: int, allowed: int, refused: int
) -> None:
    before = [0] * position
    assert decide_named(name, *before, allowed) == ALLOW
    assert decide_named(name, *before, refused) == EPERM
    assert decide_named(name, *before, allowed | 1 << 63) == EPERM  # the upper half is compared, too


def test_a_libseccomp_that_refuses_a_rule_is_told_and_one_that_knows_no_such_call_is_not() -> None:
    class Rules:
        def __init__(self, number: int) -> None:
            self.number = number

        def add_rule(self, *_: object) -> None:
            raise OSError(self.number, os.strerror(self.number))

    policy.add_rule(Rules(errno.EINVAL), 0, "statx")
    with pytest.raises(SandboxError, match="refuses a rule for statx") as raised:
        policy.add_rule(Rules(errno.ENOMEM), 0, "statx")
    assert raised.value.hint == policy.HINT
