"""Attacks from one candidate on the next, and on the server that both come from."""
# ruff: noqa: E501 - a try of an attack stays on its line

from dualcode.sandbox.job import Limits
from tests.contracts.attacks.attack import Attack
from tests.sandbox.walk import WALK

_PATHS = """
PATHS = ["left", "a/left", "/tmp/dualcode-left", "/dev/shm/dualcode-left", "/var/tmp/dualcode-left"]
"""

_MARK = "mark-of-the-candidate-before"
_MASKED = [byte ^ 0xA5 for byte in _MARK.encode()]
_SPREAD = f"""
import marshal, struct, sys
MARK = {_MARK!r}
def tries():
    payload = marshal.dumps([MARK * 99] * 99, 2)
    for _ in range(9):
        os.write(3, struct.pack("<cI", b"V", len(payload)) + payload)
    for number in range(99):
        os.mkdir(f"{{MARK}}-{{number}}")
    print(MARK * 99)
    sys.stderr.write(MARK)
    os.environ[MARK] = MARK
    achieved.append(MARK * 9)
"""
"""What leaves a candidate by every way there is: frames, names of files, what it prints and returns."""

CROSSING = [
    Attack(
        "leave files for the next candidate",
        _PATHS
        + """
def tries():
    import tempfile
    for path in PATHS:
        attempt(f"found {path}", lambda: (read_path(path), os.unlink(path))[0])
    attempt("found something", lambda: os.listdir(".") or False)
    attempt("found something in tmp", lambda: [n for n in os.listdir(tempfile.gettempdir()) if "left" in n] or False)
""",
        before=_PATHS
        + """
def tries():
    os.mkdir("a")
    for path in PATHS:
        try: os.write(os.open(path, os.O_CREAT | os.O_WRONLY, 0o666), b"mark")
        except OSError: pass
""",
    ),
    Attack(
        "leave shared memory for the next candidate",
        """
def tries():
    get = libc().shmget
    attempt("shared memory", lambda: get(0x5EC, 4096, 0) >= 0 and "found")
    attempt("semaphore", lambda: libc().semget(0x5EC, 1, 0) >= 0 and "found")
    attempt("message queue", lambda: libc().msgget(0x5EC, 0) >= 0 and "found")
    attempt("POSIX shared memory", lambda: libc().shm_open(b"/dualcode-left", 2, 0o600) >= 0 and "found")
""",
        before="""
def tries():
    made = (libc().shmget(0x5EC, 4096, 0o1666), libc().semget(0x5EC, 1, 0o1666), libc().msgget(0x5EC, 0o1666))
    libc().shm_open(b"/dualcode-left", 0o102, 0o600)
    achieved.extend(f"made {number}" for number in made if number >= 0)
""",
        bare=False,  # it would leave them on this machine
    ),
    Attack(
        "leave a key in the kernel's keyring",
        """
def tries():
    attempt("request_key", syscall, 249, b"user", b"dualcode-left", None, 0)
""",
        before="""
def tries():
    attempt("add_key", syscall, 248, b"user", b"dualcode-left", b"mark", 4, -5)
""",
        bare=False,
    ),
    Attack(
        "spoil modules for the next candidate",
        """
def tries():
    import json, builtins
    attempt("builtins", lambda: builtins.left)
    attempt("json", lambda: json.left)
    attempt("os", lambda: os.left)
    attempt("environ", lambda: os.environ["LEFT"])
    attempt("len", lambda: len([1]) != 1 and "spoiled")
    attempt("umask", lambda: os.umask(0o022) == 0o111 and "kept")
    attempt("recursion limit", lambda: sys.getrecursionlimit() == 12345 and "kept")
""",
        bare=False,  # two plain processes share no modules
        before="""
def tries():
    import json, builtins
    builtins.left = json.left = os.left = os.environ["LEFT"] = "mark"
    builtins.len = lambda x: 7
    os.umask(0o111)
    sys.setrecursionlimit(12345)
""",
    ),
    Attack(
        "walk all memory for the candidate before",
        WALK
        + f"""
def tries():
    seen, (elsewhere,), ranges, size = walk({_MASKED!r})
    assert seen and size > 32 << 20
    attempt("places", lambda: elsewhere or False)
""",
        limits=Limits(call_cpu=20.0, total_cpu=20.0, wall=60.0),
        before=_SPREAD,
        bare=False,  # two plain processes share no memory; `tests/sandbox/test_memory.py` has the control
    ),
    Attack(
        "write to every descriptor up to 100,000",
        """
def tries():
    for number in range(100_000):
        try:
            os.fstat(number)
        except OSError:
            continue
        if number > 3:
            attempt(f"descriptor {number}", lambda: os.write(number, b"cancel"))
    attempt("one beside the stream", lambda: False)
""",
        bare=False,  # a plain process inherits none here; `tests/sandbox/test_descriptors.py` has the control
    ),
    Attack(
        "find the candidate before in memory",
        """
MARK = ("mark-of-the" + "-candidate-before").encode()
def tries():
    import gc, stat
    for number in range(3, 256):
        try:
            if stat.S_ISREG(os.fstat(number).st_mode) and MARK in os.pread(number, 1 << 20, 0):
                achieved.append(f"in descriptor {number}")
        except OSError:
            pass
    own = id(MARK)
    found = 0
    for start in {id(o) & ~0xFFFFF for o in gc.get_objects()}:
        for page in range(start - (1 << 20), start + (2 << 20), 4096):
            if MARK in peek(page):
                found += 1
    # this text itself holds the mark in one place that is made when it runs
    if found > 40:
        achieved.append(f"on {found} pages")
    refused.append(f"{found} pages")

read, write = os.pipe()
def peek(address):
    import ctypes
    if libc_write(write, ctypes.c_void_p(address), 4096) != 4096:
        return b""
    return os.read(read, 4096)
import ctypes
libc_write = ctypes.CDLL(None).write
""",
        before="""
TEXT = "mark-of-the-candidate-before" * 100_000
def tries(): pass
""",
        bare=False,
    ),
    Attack(
        "read of the candidate before in the server's frames",
        """
def tries():
    import gc, sys
    def told(value):
        return getattr(value, "status", None) == 42 << 8 and "its exit code"
    frame = sys._getframe()
    while frame is not None:
        for value in list(frame.f_locals.values()):
            achieved.extend(filter(None, [told(value)]))
        frame = frame.f_back
    achieved.extend(filter(None, map(told, gc.get_objects())))
    refused.append("no answer but none")
""",
        before="""
import posix
def tries(): posix._exit(42)
""",
        bare=False,
    ),
    Attack(
        "leave a word in the flags of a standard stream",
        """
def tries():
    import fcntl
    for stream in range(3):
        flags = fcntl.fcntl(stream, fcntl.F_GETFL) & (os.O_APPEND | os.O_NONBLOCK)
        if flags:
            achieved.append(f"{flags:o} in {stream}")
    refused.append("fresh streams")
""",
        before="""
def tries():
    import fcntl
    for stream in range(3):
        fcntl.fcntl(stream, fcntl.F_SETFL, os.O_APPEND | os.O_NONBLOCK)
""",
        bare=False,
    ),
    Attack(
        "leave a word in the times or numbers of the scratch folder",
        """
def tries():
    import time
    if os.stat(".").st_size > 100_000:
        achieved.append("its size")
    os.mkdir("one")
    if os.uname().nodename == "sandbox" and os.stat("one").st_dev != os.stat("/").st_dev and os.stat("one").st_ino in range(200, 100_000):
        achieved.append(f"file number {os.stat('one').st_ino}")
    refused.append("a fresh folder")
""",
        before="""
import posix
def tries():
    for number in range(2000):
        os.mkdir("n" * 200 + str(number))
    for number in range(2000):
        posix.rmdir("n" * 200 + str(number))
""",
        bare=False,
    ),
    Attack(
        "leave a word in the access times of libraries",
        """
def tries():
    files = [entry.path for entry in os.scandir(os.path.dirname(os.__file__)) if entry.is_file()]
    def read(path):
        before = os.stat(path).st_atime_ns
        os.close(os.open(path, os.O_RDONLY)) if os.stat(path).st_size == 0 else read_path(path)
        return os.stat(path).st_atime_ns != before
    attempt("times of files", lambda: sum(map(read, files)) or None)
""",
        bare=False,  # a day later at the earliest
        admitted="access time",
    ),
    Attack(
        "read how the fork server was started",
        """
def tries():
    attempt("its command line", lambda: [part for part in sys.orig_argv if "dualcode" in part] or None)
""",
        bare=False,
    ),
]
