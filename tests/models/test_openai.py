"""The OpenAI-compatible client, on a scripted HTTP server: faults, retries and odd replies."""

import asyncio
import math
from typing import Any

import pytest

from dualcode.config import Endpoint
from dualcode.errors import ContextOverflowError, EndpointError, ReplyError, UnreachableError
from dualcode.models.chat import listening
from dualcode.models.openai import OpenAIChat
from dualcode.models.stream import said
from dualcode.sampling import RECOMMENDED
from tests.fake_server import Answer, serve
from tests.models.asking import KEY, SCHEMA, THINKING, ask, chatting, request


async def test_reply_carries_text_usage_and_finish_reason() -> None:
    with serve(Answer(content="hello there")) as server:
        reply = await ask(server)
    assert (reply.content, reply.finish_reason) == ("hello there", "stop")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (7, 3)
    assert [attempt.outcome for attempt in reply.attempts] == ["ok"]


async def test_a_reply_with_half_a_surrogate_pair_can_be_recorded() -> None:
    with serve(Answer(content="\ud83d\ude00 and \ud800")) as server:
        reply = await ask(server)
    assert reply.content == "😀 and \ufffd"
    assert "😀" in reply.to_line()


async def test_every_sampling_parameter_is_sent() -> None:
    with serve() as server:
        await ask(server, request(sampling=RECOMMENDED.plain))
    sent = server.bodies[0]
    for name, value in RECOMMENDED.plain.model_dump().items():
        assert sent[name] == value
    assert sent["max_tokens"] == 50


class Watching:
    """A listener whom nothing interests."""

    def begin(self) -> None: ...

    def hear(self, thought: str, content: str) -> None: ...


async def test_chunks_hold_several_tokens_where_nobody_watches() -> None:
    with serve() as server:
        async with chatting(server, stream_interval=8) as chat:
            await chat.complete(request())
            with listening(Watching()):
                await chat.complete(request())
        await ask(server)
    assert [body.get("stream_interval") for body in server.bodies] == [8, None, None]


async def test_api_key_travels_in_the_header() -> None:
    with serve() as server:
        await ask(server)
    assert (
        server.headers[0]["authorization" if "authorization" in server.headers[0] else "Authorization"]
        == f"Bearer {KEY}"
    )


async def test_thinking_is_switched_off_by_name() -> None:
    with serve() as server:
        await ask(server)
    assert server.bodies[0]["chat_template_kwargs"] == {"enable_thinking": False}
    assert "thinking_token_budget" not in server.bodies[0]


async def test_thinking_has_a_budget_beside_the_answer() -> None:
    with serve(Answer(content="a", reasoning="because")) as server:
        reply = await ask(server, request(**THINKING))
    sent = server.bodies[0]
    assert sent["chat_template_kwargs"] == {"enable_thinking": True}
    assert (sent["thinking_token_budget"], sent["max_tokens"]) == (100, 150)
    assert (reply.reasoning, reply.content) == ("because", "a")


async def test_a_model_without_thinking_is_not_sent_the_switch() -> None:
    with serve() as server:
        await ask(server, thinking="none")
    assert "chat_template_kwargs" not in server.bodies[0]


async def test_schema_is_sent_as_response_format() -> None:
    with serve() as server:
        await ask(server, request(json_schema={"type": "object"}))
    assert server.bodies[0]["response_format"]["json_schema"]["schema"] == {"type": "object"}


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503])
async def test_passing_faults_are_retried_and_recorded(status: int) -> None:
    with serve(Answer(status=status), Answer(content="at last")) as server:
        reply = await ask(server)
    assert reply.content == "at last"
    first, second = reply.attempts
    assert first.outcome.startswith(str(status))
    assert second.outcome == "ok"
    assert second.waited > 0


async def test_retries_are_finite_and_the_error_holds_them() -> None:
    with serve(Answer(status=503)) as server, pytest.raises(EndpointError) as raised:
        await ask(server)
    assert len(server.bodies) == len(raised.value.attempts) == 3


async def test_retry_after_is_obeyed() -> None:
    with serve(Answer(status=429, headers={"retry-after": "0"}), Answer()) as server:
        async with chatting(server, backoff=600) as chat:
            reply = await chat.complete(request())
    assert reply.attempts[1].waited == 0


async def test_a_connection_lost_in_the_stream_is_retried() -> None:
    with serve(Answer(drop=True, reasoning="x"), Answer(content="whole")) as server:
        reply = await ask(server)
    assert reply.content == "whole"
    assert len(reply.attempts) == 2


async def test_a_silent_stream_is_ended_and_retried() -> None:
    with serve(Answer(hang=3.0, reasoning="x"), Answer(content="awake")) as server:
        reply = await ask(server, silence_seconds=0.3)
    assert reply.content == "awake"
    assert reply.attempts[0].outcome == "silent for 0.3 s"


async def test_nobody_listening_is_unreachable() -> None:
    with serve() as server:
        pass
    with pytest.raises(UnreachableError, match="connection lost"):
        await ask(server)


async def test_context_overflow_is_not_retried() -> None:
    error = {"message": "too long", "param": "input_tokens", "code": 400}
    with (
        serve(Answer(status=400, error=error)) as server,
        pytest.raises(ContextOverflowError, match="too long"),
    ):
        await ask(server)
    assert len(server.bodies) == 1


async def test_unknown_model_is_not_retried() -> None:
    with serve(Answer(status=404)) as server, pytest.raises(ReplyError, match="404"):
        await ask(server)
    assert len(server.bodies) == 1


async def test_refused_key_names_its_variable() -> None:
    with serve(Answer(status=401)) as server, pytest.raises(ReplyError) as raised:
        await ask(server, api_key_env="MY_KEY")
    assert "MY_KEY" in str(raised.value)


@pytest.mark.parametrize("finish", ["length", "repetition", "a word nobody knows"])
async def test_any_finish_reason_is_kept(finish: str) -> None:
    with serve(Answer(finish=finish)) as server:
        assert (await ask(server)).finish_reason == finish


async def test_null_content_without_thinking_stays_null() -> None:
    with serve(Answer(content=None)) as server:
        reply = await ask(server)
    assert reply.content is None
    assert len(server.bodies) == 1


async def test_a_thought_without_answer_is_closed_by_force() -> None:
    thought = Answer(content=None, reasoning="hm hm", finish="length")
    with serve(thought, Answer(content="42")) as server:
        reply = await ask(server, request(**THINKING))
    assert (reply.content, reply.reasoning, reply.finish_reason) == ("42", "hm hm", "stop")
    assert [attempt.kind for attempt in reply.attempts] == ["chat", "close"]
    path, body = server.requests[-1]
    assert path == "/v1/completions"
    assert body["prompt"] == [1, 2, 9]  # the rendered chat, then the closed thought
    assert any(
        "hm hm\n</think>" in str(sent.get("prompt"))
        for where, sent in server.requests
        if where == "/tokenize"
    )
    assert reply.usage.completion_tokens == 6  # both requests were paid


async def test_a_thought_that_the_template_opened_is_not_opened_again() -> None:
    with serve(Answer(content=None, reasoning="hm", finish="length"), Answer(content="42")) as server:
        server.prompt_end = "assistant\n<think>\n"
        await ask(server, request(**THINKING))
    texts = [sent["prompt"] for path, sent in server.requests if path == "/tokenize" and "prompt" in sent]
    assert texts == ["hm\n</think>\n\n"]


async def test_a_server_without_tokenize_goes_on_to_the_next_rung() -> None:
    thought, said = Answer(content=None, reasoning="hm", finish="length"), Answer(content="said")
    with serve(thought, said) as server:
        server.has_tokenize = False
        reply = await ask(server, request(**THINKING))
    assert [attempt.kind for attempt in reply.attempts] == ["chat", "close", "penalty"]
    assert reply.content == "said"


async def test_a_proxy_of_the_environment_is_not_used_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serve() as server:
        assert (await ask(server)).content == "hello"


async def test_a_thought_that_stays_mute_is_asked_once_more_with_a_penalty() -> None:
    mute = Answer(content=None, reasoning="hm", finish="length")
    with serve(mute, Answer(content=None), Answer(content="said")) as server:
        reply = await ask(server, request(**THINKING))
    assert reply.content == "said"
    assert [attempt.kind for attempt in reply.attempts] == ["chat", "close", "penalty"]
    assert server.bodies[-1]["presence_penalty"] == 1.5


async def test_a_thought_that_never_answers_ends_as_null_content() -> None:
    with serve(Answer(content=None, reasoning="hm", finish="length")) as server:
        reply = await ask(server, request(**THINKING))
    assert reply.content is None
    assert len(reply.attempts) == 3


@pytest.mark.parametrize("schema", [None, SCHEMA])
@pytest.mark.parametrize("finish", ["length", "repetition", "stop"])
async def test_the_ladder_climbs_with_and_without_a_schema(
    schema: dict[str, Any] | None, finish: str
) -> None:
    thought = Answer(content=None, reasoning="hm", finish=finish)
    asked = request(**THINKING, json_schema=schema)
    with serve(thought, Answer(content='{"n": 1}')) as server:
        closed = await ask(server, asked)
    assert (closed.content, closed.attempts[-1].kind) == ('{"n": 1}', "close")
    with serve(thought, Answer(status=400), Answer(content='{"n": 2}')) as server:
        penalised = await ask(server, asked)
    assert (penalised.content, penalised.attempts[-1].kind) == ('{"n": 2}', "penalty")


async def test_the_closed_thought_is_still_held_to_the_schema() -> None:
    with serve(Answer(content=None, reasoning="hm", finish="length"), Answer(content="{}")) as server:
        await ask(server, request(**THINKING, json_schema=SCHEMA))
    path, body = server.requests[-1]
    assert path == "/v1/completions"
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA


async def test_a_thought_left_in_the_content_is_closed_too() -> None:
    thought = Answer(content="<think>\nhm hm", finish="length")
    with serve(thought, Answer(content="42")) as server:
        reply = await ask(server, request(**THINKING))
    assert (reply.content, reply.reasoning) == ("42", "hm hm")
    texts = [sent["prompt"] for path, sent in server.requests if path == "/tokenize" and "prompt" in sent]
    assert texts == ["<think>\nhm hm\n</think>\n\n"]


ODD: list[Any] = [
    *({"tokens": tokens} for tokens in ([], None, ["a"], [math.nan])),
    *({}, None, [], "<html>chat</html>"),
]


@pytest.mark.parametrize("page", ODD)
async def test_a_server_with_an_odd_tokenize_tells_no_rendering(page: Any) -> None:
    with serve() as server:
        server.tokenized = page
        chat = OpenAIChat("e", Endpoint(model="m", base_url=server.base_url), api_key="k", backoff=0.001)
        try:
            assert await chat.rendering(request().messages, thinking=False) is None
        finally:
            await chat.close()


@pytest.mark.parametrize("page", ODD)
async def test_an_odd_answer_of_tokenize_is_the_next_rung(page: Any) -> None:
    thought, said = Answer(content=None, reasoning="hm", finish="length"), Answer(content="said")
    with serve(thought, said) as server:
        server.tokenized = page
        reply = await ask(server, request(**THINKING))
    assert [attempt.kind for attempt in reply.attempts] == ["chat", "close", "penalty"]
    assert (reply.content, reply.attempts[0].outcome) == ("said", "ok")


async def test_a_rung_that_a_server_refuses_leaves_what_was_said_before() -> None:
    thought = Answer(content=None, reasoning="hm", finish="length")
    with serve(thought, Answer(status=422)) as server:
        reply = await ask(server, request(**THINKING, json_schema=SCHEMA))
    assert (reply.content, reply.reasoning) == (None, "hm")
    assert [attempt.outcome[:3] for attempt in reply.attempts] == ["ok", "end", "end"]
    assert reply.usage.completion_tokens == 3


async def test_a_stream_that_was_lost_is_recorded_with_the_tokens_it_told_of() -> None:
    with serve(Answer(content="four words of it", drop_at_end=True), Answer(content="whole")) as server:
        reply = await ask(server)
    assert [attempt.usage.completion_tokens for attempt in reply.attempts] == [1, 3]


@pytest.mark.parametrize("error", [TypeError("no such argument"), AssertionError(), ZeroDivisionError("0")])
async def test_whatever_the_client_meets_is_an_error_of_the_endpoint_with_its_attempts(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd(*_: Any) -> None:
        raise error

    monkeypatch.setattr(OpenAIChat, "_close_by_force", odd)
    thought = Answer(content=None, reasoning="hm", finish="length")
    with serve(thought) as server, pytest.raises(EndpointError, match=type(error).__name__) as raised:
        await ask(server, request(**THINKING))
    first, second = raised.value.attempts
    assert (first.outcome, first.usage.completion_tokens) == ("ok", 3)
    assert second.outcome.startswith(type(error).__name__)


@pytest.mark.parametrize(
    "names",
    [
        ("reasoning",),
        ("reasoning_content",),
        ("thinking",),
        ("reasoning", "reasoning_content"),
        ("reasoning_content", "reasoning_text", "thoughts"),
    ],
)
async def test_a_thought_is_read_once_whatever_its_field_is_called(names: tuple[str, ...]) -> None:
    with serve(Answer(content="a", reasoning="because", names=names)) as server:
        reply = await ask(server, request(**THINKING))
    assert (reply.reasoning, reply.content) == ("because", "a")


async def test_a_thought_under_another_name_is_closed_by_force() -> None:
    thought = Answer(content=None, reasoning="hm hm", names=("reasoning_content",), finish="length")
    with serve(thought, Answer(content="42")) as server:
        reply = await ask(server, request(**THINKING))
    assert (reply.content, reply.reasoning) == ("42", "hm hm")


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, ("", "ab")),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}]}, ("t", "")),
        ({"content": "a", "reasoning_details": [{"type": "reasoning.text", "text": "t"}]}, ("t", "a")),
        ({"content": None, "reasoning": None, "reasoning_content": "t"}, ("t", "")),
        ({"content": "a", "reasoning": ""}, ("", "a")),
    ],
)
def test_parts_of_a_piece_are_told_apart(delta: dict[str, Any], expected: tuple[str, str]) -> None:
    assert said(delta) == expected


async def test_a_structured_answer_in_the_thoughts_field_is_not_asked_for_again() -> None:
    with serve(Answer(content=None, reasoning='{"n": 1}', names=("reasoning_content",))) as server:
        reply = await ask(server, request(**THINKING, json_schema=SCHEMA))
    assert (reply.reasoning, len(reply.attempts)) == ('{"n": 1}', 1)


async def test_concurrency_is_limited_per_endpoint() -> None:
    with serve(Answer(hang=0.05)) as server:
        endpoint = Endpoint(model="m", base_url=server.base_url, concurrency=2)
        chat = OpenAIChat("e", endpoint)
        await asyncio.gather(*(chat.complete(request()) for _ in range(6)))
        await chat.close()
    assert server.most_in_flight == 2


async def test_meter_counts_tokens_and_comes_to_rest() -> None:
    with serve() as server:
        chat = OpenAIChat("e", Endpoint(model="m", base_url=server.base_url))
        await chat.complete(request())
        await chat.close()
    assert (chat.meter.tokens, chat.meter.in_flight) == (3, 0)
