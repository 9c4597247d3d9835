"""How many requests may be at one server at a time: as many as keep it full, and no more."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

QUEUE = 2
"""Requests in the server's own queue that keep its batch full from one step to the next."""
MOST = 1024
"""Beyond this no server is asked, whatever it reports: open files, ports."""


class Admission:
    """Turns for the requests to one server, given in the order in which they are asked for.

    Where a server reports its queue, so many are in flight that one or two wait there: others who use it are
    seen in it, too. Where it reports nothing, or `fixed` says so, `most` stays what it was. A server that
    refuses for want of room is asked for less at a time, and for more again as it serves.
    """

    def __init__(self, most: int, *, fixed: bool = False) -> None:
        self.most = most
        self.in_flight = 0
        self._usual, self._fixed = most, fixed
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._refused = float("-inf")
        self._tokens: int | None = None
        self._moved = time.monotonic()

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Be one of those in flight."""
        if self.in_flight >= self.most or self._waiting:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():  # it was given, and is not wanted any more
                    self._leave()
                raise
        else:
            self.in_flight += 1
        try:
            yield
        finally:
            self._leave()

    def heard(self, running: int | None, waiting: int | None, tokens: int | None) -> None:
        """Take in what the server says of its batch, of its queue, and of the tokens that it ever made."""
        if tokens != self._tokens or not (running or waiting):
            self._tokens, self._moved = tokens, time.monotonic()
        if self._fixed or waiting is None:
            return
        if waiting > QUEUE:
            self.most = max(1, min(self.most, self.in_flight) - (waiting - QUEUE))
        elif waiting == 0 and self._waiting:
            self.most = min(MOST, self.most + max(QUEUE, self.most // 4))
        self._usual = self.most
        self._admit()

    def refused(self) -> None:
        """Note that the server had no room; a burst of refusals counts once."""
        if time.monotonic() > self._refused + 1.0:
            self._refused = time.monotonic()
            self.most = max(1, min(self.most, self.in_flight) * 3 // 4)

    def served(self) -> None:
        """Note that the server had room."""
        if self.most < self._usual:
            self.most += 1
            self._admit()

    @property
    def stuck(self) -> float:
        """Seconds for which the server has had work and made no token; 0 where it does not tell."""
        return 0.0 if self._tokens is None else time.monotonic() - self._moved

    def _leave(self) -> None:
        self.in_flight -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self.in_flight < self.most:
            turn = self._waiting.popleft()
            if not turn.done():  # not one that was cancelled
                self.in_flight += 1
                turn.set_result(None)
