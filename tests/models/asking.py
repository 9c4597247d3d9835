"""Requests, and a client that puts them to the scripted server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from dualcode.call import Message, Reply, Request
from dualcode.config import Endpoint
from dualcode.models.openai import OpenAIChat
from dualcode.sampling import PAPER
from tests.fake_server import FakeServer

KEY = "mine-0123"
THINKING = {"thinking": True, "thinking_budget": 100}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


def request(**changes: Any) -> Request:
    """Return a greedy request for 50 tokens, with changes."""
    values: dict[str, Any] = {
        "messages": (Message(role="user", content="hi"),),
        "sampling": PAPER.plain,
        "answer_tokens": 50,
    }
    return Request(**(values | changes))


@asynccontextmanager
async def chatting(
    server: FakeServer, *, backoff: float = 0.001, **endpoint: Any
) -> AsyncGenerator[OpenAIChat]:
    """A client of the server, which can think, tries three times and waits for milliseconds."""
    settings = {"model": "m", "base_url": server.base_url, "attempts": 3, "thinking": "switch"} | endpoint
    chat = OpenAIChat("e", Endpoint.model_validate(settings), api_key=KEY, backoff=backoff)
    try:
        yield chat
    finally:
        await chat.close()


async def ask(server: FakeServer, asked: Request | None = None, **endpoint: Any) -> Reply:
    """Put one request to the server."""
    async with chatting(server, **endpoint) as chat:
        return await chat.complete(asked or request())
