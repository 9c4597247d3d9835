"""Twists: a right program with something put behind it that aims at one rule of a grader.

Most wrap the entry point: they change the type of what comes out, raise, take time, recurse, keep state from
call to call, or use a part of the process that EvalPlus guards.
"""

# ruff: noqa: E501 - a twist stays on its line

from dualcode.reviews.cases import Mutant


def twisted(program: str, entry_point: str, name: str) -> Mutant:
    """Return the program with one twist put behind it."""
    return Mutant(f"twist/{name}", f"{program}\n\n{TWISTS[name].replace('ENTRY', entry_point)}")


def _out(expression: str, before: str = "") -> str:
    """Return a twist that changes the output `out`, where the change raises nothing."""
    return (
        f"{before}\n_right = ENTRY\ndef ENTRY(*args):\n    out = _right(*args)\n"
        f"    try:\n        return {expression}\n    except (TypeError, ValueError, OverflowError):\n"
        "        return out\n"
    )


def _around(body: str, before: str = "") -> str:
    """Return a twist that runs `body` before the right function does."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"{before}\n_right = ENTRY\ndef ENTRY(*args):\n{lines}    return _right(*args)\n"


def _nth(number: int, body: str, before: str = "") -> str:
    """Return a twist that runs `body` in the call of this number alone."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    count = "_calls = 0\n"
    test = f"global _calls\n_calls += 1\nif _calls == {number}:\n{lines}"
    return _around(test, before + "\n" + count)


def _loading(body: str) -> str:
    return f"{body}\n"


_TYPES: dict[str, tuple[str, str]] = {
    "np.float64": ("np.float64(out) if type(out) in (int, float) else out", "import numpy as np"),
    "np.float32": ("np.float32(out) if type(out) is float else out", "import numpy as np"),
    "np.int64": ("np.int64(out) if type(out) is int else out", "import numpy as np"),
    "np.bool_": ("np.bool_(out) if type(out) is bool else out", "import numpy as np"),
    "np.str_": ("np.str_(out) if type(out) is str else out", "import numpy as np"),
    "np.array": ("np.array(out) if type(out) in (list, tuple) else out", "import numpy as np"),
    "list of np.float64": (
        "[np.float64(x) for x in out] if type(out) is list else out",
        "import numpy as np",
    ),
    "list of np.int64": ("[np.int64(x) for x in out] if type(out) is list else out", "import numpy as np"),
    "0-d array": ("np.array(out) if type(out) in (int, float) else out", "import numpy as np"),
    "tuple for list": ("tuple(out) if type(out) is list else list(out) if type(out) is tuple else out", ""),
    "set for list": ("set(out) if type(out) is list else out", ""),
    "list for set": ("list(out) if type(out) is set else out", ""),
    "frozenset for set": ("frozenset(out) if type(out) is set else out", ""),
    "list for str": ("list(out) if type(out) is str else out", ""),
    "bytes for str": ("out.encode() if type(out) is str else out", ""),
    "generator": ("(x for x in out) if type(out) in (list, tuple, set) else out", ""),
    "map": ("map(lambda x: x, out) if type(out) in (list, tuple) else out", ""),
    "iterator": ("iter(out)", ""),
    "range": ("range(out[0], out[-1] + 1) if type(out) is list and out else out", ""),
    "dict views": ("out.items() if type(out) is dict else dict.fromkeys(out).keys()", ""),
    "deque": ("__import__('collections').deque(out) if type(out) is list else out", ""),
    "int for bool": ("int(out) if type(out) is bool else out", ""),
    "bool for int": ("bool(out) if type(out) is int else out", ""),
    "float for int": ("float(out) if type(out) is int else out", ""),
    "int for float": ("int(out) if type(out) is float else out", ""),
    "str for int": ("str(out)", ""),
    "complex": ("complex(out)", ""),
    "Fraction": ("__import__('fractions').Fraction(out)", ""),
    "Decimal": ("__import__('decimal').Decimal(out)", ""),
    "str subclass": ("S(out) if type(out) is str else out", "class S(str): pass"),
    "int subclass": ("I(out) if type(out) is int else out", "class I(int): pass"),
    "float subclass": ("I(out) if type(out) is float else out", "class I(float): pass"),
    "list subclass": ("L(out) if type(out) is list else out", "class L(list): pass"),
    "tuple subclass": ("T(out) if type(out) is tuple else out", "class T(tuple): pass"),
    "dict subclass": ("D(out) if type(out) is dict else out", "class D(dict): pass"),
    "OrderedDict": ("__import__('collections').OrderedDict(out) if type(out) is dict else out", ""),
    "Counter": ("__import__('collections').Counter(out) if type(out) in (dict, list) else out", ""),
    "defaultdict": ("__import__('collections').defaultdict(int, out) if type(out) is dict else out", ""),
    "enum": (
        "E(out) if type(out) is int else out",
        "import enum\nclass E(enum.IntEnum):\n    A = 0\n    B = 1\n    C = 2",
    ),
    "namedtuple": (
        "P(*out) if type(out) in (list, tuple) and len(out) == 2 else out",
        "from collections import namedtuple\nP = namedtuple('P', 'a b')",
    ),
    "dataclass": ("V(out)", "from dataclasses import dataclass\n@dataclass\nclass V:\n    value: object"),
    "None": ("None", ""),
    "Ellipsis": ("...", ""),
    "NotImplemented": ("NotImplemented", ""),
    "nan": ("float('nan') if type(out) is float else out", ""),
    "inf": ("float('inf') if type(out) is float else out", ""),
    "function": ("_right", ""),
    "type": ("type(out)", ""),
    "itself nested": ("[out]", ""),
    "recursive": ("(lambda x: (x.append(x), x)[1])([])", ""),
    "copy": ("__import__('copy').deepcopy(out)", ""),
    "off by 1e-7": ("out + 1e-7 if type(out) is float else out", ""),
    "off by 1e-6": ("out + 0.99e-6 if type(out) is float else out", ""),
    "off by 1e-5": ("out + 1e-5 if type(out) is float else out", ""),
    "off by 1e-8 relative": ("out * (1 + 1e-8) if type(out) is float else out", ""),
    "rounded": ("round(out, 6) if type(out) is float else out", ""),
    "list off by 1e-7": ("[x + 1e-7 for x in out] if type(out) is list else out", ""),
    "minus zero": ("-out if out == 0 else out", ""),
    "reversed": ("out[::-1]", ""),
    "duplicated": ("out + out", ""),
    "shorter": ("out[:-1]", ""),
    "case": ("out.upper()", ""),
    "space": ("out + ' ' if type(out) is str else out", ""),
    "surrogate": ("out + '\\udc80' if type(out) is str else out", ""),
    "huge int": ("10 ** 5000 if type(out) is int else out", ""),
    "equal to all": ("A()", "class A:\n    def __eq__(self, other): return True"),
    "equal list": (
        "A(out) if type(out) is list else out",
        "class A(list):\n    def __eq__(self, o): return True",
    ),
}

_LIST = "type(out) in (list, tuple)"
_OWN_MAPPING = """
from collections.abc import Mapping
class M(Mapping):
    def __init__(self, data): self._data = data
    def __getitem__(self, key): return self._data[key]
    def __iter__(self): return iter(self._data)
    def __len__(self): return len(self._data)
"""
_OWN_SET = """
from collections.abc import Set
class M(Set):
    def __init__(self, data): self._data = data
    def __contains__(self, each): return each in self._data
    def __iter__(self): return iter(self._data)
    def __len__(self): return len(self._data)
"""
_OWN_SEQUENCE = """
from collections.abc import Sequence
class M(Sequence):
    def __init__(self, data): self._data = data
    def __getitem__(self, at): return self._data[at]
    def __len__(self): return len(self._data)
"""

_LIBRARY: dict[str, tuple[str, str]] = {
    "UserList": (f"UserList(out) if {_LIST} else out", "from collections import UserList"),
    "UserList in a list": (
        f"[UserList(x) if {_LIST.replace('out', 'x')} else x for x in out] if {_LIST} else out",
        "from collections import UserList",
    ),
    "UserList subclass": (
        f"L(out) if {_LIST} else out",
        "from collections import UserList\nclass L(UserList):\n    def __len__(self): return 7",
    ),
    "UserList around a tuple": (
        f"[u := UserList(), setattr(u, 'data', tuple(out))][0] if {_LIST} else out",
        "from collections import UserList",
    ),
    "UserDict": ("UserDict(out) if type(out) is dict else out", "from collections import UserDict"),
    "UserDict subclass": (
        "D(out) if type(out) is dict else out",
        "from collections import UserDict\nclass D(UserDict):\n    def __getitem__(self, k): return self.data[k]",
    ),
    "UserDict that looks up otherwise": (
        "D(out) if type(out) is dict else out",
        "from collections import UserDict\nclass D(UserDict):\n    def __getitem__(self, k): return 1",
    ),
    "UserDict keys": (
        "UserDict(out).keys() if type(out) is dict else UserDict.fromkeys(out).keys()",
        "from collections import UserDict",
    ),
    "UserDict items": (
        "UserDict(out).items() if type(out) is dict else out",
        "from collections import UserDict",
    ),
    "UserDict values": (
        "UserDict(out).values() if type(out) is dict else UserDict.fromkeys(out).values()",
        "from collections import UserDict",
    ),
    "OrderedDict views": (
        "OrderedDict(out).items() if type(out) is dict else OrderedDict.fromkeys(out).keys()",
        "from collections import OrderedDict",
    ),
    "values view": ("out.values() if type(out) is dict else dict(enumerate(out)).values()", ""),
    "UserString": ("UserString(out) if type(out) is str else out", "from collections import UserString"),
    "UserString of all": ("UserString(out)", "from collections import UserString"),
    "UserString subclass": (
        "S(out) if type(out) is str else out",
        "from collections import UserString\nclass S(UserString):\n    def __str__(self): return 'no'",
    ),
    "UserString in a list": (
        f"[UserString(x) if type(x) is str else x for x in out] if {_LIST} else out",
        "from collections import UserString",
    ),
    "UserString keys": (
        "{UserString(k): v for k, v in out.items()} if type(out) is dict else out",
        "from collections import UserString",
    ),
    "ChainMap": ("ChainMap({}, out) if type(out) is dict else out", "from collections import ChainMap"),
    "ChainMap of two": (
        "ChainMap(dict(list(out.items())[:1]), out) if type(out) is dict else out",
        "from collections import ChainMap",
    ),
    "ChainMap subclass": (
        "C(out) if type(out) is dict else out",
        "from collections import ChainMap\nclass C(ChainMap): pass",
    ),
    "mappingproxy": (
        "MappingProxyType(out) if type(out) is dict else out",
        "from types import MappingProxyType",
    ),
    "mappingproxy of UserDict": (
        "MappingProxyType(UserDict(out)) if type(out) is dict else out",
        "from types import MappingProxyType\nfrom collections import UserDict",
    ),
    "mappingproxy in a list": ("[MappingProxyType(x) for x in out]", "from types import MappingProxyType"),
    "Counter subclass": (
        "C(out) if type(out) in (dict, list) else out",
        "from collections import Counter\nclass C(Counter):\n    def __missing__(self, key): return 5",
    ),
    "OrderedDict subclass": (
        "O(out) if type(out) is dict else out",
        "from collections import OrderedDict\nclass O(OrderedDict): pass",
    ),
    "OrderedDict in another order": (
        "OrderedDict(reversed(list(out.items()))) if type(out) is dict else out",
        "from collections import OrderedDict",
    ),
    "defaultdict subclass": (
        "D(int, out) if type(out) is dict else out",
        "from collections import defaultdict\nclass D(defaultdict): pass",
    ),
    "deque subclass": (
        f"D(out) if {_LIST} else out",
        "from collections import deque\nclass D(deque): pass",
    ),
    "deque in a list": (
        f"[deque(x) if {_LIST.replace('out', 'x')} else x for x in out] if {_LIST} else out",
        "from collections import deque",
    ),
    "own Mapping": ("M(out) if type(out) is dict else out", _OWN_MAPPING),
    "own Set": (f"M(out) if type(out) is set or {_LIST} else out", _OWN_SET),
    "own Sequence": (f"M(out) if {_LIST} else out", _OWN_SEQUENCE),
    "own Sequence in a list": (f"[M(x) for x in out] if {_LIST} else out", _OWN_SEQUENCE),
    "own equality of a list": (
        f"L(out) if {_LIST} else out",
        "class L(list):\n    def __eq__(self, other): return list(self) == list(other)",
    ),
    "own hash of a str": (
        "S(out) if type(out) is str else out",
        "class S(str):\n    def __hash__(self): return 1",
    ),
    "own class that iterates": (
        f"I(out) if type(out) is set or {_LIST} else out",
        "class I:\n    def __init__(self, x): self.x = x\n    def __iter__(self): return iter(self.x)",
    ),
    "array.array": (
        f"array('d' if isinstance(out[0], float) else 'q', out) if {_LIST} else out",
        "from array import array",
    ),
    "array.array of one": ("array('d', [out])", "from array import array"),
    "array.array in a list": (
        f"[array('d' if isinstance(x[0], float) else 'q', x) for x in out] if {_LIST} else out",
        "from array import array",
    ),
    "memoryview": ("memoryview(out.encode() if type(out) is str else out)", ""),
    "memoryview of an array": (
        f"memoryview(array('d' if isinstance(out[0], float) else 'q', out)) if {_LIST} else out",
        "from array import array",
    ),
    "bytearray": ("bytearray(out.encode() if type(out) is str else out)", ""),
    "str enum": ("E.A if type(out) is str else out", "import enum\nclass E(str, enum.Enum):\n    A = 'abc'"),
    "StrEnum": ("E.A if type(out) is str else out", "import enum\nclass E(enum.StrEnum):\n    A = 'abc'"),
    "IntFlag": (
        "E(out) if type(out) is int else out",
        "import enum\nclass E(enum.IntFlag):\n    A = 1\n    B = 2",
    ),
    "Enum": ("E(out)", "import enum\nclass E(enum.Enum):\n    A = 1\n    B = 'abc'\n    C = None"),
    "Decimal subclass": ("D(out)", "from decimal import Decimal\nclass D(Decimal): pass"),
    "Decimal of the text": (
        "Decimal(str(out)) if type(out) is float else out",
        "from decimal import Decimal",
    ),
    "Fraction subclass": ("F(out)", "from fractions import Fraction\nclass F(Fraction): pass"),
    "Fraction in a list": (
        f"[Fraction(x) for x in out] if {_LIST} else out",
        "from fractions import Fraction",
    ),
    "Decimal in a list": (f"[Decimal(x) for x in out] if {_LIST} else out", "from decimal import Decimal"),
    "np.int8": ("np.int8(out) if type(out) is int else out", "import numpy as np"),
    "np.uint64": ("np.uint64(out) if type(out) is int else out", "import numpy as np"),
    "np.float16": ("np.float16(out) if type(out) is float else out", "import numpy as np"),
    "np.longdouble": ("np.longdouble(out) if type(out) is float else out", "import numpy as np"),
    "np.complex128": ("np.complex128(out)", "import numpy as np"),
    "np.float64 subclass": ("F(out)", "import numpy as np\nclass F(np.float64): pass"),
    "np.timedelta64": ("np.timedelta64(out) if type(out) is int else out", "import numpy as np"),
    "np.datetime64": ("np.datetime64(out, 'D') if type(out) is int else out", "import numpy as np"),
    "np.array of one": ("np.array([out])", "import numpy as np"),
    "np.array of objects": ("np.array(out, dtype=object)", "import numpy as np"),
    "np.array in a list": (f"[np.array(x) for x in out] if {_LIST} else out", "import numpy as np"),
    "np.array in a tuple": (f"tuple(np.array(x) for x in out) if {_LIST} else out", "import numpy as np"),
    "np.matrix": (f"np.matrix(out) if {_LIST} else out", "import numpy as np"),
    "np.matrix of one": ("np.matrix([[out]]) if type(out) in (int, float) else out", "import numpy as np"),
    "np.matrix in a list": (f"[np.matrix(x) for x in out] if {_LIST} else out", "import numpy as np"),
    "masked array": (f"np.ma.array(out) if {_LIST} else out", "import numpy as np"),
    "masked array of one": ("np.ma.array([out]) if type(out) in (int, float) else out", "import numpy as np"),
    "masked": ("np.ma.masked", "import numpy as np"),
    "recarray": (f"np.array(out).view(np.recarray) if {_LIST} else out", "import numpy as np"),
    "record": (f"np.array([tuple(out)], dtype='i8,i8,i8')[0] if {_LIST} else out", "import numpy as np"),
    "ndarray subclass": (
        f"np.array(out).view(A) if {_LIST} else out",
        "import numpy as np\nclass A(np.ndarray): pass",
    ),
    "np.poly1d": (f"np.poly1d(out) if {_LIST} else out", "import numpy as np"),
    "np.nditer": (f"np.nditer(np.array(out)) if {_LIST} else out", "import numpy as np"),
    "np.flatiter": (f"np.array(out).flat if {_LIST} else out", "import numpy as np"),
    "datetime": ("datetime.datetime(2020, 1, 1)", "import datetime"),
    "date": ("datetime.date(2020, 1, 1)", "import datetime"),
    "timedelta": ("datetime.timedelta(out)", "import datetime"),
    "date subclass": ("D(2020, 1, 1)", "import datetime\nclass D(datetime.date): pass"),
    "struct_time": ("time.struct_time(out)", "import time"),
    "Path": ("pathlib.PurePosixPath(out)", "import pathlib"),
    "UUID": ("uuid.UUID(int=1)", "import uuid"),
    "Match": ("re.match('.*', str(out))", "import re"),
    "SimpleNamespace": ("SimpleNamespace(value=out)", "from types import SimpleNamespace"),
    "namespace of a dict": (
        "SimpleNamespace(**out) if type(out) is dict else out",
        "from types import SimpleNamespace",
    ),
    "exception": ("ValueError(out)", ""),
    "module": ("__import__('math')", ""),
    "property": ("property(lambda self: out)", ""),
    "partial": ("__import__('functools').partial(int)", ""),
    "c_int": ("ctypes.c_int(out)", "import ctypes"),
    "ctypes array": (f"(ctypes.c_long * len(out))(*out) if {_LIST} else out", "import ctypes"),
    "chain": (f"itertools.chain(out) if {_LIST} else out", "import itertools"),
    "zip": ("zip(out, out)", ""),
    "pairs of zip": ("list(zip(*out))", ""),
    "enumerate": ("enumerate(out)", ""),
    "reversed iterator": ("reversed(out)", ""),
    "filter": ("filter(None, out)", ""),
    "dict of items": ("dict(enumerate(out))", ""),
    "set subclass": ("S(out) if type(out) is set else out", "class S(set): pass"),
    "frozenset subclass": ("S(out) if type(out) is set else out", "class S(frozenset): pass"),
    "WeakSet": ("weakref.WeakSet(out)", "import weakref"),
    "own class with __float__": (
        "N(out) if type(out) in (int, float) else out",
        "class N:\n    def __init__(self, x): self.x = x\n    def __float__(self): return float(self.x)",
    ),
    "own class with __array__": (
        f"[N(x) for x in out] if {_LIST} else N(out)",
        "class N:\n    def __init__(self, x): self.x = x\n"
        "    def __array__(self, *args, **named): return __import__('numpy').array(self.x)",
    ),
    "namedtuple of any length": (
        f"namedtuple('P', ['a%d' % n for n in range(len(out))])(*out) if {_LIST} else out",
        "from collections import namedtuple",
    ),
    "dict with a class for values": (
        "{k: V(v) for k, v in out.items()} if type(out) is dict else out",
        "class V:\n    def __init__(self, v): self.v = v",
    ),
    "patched UserList": (
        f"UserList(out) if {_LIST} else out",
        "from collections import UserList\nUserList.__eq__ = lambda self, other: True",
    ),
    "patched len": ("out", "import builtins\nbuiltins.len = lambda x: 0"),
    "patched sorted": ("out", "import builtins\nbuiltins.sorted = builtins.sum = builtins.map = None"),
    "patched itertools": ("out", "import itertools\nitertools.islice = itertools.chain = None"),
    "patched Counter": (
        "collections.Counter(out)",
        "import collections\nclass C(collections.Counter): pass\ncollections.Counter = C",
    ),
}

_RAISED = {
    "ValueError": "raise ValueError('no')",
    "own exception": "raise type('Own', (Exception,), {})()",
    "own BaseException": "raise type('Own', (BaseException,), {})()",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "StopIteration": "raise StopIteration",
    "GeneratorExit": "raise GeneratorExit",
    "MemoryError": "raise MemoryError",
    "AssertionError": "assert False",
    "ExceptionGroup": "raise ExceptionGroup('g', [ValueError()])",
    "TimeoutError": "raise TimeoutError",
    "sys.exit(0)": "import sys\nsys.exit(0)",
    "exit": "exit(0)",
    "quit": "quit()",
    "os._exit": "import os\nos._exit(0)",
    "abort": "import os\nos.abort()",
    "segfault": "import ctypes\nctypes.string_at(0)",
    "swallowed": "try:\n    raise ValueError\nexcept ValueError:\n    pass",
    "deep recursion": "def down(n): return down(n + 1)\ndown(0)",
    "deep recursion caught": "def down(n): return down(n + 1)\ntry:\n    down(0)\nexcept RecursionError:\n    pass",
    "memory": "x = bytearray(5 << 30)",
    "memory 3 GB untouched": "import mmap\nx = mmap.mmap(-1, 3 << 30)",
}

_TIMED = {
    "sleep 0.4 s once": _nth(1, "import time\ntime.sleep(0.4)"),
    "sleep 1.6 s once": _nth(1, "import time\ntime.sleep(1.6)"),
    "spin 0.4 s once": _nth(
        1, "import time\nt = time.process_time()\nwhile time.process_time() - t < 0.4: pass"
    ),
    "spin 4 s once": _nth(1, "import time\nt = time.process_time()\nwhile time.process_time() - t < 4: pass"),
    "endless loop": _nth(1, "while True: pass"),
    "endless loop in the third call": _nth(3, "while True: pass"),
    "endless loop in C": _nth(1, "sum(iter(int, 1))"),
    "endless loop, alarm swallowed": _nth(
        1, "while True:\n    try:\n        while True: pass\n    except Exception:\n        break"
    ),
    "endless sleep": _nth(1, "import time\ntime.sleep(1000)"),
    "alarm cancelled": _nth(1, "import signal\nsignal.alarm(0)"),
    "endless loop at load": _loading("while True: pass"),
}

_PROCESS = {
    "print": _around("print('x', args)"),
    "print much": _around("print('x' * 100000)"),
    "print surrogate": _around("print('\\udc80')"),
    "stderr": _around("import sys\nsys.stderr.write('x')\nsys.stderr.flush()"),
    "stdout buffer": _around("import sys\nsys.stdout.buffer.write(b'x')"),
    "stdout fileno": _around("import sys\nsys.stdout.fileno()"),
    "stdout getvalue": _around("import sys\nsys.stdout.getvalue()"),
    "stdout replaced": _around("import sys, io\nsys.stdout = io.StringIO()"),
    "input": _around("input()"),
    "input caught": _around("try:\n    input()\nexcept (EOFError, OSError):\n    pass"),
    "stdin read": _around("import sys\nsys.stdin.read()"),
    "stdin lines": _around("import sys\nfor line in sys.stdin: pass"),
    "open": _around("open('x', 'w').close()"),
    "open caught": _around("try:\n    open('x', 'w').close()\nexcept OSError:\n    pass"),
    "io.open": _around("import io\nio.open('x', 'w').close()"),
    "os.open": _around("import os\nos.close(os.open('x', os.O_CREAT | os.O_WRONLY))"),
    "pathlib write": _around("import pathlib\npathlib.Path('x').write_text('y')"),
    "pathlib exists": _around("import pathlib\npathlib.Path('x').exists()"),
    "tempfile": _around("import tempfile\nwith tempfile.NamedTemporaryFile() as f:\n    f.write(b'x')"),
    "mkdtemp": _around("import tempfile, os\nos.listdir(tempfile.mkdtemp())"),
    "getcwd": _around("import os\nos.getcwd()"),
    "listdir": _around("import os\nassert os.listdir('.') == []"),
    "chdir": _around("import os\nos.chdir('/')"),
    "remove": _around("import os\nos.remove('x')"),
    "mkdir": _around("import os\nos.makedirs('a/b', exist_ok=True)"),
    "environ": _around("import os\nos.environ.get('HOME', '')"),
    "environ path": _around("import os\nos.environ['PATH']"),
    "environ set": _around("import os\nos.environ['X'] = 'y'"),
    "cpu_count": _around("import os\nos.cpu_count() or 1"),
    "urandom": _around("import os\nos.urandom(8)"),
    "system": _around("import os\nos.system('true')"),
    "subprocess": _around("import subprocess\nsubprocess.run(['true'])"),
    "fork": _nth(1, "import os\nif os.fork() == 0:\n    os._exit(0)"),
    "thread": _around("import threading\nt = threading.Thread(target=int)\nt.start()\nt.join()"),
    "thread executor": _around(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(2) as pool:\n    list(pool.map(int, [1, 2]))"
    ),
    "process pool": _nth(1, "import multiprocessing\nmultiprocessing.Pool(1).close()"),
    "asyncio": _nth(1, "import asyncio\nasyncio.run(asyncio.sleep(0))"),
    "socket": _around("import socket\nsocket.socket().close()"),
    "signal": _nth(1, "import signal\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)"),
    "setrecursionlimit": _nth(
        1,
        "import sys\nsys.setrecursionlimit(20000)\ndef down(n): return n and down(n - 1)\ndown(5000)",
    ),
    "resource": _nth(1, "import resource\nresource.getrlimit(resource.RLIMIT_AS)"),
    "gc": _nth(1, "import gc\ngc.collect()"),
    "warnings": _around("import warnings\nwarnings.warn('x')"),
    "warnings as errors": _around("import warnings\nwarnings.simplefilter('error')\nwarnings.warn('x')"),
    "logging": _around("import logging\nlogging.error('x')"),
    "traceback": _around("import traceback\ntraceback.print_stack()"),
    "random": _around("import random\nrandom.seed(1)\nrandom.random()"),
    "random unseeded": _out("out if __import__('random').random() < 2 else None"),
    "now": _around("import datetime\ndatetime.datetime.now()"),
    "locale": _nth(1, "import locale\nlocale.setlocale(locale.LC_ALL, '')"),
    "lazy imports": _nth(
        1, "import hashlib, ssl, sqlite3, ctypes, decimal, unittest, email, zoneinfo, lzma, bz2, csv, xml.dom"
    ),
    "numpy": _nth(1, "import numpy as np\nnp.linalg.inv(np.eye(3))\nnp.random.default_rng(0).normal()"),
    "hash": _around("hash('x')"),
    "decimal context": _nth(1, "import decimal\ndecimal.getcontext().prec = 5"),
    "int digits": _around("int('1' * 5000)"),
    "__name__": _loading("assert __name__ == 'builtins'"),
    "main block": _loading("if __name__ == '__main__':\n    raise ValueError"),
    "__file__": _loading("__file__"),
    "sys.argv": _loading("import sys\nsys.argv[0]"),
    "sys.modules main": _loading("import __main__\n__main__.__name__"),
    "inspect source": _nth(1, "import inspect\ninspect.getsource(_right)"),
    "dataclass at load": _loading(
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\nassert P(1) == P(1)"
    ),
    "pickle own class": _nth(1, "import pickle\npickle.dumps(Own())", "class Own: pass"),
    "typing hints": _loading("import typing\ntyping.get_type_hints(ENTRY)"),
    "docstring tests": _loading("import doctest\ndoctest.testmod()"),
    "print at load": _loading("print('x' * 1000)"),
    "input at load": _loading("x = input()"),
    "exit at load": _loading("import sys\nsys.exit()"),
    "raise at load": _loading("raise ValueError"),
    "os._exit at load": _loading("import os\nos._exit(0)"),
    "syntax error": _loading("def ("),
    "future import": _loading("from __future__ import annotations"),
    "NUL": _loading("x = '\0'"),
    "entry point deleted": _loading("del ENTRY"),
    "entry point a constant": _loading("ENTRY = 3"),
    "entry point a class": _loading(
        "_right = ENTRY\nclass ENTRY:\n    def __new__(cls, *args): return _right(*args)"
    ),
    "entry point a callable": _loading(
        "class Call:\n    def __init__(self, f): self.f = f\n"
        "    def __call__(self, *args): return self.f(*args)\nENTRY = Call(ENTRY)"
    ),
    "entry point partial": _loading("import functools\nENTRY = functools.partial(ENTRY)"),
    "entry point a lambda": _loading("_right = ENTRY\nENTRY = lambda *args: _right(*args)"),
    "entry point cached": _loading("import functools\nENTRY = functools.lru_cache(None)(ENTRY)"),
    "entry point async": _loading("_right = ENTRY\nasync def ENTRY(*args): return _right(*args)"),
    "entry point a generator": _loading("_right = ENTRY\ndef ENTRY(*args): yield _right(*args)"),
    "too few parameters": _loading("_right = ENTRY\ndef ENTRY(): return _right()"),
}

_STATE = {
    "wrong on the third call": _out(
        "None if (_n := _n_calls.append(1)) or len(_n_calls) == 3 else out", "_n_calls = []"
    ),
    "right on the first call alone": _out(
        "None if (_n_calls.append(1) or len(_n_calls)) > 1 else out", "_n_calls = []"
    ),
    "mutable default": _loading(
        "_right = ENTRY\ndef ENTRY(*args, seen=[]):\n    seen.append(1)\n"
        "    return _right(*args) if len(seen) < 5 else None"
    ),
    "memory of outputs": _out("_seen.setdefault(repr(args), out)", "_seen = {}"),
    "same object": _out("_last.__setitem__(0, out) or _last[0]", "_last = [None]"),
    "output changed later": _loading(
        "_right, _kept = ENTRY, []\ndef ENTRY(*args):\n    for each in _kept:\n        each.clear()\n"
        "    out = _right(*args)\n    if type(out) is list: _kept.append(out)\n    return out"
    ),
    "input cleared after": _loading(
        "_right = ENTRY\ndef ENTRY(*args):\n    out = _right(*args)\n    for each in args:\n"
        "        if type(each) in (list, dict, set): each.clear()\n    return out"
    ),
    "input sorted before": _around(
        "for each in args:\n    if type(each) is list:\n        try: each.sort()\n        except TypeError: pass"
    ),
    "input grown after": _loading(
        "_right = ENTRY\ndef ENTRY(*args):\n    out = _right(*args)\n    for each in args:\n"
        "        if type(each) is list: each.append(0)\n    return out"
    ),
    "input returned": _out("args[0]"),
    "inputs returned": _out("args"),
    "input in output": _out("[args[0], out][1]"),
    "set order": _out("list(set(out)) if type(out) is list else out"),
    "set order of texts": _out("''.join(set(out)) if type(out) is str else out"),
    "dict order": _out("dict(reversed(list(out.items()))) if type(out) is dict else out"),
    "hash order": _out("sorted(out, key=hash) if type(out) is list else out"),
    "id order": _out("sorted(out, key=id) if type(out) is list else out"),
}

_DEPTHS = (900, 940, 960, 964, 966, 968, 969, 970, 971, 972, 973, 974, 976, 980, 1000)
"""Around Python's limit of 1,000 frames, of which the harness uses some."""


def _recursion(depth: int) -> str:
    return _around(f"def down(n):\n    return n and down(n - 1)\ndown({depth})")


TWISTS: dict[str, str] = {
    **{f"type: {name}": _out(*parts) for name, parts in (_TYPES | _LIBRARY).items()},
    **{f"raise: {name}": _around(body) for name, body in _RAISED.items()},
    **{f"raise in the second call: {name}": _nth(2, body) for name, body in list(_RAISED.items())[:4]},
    **{f"time: {name}": text for name, text in _TIMED.items()},
    **{f"process: {name}": text for name, text in _PROCESS.items()},
    **{f"state: {name}": text for name, text in _STATE.items()},
    **{f"recursion: {depth}": _recursion(depth) for depth in _DEPTHS},
}
"""By name, with ENTRY for the entry point."""

SLOW_TWISTS = frozenset(name for name in TWISTS if name.startswith("time: "))
"""What costs a second or more on each side."""
