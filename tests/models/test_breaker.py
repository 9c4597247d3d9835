"""A server that is lost is waited for, by one who looks; another one is refused; a full queue is no fault."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dualcode.config import Endpoint, TeamConfig
from dualcode.errors import EndpointError, RunError, UnreachableError
from dualcode.models import breaker
from dualcode.models.breaker import Breaker
from dualcode.models.capabilities import Capabilities
from dualcode.models.endpoints import Served, check_endpoints
from dualcode.models.openai import OpenAIChat
from tests.fake_server import Answer, FakeServer, serve
from tests.models.asking import request

LOST = Answer(drop=True, reasoning="x")


@pytest.fixture
def server() -> Generator[FakeServer]:
    with serve(LOST, Answer(content="back")) as found:
        yield found


@asynccontextmanager
async def guarded(server: FakeServer, patience: float = 600.0, **endpoint: Any) -> AsyncGenerator[OpenAIChat]:
    """A client that tries once, behind a breaker that looks every few milliseconds."""
    values = {"model": "m", "base_url": server.base_url, "attempts": 1} | endpoint
    config = TeamConfig(endpoints={"e": Endpoint.model_validate(values)}, roles={"coder": "e"})
    listed: Served = (await check_endpoints(config, ["coder"]))["e"]
    served = listed.model_copy(update={"can": Capabilities(), "left_out": ("top_k",)})  # as a run has it
    chat = OpenAIChat("e", config.endpoints["e"], backoff=0.0)
    chat.breaker = Breaker("e", config, served, chat.meter, patience=patience, pause=0.005)
    try:
        yield chat
    finally:
        await chat.close()


def away(server: FakeServer) -> None:
    server.gets["/health"] = lambda: (503, {})


async def troubled(chat: OpenAIChat) -> str:
    while not chat.meter.trouble:  # noqa: ASYNC110 - the server is a thread
        await asyncio.sleep(0.002)
    return chat.meter.trouble


async def test_a_server_that_was_away_is_asked_again_when_it_is_back(server: FakeServer) -> None:
    away(server)
    server.respond = lambda _: LOST if server.gets else Answer(content="back")
    async with guarded(server) as chat:
        asking = [asyncio.create_task(chat.complete(request())) for _ in range(5)]
        assert "/health says 503" in await troubled(chat)
        while len(server.bodies) < 5 or chat.meter.in_flight:  # noqa: ASYNC110 - sent before it was known
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.05)
        assert len(server.bodies) == 5  # while it is away, nothing is sent
        del server.gets["/health"]
        replies = await asyncio.gather(*asking)
        assert chat.meter.trouble == ""
    assert [(reply.content, len(reply.attempts)) for reply in replies] == [("back", 2)] * 5


async def test_one_that_does_not_come_back_is_given_up_with_the_time_that_it_was_waited_for(
    server: FakeServer,
) -> None:
    away(server)
    async with guarded(server, patience=0.02) as chat:
        with pytest.raises(UnreachableError, match=r"/health says 503.*waited for 0\.02 s \(--wait-for-s"):
            await chat.complete(request())
        looks = len(server.headers)
        server.answers = [LOST]
        with pytest.raises(UnreachableError, match="waited for"):
            await chat.complete(request())
        assert len(server.headers) <= looks + 2  # one request, one look: it is not waited for twice


async def test_another_model_under_the_name_is_refused(server: FakeServer) -> None:
    away(server)
    async with guarded(server) as chat:
        asking = asyncio.create_task(chat.complete(request()))
        await troubled(chat)
        server.models = [{"id": "m", "root": "org/other", "max_model_len": 32768}]
        del server.gets["/health"]
        with pytest.raises(RunError, match="another server came back.*root was org/m, is org/other"):
            await asking


async def test_a_connection_lost_on_a_server_that_is_there_counts_as_an_attempt(server: FakeServer) -> None:
    async with guarded(server) as chat:
        with pytest.raises(UnreachableError, match="after 1 attempt"):
            await chat.complete(request())
    async with guarded(server, attempts=2) as chat:
        assert (await chat.complete(request())).content == "back"


BUSY = '{"error": {"message": "The engine is currently busy", "type": "Service Unavailable", "code": 503}}'


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (Answer(status=429), "429"),
        (Answer(status=503), "503"),
        (Answer(body=f"data: {BUSY}\n\ndata: [DONE]\n\n"), "error in the stream: 503 The engine is"),
    ],
    ids=["429", "503", "in a stream of vLLM"],
)
async def test_a_full_queue_is_waited_for_and_counts_as_no_attempt(
    server: FakeServer, refusal: Answer, said: str
) -> None:
    server.answers = [refusal] * 5 + [Answer(content="served")]
    async with guarded(server) as chat:
        most = chat.admission.most
        reply = await chat.complete(request())
        assert chat.admission.most < most  # it is asked for less at a time
    assert reply.content == "served"
    outcomes = [each.outcome for each in reply.attempts]
    assert all(each.startswith(said) for each in outcomes[:5])
    assert outcomes[5:] == ["ok"]


async def test_a_queue_that_stays_full_is_given_up_as_a_lost_server(server: FakeServer) -> None:
    server.answers = [Answer(status=503)]
    async with guarded(server, patience=0.02) as chat:
        with pytest.raises(UnreachableError, match="503 scripted, after"):
            await chat.complete(request())


async def test_without_patience_everything_is_as_without_a_breaker(server: FakeServer) -> None:
    server.answers = [Answer(status=503)]
    async with guarded(server, patience=0, attempts=3) as chat:
        with pytest.raises(EndpointError) as raised:
            await chat.complete(request())
    assert not isinstance(raised.value, UnreachableError)
    assert len(raised.value.attempts) == 3


async def test_a_hung_engine_whose_server_answers_is_found_out_and_waited_for(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "PROBE", 0.05)
    server.answers = [Answer(hang=0.5, reasoning="x"), Answer(content="back")]
    server.refuse = lambda _, body: Answer(hang=0.3) if body["max_tokens"] == 1 else None
    async with guarded(server, silence_seconds=0.1, attempts=50) as chat:
        chat.admission.heard(0, 3, 7)  # work, and since long ago no token
        chat.admission._moved -= 3600  # pyright: ignore[reportPrivateUsage]
        asking = asyncio.create_task(chat.complete(request()))
        assert "its engine hangs" in await troubled(chat)
        server.refuse = None  # started again
        assert (await asking).content == "back"


async def test_nobody_looks_on_when_the_client_is_closed(server: FakeServer) -> None:
    away(server)
    async with guarded(server) as chat:
        asking = asyncio.create_task(chat.complete(request()))
        await troubled(chat)
        asking.cancel()
        await asyncio.wait([asking])
    looks = len(server.headers)
    await asyncio.sleep(0.03)
    assert len(server.headers) == looks
