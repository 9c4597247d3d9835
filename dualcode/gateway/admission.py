"""Who may be worked for: so many at once, so many waiting, and the others are told when to come back."""

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from dualcode.gateway.protocol import RefusedError

LONGEST_RETRY = 120


class Admission:
    """A finite queue: first come, first served."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._at_once = at_once
        self._most = at_once + waiting
        self.inside = 0
        """At work or waiting."""
        self._typical = 5.0
        """Seconds that a piece of work takes, lately."""

    @property
    def waiting(self) -> int:
        """How many wait."""
        return max(0, self.inside - self._at_once)

    def enter(self) -> None:
        """Take a place, to be given back by `leave`. Raises RefusedError where all are taken."""
        if self.inside >= self._most:
            after = self._typical * (self.waiting + 1) / self._at_once
            raise RefusedError(
                503,
                f"{self.inside} requests are at work or waiting, which is all that this gateway takes; come "
                "back later",
                kind="server_error",
                code="overloaded",
                retry_after=min(LONGEST_RETRY, max(1, math.ceil(after))),
            )
        self.inside += 1

    def leave(self) -> None:
        """Give a place back."""
        self.inside -= 1

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[None]:
        """Wait for the turn to work, and work."""
        async with self._slots:
            began = asyncio.get_running_loop().time()
            try:
                yield
            finally:
                took = asyncio.get_running_loop().time() - began
                self._typical += 0.2 * (took - self._typical)
