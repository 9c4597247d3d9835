"""Servers of other kinds (`tests/dialects.py`), as the client meets them."""

from typing import Any

import pytest

from dualcode.call import Message
from dualcode.errors import ContextOverflowError, EndpointError, ReplyError
from dualcode.models.dialect import NEUTRAL
from dualcode.models.stream import Stream
from dualcode.sampling import RECOMMENDED
from tests import dialects
from tests.dialects import (
    BROKEN,
    DIALECTS,
    DONE,
    END,
    UNCOUNTED,
    USAGE,
    WHOLE,
    Dialect,
    event,
    piece,
    told,
    vllm,
)
from tests.fake_server import Answer, serve
from tests.models.asking import KEY, SCHEMA, THINKING, ask, chatting, request

TURNS = (Message(role="system", content="Be brief."), Message(role="user", content="hi"))
FULL = request(**THINKING, json_schema=SCHEMA, messages=TURNS)
"""A request with all that one can have."""


@pytest.mark.parametrize("name", DIALECTS)
async def test_a_server_that_lacks_something_answers_and_is_asked_without_it_from_then_on(name: str) -> None:
    with serve(Answer(content='{"n": 1}')) as server:
        server.refuse = DIALECTS[name].refuse
        async with chatting(server, stream_interval=8) as chat:
            first, second = await chat.complete(FULL), await chat.complete(FULL)
    assert (first.content, second.content) == ('{"n": 1}', '{"n": 1}')
    *refused, answered = first.attempts
    assert refused
    assert all(attempt.outcome[:3] in ("400", "422", "500") for attempt in refused)
    assert not refused[0].left_out
    assert answered.left_out
    assert [attempt.left_out for attempt in second.attempts] == [answered.left_out]


@pytest.mark.parametrize("name", DIALECTS)
async def test_only_what_a_server_refuses_is_left_out(name: str) -> None:
    with serve(Answer(content='{"n": 1}')) as server:
        server.refuse = DIALECTS[name].refuse
        reply = await ask(server, FULL, stream_interval=8)
    before, after = server.bodies[0], server.bodies[-1]
    gone = {field for field in before if field not in after}
    gone |= before["stream_options"].keys() - after.get("stream_options", before["stream_options"]).keys()
    changed = {"json_schema", "system"} & set(reply.attempts[-1].left_out)
    assert gone | changed == set(reply.attempts[-1].left_out)
    assert {field: after.get(field) for field in ("model", "temperature", "max_tokens")} == {
        "model": "m", "temperature": 0.0, "max_tokens": 150,
    }  # fmt: skip


async def test_the_text_of_a_refused_system_role_moves_into_the_users_turn() -> None:
    with serve() as server:
        server.refuse = DIALECTS["Gemma's template"].refuse
        await ask(server, FULL)
    assert server.bodies[-1]["messages"] == [{"role": "user", "content": "Be brief.\n\nhi"}]


@pytest.mark.parametrize(
    ("name", "left"),
    [("JSON mode alone", {"type": "json_object"}), ("LM Studio", None), ("no JSON mode", None)],
)
async def test_a_refused_schema_is_asked_for_as_json_or_in_the_prompts_words(name: str, left: Any) -> None:
    with serve(Answer(content="{}")) as server:
        server.refuse = DIALECTS[name].refuse
        await ask(server, FULL)
    assert server.bodies[-1].get("response_format") == left


async def test_a_server_that_breaks_on_a_schema_without_a_word_is_asked_without_one() -> None:
    with serve(Answer(content="{}")) as server:
        server.refuse = lambda _, body: Answer(status=500, page="") if "response_format" in body else None
        async with chatting(server, attempts=2) as chat:
            first, second = await chat.complete(FULL), await chat.complete(FULL)
    assert [attempt.outcome for attempt in first.attempts] == ["500", "500", "ok"]
    assert [attempt.outcome for attempt in second.attempts] == ["ok"]
    assert second.attempts[0].left_out == ("json_schema", "response_format")


async def test_a_server_that_is_only_down_is_not_taken_for_one_without_schemas() -> None:
    down = [Answer(status=500, page="")] * 4
    with serve(*down, Answer(content="{}")) as server:
        async with chatting(server, attempts=2) as chat:
            with pytest.raises(EndpointError):
                await chat.complete(FULL)
            reply = await chat.complete(FULL)
    assert (reply.content, reply.attempts[0].left_out) == ("{}", ())


@pytest.mark.parametrize("field", ["top_p", "top_k"])
async def test_a_refused_value_that_means_something_is_an_error_with_the_line_to_change(field: str) -> None:
    server_without = Dialect({field: dialects.anything}, lambda name, _: told(f"no {name} here"))
    asked = request(sampling=RECOMMENDED.plain)
    with serve() as server, pytest.raises(ReplyError, match=f"400 no {field} here") as raised:
        server.refuse = server_without.refuse
        await ask(server, asked)
    assert len(server.bodies) == 1
    hint = str(raised.value.hint)
    assert hint.startswith(f"{field} = {NEUTRAL[field]} under [sampling.roles.ROLE]; it is ")


async def test_a_refused_switch_of_thinking_names_its_line() -> None:
    without = Dialect({"chat_template_kwargs": dialects.anything}, lambda name, _: told(f"unknown: {name}"))
    with serve() as server, pytest.raises(ReplyError) as raised:
        server.refuse = without.refuse
        await ask(server)
    assert raised.value.hint == 'thinking = "none" under [endpoints.e]'


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ({"error": {"message": "no such thing"}}, "no such thing"),
        ({"error": "no such thing"}, "no such thing"),
        (vllm("no such thing"), "no such thing"),
        ({"detail": "no such thing"}, "no such thing"),
        ({"detail": [{"loc": ["body", "messages", 0], "msg": "bad"}, {"loc": ["stop"], "msg": "worse"}]},
         "messages.0: bad; stop: worse"),
        ([{"error": {"message": "no such thing"}}], "no such thing"),
        ({"errors": [{"message": "one"}, {"message": "two"}]}, "one; two"),
        ({"title": "Bad", "status": 400}, "Bad"),
        ("no such\nthing", "no such thing"),
        ("<html><style>p {}</style><body><h1>No such</h1> thing</body></html>", "No such thing"),
        ({"error": {"message": "bad key sk-abcdefghijkl given"}}, "bad key … given"),
        ({"error": {"message": f"Incorrect API key provided: {KEY}."}}, "Incorrect API key provided: …."),
        ({}, ""),
        (None, "scripted"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [400, 422, 503])
async def test_a_refusal_is_told_in_the_servers_words_whatever_their_shape(
    status: int, page: Any, words: str
) -> None:
    with serve(Answer(status=status, page=page)) as server, pytest.raises(EndpointError) as raised:
        await ask(server, attempts=1)
    assert raised.value.attempts[0].outcome.endswith(f"{status} {words}".strip())
    assert f"{status} {words}".strip() in raised.value.message


@pytest.mark.parametrize(
    "page",
    [
        told("This model's maximum context length is 4096 tokens. However, you requested 5000"),
        told("the request exceeds the available context size", type="exceed_context_size_error"),
        {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096"},
        {"detail": "prompt is too long"},
    ],
)
async def test_a_request_that_does_not_fit_is_known_in_any_servers_words(page: Any) -> None:
    with serve(Answer(status=400, page=page)) as server, pytest.raises(ContextOverflowError) as raised:
        await ask(server)
    assert "num_ctx" in str(raised.value.hint)


@pytest.mark.parametrize("name", WHOLE)
async def test_a_reply_is_read_whatever_its_stream_looks_like(name: str) -> None:
    kind = "application/json" if name.startswith("one object") else "text/event-stream"
    with serve(Answer(body=WHOLE[name], kind=kind)) as server:
        reply = await ask(server)
    assert (reply.content, reply.finish_reason, len(reply.attempts)) == ("hello", "stop", 1)
    told_of = reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.untold
    assert told_of == (USAGE["prompt_tokens"], USAGE["completion_tokens"], 0)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_stream_says_the_same_however_it_is_cut_into_pieces(name: str, size: int) -> None:
    stream, body = Stream(), WHOLE[name].encode()
    for start in range(0, len(body), size):
        stream.feed(body[start : start + size])
    stream.close()
    assert (stream.text(), stream.finish_reason, stream.paid().completion_tokens) == ("hello", "stop", 3)


def test_a_line_separator_within_a_text_ends_no_line() -> None:
    stream = Stream()
    stream.feed('data: {"choices": [{"delta": {"content": "a\u2028b\x85c"}}]}\n\n'.encode())
    assert stream.text() == "a\u2028b\x85c"


@pytest.mark.parametrize("name", UNCOUNTED)
async def test_tokens_that_a_server_does_not_tell_stay_unknown(name: str) -> None:
    with serve(Answer(body=UNCOUNTED[name])) as server:
        reply = await ask(server)
    assert (reply.content, reply.usage.untold) == ("hello", 1)


async def test_a_refused_request_costs_nothing_unknown() -> None:
    with serve(Answer(status=503), Answer()) as server:
        reply = await ask(server)
    assert [attempt.usage.untold for attempt in reply.attempts] == [0, 0]


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_stream_is_one_failed_attempt(name: str) -> None:
    with serve(Answer(body=BROKEN[name]), Answer(content="whole")) as server:
        reply = await ask(server)
    first, second = reply.attempts
    assert (reply.content, second.outcome) == ("whole", "ok")
    assert ("out of memory" in first.outcome) == ("error" in name)
    assert first.usage.untold == ("hel" in BROKEN[name])  # it was paid for


async def test_a_reply_without_a_finish_reason_is_whole_where_the_server_says_so() -> None:
    with serve(Answer(body=piece("hello") + DONE)) as server:
        reply = await ask(server)
    assert (reply.content, reply.finish_reason, len(reply.attempts)) == ("hello", "unknown", 1)


async def test_comments_keep_a_waiting_request_alive() -> None:
    waiting = ": queued\n" * 30 + piece("hello") + END + DONE
    with serve(Answer(body=waiting, pause=0.02)) as server:
        assert (await ask(server, silence_seconds=0.4)).content == "hello"


async def test_the_hint_of_a_silent_server_names_its_concurrency() -> None:
    with serve(Answer(hang=5.0, reasoning="x")) as server, pytest.raises(EndpointError) as raised:
        await ask(server, silence_seconds=0.05, attempts=1, concurrency=16)
    assert "concurrency, now 16, under [endpoints.e]" in str(raised.value.hint)


async def test_an_event_of_another_kind_carries_nothing() -> None:
    body = event(object="response.created", status="queued") + piece("hello") + END + DONE
    with serve(Answer(body=body)) as server:
        assert (await ask(server)).content == "hello"


async def test_what_the_environment_holds_for_openai_is_sent_to_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("ORG_ID", "PROJECT_ID", "ADMIN_KEY"):
        monkeypatch.setenv(f"OPENAI_{name}", "mine-alone")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Mine: mine-alone")
    with serve() as server:
        await ask(server)
    assert server.headers
    assert all("mine-alone" not in headers.values() for headers in server.headers)
