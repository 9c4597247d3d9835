"""The time of day as this process counts it: set once, then as steady as its own clock.

A wall clock jumps (a time server, an administrator, a machine that wakes up). Records say when something
began and how long it took, and what overlaps what is worked out of both: so neither may jump.
"""

import time

_BEGAN, _STEADY = time.time(), time.monotonic()


def now() -> float:
    """Return seconds since the epoch."""
    return _BEGAN + time.monotonic() - _STEADY
