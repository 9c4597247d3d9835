"""A gateway over a scripted server, both in the test's event loop, and OpenAI's own client in front of it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest

from dualcode.bench.scripted import ScriptedBench
from dualcode.config import Endpoint, Price, TeamConfig
from dualcode.gateway.app import build
from dualcode.gateway.catalogue import Catalogue
from dualcode.gateway.raw import Alone
from dualcode.gateway.service import Gateway, Settings
from dualcode.journal import Journal
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


Opened = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture
def house(tmp_path: Path) -> Opened:
    """Open a gateway; settings by name."""

    @asynccontextmanager
    async def make(
        *, attempts: int = 1, endpoint: dict[str, Any] | None = None, **settings: Any
    ) -> AsyncGenerator[House]:
        upstream = Upstream()
        async with AsyncExitStack() as parts:
            root = await parts.enter_async_context(served(upstream.app()))
            each = Endpoint.model_validate(
                {
                    "model": "m",
                    "base_url": f"{root}/v1",
                    "attempts": attempts,
                    "price": Price(input_per_million=1, output_per_million=2),
                    **(endpoint or {}),
                }
            )
            config = TeamConfig(
                endpoints={"e": each}, roles={"coder": "e", "reviewer": "e"}
            )
            chat = OpenAIChat("e", each, backoff=0.001)
            parts.push_async_callback(chat.close)
            seats = {role: Seat(role, chat, PAPER, each.answer_tokens) for role in config.roles}
            known = {"e": Served(model="m", max_model_len=8192)}
            alone = Alone("e", each, api_key=None)
            parts.push_async_callback(alone.close)
            journal = Journal(tmp_path / "records")
            made = Gateway(
                config,
                Team(seats),
                Catalogue(config, known, list(builtins().values())),
                {"e": alone},
                Settings(**settings),
                served=known,
                bench=ScriptedBench(),
                journal=journal,
            )
            url = await parts.enter_async_context(served(build(made)))
            client = openai.AsyncOpenAI(
                base_url=f"{url}/v1", api_key=settings.get("key") or "none", max_retries=0
            )
            parts.push_async_callback(client.close)
            yield House(upstream, made, url, client, journal)

    return make
