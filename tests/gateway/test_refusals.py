"""Bad input: each is a clear error in OpenAI's shape, and the next request works."""

import json
from typing import Any

import httpx
import openai
import pytest

from tests.gateway.conftest import House, Opened
from tests.gateway.test_chat import ASK, pair, whole

pytestmark = pytest.mark.asyncio(loop_scope="session")
GOOD: dict[str, Any] = {"model": "dualcode/review-fix", "messages": ASK}
JSON = {"content-type": "application/json"}


async def sent(home: House, content: bytes, path: str = "chat/completions", **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(verify=False, timeout=60) as client:
        return await client.post(f"{home.url}/v1/{path}", content=content, headers={**JSON, **headers})


async def refusal(
    home: House, content: bytes, path: str = "chat/completions", **headers: str
) -> tuple[int, Any]:
    """Send a body; return the status and the error, after a request that works."""
    answer = await sent(home, content, path, **headers)
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    pair(home)
    assert (await whole(home)).choices
    return answer.status_code, error


def body(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        (b"", 400, "no JSON"),
        (b"{", 400, "no JSON"),
        (bytes(range(256)), 400, "no JSON"),
        (b"\xff\xfe{\x00}\x00", 400, "no JSON"),
        (b"[" * 100_000, 400, "no JSON"),
        (b"[1]", 400, "the body is [1], and not an object"),
        (b"{}", 400, "model: field required"),
        (body(model=""), 400, 'model: string should have at least 1 character, found ""'),
        (body(model=7), 400, "model: input should be a valid string, found 7"),
        (body(model="dualcode/reveiw-fix"), 404, "nearest: dualcode/review-fix"),
        (body(model="gpt-4o"), 404, "no model is named 'gpt-4o'; "),
        (body(model="x" * 100_000), 404, "no model is named"),
        (body(model="dualcode/plan-code:stream"), 404, "leave :stream out"),
        (body(messages=[]), 400, "messages: list should have at least 1 item"),
        (body(messages="hi"), 400, 'messages: input should be a valid list, found "hi"'),
        (body(messages=[{"role": "user", "content": "x"}] * 10_000), 400, "messages has 10,000 items"),
        (body(messages=[{"role": "robot", "content": "x"}]), 400, "messages.0.role: "),
        (body(messages=[{"content": "x"}]), 400, "messages.0.role: field required"),
        (body(messages=[{"role": "assistant", "content": "x"}]), 400, "must begin and end with a user's"),
        (body(messages=[*ASK, {"role": "assistant", "content": "x"}]), 400, "found: user, assistant"),
        (body(messages=[{"role": "system", "content": "x"}]), 400, "must begin and end with a user's"),
        (body(messages=[{"role": "user", "content": " "}]), 400, "the last message is empty"),
        (body(messages=[{"role": "user", "content": "a\0b"}]), 400, "messages.0.content holds half"),
        (body().replace(b"Let add", b"\\ud800"), 400, "messages.0.content holds half of a surrogate pair"),
        (body(messages=[{"role": "user", "content": 5}]), 400, "messages.0.content: "),
        (body(temperature=3), 400, "temperature: input should be less than or equal to 2, found 3"),
        (body(temperature="hot"), 400, "temperature: "),
        (body(max_tokens=0), 400, "max_tokens: input should be greater than or equal to 1, found 0"),
        (body(seed=2**70), 400, "seed: "),
        (body(stop=5), 400, "stop: "),
        (body(stream="perhaps"), 400, "stream: "),
        (body(n=3), 400, "n is 3: the pair gives one answer"),
    ],
)  # fmt: skip
async def test_a_wrong_body_is_refused_with_what_is_wrong(
    house: Opened, content: bytes, status: int, says: str
) -> None:
    async with house() as home:
        found, error = await refusal(home, content)
    assert (found, error["type"]) == (status, "invalid_request_error")
    assert says in error["message"]
    assert len(error["message"]) < 500


async def test_a_body_of_fifty_megabytes_is_refused_and_the_client_hears_why(house: Opened) -> None:
    async with house() as home:
        status, error = await refusal(home, b'{"model": "' + b"x" * 50_000_000)
    assert (status, error["code"]) == (413, "body_too_large")
    assert "4,194,304 bytes" in error["message"]


async def test_fields_that_nobody_knows_are_kept_where_one_model_alone_answers(house: Opened) -> None:
    async with house() as home:
        home.upstream.on(alone="x")
        answer = await sent(home, body(model="raw-coder", frobnicate={"a": 1}))
        assert answer.status_code == 200
        assert home.upstream.bodies("alone")[0]["frobnicate"] == {"a": 1}


async def test_a_body_that_is_not_called_json_is_refused_for_a_web_page_may_send_it_unasked(
    house: Opened,
) -> None:
    async with house() as home:
        status, error = await refusal(home, body(), **{"content-type": "text/plain"})
    assert status == 415
    assert "application/json" in error["message"]


@pytest.mark.parametrize("path", ["responses", "embeddings", "messages"])
async def test_what_is_not_served_is_said_with_what_is(house: Opened, path: str) -> None:
    async with house() as home:
        status, error = await refusal(home, body(), path)
    assert status == 404
    assert "/v1/chat/completions" in error["message"]


async def test_completions_need_a_prompt(house: Opened) -> None:
    async with house() as home:
        assert await refusal(home, body(), "completions") == (
            400,
            {
                "message": "prompt: field required",
                "type": "invalid_request_error",
                "param": "prompt",
                "code": None,
            },
        )


KEY = "a-key-of-the-gateways-own"


@pytest.mark.parametrize(
    "given", ["", "Bearer wrong", f"Basic {KEY}", "Bearer", f"Bearer {KEY}x", "Bearer é"]
)
async def test_a_wrong_key_opens_nothing_and_is_never_repeated(house: Opened, given: str) -> None:
    async with house(key=KEY) as home:
        for path in ("/v1/models", "/v1/models/review-fix"):
            async with httpx.AsyncClient(verify=False) as client:
                answer = await client.get(home.url + path, headers={b"authorization": given.encode()})
            assert answer.status_code == 401
            assert KEY not in answer.text
            assert answer.json()["error"]["code"] == "invalid_api_key"
            assert answer.headers["www-authenticate"] == "Bearer"
        posted = await sent(home, body(), authorization="Bearer wrong")
        assert posted.status_code == 401
        assert (await home.client.models.list()).data
        async with httpx.AsyncClient(verify=False) as client:
            assert (await client.get(f"{home.url}/health")).status_code == 200


async def test_a_page_whose_name_leads_to_this_machine_is_not_let_in(house: Opened) -> None:
    async with house(hosts=("127.0.0.1", "localhost")) as home:
        assert (await sent(home, body(), host="evil.example:8000")).json()["error"]["code"] == "wrong_host"
        pair(home)
        assert (await sent(home, body(), host="localhost:1")).status_code == 200


async def test_web_pages_are_let_in_by_their_origin_alone(house: Opened) -> None:
    ask = {"access-control-request-method": "POST", "origin": "http://ui.example"}
    async with house() as home, httpx.AsyncClient(verify=False) as client:
        answer = await client.options(f"{home.url}/v1/chat/completions", headers=ask)
        assert answer.status_code == 405
        assert "access-control-allow-origin" not in answer.headers
    async with house(origins=("http://ui.example",)) as home, httpx.AsyncClient(verify=False) as client:
        answer = await client.options(f"{home.url}/v1/chat/completions", headers=ask)
        assert answer.headers["access-control-allow-origin"] == "http://ui.example"
        other = await client.options(
            f"{home.url}/v1/chat/completions", headers={**ask, "origin": "http://evil.example"}
        )
        assert "access-control-allow-origin" not in other.headers


async def test_a_fault_of_our_own_is_an_error_of_the_protocol_and_tells_no_secrets(
    house: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret detail")

    async with house() as home:
        with monkeypatch.context() as patch:
            patch.setattr("dualcode.gateway.app.route", broken)
            answer = await sent(home, body())
        assert answer.status_code == 500
        assert answer.json()["error"]["code"] == "internal_error"
        assert "secret" not in answer.text
        pair(home)
        assert (await whole(home)).choices


async def test_openais_client_names_each_refusal_by_its_class(house: Opened) -> None:
    async with house() as home:
        with pytest.raises(openai.NotFoundError) as met:
            await whole(home, "dualcode/reveiw-fix")
    assert (met.value.code, met.value.param) == ("model_not_found", "model")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_pipeline_that_breaks_is_an_error_in_mid_stream_too(
    house: Opened, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a secret detail")

    async with house() as home:
        with monkeypatch.context() as patch:
            patch.setattr("dualcode.gateway.conversation.Talk.run", broken)
            answer = await sent(home, body(stream=stream))
        assert "internal_error" in answer.text
        assert "secret" not in answer.text
        assert answer.status_code == (200 if stream else 500)
        assert [each.outcome for each in await home.kept()] == ["errored"]
        pair(home)
        assert (await whole(home)).choices


@pytest.mark.parametrize(
    ("changes", "sends"),
    [
        ({"max_tokens": "5"}, {"max_tokens": 5}),
        ({"max_completion_tokens": 9_000}, {"max_completion_tokens": 2048}),
        ({}, {"max_tokens": 2048, "stream": False}),
        ({"chat_template_kwargs": ["odd"]}, {"chat_template_kwargs": ["odd"]}),
        ({"stream": "false"}, {"stream": False}),
    ],
)
async def test_a_limit_beyond_the_teams_is_lowered_where_one_model_answers(
    house: Opened, changes: dict[str, Any], sends: dict[str, Any]
) -> None:
    async with house() as home:
        home.upstream.on(alone="x")
        assert (await sent(home, body(model="raw-coder", **changes))).status_code == 200
        [asked] = home.upstream.bodies("alone")
    assert {name: asked[name] for name in sends} == sends
