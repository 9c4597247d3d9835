"""Where tasks are: at which server each waits or is served, so that more are begun where there is room."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from dualcode.call import Reply, Request
from dualcode.models.chat import ChatModel


class Load:
    """How many tasks each endpoint has, by name: those that ask it now, and those that may at any moment."""

    def __init__(self) -> None:
        self.tasks = 0
        """That have a place."""
        self.changed = asyncio.Event()
        """Set whenever there may be room."""
        self.at, self.anywhere = Counter[str](), Counter[str]()

    def of(self, endpoint: str) -> int:
        """Return how many there are."""
        return self.at[endpoint] + self.anywhere[endpoint]


class Place:
    """Where one task is, from its beginning until it asks nobody any more."""

    def __init__(self, load: Load, endpoints: Sequence[str]) -> None:
        self._load, self._endpoints, self._asking = load, endpoints, 0
        load.tasks += 1
        load.anywhere.update(endpoints)

    def through(self, chat: ChatModel) -> ChatModel:
        """Return a chat model that tells this place when it is asked."""
        return _Told(chat, self)

    def enter(self, endpoint: str) -> None:
        """Note that the task asks an endpoint; it may ask several at once."""
        if not self._asking:
            self._load.anywhere.subtract(self._endpoints)
        self._asking += 1
        self._load.at[endpoint] += 1
        self._load.changed.set()

    def exit(self, endpoint: str) -> None:
        """Note that it has been answered."""
        self._load.at[endpoint] -= 1
        self._asking -= 1
        if not self._asking:
            self._load.anywhere.update(self._endpoints)
        self._load.changed.set()

    def leave(self) -> None:
        """Note the end."""
        self._load.tasks -= 1
        self._load.anywhere.subtract(self._endpoints)
        self._endpoints = ()  # of calls that end later than their task
        self._load.changed.set()


class _Told:
    def __init__(self, chat: ChatModel, place: Place) -> None:
        self.name, self.model, self.meter = chat.name, chat.model, chat.meter
        self._chat, self._place = chat, place

    async def complete(self, request: Request) -> Reply:
        self._place.enter(self.name)
        try:
            return await self._chat.complete(request)
        finally:
            self._place.exit(self.name)

    async def close(self) -> None:
        await self._chat.close()
