"""How much memory the machine, or the control group around this process, has left, and how many runs fit."""

from dualcode import machine

USUAL_MEMORY = 128 << 20
"""Bytes that are set aside for a server with a run of the usual kind; together they take about 20 MiB. Few
runs use what they may: what is really left is looked at whenever one begins (`enough_memory`)."""

SHARE_LEFT = 4
"""A run begins beside others if one of them could still grow to its limit, or to one in so many of all the
bytes of a small machine."""


def bound_workers(wanted: int | None) -> int:
    """Return how many of the wanted workers fit into memory with usual runs, at least one."""
    fitting = available_memory() // USUAL_MEMORY
    return max(1, min(wanted or machine.cores(), fitting))


def enough_memory(limit: int) -> bool:
    """Whether a run with this limit may begin beside others, by what the machine has really left now.

    So pools, and other processes, need not know of each other. Should several runs grow at once beyond what
    is left, the kernel ends them first of all, and the grader tries them again alone.
    """
    left = available_memory()
    return left >= limit or left >= whole_memory() // SHARE_LEFT


def available_memory() -> int:
    """Return the bytes that the machine, or the control group around this process, has left."""
    return machine.memory().available


def whole_memory() -> int:
    """Return the bytes that the machine has, or that its control group allows this process."""
    return machine.memory().total
