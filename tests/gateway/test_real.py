"""The gateway over the real CPU pair: vLLM's own streams, its schema, and an end to what nobody waits for."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import openai
import pytest

from dualcode.config import load_team
from dualcode.gateway.app import build
from dualcode.gateway.service import Settings
from dualcode.gateway.serving import opened
from dualcode.pipelines import builtins
from dualcode.serving.running import RunningPair
from tests.gateway.upstream import served

pytestmark = pytest.mark.servers
ASK: list[Any] = [{"role": "user", "content": "Write a Python function that adds two numbers. Code only."}]


@pytest.fixture
async def client(servers: RunningPair) -> AsyncGenerator[openai.AsyncOpenAI]:
    config = load_team(servers.team_file).resolved(servers.base_urls())
    async with (
        opened(config, list(builtins().values()), Settings(), records=False) as gateway,
        served(build(gateway)) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as made,
    ):
        yield made


@pytest.mark.timeout(300)
async def test_a_live_draft_is_the_coders_own_answer_and_its_review_is_read(
    client: openai.AsyncOpenAI,
) -> None:
    asked: dict[str, Any] = {"messages": ASK, "max_tokens": 72, "stop": ["\n```\n"], "stream": True}
    create: Any = client.chat.completions.create
    content, summary = "", dict[str, Any]()
    async for chunk in await create(model="dualcode/review-fix:stream", **asked):
        content += "".join(choice.delta.content or "" for choice in chunk.choices)
        summary.update(getattr(chunk, "dualcode", {}))
    assert "def " in content
    assert summary["path"] in ("pair", "alone")
    card = (await client.models.retrieve("review-fix")).model_extra or {}
    assert card["max_model_len"] == 4096 - 768


@pytest.mark.timeout(300)
async def test_vllm_drops_the_request_of_a_client_that_left(
    client: openai.AsyncOpenAI, servers: RunningPair
) -> None:
    create: Any = client.chat.completions.create
    stream = await create(model="dualcode/raw-coder", messages=ASK, max_tokens=320, stream=True)
    async for _ in stream:
        break
    await stream.close()
    async with httpx.AsyncClient(verify=False) as http:
        running = ["asked first"]
        while running:  # the test's time limit ends it
            page = (await http.get(f"{servers['coder'].root_url}/metrics")).text
            counts = [line for line in page.splitlines() if line.startswith("vllm:num_requests_running")]
            running = [line for line in counts if not line.endswith(" 0.0")]
            await asyncio.sleep(0.05)
