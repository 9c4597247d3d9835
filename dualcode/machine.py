"""The cores and the memory that this process may use, by the machine and by the control groups around it.

A container's limits are those of control groups; `/proc/meminfo` and the count of cores are the host's there.
"""

import functools
import os
from pathlib import Path
from typing import NamedTuple

import psutil

GROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
_MEMORY = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""A limit, what is used, and what of that are files that the kernel drops when it must, of either version."""


_NONE = 1 << 62
"""A limit from here on is none: the first version of control groups writes it as a number."""


class Memory(NamedTuple):
    """Main memory in bytes."""

    total: int
    """What this process may use with all others that share its limit."""
    available: int
    """What is left of it."""
    machine: int
    """What the machine has; more than `total` where a control group sets the limit."""


def memory() -> Memory:
    """Return the memory of the machine, or of the narrowest control group around this process.

    Raises OSError, ValueError or KeyError where the system does not tell.
    """
    told = psutil.virtual_memory()
    total, available = told.total, told.available
    for most, current, kinds, files in _limits(OWN, GROUPS):
        limit = _number(most)
        if limit is not None and limit < told.total:
            used = max(0, (_number(current) or 0) - _named(kinds, files))
            total, available = min(total, limit), min(available, max(0, limit - used))
    return Memory(total, available, told.total)


def cores() -> int:
    """Return how many cores this process may use: those it is bound to, or what its CPU time comes to."""
    found = float(len(os.sched_getaffinity(0)))
    for folder in _folders("cpu", OWN, GROUPS):
        quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
        told = _words(folder / "cpu.max")
        if len(told) == 2 and told[0].isdecimal():
            quota, period = int(told[0]), int(told[1])
        if quota is not None and quota > 0 and period:
            found = min(found, quota / period)
    return max(1, int(found))


@functools.cache
def _limits(own: Path, groups: Path) -> tuple[tuple[Path, Path, Path, str], ...]:
    """Return the files of each group around this process that limits memory.

    They are looked up once, for they are read whenever a program begins. One that gets its limit later is not
    seen, one whose limit changes is.
    """
    return tuple(
        (folder / most, folder / current, folder / "memory.stat", files)
        for folder in _folders("memory", own, groups)
        for most, current, files in _MEMORY
        if (_number(folder / most) or _NONE) < _NONE
    )


def _folders(controller: str, own: Path, groups: Path) -> list[Path]:
    """Return the control groups around this process that may limit it, of either version; its own first."""
    found: list[Path] = []
    try:
        lines = [os.fsdecode(line) for line in own.read_bytes().splitlines()]
    except OSError:
        lines = []
    for line in [*lines, "0::/", f"1:{controller}:/"]:  # where a path is not seen here, the outermost one is
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        parts = path.strip("/").split("/")
        parts = [] if ".." in parts else parts
        root = groups / controller if controllers else groups
        found += [root.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]
    return list(dict.fromkeys(found))


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def _number(file: Path) -> int | None:
    """Return the number in a file; None if it is not there, or says `max`."""
    words = _words(file)
    return int(words[0]) if words and words[0].lstrip("-").isdecimal() else None


def _named(file: Path, name: str) -> int:
    words = _words(file)
    return int(words[words.index(name) + 1]) if name in words else 0
