"""One tree for several nodes: any number may read it at a time, and who may change it has it alone."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator


class SharedTree:
    """Lends a tree."""

    def __init__(self) -> None:
        self._free = asyncio.Condition()
        self._readers = 0
        self._alone = False

    @contextlib.asynccontextmanager
    async def lent(self, *, alone: bool) -> AsyncGenerator[None]:
        """Lend the tree as soon as nobody is in the way."""
        async with self._free:
            await self._free.wait_for(lambda: not self._alone and not (alone and self._readers))
            if alone:
                self._alone = True
            else:
                self._readers += 1
        try:
            yield
        finally:
            await asyncio.shield(self._give_back(alone))

    async def _give_back(self, alone: bool) -> None:
        async with self._free:
            if alone:
                self._alone = False
            else:
                self._readers -= 1
            self._free.notify_all()
