"""Untrusted code: the jail, the fork server, and the values that go in and come out."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dualcode.sandbox.pool import Opening


def open_sandbox(workers: int | None = None, *, unsafe: bool = False, tier: str | None = None) -> "Opening":
    """Open the strongest sandbox that works on this machine; see `pool.open_sandbox`."""
    from dualcode.sandbox import pool  # the command line imports this package

    return pool.open_sandbox(workers, unsafe=unsafe, tier=tier)
