"""Servers that start before a sandbox is asked for, while the command that needs one is still being imported.

They are of the strongest tier. The next sandbox that is opened tries its tier in one of them, and keeps them
all if it holds.
"""

import contextlib
from collections.abc import Generator

from dualcode.errors import SandboxError
from dualcode.sandbox import policy
from dualcode.sandbox.room import bound_workers
from dualcode.sandbox.worker import Worker

STRONGEST = "namespaces"

_started: list[Worker] = []


@contextlib.contextmanager
def starting(workers: int | None) -> Generator[None]:
    """Start as many servers as a sandbox of so many workers has; what none took is ended on the way out.

    If they do not start, that is for the sandbox to tell.
    """
    with contextlib.suppress(SandboxError, OSError):
        code = policy.compile_policy()
        _started.extend(Worker(STRONGEST, code) for _ in range(bound_workers(workers)))
    try:
        yield
    finally:
        for worker in take(STRONGEST):
            worker.abandon()


def take(tier: str) -> list[Worker]:
    """Return the servers of a tier that were started; they are the caller's now."""
    taken = _started[:] if tier == STRONGEST else []
    if taken:
        _started.clear()
    return taken
