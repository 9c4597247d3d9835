"""How much memory the machine, or the control group around this process, has left, and how many runs fit."""

import os
from pathlib import Path

import psutil

USUAL_MEMORY = 128 << 20
"""Bytes that are set aside for a server with a run of the usual kind; together they take about 20 MiB. Few
runs use what they may: what is really left is looked at whenever one begins (`enough_memory`)."""

SHARE_LEFT = 4
"""A run begins beside others if one of them could still grow to its limit, or to one in so many of all the
bytes of a small machine."""

CONTROL_GROUP = Path("/sys/fs/cgroup")
"""The control group that a container sees as its own."""


def bound_workers(wanted: int | None) -> int:
    """Return how many of the wanted workers fit into memory with usual runs, at least one."""
    fitting = available_memory() // USUAL_MEMORY
    return max(1, min(wanted or len(os.sched_getaffinity(0)), fitting))


def enough_memory(limit: int) -> bool:
    """Whether a run with this limit may begin beside others, by what the machine has really left now.

    So pools, and other processes, need not know of each other. Should several runs grow at once beyond what
    is left, the kernel ends them first of all, and the grader tries them again alone.
    """
    left = available_memory()
    return left >= limit or left >= whole_memory() // SHARE_LEFT


def available_memory() -> int:
    """Return the bytes that the machine, or the control group around this process, has left."""
    available = psutil.virtual_memory().available
    group = _of_group("memory.max")
    return available if group is None else min(available, max(0, group - (_of_group("memory.current") or 0)))


def whole_memory() -> int:
    """Return the bytes that the machine has, or that its control group allows this process."""
    total = psutil.virtual_memory().total
    return min(total, _of_group("memory.max") or total)


def _of_group(name: str) -> int | None:
    try:
        return int((CONTROL_GROUP / name).read_text())
    except (OSError, ValueError):  # no such group, or "max"
        return None
