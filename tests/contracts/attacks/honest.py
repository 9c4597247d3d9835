"""Programs that do no harm, and what they must come to in every jail: (program, expression, its value)."""
# ruff: noqa: E501 - a try of an attack stays on its line

HONEST: dict[str, tuple[str, str, object]] = {
    "arithmetic": ("def f(): return 2 ** 100", "f()", 2**100),
    "printing": ("def f():\n    print('x' * 1000)\n    return 1", "f()", 1),
    "threads": (
        "import threading\ndef f():\n    kept = []\n    threads = [threading.Thread(target=kept.append, args=(n,)) for n in range(8)]\n"
        "    [t.start() for t in threads]\n    [t.join() for t in threads]\n    return sorted(kept)",
        "f()",
        list(range(8)),
    ),
    "a thread pool": (
        "from concurrent.futures import ThreadPoolExecutor\ndef f():\n    with ThreadPoolExecutor(4) as pool:\n"
        "        return list(pool.map(abs, [-1, -2]))",
        "f()",
        [1, 2],
    ),
    "asyncio": (
        "import asyncio\nasync def one(n):\n    await asyncio.sleep(0.001)\n    return n\nasync def all():\n"
        "    return await asyncio.gather(one(1), one(2))\ndef f(): return asyncio.run(all())",
        "f()",
        [1, 2],
    ),
    "asyncio with a thread": (
        "import asyncio\nasync def go(): return await asyncio.to_thread(abs, -1)\ndef f(): return asyncio.run(go())",
        "f()",
        1,
    ),
    "numpy": (
        "import numpy as np\ndef f(): return np.linalg.solve(np.eye(3) * 2, np.ones(3)).tolist()",
        "f()",
        [0.5, 0.5, 0.5],
    ),
    "numpy's random numbers and fft": (
        "import numpy as np\ndef f():\n    np.fft.fft(np.random.default_rng(0).normal(size=8))\n    return 1",
        "f()",
        1,
    ),
    "a big matrix": (
        "import numpy as np\ndef f(): return float((np.ones((500, 500)) @ np.ones((500, 500)))[0, 0])",
        "f()",
        500.0,
    ),
    "tempfile": (
        "import tempfile, os\ndef f():\n    with tempfile.NamedTemporaryFile('w+', delete=False) as file:\n"
        "        file.write('x')\n        file.seek(0)\n        return file.read()",
        "f()",
        "x",
    ),
    "a temporary folder": (
        "import tempfile, os\ndef f(): return os.listdir(tempfile.mkdtemp())",
        "f()",
        [],
    ),
    "a file of its own": (
        "import pathlib\ndef f():\n    path = pathlib.Path('mine')\n    path.write_text('x')\n    return path.read_text()",
        "f()",
        "x",
    ),
    "lazy imports": (
        "def f():\n    import hashlib, ssl, sqlite3, ctypes, decimal, unittest, email.mime.text, zoneinfo, lzma, bz2, csv\n"
        "    import xml.etree.ElementTree, multiprocessing, socket, uuid, statistics, fractions, difflib, pydoc, curses\n"
        "    return hashlib.md5(b'').hexdigest()[:4]",
        "f()",
        "d41d",
    ),
    "sqlite in memory": (
        "import sqlite3\ndef f(): return sqlite3.connect(':memory:').execute('select 1 + 1').fetchone()[0]",
        "f()",
        2,
    ),
    "decimal": (
        "from decimal import Decimal\ndef f(): return str(Decimal(1) / Decimal(7))[:6]",
        "f()",
        "0.1428",
    ),
    "deep recursion": ("def down(n): return n and down(n - 1)\ndef f(): return down(900)", "f()", 0),
    "deeper recursion by request": (
        "import sys\nsys.setrecursionlimit(20_000)\ndef down(n): return n and down(n - 1)\ndef f(): return down(15_000)",
        "f()",
        0,
    ),
    "a recursion that is too deep, caught": (
        "def down(n): return down(n + 1)\ndef f():\n    try: down(0)\n    except RecursionError: return 'caught'",
        "f()",
        "caught",
    ),
    "a generator": ("def g():\n    yield from range(3)\ndef f(): return list(g())", "f()", [0, 1, 2]),
    "a regular expression": ("import re\ndef f(): return re.findall(r'\\d+', 'a1b22')", "f()", ["1", "22"]),
    "the time": ("import time, datetime\ndef f(): return datetime.datetime.now().year > 2000", "f()", True),
    "sleeping": ("import time\ndef f():\n    time.sleep(0.01)\n    return 1", "f()", 1),
    "random bytes": (
        "import os, secrets\ndef f(): return len(os.urandom(8)) + len(secrets.token_bytes(8))",
        "f()",
        16,
    ),
    "an alarm of its own": (
        "import signal, time\nrung = []\ndef f():\n    signal.signal(signal.SIGALRM, lambda *a: rung.append(1))\n"
        "    signal.setitimer(signal.ITIMER_REAL, 0.01)\n    time.sleep(0.05)\n    return rung",
        "f()",
        [1],
    ),
    "half a gigabyte": ("def f(): return len(bytearray(512 << 20))", "f()", 512 << 20),
    "a class": (
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\ndef f(): return P(1) == P(1)",
        "f()",
        True,
    ),
    "an enumeration and a named tuple": (
        "import enum, collections\nE = enum.Enum('E', 'a b')\nP = collections.namedtuple('P', 'x y')\n"
        "def f(): return [E.a.value, P(1, 2).y]",
        "f()",
        [1, 2],
    ),
    "typing": ("from typing import *\ndef f(x: Optional[List[int]] = None) -> int: return 1", "f()", 1),
    "pickle and copy": (
        "import pickle, copy\ndef f(): return copy.deepcopy(pickle.loads(pickle.dumps({'a': [1]})))",
        "f()",
        {"a": [1]},
    ),
    "a warning": ("import warnings\ndef f():\n    warnings.warn('x')\n    return 1", "f()", 1),
    "no environment to speak of": (
        "import os\ndef f(): return 'HOME' in os.environ or os.environ.get('X')",
        "f() or 1",
        1,
    ),
}
