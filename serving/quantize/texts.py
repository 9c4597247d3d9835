"""What a model reads while it is quantized, and what it is judged on: the standard library's own code."""

import inspect
import random
import sys
import textwrap
from importlib import import_module

QUESTION = "Write a Python function `add(a, b)` that returns the sum of two numbers."
HELD_OUT = ("string", "statistics", "posixpath")
"""Never calibrated on."""
SKIPPED = {"antigravity", "this", "idlelib", "turtledemo", "test"}


def calibration(count: int) -> list[tuple[str, str]]:
    """Return `count` pairs of a request and the code that answers it, the same ones for the same Python."""
    names = sorted(name for name in sys.stdlib_module_names if name[0] != "_")
    found: list[tuple[str, str]] = []
    for name in names:
        if name in SKIPPED or name in HELD_OUT:
            continue
        try:
            code = inspect.getsource(import_module(name))
        except (ImportError, OSError, TypeError):
            continue  # built in, or not of this system
        parts = (code[start : start + 6000] for start in range(0, len(code), 6000))
        found += [(f"Write a part of the Python module `{name}`.", part) for part in parts]
    random.Random(0).shuffle(found)
    return found[:count]


def held_out() -> list[tuple[str, str]]:
    """Return the pairs that judge."""
    return [
        (f"Write the Python module `{name}`.", textwrap.dedent(inspect.getsource(import_module(name))))
        for name in HELD_OUT
    ]


def chat(pair: tuple[str, str]) -> list[dict[str, str]]:
    """Return a pair as the messages of a chat."""
    request, code = pair
    return [{"role": "user", "content": request}, {"role": "assistant", "content": f"```python\n{code}\n```"}]
