"""Attacks on time, memory, output and the scratch folder: what only limits can end."""
# ruff: noqa: E501 - a try of an attack stays on its line

from dataclasses import replace

from tests.contracts.attacks.attack import LIMITS, Attack

WIDE = replace(LIMITS, call_cpu=1.0, total_cpu=1.5, wall=3.0)
"""For what has to come to a limit that is not one of time."""

EXHAUSTING = [
    Attack(
        "take all memory",
        """
def tries():
    taken = []
    def take():
        while True:
            taken.append(bytearray(64 << 20))
    attempt("bytearrays", take)
    held = len(taken) * 64
    taken.clear()
    if held > 1024:
        achieved.append(f"{held} MiB")
    attempt("one", lambda: bytearray(64 << 30) and "64 GiB")
    attempt("numpy", lambda: __import__("numpy").ones(8 << 30) is not None)
""",
        bare=False,
        limits=WIDE,
    ),
    Attack(
        "take memory past the address-space limit",
        """
def tries():
    import mmap
    def fill():
        files = []
        for number in range(64):
            descriptor = os.memfd_create(str(number))
            files.append(descriptor)
            for _ in range(64):
                os.write(descriptor, bytes(1 << 20))
        return f"{len(files) * 64} MiB in memory files"
    attempt("memory files", fill)
    def pipes():
        import fcntl
        kept = []
        for number in range(5000):
            read, write = os.pipe()
            fcntl.fcntl(write, 1031, 1 << 20)  # F_SETPIPE_SZ
            os.set_blocking(write, False)
            kept.append(os.write(write, bytes(1 << 20)))
        return f"{sum(kept) >> 20} MiB in pipes"
    attempt("pipes", pipes)
""",
        bare=False,
        limits=WIDE,
    ),
    Attack(
        "fill the scratch folder",
        """
def tries():
    def fill():
        descriptor = os.open("big", os.O_CREAT | os.O_WRONLY)
        for _ in range(4096):
            os.write(descriptor, bytes(1 << 20))
        return "4 GiB in one file"
    def sparse():
        descriptor = os.open("sparse", os.O_CREAT | os.O_WRONLY)
        os.ftruncate(descriptor, 1 << 44)
        os.posix_fallocate(descriptor, 0, 4 << 30)
        return "4 GiB by fallocate"
    def many():
        for number in range(64):
            descriptor = os.open(f"file{number}", os.O_CREAT | os.O_WRONLY)
            for _ in range(64):
                os.write(descriptor, bytes(1 << 20))
        return "4 GiB in 64 files"
    for act in (fill, sparse, many):
        attempt(act.__name__, act)
""",
        bare=False,
        limits=WIDE,
    ),
    Attack(
        "hold files that have no name",
        """
def tries():
    import mmap, time
    def hold(make, keep):
        kept = []
        for number in range(40):
            descriptor = make(str(number))
            for _ in range(15):
                os.write(descriptor, bytes(1 << 20))
            kept.append(keep(descriptor))
        time.sleep(0.5)
        for each in kept:
            os.close(each) if isinstance(each, int) else each.close()
        return "600 MiB without a name"
    def unlinked(name):
        descriptor = os.open(name, os.O_CREAT | os.O_RDWR)
        os.unlink(name)
        return descriptor
    def nameless(name):
        return os.open(".", os.O_TMPFILE | os.O_RDWR)
    def mapped(descriptor):
        page = mmap.mmap(descriptor, 4096)
        os.close(descriptor)
        return page
    for make in (unlinked, nameless):
        for keep in (int, mapped):
            attempt(f"{make.__name__}, {keep.__name__}", hold, make, keep)
""",
        limits=WIDE,
    ),
    Attack(
        "hold files between two counts",
        """
def tries():
    import signal, time
    signal.signal(signal.SIGCONT, lambda *_: counts.append(1))
    counts = []
    def fill(name):
        descriptor = os.open(name, os.O_CREAT | os.O_RDWR)
        for _ in range(15):
            os.write(descriptor, bytes(1 << 20))
        os.close(descriptor)
    def keep_on():
        held, patience = 0.0, 0.5
        for name in "abcd":
            fill(name)
        while held < 2.0:
            seen, until = len(counts), time.monotonic() + patience
            while len(counts) == seen and time.monotonic() < until:
                time.sleep(0.001)
            patience = 0.5 * (len(counts) > seen)  # nobody counts a plain process
            began = time.monotonic()
            fill("more")
            time.sleep(0.04)
            os.unlink("more")
            held += time.monotonic() - began
        return "75 MiB for 2 s"
    attempt("hold", keep_on)
    attempt("go on while stopped", lambda: signal.raise_signal(signal.SIGCONT) or True)
""",
        limits=replace(WIDE, total_cpu=12.0, call_cpu=12.0, wall=30.0, waiting=30.0),
    ),
    Attack(
        "reserve blocks beyond the end of a file",
        """
def tries():
    import ctypes
    fallocate = libc().fallocate
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long)
    descriptor = os.open("reserved", os.O_CREAT | os.O_WRONLY)
    def reserve(mode):
        if fallocate(descriptor, mode, 0, 256 << 20):
            raise OSError(ctypes.get_errno(), "fallocate")
        return os.fstat(descriptor).st_blocks * 512 > 200 << 20 and "256 MiB"
    attempt("with the size kept", reserve, 1)
    attempt("with the size kept, zeroed", reserve, 0x11)
    attempt("with the size", reserve, 0)
    os.unlink("reserved")
""",
        limits=WIDE,
    ),
    Attack(
        "hold dirty pages of holes",
        """
def tries():
    import mmap, time
    def hold():
        kept = []
        for number in range(20):
            descriptor = os.open(str(number), os.O_CREAT | os.O_RDWR)
            os.ftruncate(descriptor, 15 << 20)
            kept.append(mmap.mmap(descriptor, 15 << 20))
            os.close(descriptor)
            if number % 2:
                os.unlink(str(number))
            kept[-1][:] = bytes(15 << 20)
        time.sleep(0.3)
        return "300 MiB"
    attempt("hold", hold)
""",
        limits=WIDE,
    ),
    Attack(
        "hold files deeper than any path reaches",
        """
def tries():
    import time
    def hold():
        at = os.open(".", os.O_RDONLY)
        for _ in range(40):
            os.mkdir("d" * 250, dir_fd=at)
            deeper = os.open("d" * 250, os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = deeper
        for number in range(20):
            descriptor = os.open(str(number), os.O_CREAT | os.O_RDWR, dir_fd=at)
            for _ in range(15):
                os.write(descriptor, bytes(1 << 20))
            os.close(descriptor)
        time.sleep(0.3)
        return "300 MiB"
    attempt("hold", hold)
""",
        limits=WIDE,
    ),
    Attack(
        "leave a device by renaming",
        """
def tries():
    import ctypes, stat
    rename = libc().renameat2
    os.close(os.open("a", os.O_CREAT | os.O_WRONLY))
    def white_out():
        if rename(-100, b"a", -100, b"b", ctypes.c_uint(4)):
            raise OSError(ctypes.get_errno(), "renameat2")
        return stat.S_ISCHR(os.lstat("a").st_mode) and "a device"
    attempt("white-out", white_out)
""",
        bare=False,  # not every file system has it
    ),
    Attack(
        "give threads descriptors of their own",
        """
def tries():
    import platform, threading
    def alone():
        if libc().close_range(1000, 1000, 2):  # CLOSE_RANGE_UNSHARE
            raise OSError("close_range")
        mine.append(os.open(".", os.O_RDONLY))
    def look():
        try:
            os.fstat(mine[0])
        except OSError:
            return "the others do not see them"
    mine = []
    thread = threading.Thread(target=attempt, args=("close_range", alone))
    thread.start()
    thread.join()
    if mine:
        attempt("look", look)
    if platform.machine() == "x86_64":
        try:  # these flags the kernel refuses as nonsense, if a filter lets them through: no thread comes of it
            syscall(56, 0x10000 | 0x800 | 0x100 | 0x1000 | 0x100000, 0, 0, 0, 0)
        except OSError as error:
            (achieved if error.errno == 22 else refused).append(f"clone: OSError: {error}")
""",
    ),
    Attack(
        "look as if killed from outside",
        """
def tries():
    import signal
    attempt("kill", lambda: signal.raise_signal(signal.SIGKILL) or True)
    attempt("stop", lambda: signal.raise_signal(signal.SIGSTOP) or True)
    attempt("a thread's signal", lambda: signal.pthread_kill(__import__("threading").get_ident(), signal.SIGKILL) or True)
    attempt("real-time", lambda: signal.raise_signal(signal.SIGRTMIN + 5) or True)
""",
        bare=False,  # it would end the control
    ),
    Attack(
        "make 200,000 files",
        """
def tries():
    def make():
        for number in range(200_000):
            os.close(os.open(f"{number}", os.O_CREAT | os.O_WRONLY))
        return "200,000 files"
    attempt("files", make)
""",
        bare=False,
        limits=WIDE,
    ),
    Attack(
        "leave a scratch folder that is hard to clean",
        """
def tries():
    def deep():
        for _ in range(3000):
            os.mkdir("d")
            os.chdir("d")
    for act in (deep, lambda: os.mkfifo("fifo"), lambda: os.symlink(VAULT, "vault"), lambda: os.symlink("loop", "loop"),
                lambda: (os.mkdir("shut"), os.close(os.open("shut/file", os.O_CREAT)), os.chmod("shut", 0)),
                lambda: os.mkdir(b"\\xff\\n\\x01"), lambda: os.link("fifo", "hard"),
                lambda: (os.mkdir("a"), os.mkdir("a/b"), os.mkdir("a/b/shut", 0), os.mkdir("a/blind", 0o300),
                         os.close(os.open("a/blind/file", os.O_CREAT)), os.symlink("/", "a/b/root")),
                lambda: os.chmod(".", 0)):
        try:
            act()
        except OSError as error:
            refused.append(str(error))
""",
        bare=False,
        limits=WIDE,
    ),
    Attack("loop without end", "\ndef tries():\n    while True: pass\n", bare=False),
    Attack("loop without end in C", "\ndef tries():\n    sum(iter(int, 1))\n", bare=False),
    Attack(
        "compute one huge number",
        "\ndef tries():\n    x = 7 ** (10 ** 8)\n    achieved.append(str(x.bit_length()))\n",
        bare=False,
    ),
    Attack(
        "match without end", '\ndef tries():\n    import re\n    re.match("(a*)*b", "a" * 100)\n', bare=False
    ),
    Attack("sleep without end", "\ndef tries():\n    import time\n    time.sleep(1000)\n", bare=False),
    Attack(
        "wait for what never comes",
        "\ndef tries():\n    import threading\n    read, write = os.pipe()\n    os.read(read, 1)\n",
        bare=False,
    ),
    Attack(
        "loop with every signal masked",
        """
def tries():
    import signal
    for number in signal.valid_signals():
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True: pass
""",
        bare=False,
    ),
    Attack(
        "loop with timers cancelled",
        """
def tries():
    import signal
    while True:
        for which in (signal.ITIMER_REAL, signal.ITIMER_PROF, signal.ITIMER_VIRTUAL):
            signal.setitimer(which, 0)
        signal.alarm(0)
""",
        bare=False,
    ),
    Attack(
        "swallow every exception for ever",
        """
def tries():
    while True:
        try:
            while True: pass
        except BaseException:
            continue
""",
        bare=False,
    ),
    Attack(
        "loop in many threads",
        """
def tries():
    import threading
    def spin():
        while True: pass
    for _ in range(8):
        threading.Thread(target=spin).start()
    spin()
""",
        bare=False,
    ),
    Attack(
        "turn back the clock",
        """
def tries():
    import time
    for name in dir(time):
        if callable(getattr(time, name)) and not isinstance(getattr(time, name), type):
            setattr(time, name, lambda *a: 0.0)
    while True: pass
""",
        bare=False,
    ),
    Attack(
        "loop while being deleted",
        """
class Loop:
    def __del__(self):
        while True: pass
    def __str__(self):
        while True: pass
    __repr__ = __eq__ = __hash__ = __str__
kept = Loop()
def tries():
    import atexit, threading, weakref, gc
    atexit.register(kept.__del__)
    threading.excepthook = sys.excepthook = sys.unraisablehook = lambda *a: kept.__del__()
    gc.callbacks.append(lambda *a: kept.__del__())
    Loop()
""",
        bare=False,
    ),
    Attack(
        "leave a thread that never ends",
        """
def tries():
    import threading, time
    def stay():
        while True:
            try: time.sleep(1000)
            except BaseException: pass
    threading.Thread(target=stay).start()
    threading._shutdown = stay
""",
        bare=False,
    ),
    Attack(
        "stop itself",
        "\ndef tries():\n    import signal\n    attempt('stop', lambda: signal.raise_signal(signal.SIGSTOP) and False)\n",
        bare=False,
    ),
    Attack(
        "recurse in C",
        """
def tries():
    sys.setrecursionlimit(10 ** 9)
    def nest():
        x = []
        for _ in range(10 ** 6):
            x = [x]
        return repr(x) and None
    def call():
        import functools
        f = len
        for _ in range(10 ** 6):
            f = functools.partial(f)
        return f("") and None
    attempt("calls", call)
    attempt("repr", nest)
    (lambda f: f(f))(lambda f: f(f))
""",
        bare=False,
    ),
    Attack(
        "crash",
        "\ndef tries():\n    import ctypes\n    ctypes.string_at(0)\n",
        bare=False,
    ),
    Attack(
        "crash into the host's crash handler",
        """
import resource
def tries():
    # Only with a limit of one byte does the kernel leave out a handler that `core_pattern` names.
    attempt("a limit that stops files alone", lambda: resource.getrlimit(resource.RLIMIT_CORE)[0] != 1)
""",
        admitted="crash handler",
    ),
    Attack("abort", "\ndef tries():\n    os.abort()\n", bare=False),
    Attack(
        "flood stdout",
        """
def tries():
    for _ in range(200):
        print("x" * (1 << 20))
        sys.stderr.write("y" * (1 << 20))
    for descriptor in (1, 2):
        for _ in range(50):
            try: os.write(descriptor, b"written past sys.stdout\\n" * (1 << 15))
            except OSError: break
""",
        bare=False,
        capture=True,
        limits=WIDE,
    ),
    Attack(
        "flood every descriptor",
        """
def tries():
    while True:
        wrote = 0
        for descriptor in range(64):
            try: wrote += os.write(descriptor, b"V\\xff\\xff\\xff\\x7f" + b"x" * (1 << 20))
            except OSError: pass
        if not wrote:
            return
""",
        bare=False,
    ),
    Attack(
        "close every descriptor",
        """
def tries():
    os.closerange(0, 1024)
""",
        bare=False,
    ),
    Attack(
        "print what cannot be encoded",
        """
def tries():
    print("\\udc80\\ud800 \\0 \\x1b[2J")
    sys.stdout.write("\\uffff" * 1000)
    sys.stdout = None
    sys.stderr = object()
""",
        bare=False,
        capture=True,
    ),
]

DRAINED = ("an endless generator", "a huge range", "an endless iterable", "an exploding object")
"""What is returned to a job that takes the items of iterables."""

RETURNED = {
    "an endless generator": "(x for x in iter(int, 1))",
    "an endless iterable": "type('X', (), {'__iter__': lambda self: self, '__next__': lambda self: 1})()",
    "a huge range": "range(10 ** 18)",
    "an integer of 80 MB": "1 << (80 << 23)",
    "a text of 80 MB": "'x' * (80 << 20)",
    "a list of itself": "(lambda x: (x.append(x), x)[1])([])",
    "a list nested 100,000 deep": "__import__('functools').reduce(lambda x, _: [x], range(100_000), [])",
    "a dict nested 100,000 deep": "__import__('functools').reduce(lambda x, _: {0: x}, range(100_000), {})",
    "billions of references": "__import__('functools').reduce(lambda x, _: [x] * 10, range(12), [1] * 10)",
    "code": "(lambda: 0).__code__",
    "a function": "len",
    "a module": "sys",
    "an open file": "sys.stdin",
    "a frame": "sys._getframe()",
    "an exploding object": "type('X', (), {n: (lambda *a: 1 / 0) for n in ('__repr__', '__reduce__', '__eq__', '__hash__', '__len__', '__iter__', '__getattribute__')})()",
    "a class that lies": "type('X', (int,), {'__class__': property(lambda self: 1 / 0)})(3)",
    "a metaclass that explodes": "type('M', (type,), {'__getattribute__': lambda *a: 1 / 0, '__instancecheck__': lambda *a: True})('X', (), {})",
    "a type with a surrogate in its name": "type('\\udc80', (), {})()",
    "a type with a name of 100 MB": "type('x' * (100 << 20), (), {})()",
    "a text of lone surrogates": "'\\ud800\\udfff' * 1000",
    "a Fraction of a huge exponent": "__import__('fractions').Fraction(10 ** 1_000_000)",
    "a Decimal of a huge exponent": "__import__('decimal').Decimal('1e999999999999999999')",
    "an array of objects": "__import__('numpy').array([object(), sys], dtype=object)",
    "an array of 1 TB by stride tricks": "__import__('numpy').broadcast_to(1.0, (1 << 37,))",
    "a set of colliding integers": "{k * (2 ** 61 - 1) for k in range(3000)}",
    "a dict with odd keys": "{float('nan'): 1, (1, (2, b'x')): ..., None: NotImplemented, 1j: frozenset([1])}",
}
"""What a program may return, as an expression: each must become a frame, or end the run, and nothing else."""


def returning(name: str) -> Attack:
    """Return an attack whose call returns the value."""
    program = f"""
def tries(): pass
def value(): return {RETURNED[name]}
"""
    return Attack(name, program, bare=False, limits=WIDE, drain=name in DRAINED, call="value()")
