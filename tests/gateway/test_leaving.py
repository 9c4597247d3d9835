"""Clients that leave, many at once, a full house: work ends with who asked, and nothing is mixed up."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import openai
import pytest

from tests.gateway.conftest import House, Opened
from tests.gateway.test_chat import ASK, pair, streamed, whole
from tests.gateway.upstream import APPROVAL, REVISION

pytestmark = pytest.mark.asyncio(loop_scope="session")
STEPS = {
    "write": {"write": ["Sure.", None]},
    "review": {"review": ["{", None]},
    "fix": {"fix": ["```", None]},
}
"""Step -> what hangs in it; None is a gate that never opens."""


def hanging(home: House, step: str) -> None:
    never = asyncio.Event()
    script = {name: [never if each is None else each for each in said] for name, said in STEPS[step].items()}
    pair(home, **script)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("step", STEPS)
async def test_a_client_that_leaves_ends_the_call_in_flight_at_once(
    house: Opened, step: str, stream: bool
) -> None:
    async with house() as home:
        hanging(home, step)
        asked = {"model": "review-fix", "messages": ASK, "stream": stream}
        client = asyncio.create_task(post(home, asked))
        await home.upstream.count(step)
        client.cancel()
        assert await home.upstream.left.get() == step
        [kept] = await home.kept()
        assert (kept.outcome, kept.money) == ("left", None)
        assert kept.usage.untold == 1  # what was in flight was paid for, and nobody counted it
        assert home.upstream.steps()[-1] == step
        pair(home)
        assert (await whole(home)).choices


@pytest.mark.parametrize("path", ["chat/completions", "completions"])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_of_one_model_alone_that_leaves_ends_its_call(
    house: Opened, path: str, stream: bool
) -> None:
    async with house() as home:
        home.upstream.on(alone=["a", asyncio.Event()])
        body = {"model": "raw-coder", "messages": ASK, "prompt": "x", "stream": stream}
        client = asyncio.create_task(post(home, body, path))
        await home.upstream.count("alone")
        client.cancel()
        assert await home.upstream.left.get() == "alone"
        assert [each.outcome for each in await home.kept()] == ["left"]


async def post(home: House, body: dict[str, Any], path: str = "chat/completions") -> None:
    address = f"{home.url}/v1/{path}"
    async with (
        httpx.AsyncClient(verify=False, timeout=None) as client,
        client.stream("POST", address, json=body) as answer,
    ):
        async for _ in answer.aiter_bytes():
            pass


async def test_a_second_client_is_served_while_the_first_one_hangs_and_leaves(house: Opened) -> None:
    async with house() as home:
        hanging(home, "write")
        first = asyncio.create_task(post(home, {"model": "review-fix", "messages": ASK, "stream": True}))
        await home.upstream.count("write")
        pair(home)
        assert (await streamed(home)).summary["amended"] is True
        first.cancel()
        assert await home.upstream.left.get() == "write"
        assert (await streamed(home)).summary["amended"] is True


async def test_a_client_that_leaves_the_queue_gives_its_place_back(house: Opened) -> None:
    async with house(at_once=1, waiting=1) as home:
        hanging(home, "write")
        first, second = (
            asyncio.create_task(post(home, {"model": "review-fix", "messages": ASK})) for _ in "12"
        )
        await home.upstream.count("write")
        while home.gateway.admission.inside < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        assert home.gateway.admission.waiting == 1
        with pytest.raises(openai.InternalServerError) as met:
            await whole(home)
        assert (met.value.status_code, met.value.code) == (503, "overloaded")
        assert 1 <= int(met.value.response.headers["retry-after"]) <= 120
        first.cancel()
        second.cancel()
        await home.empty()
        assert home.upstream.steps() == ["write"] * len(home.upstream.steps())
        pair(home)
        assert (await whole(home)).choices


async def test_sixty_four_clients_at_once_get_each_their_own(house: Opened) -> None:
    def number(body: dict[str, Any]) -> str:
        told = " ".join(str(each["content"]) for each in body["messages"])
        return told.partition("number ")[2].partition(" ")[0]

    def write(body: dict[str, Any]) -> Any:
        return ["```python\ndef f():\n    ret", f"urn {number(body)}\n", "```"]

    def review(body: dict[str, Any]) -> str:
        return REVISION if int(number(body)) % 2 else APPROVAL

    def fix(body: dict[str, Any]) -> str:
        return f"```python\ndef f():\n    return -{number(body)}\n```"

    async with house(at_once=16, waiting=64) as home:
        pair(
            home,
            write=write,
            review=review,
            fix=fix,
        )

        async def ask(each: int) -> str:
            messages: list[Any] = [{"role": "user", "content": f"Return number {each} from f in calc.py"}]
            model = "dualcode/review-fix"
            if each % 3:
                stream = await home.create(model=model, messages=messages, stream=True)
                return "".join([c.delta.content or "" async for chunk in stream for c in chunk.choices])
            answer = await home.create(model=model, messages=messages)
            return answer.choices[0].message.content or ""

        answers = await asyncio.gather(*map(ask, range(64)))
        assert [each.split("return ")[1].split()[0] for each in answers] == [
            str(-each if each % 2 else each) for each in range(64)
        ]
        kept = await home.kept()
        assert Counter(each.amended for each in kept) == {True: 32, False: 32}
        async with httpx.AsyncClient(verify=False) as client:
            page = (await client.get(f"{home.url}/metrics")).text
    assert (
        'dualcode_gateway_requests_total{model="dualcode/review-fix",path="pair",status="200"} 64.0' in page
    )
    assert 'dualcode_gateway_drafts_total{outcome="amended"} 32.0' in page
    assert "dualcode_gateway_first_delta_seconds_count 42.0" in page
