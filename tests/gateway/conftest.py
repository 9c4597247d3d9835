"""A gateway over a scripted server, both in the tests' event loop, and OpenAI's own client in front of it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio

from dualcode.bench.bench import ScriptedBench
from dualcode.config import Endpoint, Price, TeamConfig
from dualcode.gateway.app import build
from dualcode.gateway.catalogue import Catalogue
from dualcode.gateway.raw import Alone
from dualcode.gateway.service import Gateway, Settings
from dualcode.journal import Entry, Journal
from dualcode.models.endpoints import Served
from dualcode.models.openai import OpenAIChat
from dualcode.pipelines import builtins
from dualcode.sampling import PAPER
from dualcode.team import Seat, Team
from tests.gateway.upstream import Upstream, served


@dataclass
class House:
    """What a test talks to."""

    upstream: Upstream
    gateway: Gateway
    url: str
    client: openai.AsyncOpenAI
    journal: Journal
    root: str
    """Of the scripted server."""

    @property
    def create(self) -> Any:
        """OpenAI's own call, with fields of any shape."""
        return self.client.chat.completions.create

    @property
    def raw(self) -> Any:
        """The same, with the headers of the answer."""
        return self.client.chat.completions.with_raw_response.create

    def keep_in(self, folder: Path) -> None:
        """Keep the records of one test apart."""
        self.journal.folder = folder / "records"

    async def empty(self) -> None:
        """Wait until nobody is inside any more: a client hears the end a moment before."""
        while self.gateway.admission.inside:  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    async def kept(self) -> list[Entry]:
        """Return what is on record of all that was asked."""
        await self.empty()
        return self.journal.read()[0]


Opened = Callable[..., AbstractAsyncContextManager[House]]


@asynccontextmanager
async def opened(
    upstream: Upstream, root: str, client: openai.AsyncOpenAI, attempts: int = 1, **settings: Any
) -> AsyncGenerator[House]:
    """Open a gateway over a scripted server."""
    table = {"model": "m", "base_url": f"{root}/v1", "attempts": attempts}
    each = Endpoint.model_validate({**table, "price": Price(input_per_million=1, output_per_million=2)})
    config = TeamConfig(endpoints={"e": each}, roles={"coder": "e", "reviewer": "e"})
    async with AsyncExitStack() as parts:
        chat = OpenAIChat("e", each, backoff=0.001)
        parts.push_async_callback(chat.close)
        alone = Alone("e", each, api_key=None)
        parts.push_async_callback(alone.close)
        known = {"e": Served(model="m", max_model_len=8192)}
        journal = Journal(Path("not named yet"))
        made = Gateway(
            config,
            Team({role: Seat(role, chat, PAPER, each.answer_tokens) for role in config.roles}),
            Catalogue(config, known, list(builtins().values())),
            {"e": alone},
            Settings(**settings),
            served=known,
            bench=ScriptedBench(),
            journal=journal,
        )
        url = await parts.enter_async_context(served(build(made)))
        key = settings.get("key") or "none"
        own = client.with_options(base_url=f"{url}/v1", api_key=key)
        yield House(upstream, made, url, own, journal, root)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared() -> AsyncGenerator[House]:
    """Open one gateway for all tests that need no settings of their own: each takes a third of a second."""
    upstream = Upstream()
    async with AsyncExitStack() as parts:
        root = await parts.enter_async_context(served(upstream.app()))
        client = openai.AsyncOpenAI(base_url=root, api_key="none", max_retries=0)
        parts.push_async_callback(client.close)
        yield await parts.enter_async_context(opened(upstream, root, client))


@pytest.fixture
def house(shared: House, tmp_path: Path) -> Opened:
    """Open the gateway; another one for settings by name."""

    @asynccontextmanager
    async def make(**settings: Any) -> AsyncGenerator[House]:
        shared.upstream.forget()
        if not settings:
            shared.keep_in(tmp_path)
            yield shared
            await shared.empty()
            return
        async with opened(shared.upstream, shared.root, shared.client, **settings) as own:
            own.keep_in(tmp_path)
            yield own

    return make
