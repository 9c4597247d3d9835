"""The functions that tests may wrap around a call, each with a bound on its work."""

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dualcode.bench.visible.comparison import is_number

MOST_ITEMS = 100_000
_MOST_DIGITS = 300


class UnfitError(ValueError):
    """An expression that is not evaluated here: other syntax, an unknown name, too much work."""


def _range(*bounds: int) -> list[int]:
    numbers = range(*bounds)
    if len(numbers) > MOST_ITEMS:
        raise UnfitError("too long a range")
    return list(numbers)


def _round(number: Any, digits: int | None = None) -> Any:
    if digits is not None and abs(digits) > _MOST_DIGITS:
        raise UnfitError("too many digits")
    return round(number, digits)


def _sum(numbers: Iterable[Any]) -> Any:
    items = list(numbers)
    if not all(map(is_number, items)):
        raise UnfitError("only numbers are added up")
    return sum(items)


def _reversed(items: Any) -> list[Any]:
    return list(reversed(items))


ITERATING: Mapping[str, Callable[..., Any]] = {
    "set": set, "frozenset": frozenset, "list": list, "tuple": tuple, "sorted": sorted, "sum": _sum,
    "min": min, "max": max, "any": any, "all": all, "Counter": Counter, "collections.Counter": Counter,
}  # fmt: skip
"""Functions that use nothing of their argument but its items in order."""

_MATH = (
    "isclose",
    "sqrt",
    "floor",
    "ceil",
    "fabs",
    "sin",
    "cos",
    "tan",
    "log",
    "log2",
    "log10",
    "exp",
    "isnan",
)

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **ITERATING,
    **{f"math.{name}": getattr(math, name) for name in _MATH},
    "isclose": math.isclose, "sys.getsizeof": sys.getsizeof, "dict": dict, "len": len, "abs": abs,
    "round": _round, "str": str, "repr": repr, "int": int, "float": float, "bool": bool, "complex": complex,
    "range": _range, "reversed": _reversed,
}  # fmt: skip
"""The functions that tests may wrap around a call."""
