"""What the gateway costs: time to the first delta, overhead over a direct call, memory; at 1, 8, 64 clients.

    python -m benchmarks.gateway            # a table; a minute or two

A scripted server in a process of its own answers every call at once in PIECES pieces, so that what is
measured is the gateway's own. A direct call is one streamed request to that server; `raw` is the same through
the gateway; `pair` is a draft, a review and a correction: three calls, against three direct ones. Clients are
one process of plain httpx. Times are wall times: read them on a quiet machine, and beside the CPU seconds.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

PIECES = 40
DRAFT = "```python\ndef add(a, b):\n    return a - b\n```"
ASKED = "Let add in my module calc.py return the sum."


def upstream() -> Starlette:
    """Return the scripted server: each step's answer in PIECES pieces."""
    revision = {"verdict": "revise", "findings": [{"where": "add", "actual": "0 for 1, 2", "expected": "3"}]}

    async def chat(request: Request) -> Response:
        body = await request.json()
        last = str(body["messages"][-1]["content"])
        text = DRAFT
        if "Answer with a JSON object" in last:
            text = json.dumps(revision)
        elif "A reviewer compared" in last:
            text = DRAFT.replace("-", "+")
        size = max(1, len(text) // PIECES)
        pieces = [text[at : at + size] for at in range(0, len(text), size)]

        async def events():  # noqa: ANN202 - of text
            for piece in pieces:
                yield f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': piece}}]})}\n\n"
                await asyncio.sleep(0)
            usage = {"prompt_tokens": 9, "completion_tokens": len(pieces)}
            ended: dict[str, Any] = {
                "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
                "usage": usage,
            }
            yield f"data: {json.dumps(ended)}\n\ndata: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    async def models(_: Request) -> Response:
        return JSONResponse({"data": [{"id": "m", "max_model_len": 8192}]})

    return Starlette(
        routes=[Route("/v1/chat/completions", chat, methods=["POST"]), Route("/v1/models", models)]
    )


def run_upstream(listening: socket.socket) -> None:
    uvicorn.Server(uvicorn.Config(upstream(), log_level="critical")).run(sockets=[listening])


def run_gateway(listening: socket.socket, root: str, state: str) -> None:
    """Serve a gateway over the scripted server, with records, as `dualcode gateway` does."""
    from dualcode.config import Endpoint, TeamConfig
    from dualcode.gateway.service import Settings
    from dualcode.gateway.serving import opened, serve
    from dualcode.pipelines import builtins

    os.environ["DUALCODE_STATE_DIR"] = state
    endpoint = Endpoint(model="m", base_url=f"{root}/v1", concurrency=64)
    config = TeamConfig(endpoints={"e": endpoint}, roles={"coder": "e", "reviewer": "e"})

    async def work() -> None:
        async with opened(config, list(builtins().values()), Settings(at_once=64, waiting=256)) as made:
            await serve(made, listening)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(work())


async def ask(client: httpx.AsyncClient, url: str, model: str) -> tuple[float, float]:
    """Return the seconds to the first delta and to the end of one streamed request."""
    began, first = time.perf_counter(), 0.0
    body = {
        "model": model,
        "stream": True,
        "messages": [{"role": "user", "content": ASKED}],
        "repetition_penalty": 1,
    }
    async with client.stream("POST", f"{url}/v1/chat/completions", json=body) as answer:
        assert answer.status_code == 200, answer
        async for line in answer.aiter_lines():
            if (
                not first
                and '"delta"' in line
                and ('"reasoning"' in line or '"content": "`' in line or '"content":"`' in line)
            ):
                first = time.perf_counter() - began
    return first, time.perf_counter() - began


async def measure(url: str, model: str, clients: int, requests: int) -> list[tuple[float, float]]:
    """Let so many clients ask one after the other, so many requests in all."""
    found: list[tuple[float, float]] = []
    left = iter(range(requests))
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=120, verify=False, trust_env=False, limits=limits) as http:

        async def client() -> None:
            for _ in left:
                found.append(await ask(http, url, model))  # noqa: PERF401 - as each is done

        await asyncio.gather(*(client() for _ in range(clients)))
    return found


def quantiles(values: Sequence[float]) -> tuple[float, float]:
    """Return median and p99 in milliseconds."""
    ordered = sorted(values)
    return statistics.median(ordered) * 1e3, ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))] * 1e3


def busy(process: psutil.Process) -> float:
    used = process.cpu_times()
    return used.user + used.system


async def table(direct: str, gateway: str, process: psutil.Process, requests: int) -> None:
    await measure(gateway, "dualcode/review-fix", 4, 8)  # what is imported at first use
    idle = process.memory_info().rss / 1e6
    print(f"{'clients':>7} {'way':<7} {'first ms':>16} {'end ms':>16} {'over':>15} {'CPU ms':>7} {'MB':>7}")
    print(f"{'':>7} {'':<7} {'median':>8}{'p99':>8} {'median':>8}{'p99':>8} {'median':>15} {'each':>7}")
    for clients in (1, 8, 64):
        count = max(requests, 3 * clients)
        base = quantiles([end for _, end in await measure(direct, "m", clients, count)])
        for way, model, calls in (("raw", "dualcode/raw-coder", 1), ("pair", "dualcode/review-fix", 3)):
            before = busy(process)
            found = await measure(gateway, model, clients, count)
            cpu = (busy(process) - before) / count * 1e3
            first, end = quantiles([each[0] for each in found]), quantiles([each[1] for each in found])
            over = end[0] - calls * base[0]
            memory = process.memory_info().rss / 1e6
            print(
                f"{clients:>7} {way:<7} {first[0]:>8.1f}{first[1]:>8.1f} {end[0]:>8.1f}{end[1]:>8.1f} "
                f"{over:>15.1f} {cpu:>7.1f} {memory:>7.0f}"
            )
        print(f"{clients:>7} direct  {'':>16} {base[0]:>8.1f}{base[1]:>8.1f}")
    print(f"memory before: {idle:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=100, help="at least, for each line of the table")
    wanted = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"load average before: {load:.1f}" + ("; wall times are contended" if load > 1 else ""))
    context = multiprocessing.get_context("spawn")
    sockets = [socket.create_server(("127.0.0.1", 0), backlog=512) for _ in "12"]
    direct, gateway = (f"http://127.0.0.1:{each.getsockname()[1]}" for each in sockets)
    with tempfile.TemporaryDirectory() as state:
        parts: list[Any] = [
            context.Process(target=run_upstream, args=(sockets[0],)),
            context.Process(target=run_gateway, args=(sockets[1], direct, state)),
        ]
        try:
            for part in parts:
                part.start()
            for url in (direct, gateway):
                wait_for(f"{url}/v1/models")
            asyncio.run(table(direct, gateway, psutil.Process(parts[1].pid), wanted.requests))
        finally:
            for part in parts:
                part.terminate()
                part.join()
        kept = sum(len(each.read_text().splitlines()) for each in Path(state).rglob("*.jsonl"))
        print(f"records kept: {kept}")


def wait_for(url: str) -> None:
    for _ in range(600):
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url, trust_env=False, verify=False, timeout=5).status_code == 200:
                return
        time.sleep(0.1)
    raise SystemExit(f"nothing answers at {url}")


if __name__ == "__main__":
    main()
