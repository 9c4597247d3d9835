"""The system calls that no command needs: a deny list, compiled to a seccomp program by libseccomp.

A command forks, starts programs and, in a network of its own, opens sockets, so the candidates' allow list
(`sandbox.policy`) cannot be its own. What is denied here is what reaches past namespaces, or has often let
somebody out of them.
"""

import errno
import functools
import socket
import tempfile
from typing import Any

from dualcode.errors import SandboxError
from dualcode.sandbox.policy import HINT

DENIED = [
    "acct",
    "add_key",
    "adjtimex",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "create_module",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "get_kernel_syms",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mbind",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "name_to_handle_at",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "personality",
    "pivot_root",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "query_module",
    "quotactl",
    "reboot",
    "request_key",
    "set_mempolicy",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "swapoff",
    "swapon",
    "syslog",
    "umount",
    "umount2",
    "unshare",
    "uselib",
    "userfaultfd",
    "vhangup",
    "vmsplice",
]
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
"""The kinds of sockets that may be opened where the network is the command's own."""
_NEW_USER = 0x10000000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
"""What would type into a terminal."""


@functools.cache
def compile_filter(*, sockets: bool) -> bytes:
    """Return the program; without `sockets`, none can be opened but connected pairs.

    Raises SandboxError if libseccomp is not there or does not know this machine.
    """
    try:
        import pyseccomp as seccomp  # pyright: ignore[reportMissingTypeStubs]
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        raise SandboxError(f"libseccomp cannot be used: {error}", hint=HINT) from error
    rules: Any = seccomp.SyscallFilter(seccomp.ALLOW)
    deny: Any = seccomp.ERRNO(errno.EPERM)

    def add(action: Any, name: str, *conditions: Any) -> None:
        try:
            rules.add_rule(action, name, *conditions)
        except OSError as error:  # a call that this machine or this libseccomp does not know
            if error.errno not in (errno.EINVAL, errno.EFAULT):
                raise SandboxError(f"libseccomp refuses a rule for {name}: {error}", hint=HINT) from error

    for name in DENIED:
        add(deny, name)
    add(seccomp.ERRNO(errno.ENOSYS), "clone3")  # its flags lie where no filter can read them
    add(deny, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, _NEW_USER, _NEW_USER))
    for request in (_TIOCSTI, _TIOCLINUX):
        add(deny, "ioctl", seccomp.Arg(1, seccomp.MASKED_EQ, 0xFFFFFFFF, request))
    if sockets:
        add(deny, "socket", seccomp.Arg(0, seccomp.GT, max(_FAMILIES)))
        for family in set(range(max(_FAMILIES))) - set(_FAMILIES):
            add(deny, "socket", seccomp.Arg(0, seccomp.EQ, family))
    else:
        add(deny, "socket")
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
