"""The ledger: a content-addressed store of model calls. The same request to the same model is paid for once.

A call's key is the SHA-256 of the model's fingerprint and the whole request (`fingerprint.py`). `LedgerChat`
wraps a chat model: it answers what the ledger knows, and asks and keeps the rest. Only finished, error-free
replies are kept. A replayed reply carries its original tokens, attempts and times, each attempt marked
`from_ledger`: a run accounts its calls as if alone, and beside that what it really spent.

**The store is SQLite in WAL mode**, one file for all runs of a folder. A commit is a whole entry or nothing;
many processes write to one file; statistics are a query; deleted space is given back. diskcache is SQLite
too, but evicts silently at a size limit unless told not to, pickles values, and locks by polling a row that
a killed owner leaves behind. One file an entry would be as safe, but statistics and pruning would open every
one of them. WAL needs a local file system.

**Durability** is `synchronous=NORMAL`: a commit is in the kernel's hands when it returns, so kill -9 loses
nothing; a power cut may lose the last commits, whole, and never corrupts the file.

**Claims** (one task or process asks, the others wait for its reply) and the turn to write are the kernel's
byte-range locks on `claims.lock`: they end with their process, however it ends, so nobody waits for the dead.
Since one process writes at a time, checkpoints included, SQLite's WAL-reset bug (before 3.51.3) cannot occur.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self, TypeVar

from dualcode.call import Reply, Request
from dualcode.config import TeamConfig
from dualcode.models.chat import ChatModel
from dualcode.models.endpoints import Served
from dualcode.models.ledger.fingerprint import Fingerprint, identify, key_of
from dualcode.models.ledger.locks import place_of
from dualcode.models.ledger.store import LedgerStore
from dualcode.together import together

FINISHED = frozenset(
    {"stop", "length", "repetition", "eos", "eos_token", "stop_sequence", "end_turn", "unknown"}
)
"""Finish reasons of replies that are kept: of those that are whole (`unknown`: the server said no more than
that) or were cut. vLLM also knows `abort` and `error`: a server that shuts down."""
PATIENCE = 1800.0
"""Seconds to wait for the reply that another process asked for, before asking oneself: it may be stopped."""

T = TypeVar("T")


class Ledger:
    """An open ledger, shared by all chat models of a process. Its file work has a thread of its own."""

    def __init__(self, store: LedgerStore) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        self._flights: dict[bytes, tuple[asyncio.Lock, int]] = {}

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open or create the ledger in `folder`. Raises RunError if it cannot be used."""
        return cls(LedgerStore.open(folder))

    def close(self) -> None:
        """Finish what is being written and close the file."""
        self._thread.shutdown(wait=True)
        self._store.close()

    async def find(self, key: bytes) -> Reply | None:
        """Return the kept reply, its attempts marked `from_ledger`; None if there is none."""
        reply = await self._run(lambda: self._store.find(key))
        return reply and reply.replayed()

    async def keep(self, key: bytes, fingerprint: Fingerprint, reply: Reply) -> Reply:
        """Keep the reply, even if the caller is cancelled meanwhile; return what is kept."""
        return await self._run(lambda: self._store.keep(key, fingerprint, reply))

    @asynccontextmanager
    async def flight(self, key: bytes) -> AsyncGenerator[None]:
        """Be the only one, of all tasks and processes, that asks for `key`."""
        lock, users = self._flights.get(key, (asyncio.Lock(), 0))
        self._flights[key] = (lock, users + 1)
        try:
            async with lock, self._claimed(place_of(key)):
                yield
        finally:
            lock, users = self._flights.pop(key)
            if users > 1:
                self._flights[key] = (lock, users - 1)

    @asynccontextmanager
    async def _claimed(self, place: int) -> AsyncGenerator[None]:
        locks, until, pause = self._store.locks, time.monotonic() + PATIENCE, 0.01
        while not (taken := locks.take(place)) and time.monotonic() < until:
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, 0.25)
        try:
            yield
        finally:
            if taken:
                locks.free(place)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.shield(asyncio.wrap_future(self._thread.submit(work)))


class LedgerChat:
    """A ChatModel that asks `chat` only what the ledger does not know.

    Name, model and meter are those of `chat`: replayed tokens are no work of a server. What `chat` raises
    passes through and is not kept; the next one who asks the same asks anew.
    """

    def __init__(self, chat: ChatModel, ledger: Ledger, fingerprint: Fingerprint) -> None:
        self.name = chat.name
        self.model = chat.model
        self.meter = chat.meter
        self.fingerprint = fingerprint
        self._chat = chat
        self._ledger = ledger

    async def complete(self, request: Request) -> Reply:
        """Answer from the ledger, or ask and keep the reply; see ChatModel."""
        key = key_of(self.fingerprint, request)
        known = await self._ledger.find(key)
        if known is not None:
            return known
        async with self._ledger.flight(key):
            known = await self._ledger.find(key)  # whoever was before us may have asked it
            if known is not None:
                return known
            reply = await self._chat.complete(request)
            if reply.finish_reason not in FINISHED:
                return reply
            return await self._ledger.keep(key, self.fingerprint, reply)

    async def close(self) -> None:
        """Close the chat model; the ledger is others' too."""
        await self._chat.close()


async def identify_all(
    chats: Sequence[ChatModel], config: TeamConfig, served: Mapping[str, Served]
) -> dict[str, Fingerprint]:
    """Return the fingerprint of each chat model, by its name; `served` is what `check_endpoints` found.

    Raises EndpointError if a server does not answer.
    """
    found = await together(
        *(identify(chat, served[chat.name], config.endpoints[chat.name]) for chat in chats)
    )
    return {chat.name: each for chat, each in zip(chats, found, strict=True)}


async def behind_ledger(
    chats: Sequence[ChatModel], ledger: Ledger, config: TeamConfig, served: Mapping[str, Served]
) -> dict[str, ChatModel]:
    """Return each chat model, by its name, behind the ledger. Raises as `identify_all`."""
    fingerprints = await identify_all(chats, config, served)
    return {chat.name: LedgerChat(chat, ledger, fingerprints[chat.name]) for chat in chats}
