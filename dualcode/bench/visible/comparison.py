"""Whether a value is the expected one.

Numbers are compared as EvalPlus compares floats: relative 1e-7 or absolute 1e-6, so that a program passes an
example exactly when it would pass the same example as a hidden test. Everything else is Python's `==`.
"""

import math
from typing import Any, cast

RELATIVE = 1e-7
ABSOLUTE = 1e-6

FAULTS = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError, MemoryError)
"""What operations on plain data can raise."""


def matches(got: Any, expected: Any) -> bool:
    """Tell whether two values are equal, floats within EvalPlus's tolerance; never raises."""
    try:
        return _matches(got, expected)
    except FAULTS:
        return False


def _matches(got: Any, expected: Any) -> bool:
    if is_number(got) and is_number(expected):
        return bool(got == expected) or _close(got, expected)
    if type(expected) in (list, tuple) and type(got) is type(expected):
        return len(got) == len(expected) and all(map(_matches, got, expected))
    if isinstance(expected, dict) and isinstance(got, dict):
        ours, theirs = cast(dict[Any, Any], expected), cast(dict[Any, Any], got)
        return ours.keys() == theirs.keys() and all(_matches(theirs[key], ours[key]) for key in ours)
    return bool(got == expected)


def is_number(value: Any) -> bool:
    """Tell whether a value is a number that tolerances apply to."""
    return isinstance(value, int | float | complex)


def _close(got: complex, expected: complex) -> bool:
    if not isinstance(got, float | complex) and not isinstance(expected, float | complex):
        return False
    if got != got or expected != expected:
        return got != got and expected != expected  # NaN is NaN
    return abs(got - expected) <= ABSOLUTE + RELATIVE * abs(expected) and abs(expected) != math.inf
