"""Who runs when: turns side by side, and now and then somebody with nothing beside him.

A program that was ended for want of time is tried again alone, for the load of the others may have been the
reason. Those who gave their turns back early, since they only wait, are no company.
Waiting for that moment must not cost the others: such a request waits until all turns happen to be free, or
until it has waited `patience` seconds. Then no new turn begins until all requests to be alone that are there
by then had theirs, one after the other.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable

PATIENCE = 20.0
"""Seconds. Emptying the machine leaves cores idle until the longest run ends, so it is done seldom."""


class Turns:
    """`size` turns at a time, in the order in which they are asked for."""

    def __init__(self, size: int, *, patience: float = PATIENCE) -> None:
        self._free = self._size = size
        self._patience = patience
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._lonely: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._alone = False
        self._batch = 0
        """How many requests to be alone are served before turns begin again."""

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncGenerator[Callable[[], None]]:
        """Hold one of the turns. Yields what returns it early, once what has it waits and needs none."""
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._go_on()
        await self._granted(place, self._return_one)
        held = True

        def give_back() -> None:
            nonlocal held
            if held:
                held = False
                self._return_one()

        try:
            yield give_back
        finally:
            give_back()

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncGenerator[None]:
        """Hold all turns. Not to be asked for while holding one."""
        loop = asyncio.get_running_loop()
        place = loop.create_future()
        self._lonely.append((time.monotonic(), place))
        hurry = loop.call_later(self._patience, self._go_on)
        self._go_on()
        try:
            await self._granted(place, self._return_all)
        finally:
            hurry.cancel()
        try:
            yield
        finally:
            self._return_all()

    async def _granted(self, place: "asyncio.Future[None]", give_back: Callable[[], None]) -> None:
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # granted and cancelled at once
                give_back()
            else:
                self._go_on()
            raise

    def _return_one(self) -> None:
        self._free += 1
        self._go_on()

    def _return_all(self) -> None:
        self._alone = False
        self._batch = max(0, self._batch - 1)
        self._go_on()

    def _go_on(self) -> None:
        """Grant what can be granted now."""
        while self._lonely and self._lonely[0][1].cancelled():
            self._lonely.popleft()
        if not self._lonely:
            self._batch = 0
        elif not self._batch and time.monotonic() - self._lonely[0][0] >= self._patience:
            self._batch = len(self._lonely)
        idle = self._free == self._size and not any(not place.cancelled() for place in self._waiting)
        if self._batch or (self._lonely and idle):
            if self._free == self._size and not self._alone:
                self._alone = True
                self._lonely.popleft()[1].set_result(None)
            return
        while self._waiting and self._free and not self._alone:
            place = self._waiting.popleft()
            if not place.cancelled():
                self._free -= 1
                place.set_result(None)
