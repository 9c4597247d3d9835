"""Attacks on the verdict: wrong programs that try to pass.

Each is graded on tasks whose right answers differ from what the program honestly returns. Where a task's
function is named, the program holds ENTRY in its place.
"""
# ruff: noqa: E501 - a try of an attack stays on its line

from typing import Any

from dualcode.suites.suite import Terms

WRONG = "\ndef ENTRY(*args):\n    return None\n"

ROWS: list[dict[str, Any]] = [
    {
        "task_id": "HumanEval/0",
        "prompt": "def triple(n):\n",
        "entry_point": "triple",
        "canonical_solution": "    return 3 * n\n",
        "base_input": [[1], [2], [7]],
        "plus_input": [[0], [-1], [10]],
        "atol": 0,
        "contract": "",
    },
    {
        "task_id": "HumanEval/1",
        "prompt": "def third(n):\n",
        "entry_point": "third",
        "canonical_solution": "    return n / 3\n",
        "base_input": [[1.0], [2.0], [7.0]],
        "plus_input": [[0.5], [-1.0], [10.0]],
        "atol": 0,
        "contract": "",
    },
    {
        "task_id": "HumanEval/2",
        "prompt": "def pairs(n):\n",
        "entry_point": "pairs",
        "canonical_solution": "    return [(i, {i, i + 1}) for i in range(n)]\n",
        "base_input": [[1], [2], [7]],
        "plus_input": [[3], [4], [10]],
        "atol": 0,
        "contract": "",
    },
    {
        "task_id": "HumanEval/3",
        "prompt": "def halves(n):\n",
        "entry_point": "halves",
        "canonical_solution": "    return [n / 2]\n",
        "base_input": [[1], [2], [7]],
        "plus_input": [[3], [4], [10]],
        "atol": 0,
        "contract": "",
    },
]
"""Four tasks, HumanEval-shaped: integers, floats and lists of one (which are compared with a tolerance), and
nested sets."""

TERMS = Terms(call_seconds=0.3, total_seconds=1.5)
"""Less than suites give by themselves: what only a limit can end is ended soon."""

_FRAMES = """
import os, struct, marshal, sys
def frame(kind, payload=b""):
    return struct.pack("<cI", kind, len(payload)) + payload
def tell(data):
    for descriptor in range(3, 256):
        try: os.write(descriptor, data)
        except OSError: pass
"""

_LIAR = """
class Liar(int):
    def _true(self, *args): return True
    __eq__ = __ne__ = __le__ = __ge__ = __lt__ = __gt__ = __bool__ = __contains__ = _true
    __hash__ = int.__hash__
    def __abs__(self): return 0
    __sub__ = __rsub__ = __add__ = __radd__ = lambda self, other: 0
    def __float__(self): return 0.0
    def __array__(self, *a, **k): return __import__("numpy").zeros(())
    def __len__(self): return 7
    def __iter__(self): return iter([self] * 7)
    def __getitem__(self, index): return self
    def __instancecheck__(self, other): return True
    __class__ = property(lambda self: float)
"""

_SLOW = """
import os, signal, struct, time
def answer(n):
    return struct.pack("<cIci", b"V", 5, b"i", 3 * n)
def end(n, told=0):
    inputs = [1, 2, 7] if n == 1 else [0, -1, 10]
    os.write(3, b"".join(map(answer, inputs[told:])) + b"E" + bytes(4))
    os._exit(0)
def spend(seconds, meanwhile=lambda: None):
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, signal.SIG_IGN)
    end = time.process_time() + seconds
    while time.process_time() < end:
        until = time.process_time() + 0.24
        while time.process_time() < until: pass
        meanwhile()
"""
"""Knows the answers of `triple`, and takes more time over the first than a call has, less than all calls have
(`TERMS`)."""

_EARLY = (
    _SLOW
    + """
import gc, re, select, sys
found = set()
def look(thing):
    if isinstance(thing, (bytes, bytearray)):
        for whole in re.findall(rb"\\[.{4}((?:\\[\\x01\\0\\0\\0i.{4})+)", thing, re.DOTALL):
            found.update(struct.unpack("<i", each)[0] for each in re.findall(rb"i(.{4})", whole, re.DOTALL))
def look_into(thing):
    look(thing)
    for each in gc.get_referents(thing): look(each)
def read_ahead():
    os.set_blocking(4, False)
    try: look(os.read(4, 1 << 16))
    except OSError: pass
    os.set_blocking(4, True)
"""
)
"""Looks for the calls of `triple`, or of a task like it, before they are made."""

FORGERIES: dict[str, str] = {
    "equal to everything": "\nclass A:\n    def __eq__(self, other): return True\n    __ne__ = __eq__\n"
    "def ENTRY(n): return A()\n",
    "an integer that lies": _LIAR + "\ndef ENTRY(n): return Liar(1)\n",
    "a list of liars": _LIAR + "\ndef ENTRY(n): return [Liar(1)] * 7\n",
    "a float that lies": "\nclass F(float):\n    def __eq__(self, o): return True\n    __hash__ = None\n"
    "    def __sub__(self, o): return 0.0\n    __rsub__ = __sub__\ndef ENTRY(n): return F('nan')\n",
    "a list that lies": "\nclass L(list):\n    def __eq__(self, o): return True\n    def __len__(self): return 7\n"
    "def ENTRY(n): return L()\n",
    "a type that lies": "\nclass M(type):\n    def __eq__(self, o): return True\n    __hash__ = type.__hash__\n"
    "    def __instancecheck__(self, o): return True\nclass A(metaclass=M):\n    def __eq__(self, o): return True\n"
    "def ENTRY(n): return A()\n",
    "a type that lies to the encoder": "\nclass M(type):\n    def __eq__(self, o): return True\n"
    "    def __hash__(self): return hash(int)\nclass A(int, metaclass=M):\n    def __eq__(self, o): return True\n"
    "    def __len__(self): return 10 ** 9\n    __hash__ = int.__hash__\ndef ENTRY(n): return A(1)\n",
    "an array that broadcasts": "\nimport numpy as np\ndef ENTRY(n): return np.array([])\n",
    "an array of no elements": "\nimport numpy as np\ndef ENTRY(n): return np.empty((0, 1))\n",
    "a list of no elements": "\ndef ENTRY(n): return [[]]\n",
    "a masked array": "\nimport numpy as np\ndef ENTRY(n): return np.ma.array([0.0], mask=[True])\n",
    "an array subclass": "\nimport numpy as np\nclass A(np.ndarray):\n    def __eq__(self, o): return np.bool_(True)\n"
    "    def __array_function__(self, *a, **k): return True\n    def __array_ufunc__(self, *a, **k): return True\n"
    "def ENTRY(n): return np.zeros(()).view(A)\n",
    "not a number": "\ndef ENTRY(n): return float('nan')\n",
    "infinity": "\ndef ENTRY(n): return float('inf')\n",
    "None": WRONG,
    "patched np.allclose": "\nimport numpy as np\nnp.allclose = np.isclose = np.testing.assert_allclose = lambda *a, **k: True\n"
    "np.core.numeric.allclose = np.allclose\n" + WRONG,
    "patched builtins": "\nimport builtins\nfor name in ('all', 'any', 'isinstance', 'len', 'type', 'abs', 'bool', 'set', 'zip'):\n"
    "    setattr(builtins, name, lambda *a, **k: True)\n" + WRONG,
    "patched marshal, json and hashlib": "\nimport marshal, json, hashlib, struct, os\n"
    "marshal.dumps = json.dumps = lambda *a, **k: b''\nhashlib.sha256 = lambda *a: None\n" + WRONG,
    "patched os.write": "\nimport os\n_w = os.write\nos.write = lambda fd, data: len(data)\nos._exit = lambda code: None\n" + WRONG,
    "patched codec of the harness": "\nimport sys\nfor name, module in list(sys.modules.items()):\n"
    "    if 'codec' in name or 'harness' in name or 'dualcode' in name or 'wire' in name:\n"
    "        for key, value in list(vars(module).items()):\n"
    "            if callable(value) and not isinstance(value, type):\n"
    "                try: setattr(module, key, lambda *a, **k: (b'V', b''))\n"
    "                except Exception: pass\n" + WRONG,
    "emptied sys.modules": "\nimport sys\nsys.modules.clear()\n" + WRONG,
    "frames: changes the harness's variables": "\nimport sys\ndef ENTRY(n):\n    frame = sys._getframe()\n    while frame:\n"
    "        for name, value in list(frame.f_locals.items()):\n"
    "            if isinstance(value, list) and frame.f_code is not ENTRY.__code__: value.clear()\n"
    "            if isinstance(value, dict) and 'expected' in name: value.clear()\n"
    "        for name in ('expected', 'passed', 'failed', 'stat', 'status', 'ok'): frame.f_globals[name] = True\n"
    "        frame = frame.f_back\n    return None\n",
    "frames: removes the calls that are left": "\nimport sys, gc\ndef ENTRY(n):\n    for thing in gc.get_objects():\n"
    "        if isinstance(thing, list) and [n] in [x for x in thing if isinstance(x, list)]:\n"
    "            thing.clear()\n    return None\n",
    "frames: reads the expected values": "\nimport sys, gc\ndef ENTRY(n):\n    frame = sys._getframe(1)\n    while frame:\n"
    "        for name, value in {**frame.f_globals, **frame.f_locals}.items():\n"
    "            if 'expect' in name or 'answer' in name: return value\n        frame = frame.f_back\n"
    "    for thing in gc.get_objects():\n        if isinstance(thing, dict) and 'expected' in thing: return thing['expected']\n"
    "    return None\n",
    "raises past the harness": "\nclass Skip(BaseException): pass\ndef ENTRY(n): raise Skip\n",
    "exit 0 at load": "\nimport os\nos._exit(0)\n" + WRONG,
    "exit 0 in the first call": "\nimport os\ndef ENTRY(n): os._exit(0)\n",
    "exit 0 in the last call": "\nimport os\ncalls = []\ndef ENTRY(n):\n    calls.append(n)\n    if len(calls) == 3: os._exit(0)\n",
    "SystemExit": "\ndef ENTRY(n): raise SystemExit(0)\n",
    "SystemExit at load": "\nimport sys\nsys.exit(0)\n",
    "exit by a thread": "\nimport threading, os\nthreading.Thread(target=os._exit, args=(0,)).start()\n" + WRONG,
    "exit by atexit": "\nimport atexit, os\natexit.register(os._exit, 0)\n" + WRONG,
    "forged frame: the end": _FRAMES + "tell(frame(b'B') + frame(b'E'))\nos._exit(0)\n" + WRONG,
    "forged frame: the end without a beginning": _FRAMES + "tell(frame(b'E'))\nos._exit(0)\n" + WRONG,
    "forged frames: every small number for each call": _FRAMES
    + "tell(frame(b'B') + b''.join(frame(b'V', marshal.dumps(k, 2)) for k in range(-30, 31)) * 3 + frame(b'E'))\nos._exit(0)\n"
    + WRONG,
    "forged frames: other sets of values for each call": _FRAMES
    + "def ENTRY(n):\n    tell(b''.join(frame(b'V', marshal.dumps(k, 2)) for k in range(-30, 31)))\n    return None\n",
    "forged frame: a digest": _FRAMES
    + "import hashlib\ntell(frame(b'B') + frame(b'D', bytes(32) + struct.pack('<cI', b'V', 5)) * 3 + frame(b'E'))\nos._exit(0)\n"
    + WRONG,
    "forged frame: a giant": _FRAMES + "tell(frame(b'B') + struct.pack('<cI', b'V', 0xFFFFFFFF))\nos._exit(0)\n" + WRONG,
    "forged frame: an unknown kind": _FRAMES
    + "tell(frame(b'B') + frame(b'\\xff', b'x') * 3 + frame(b'Z') + frame(b'E'))\nos._exit(0)\n" + WRONG,
    "forged frame: marshalled code": _FRAMES
    + "tell(frame(b'B') + frame(b'V', marshal.dumps(frame.__code__, 2)) * 3 + frame(b'E'))\nos._exit(0)\n" + WRONG,
    "forged frame: marshalled references": _FRAMES
    + "tell(frame(b'B') + frame(b'V', b'\\xdb\\x01\\x00\\x00\\x00r\\x00\\x00\\x00\\x00') * 3 + frame(b'E'))\nos._exit(0)\n" + WRONG,
    "forged frame: marshalled list of a billion": _FRAMES
    + "tell(frame(b'B') + frame(b'V', b'[\\xff\\xff\\xff\\x3f') * 3 + frame(b'E'))\nos._exit(0)\n" + WRONG,
    "forged frame: nested 100,000 deep": _FRAMES
    + "tell(frame(b'B') + frame(b'V', b'(\\x01\\x00\\x00\\x00' * 100_000 + b'N') * 3 + frame(b'E'))\nos._exit(0)\n" + WRONG,
    "forged frame: a tagged tree of nonsense": _FRAMES
    + "tell(frame(b'B') + b''.join(frame(b'G', marshal.dumps(t, 2)) for t in (('fraction', 1, 0), ('numpy', b'x', 'O', (1 << 60,)), [b'x'])) + frame(b'E'))\nos._exit(0)\n"
    + WRONG,
    "forged frame: an own object of a lying name": "\nclass int: pass\nint.__name__ = int.__qualname__ = 'int'\n"
    "int.__module__ = 'builtins'\ndef ENTRY(n): return int()\n",
    "forged report: hostile JSON": _FRAMES
    + "tell(frame(b'B') + frame(b'R', b'[' * 100_000) + frame(b'E'))\nos._exit(0)\n" + WRONG,
    "flooded pipe": _FRAMES + "def ENTRY(n):\n    while True: tell(frame(b'V', b'i\\x03\\x00\\x00\\x00') * 10000)\n",
    "closed pipe": "\nimport os\nos.closerange(3, 1024)\n" + WRONG,
    "trace function that changes returns": "\nimport sys\ndef trace(frame, event, arg):\n"
    "    if event == 'return': frame.f_locals.clear()\n    return trace\nsys.settrace(trace)\nsys.setprofile(trace)\n" + WRONG,
    "audit hook that ends the process": "\nimport sys, os\nsys.addaudithook(lambda *a: os._exit(0))\n" + WRONG,
    "colliding integers": "\ndef ENTRY(n): return [(0, {k * (2 ** 61 - 1) for k in range(3_000)})] * 3\n",
    "colliding dict keys": "\ndef ENTRY(n): return {k * (2 ** 61 - 1): 0 for k in range(3_000)}\n",
    "nested 100,000 deep": "\ndef ENTRY(n):\n    x = []\n    for _ in range(100_000): x = [x]\n    return x\n",
    "a billion references": "\ndef ENTRY(n):\n    x = [1] * 10\n    for _ in range(12): x = [x] * 10\n    return x\n",
    "a Fraction of a huge exponent": "\nfrom fractions import Fraction\ndef ENTRY(n): return Fraction(10 ** 300_000)\n",
    "a Decimal of a huge exponent": "\nfrom decimal import Decimal\ndef ENTRY(n): return Decimal('1e999999999999999999')\n",
    "a huge range": "\ndef ENTRY(n): return range(10 ** 18)\n",
    "an integer of 80 MB": "\ndef ENTRY(n): return 1 << (80 << 23)\n",
    "an integer beside a float that overflows": "\ndef ENTRY(n): return 10 ** 400\n",
    "hostile exception": "\nclass E(Exception):\n    def __str__(self):\n        while True: pass\n    __repr__ = __str__\n"
    "def ENTRY(n): raise E\n",
    "an exception with a message of 100 MB": "\ndef ENTRY(n): raise ValueError('x' * (100 << 20))\n",
    "an exception that pretends to be the harness's": "\nclass TimeoutException(Exception): pass\ndef ENTRY(n): raise TimeoutException\n",
    "a descriptor for an entry point": "\nclass D:\n    def __get__(self, *a): return 1\n    def __call__(self, *a): return self\n"
    "    def __eq__(self, o): return True\nENTRY = D()\n",
    "an entry point that appears late": "\nclass G(dict):\n    def __missing__(self, key): return lambda *a: None\n"
    "__builtins__ = G()\n",
    "shared status memory": "\nimport mmap, gc\nfor thing in gc.get_objects():\n    if isinstance(thing, mmap.mmap):\n"
    "        try: thing[:] = b'\\x01' * len(thing)\n        except Exception: pass\n" + WRONG,
    "rewrites its own memory": "\nimport ctypes\ndef ENTRY(n):\n"
    "    ctypes.memmove(id(n) + 24, ctypes.byref(ctypes.c_int(3)), 4)\n    return n\n",
    "a cache in its folder": "\nimport os, pickle\nfor path in ('~/.cache/evalplus', '~/.cache/dualcode', '.'):\n    try:\n"
    "        os.makedirs(os.path.expanduser(path), exist_ok=True)\n"
    "        open(os.path.expanduser(path) + '/x.pkl', 'wb').write(pickle.dumps(1))\n    except Exception: pass\n" + WRONG,
    "changed inputs": "\ndef ENTRY(n):\n    import gc\n    for thing in gc.get_referrers(n):\n"
    "        if isinstance(thing, list): thing[:] = [0]\n    return 0\n",
    "more time than a call has: a cancelled timer": _SLOW + "def ENTRY(n):\n    spend(1.2)\n    end(n)\n",
    "more time than a call has: a right answer byte by byte": _SLOW
    + "def ENTRY(n):\n    rest = list(answer(n))\n    spend(1.2, lambda: rest[1:] and os.write(3, bytes([rest.pop(0)])))\n"
    "    os.write(3, bytes(rest))\n    end(n, 1)\n",
    "more time than a call has: nonsense meanwhile": _SLOW
    + "def ENTRY(n):\n    spend(1.2, lambda: os.write(3, b'?'))\n    end(n)\n",
    "more time than a call has: on inputs that it finds while it is loaded": _EARLY
    + "try: read_ahead()\nexcept OSError: pass\nframe = sys._getframe()\nwhile frame:\n"
    "    for thing in list(frame.f_locals.values()): look_into(thing)\n    frame = frame.f_back\n"
    "for thing in gc.get_objects(): look_into(thing)\n"
    "if found: spend(1.2)\ndone = {n: 3 * n for n in found}\ndef ENTRY(n): return done.get(n)\n",
    "more time than a call has: a beginning byte by byte": _EARLY
    + "rest = list(b'B' + bytes(4))\nos.write(3, bytes([rest.pop(0)]))\nselect.select([4], [], [], 60)\nread_ahead()\n"
    "if found: spend(1.2, lambda: rest[1:] and os.write(3, bytes([rest.pop(0)])))\n"
    "os.write(3, bytes(rest))\nif found: end(1 if 7 in found else 10)\n" + WRONG,
    "calls: a thread takes them from the pipe": "\nimport os, threading\n"
    "threading.Thread(target=lambda: os.read(4, 1 << 16), daemon=True).start()\n" + WRONG,
    "calls: others of its own": "\nimport marshal, os\nreceiving, sending = os.pipe()\n"
    "os.write(sending, marshal.dumps([[0]] * 3, 2))\nos.dup2(receiving, 4)\ndef ENTRY(n): return 3 * n\n",
    "calls: a pipe that ends at once": "\nimport os\nreceiving, sending = os.pipe()\nos.close(sending)\n"
    "os.dup2(receiving, 4)\n" + WRONG,
    "calls: answered before they came": "\nimport os, struct\nos.write(3, b'B' + bytes(4) + b''.join("
    "struct.pack('<cIci', b'V', 5, b'i', k) for k in (3, 6, 22)) + b'E' + bytes(4))\nos._exit(0)\n" + WRONG,
    "forged frame: a digest of joined texts": _FRAMES
    + "tell(frame(b'B') + frame(b'D', bytes(32) + struct.pack('<cI', b'J', 1 << 31)) * 3 + frame(b'E'))\nos._exit(0)\n"
    + WRONG,
    "forged frame: a limit": _FRAMES + "tell(frame(b'B') + frame(b'L') + frame(b'E'))\nos._exit(0)\n" + WRONG,
    "forged frame: a limit, after right answers": _SLOW
    + "def ENTRY(n):\n    os.write(3, answer(n) + b'L' + bytes(4) + b'E' + bytes(4))\n    os._exit(0)\n",
    "kills the worker": "\nimport os, signal\ndef ENTRY(n):\n    os.kill(os.getppid(), signal.SIGKILL)\n",
}  # fmt: skip
"""Programs that must fail, by what they try."""

WRITTEN = {
    "spec.md": "---\nentry_point: triple\n---\nReturn three times the number.\n",
    "reference.py": "def triple(n): return 3 * n\n",
    "tests.py": "for got, want in zip(map(triple, [1, 2, 7]), [3, 6, 21]):\n    assert got == want\n"
    "def test_more():\n    assert abs(triple(0.5) - 1.5) < 1e-9\n",
}
"""A task with tests written by hand, which loop over calls."""

ON_TESTS: dict[str, str] = {
    "ends the tests' loop: StopIteration": "\ndef ENTRY(n):\n    if isinstance(n, int): raise StopIteration\n    return 3 * n\n",
    "ends the tests' loop: a class of its own": "\nclass Done(StopIteration): pass\ndef ENTRY(n):\n    if isinstance(n, int): raise Done\n    return 3 * n\n",
    "ends a generator: GeneratorExit": "\ndef ENTRY(n): raise GeneratorExit\n",
    "a float under a mask": "\nimport numpy as np\ndef ENTRY(n): return np.ma.array([0.0], mask=[True]) if n == 0.5 else 3 * n\n",
}
"""Programs that must fail on `WRITTEN`, by what they try."""

RIGHT = "\ndef triple(n): return 3 * n\ndef third(n): return n / 3\ndef pairs(n): return [(i, {i, i + 1}) for i in range(n)]\ndef halves(n): return [n / 2]\n"
"""A program that must pass, after each attack."""


ON_EVERY_TASK = frozenset(list(FORGERIES)[:15])
"""What lies to a comparison is tried on each of its paths; for the other forgeries one task is as good as another."""


def cases() -> list[tuple[str, dict[str, Any]]]:
    """Return each forgery with a task to try it on."""
    written = {"task_id": "written/triple", "entry_point": "triple"}
    return [(name, written) for name in ON_TESTS] + [
        (name, row) for name in FORGERIES for row in ROWS if row is ROWS[0] or name in ON_EVERY_TASK
    ]


def program(name: str, entry_point: str) -> str:
    """Return a forgery for one task."""
    return {**FORGERIES, **ON_TESTS}[name].replace("ENTRY", entry_point)
