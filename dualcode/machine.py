"""The cores and the memory that this process may use, by the machine and by the control groups around it.

A container's limits are those of control groups; `/proc/meminfo` and the count of cores are the host's there.
"""

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
    for folder in _folders("memory"):
        for most, current, files in _MEMORY:
            if (limit := _number(folder / most)) is not None:
                used = (_number(folder / current) or 0) - _named(folder / "memory.stat", files)
                total, available = min(total, limit), min(available, max(0, limit - max(0, used)))
    return Memory(total, available, told.total)


def cores() -> int:
    """Return how many cores this process may use: those it is bound to, or what its CPU time comes to."""
    found = float(len(os.sched_getaffinity(0)))
    for folder in _folders("cpu"):
        quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
        told = _words(folder / "cpu.max")
        if len(told) == 2 and told[0].isdecimal():
            quota, period = int(told[0]), int(told[1])
        if quota is not None and quota > 0 and period:
            found = min(found, quota / period)
    return max(1, int(found))


def _folders(controller: str) -> list[Path]:
    """Return the control groups around this process that may limit it, of either version; its own first."""
    found: list[Path] = []
    try:
        lines = OWN.read_text().splitlines()
    except OSError:
        lines = []
    for line in [*lines, "0::/", f"1:{controller}:/"]:  # where a path is not seen here, the outermost one is
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        parts = [] if ".." in path else path.strip("/").split("/")
        root = GROUPS / controller if controllers else GROUPS
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
