"""Attacks on other processes and on the kernel: start, signal, trace, mount, escape."""
# ruff: noqa: E501 - a try of an attack stays on its line

import importlib
from typing import Any

from tests.contracts.attacks.attack import Attack

_SHELL = """
def ran(result):
    return "42001" in str(result) and "ran"
COMMAND = "echo $((6 * 7000 + 1))"
"""

ESCAPING = [
    Attack(
        "start a shell",
        _SHELL
        + """
def tries():
    import subprocess, pty
    attempt("os.popen", lambda: ran(os.popen(COMMAND).read()))
    attempt("subprocess", lambda: ran(subprocess.run(COMMAND, shell=True, capture_output=True).stdout))
    attempt("this Python", lambda: ran(subprocess.run([PYTHON, "-c", "print(42001)"], capture_output=True).stdout))
    attempt("os.system", lambda: os.system("exit 0") == 0)
    attempt("pty", lambda: pty.spawn(["/bin/sh", "-c", COMMAND]) == 0)
    attempt("libc system", lambda: libc().system(b"exit 0") == 0)
""",
    ),
    Attack(
        "start a program past subprocess",
        _SHELL
        + """
def tries():
    import _posixsubprocess, ctypes
    read, write = os.pipe()
    attempt("_posixsubprocess", lambda: _posixsubprocess.fork_exec(
        [b"/bin/sh", b"-c", b"exit 0"], [b"/bin/sh"], True, (), None, None, -1, -1, -1, -1, -1, -1, read, max(3, write),
        True, False, -1, None, None, None, -1, None, False))
    attempt("posix_spawn", lambda: os.posix_spawn("/bin/sh", ["sh", "-c", "exit 0"], {}))
    attempt("spawnv", lambda: os.spawnv(os.P_WAIT, "/bin/sh", ["sh", "-c", "exit 0"]) == 0)
""",
    ),
    Attack(
        "become another program",
        """
def tries():
    import ctypes
    attempt("execv", lambda: os.execv("/bin/sh", ["sh", "-c", "sleep 100"]))
    attempt("execv Python", lambda: os.execv(PYTHON, [PYTHON, "-c", "print(1)"]))
    attempt("libc execv", lambda: libc().execv(b"/bin/sh", (ctypes.c_char_p * 2)(b"sh", None)) == 0)
""",
        bare=False,
    ),
    Attack(
        "execute a memory file",
        """
def tries():
    descriptor = attempt("memfd_create", lambda: os.memfd_create("x"))
    if descriptor is None:
        return
    achieved.clear()  # memory of its own is no trespass
    os.write(descriptor, b"#!/bin/sh\\nsleep 100\\n")
    attempt("fexecve", lambda: os.execve(descriptor, ["x"], {}))
    attempt("by path", lambda: os.execv(f"/proc/self/fd/{descriptor}", ["x"]))
    attempt("loader", lambda: os.execv("/lib64/ld-linux-x86-64.so.2", ["ld", f"/proc/self/fd/{descriptor}"]))
""",
        bare=False,
    ),
    Attack(
        "execute a file of its own",
        """
def tries():
    def write():
        descriptor = os.open("program", os.O_CREAT | os.O_WRONLY, 0o755)
        os.write(descriptor, b"#!/bin/sh\\nexit 0\\n")
        os.close(descriptor)
    write()
    attempt("spawn", lambda: os.posix_spawn(os.path.realpath("program"), ["program"], {}))
""",
    ),
    Attack(
        "fork",
        """
def tries():
    import ctypes, signal
    def fork():
        pid = os.fork()
        if pid == 0:
            import time
            time.sleep(0.3)
            os._exit(0)
        return pid
    for number in range(40):
        if attempt(f"fork {number}", fork) is None:
            break
    attempt("vfork by libc", lambda: _child(libc().fork()))
    attempt("forkpty", lambda: os.forkpty()[0] or os._exit(0))
    import multiprocessing
    attempt("multiprocessing", lambda: multiprocessing.get_context("fork").Process(target=int).start() or True)
    attempt("fork server", lambda: multiprocessing.get_context("forkserver").Process(target=int).start() or True)

def _child(pid):
    if pid == 0:
        os._exit(0)
    if pid < 0:
        raise OSError("fork")
    return pid
""",
    ),
    Attack(
        "leave a daemon",
        """
def tries():
    def daemon():
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                import signal, time
                for number in range(1, 31):
                    try: signal.signal(number, signal.SIG_IGN)
                    except (OSError, ValueError): pass
                time.sleep(1.0)
            os._exit(0)
        return True
    attempt("daemon", daemon)
""",
    ),
    Attack(
        "fork bomb",
        """
def tries():
    while True:
        try:
            os.fork()
            achieved.append("forked")
        except OSError as error:
            refused.append(f"fork: {error}")
            return
""",
        bare=False,
    ),
    Attack(
        "thread bomb",
        """
def tries():
    import threading, time
    threading.stack_size(64 << 10)
    try:
        for number in range(100_000):
            threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
    except (RuntimeError, MemoryError) as error:
        refused.append(f"{type(error).__name__} after {number} threads")
        number = 0
    if number > 20_000:
        achieved.append(f"{number} threads")
""",
        bare=False,
    ),
    Attack(
        "signal other processes",
        """
def tries():
    import signal
    for what, pid in (("parent", os.getppid()), ("host", HOST), ("victim", VICTIM), ("init", 1)):
        if pid <= 0:
            continue
        attempt(f"probe the {what}", lambda: os.kill(pid, 0) or (pid, os.getpid()))
    for what, pid in (("victim", VICTIM), ("everything", -1)):
        for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL):
            attempt(f"{number} to {what}", lambda: os.kill(pid, number) or True)
    attempt("pidfd", lambda: signal.pidfd_send_signal(os.pidfd_open(VICTIM), signal.SIGKILL) or True)
""",
        bare=False,  # it would end this machine's processes
    ),
    Attack(
        "kill its parent",
        """
def tries():
    import signal, ctypes
    parent = os.getppid()
    for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGSEGV, signal.SIGKILL):
        attempt(f"kill {number}", lambda: parent > 0 and (os.kill(parent, number) or True))
    attempt("killpg", lambda: os.killpg(os.getpgid(parent), signal.SIGKILL) or True)
    attempt("group 0", lambda: os.kill(0, signal.SIGSTOP) or True)
    attempt("tgkill", lambda: libc().tgkill(parent, parent, 9) == 0)
    attempt("sigqueue", lambda: libc().sigqueue(parent, 9, 0) == 0)
""",
        bare=False,
    ),
    Attack(
        "signal through a file's owner",
        """
def tries():
    import fcntl, signal
    def own():
        read, write = os.pipe()
        fcntl.fcntl(read, fcntl.F_SETOWN, VICTIM)
        fcntl.fcntl(read, 10, signal.SIGKILL)  # F_SETSIG
        fcntl.fcntl(read, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
        os.write(write, b"x")
        return fcntl.fcntl(read, fcntl.F_GETOWN) == VICTIM and "armed"
    got = attempt("F_SETOWN", own)
    if got:
        achieved.clear()  # only a dead victim counts, and the outside sees that
        refused.append("F_SETOWN: armed")
""",
        bare=False,
    ),
    Attack(
        "read or write another's memory",
        """
def tries():
    for what, pid in (("parent", os.getppid()), ("host", HOST), ("victim", VICTIM), ("init", 1)):
        attempt(f"/proc/{what}/mem", lambda: os.open(f"/proc/{pid}/mem", os.O_RDWR))
        attempt(f"/proc/{what}/maps", lambda: os.open(f"/proc/{pid}/maps", os.O_RDONLY))
        attempt(f"trace {what}", lambda: _ptrace(16, pid))
        attempt(f"seize {what}", lambda: _ptrace(0x4206, pid))
        attempt(f"process_vm_readv {what}", lambda: _vm("process_vm_readv", pid))
        attempt(f"process_vm_writev {what}", lambda: _vm("process_vm_writev", pid))
    attempt("own /proc/self/mem", lambda: os.open("/proc/self/mem", os.O_RDWR))

def _ptrace(request, pid):
    import ctypes
    if libc().ptrace(ctypes.c_long(request), ctypes.c_long(pid), None, None) == -1:
        raise OSError(ctypes.get_errno(), "ptrace")
    libc().ptrace(ctypes.c_long(17), ctypes.c_long(pid), None, None)
    return True

def _vm(name, pid):
    import ctypes
    class Part(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
    own = ctypes.create_string_buffer(8)
    part = Part(ctypes.addressof(own), 8)
    if getattr(libc(), name)(pid, ctypes.byref(part), 1, ctypes.byref(part), 1, 0) == -1:
        raise OSError(ctypes.get_errno(), name)
    return True
""",
        bare=False,
    ),
    Attack(
        "change another's limits and priority",
        """
def tries():
    import resource, ctypes
    for what, pid in (("parent", os.getppid()), ("victim", VICTIM), ("host", HOST)):
        attempt(f"prlimit of {what}", lambda: pid > 0 and (resource.prlimit(pid, resource.RLIMIT_NOFILE, (8, 8)) or True))
        attempt(f"priority of {what}", lambda: pid > 0 and (os.setpriority(os.PRIO_PROCESS, pid, 19) or True))
        attempt(f"affinity of {what}", lambda: pid > 0 and (os.sched_setaffinity(pid, {0}) or True))
        attempt(f"scheduler of {what}", lambda: pid > 0 and (os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)) or True))
        attempt(f"group of {what}", lambda: pid > 0 and (os.setpgid(pid, pid) or True))
        attempt(f"badness of {what}", lambda: os.open(f"/proc/{pid}/oom_score_adj", os.O_WRONLY))
""",
        bare=False,
    ),
    Attack(
        "raise its own limits",
        """
def tries():
    import resource
    for name in ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_NPROC", "RLIMIT_CORE", "RLIMIT_FSIZE", "RLIMIT_DATA"):
        which = getattr(resource, name)
        soft, hard = resource.getrlimit(which)
        if hard == resource.RLIM_INFINITY:
            continue
        attempt(f"raise {name}", lambda: resource.setrlimit(which, (resource.RLIM_INFINITY,) * 2) or True)
        attempt(f"raise {name} by prlimit", lambda: resource.prlimit(0, which, (resource.RLIM_INFINITY,) * 2) and True)
    attempt("real-time", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)) or True)
    attempt("less nice", lambda: os.nice(-5))
""",
        bare=False,
    ),
    Attack(
        "gain rights",
        """
def tries():
    for name, arguments in (("setuid", (0,)), ("setresuid", (0, 0, 0)), ("setgroups", ([0],)), ("setreuid", (0, 1000)),
                            ("setgid", (1000,)), ("seteuid", (1000,))):
        if name in ("setuid", "setresuid") and os.getuid() == 0:
            continue
        attempt(name, lambda: getattr(os, name)(*arguments) or True)
    attempt("chown", lambda: (os.close(os.open("own", os.O_CREAT)), os.chown("own", 1000, 1000), True)[2])
    attempt("setuid bit", lambda: (os.close(os.open("own2", os.O_CREAT)), os.chmod("own2", 0o4755), os.stat("own2").st_mode & 0o4000 and os.posix_spawn("own2", ["x"], {}))[2])
    attempt("keep capabilities", lambda: libc().prctl(8, 1, 0, 0, 0) == 0 and libc().prctl(23, 21, 0, 0, 0) == 1)
    attempt("ambient capability", lambda: libc().prctl(47, 2, 21, 0, 0) == 0)
    attempt("dumpable again", lambda: libc().prctl(4, 1, 0, 0, 0) == 0 and os.open("/proc/self/mem", os.O_RDWR))
""",
        bare=False,
    ),
    Attack(
        "leave the root by chroot",
        """
def tries():
    def leave():
        os.mkdir("below")
        top = os.open(".", os.O_RDONLY)
        os.chroot("below")
        os.fchdir(top)
        for _ in range(64):
            os.chdir("..")
        os.chroot(".")
        return read_path(CANARY)
    attempt("fchdir", lambda: [os.fchdir(n) or os.listdir(".") for n in range(3, 64) if _folder(n)] or False)
    attempt("openat ..", lambda: [os.open("../../../../.." + CANARY, os.O_RDONLY, dir_fd=n) for n in range(3, 64) if _folder(n)] or False)
    attempt("chroot", leave)

def _folder(descriptor):
    import stat
    try:
        return stat.S_ISDIR(os.fstat(descriptor).st_mode)
    except OSError:
        return False
""",
    ),
    Attack(
        "use descriptors that were left open",
        """
def tries():
    import stat, socket
    for number in range(256):
        try:
            info = os.fstat(number)
        except OSError:
            continue
        kind = stat.S_IFMT(info.st_mode)
        if stat.S_ISDIR(info.st_mode):
            achieved.append(f"descriptor {number} is a folder")
        elif stat.S_ISSOCK(info.st_mode):
            attempt(f"pass a descriptor over {number}", lambda: socket.send_fds(socket.socket(fileno=os.dup(number)), [b"x"], [0]))
        elif stat.S_ISREG(info.st_mode):
            attempt(f"write to {number}", lambda: os.pwrite(number, b"attack", 0))
            attempt(f"resize {number}", lambda: os.ftruncate(number, 1) or True)
        elif stat.S_ISCHR(info.st_mode) and info.st_rdev not in (os.makedev(1, 3), os.makedev(1, 5)):
            achieved.append(f"descriptor {number} is a device")
""",
        bare=False,
    ),
    Attack(
        "enter the kernel by the 32-bit door",
        """
def tries():
    import ctypes, mmap, platform
    if platform.machine() != "x86_64":
        refused.append("no such door here")
        return
    # mov eax, 20 (getpid); int 0x80; ret
    code = b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3"
    def enter():
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(code)
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        got = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
        if got < 0:
            raise OSError(-got, "int 0x80")
        return got
    attempt("int 0x80", enter)
""",
        bare=False,  # a kernel without 32-bit support kills it
    ),
    Attack(
        "enter the kernel by the x32 door",
        """
def tries():
    import platform
    if platform.machine() != "x86_64":
        refused.append("no such door here")
        return
    for number in (2, 41, 57, 59, 62):  # open, socket, fork, execve, kill
        attempt(f"x32 {number}", lambda: syscall(0x40000000 | number, 0, 0, 0, 0, 0))
""",
        bare=False,
    ),
]

FORBIDDEN_CALLS = (
    "io_uring_setup", "userfaultfd", "unshare", "mount", "umount2", "keyctl", "add_key", "request_key", "setns",
    "pivot_root", "bpf", "perf_event_open", "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "socket",
    "socketpair", "fork", "vfork", "execve", "execveat", "kill", "pidfd_open", "pidfd_send_signal", "chroot",
    "open_by_handle_at", "name_to_handle_at", "init_module", "finit_module", "kexec_load", "reboot", "swapon",
    "sethostname", "settimeofday", "clock_settime", "adjtimex", "syslog", "quotactl", "acct", "fanotify_init",
    "fsopen", "move_mount", "open_tree", "mount_setattr", "personality", "modify_ldt", "iopl", "ioperm",
    "shmget", "semget", "msgget", "mq_open", "setuid", "setgid", "capset", "vhangup", "lookup_dcookie",
)  # fmt: skip
"""System calls that no program needs here. Each must be refused before the kernel looks at its arguments."""


def forbidden_call(name: str) -> Attack | None:
    """Return an attack that makes one system call with absurd arguments; None where the kernel lacks it."""
    seccomp: Any = importlib.import_module("pyseccomp")  # it has no types
    number = seccomp.resolve_syscall(seccomp.Arch.NATIVE, name)
    program = f"""
def tries():
    attempt("{name}", syscall, {number}, -1, 0, 0, 0, 0, 0)
    for told in refused:
        if not any(word in told for word in ("Errno 1]", "Errno 38]", "Errno 13]")):
            achieved.append("the kernel looked at it: " + told)
"""
    return Attack(name, program, bare=False) if number >= 0 else None
