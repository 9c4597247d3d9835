"""What every chat model promises, on each kind: scripted, behind the ledger, HTTP to a fake, to vLLM."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from dualcode.call import Message, Request
from dualcode.config import Endpoint
from dualcode.errors import EndpointError
from dualcode.models.chat import ChatModel
from dualcode.models.ledger import Fingerprint, Ledger, LedgerChat
from dualcode.models.openai import OpenAIChat
from dualcode.models.scripted import ScriptedChat
from dualcode.sampling import PAPER
from dualcode.serving.running import RunningPair
from tests.fake_server import Answer, serve

ASKED = Request(
    messages=(Message(role="user", content="Say hello."),), sampling=PAPER.plain, answer_tokens=16
)
KINDS = ["scripted", "fake-http", "ledger", pytest.param("vllm", marks=pytest.mark.servers)]


@pytest.fixture(params=KINDS)
async def model(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[ChatModel]:
    """A model that answers."""
    if request.param == "scripted":
        yield ScriptedChat(lambda _: "hello")
    elif request.param == "fake-http":
        with serve() as server:
            chat = OpenAIChat("e", Endpoint(model="m", base_url=server.base_url))
            yield chat
            await chat.close()
    elif request.param == "ledger":
        ledger = Ledger.open(tmp_path)
        yield LedgerChat(ScriptedChat(lambda _: "hello"), ledger, Fingerprint(model="m"))
        ledger.close()
    else:
        pair: RunningPair = request.getfixturevalue("servers")
        coder = pair["coder"]
        chat = OpenAIChat("coder", Endpoint(model=coder.model, base_url=coder.base_url))
        yield chat
        await chat.close()


@pytest.fixture(params=["scripted", "ledger", "http"])
async def broken(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[ChatModel]:
    """A model that cannot answer."""
    if request.param == "scripted":
        yield ScriptedChat([])
        return
    if request.param == "ledger":
        ledger = Ledger.open(tmp_path)
        yield LedgerChat(ScriptedChat([]), ledger, Fingerprint(model="m"))
        ledger.close()
        return
    with serve(Answer(status=503)) as server:
        chat = OpenAIChat("e", Endpoint(model="m", base_url=server.base_url, attempts=1))
        yield chat
        await chat.close()


async def test_a_reply_has_content_reason_and_price(model: ChatModel) -> None:
    reply = await model.complete(ASKED)
    assert reply.content
    assert reply.finish_reason in ("stop", "length")
    assert reply.usage.completion_tokens > 0


async def test_a_reply_holds_its_attempts_and_their_sum(model: ChatModel) -> None:
    reply = await model.complete(ASKED)
    assert [attempt.outcome for attempt in reply.attempts] == ["ok"]
    assert reply.usage == reply.attempts[0].usage
    assert reply.seconds >= 0


async def test_the_meter_comes_to_rest(model: ChatModel) -> None:
    await model.complete(ASKED)
    assert model.meter.in_flight == 0


async def test_the_same_request_gets_the_same_reply(model: ChatModel) -> None:
    assert (await model.complete(ASKED)).content == (await model.complete(ASKED)).content


async def test_a_fault_is_an_endpoint_error(broken: ChatModel) -> None:
    with pytest.raises(EndpointError):
        await broken.complete(ASKED)
    assert broken.meter.in_flight == 0
