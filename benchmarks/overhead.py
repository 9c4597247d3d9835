"""What dualcode itself takes for a call: CPU milliseconds of its process, at 1 and at 200 chunks a reply.

    python -m benchmarks.overhead [--chunks 1,200] [--calls 400]

The real client, admission, ledger, runner and records ask a server over HTTP that streams one event a chunk,
shaped as vLLM's and some milliseconds apart; it is a process of its own, and grading is scripted, so neither
is counted. One call is one task of raw-coder. Prints a JSON line each. CPU seconds hold on a busy machine but
for its caches; the load is told beside them.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.throughput import Judge, many
from dualcode.config import Endpoint, TeamConfig
from dualcode.models.endpoints import check_endpoints
from dualcode.models.ledger import Ledger, behind_ledger
from dualcode.models.openai import OpenAIChat
from dualcode.pipelines.find import find_pipeline
from dualcode.runs.manifest import configure, manifest
from dualcode.runs.runner import Runner, work
from dualcode.runs.session import open_run
from dualcode.sampling import PAPER
from dualcode.suites.suite import Suite
from dualcode.team import Seat, Team

RAW = find_pipeline("raw-coder")
AT_ONCE = 16
PAUSE = 0.004
"""Seconds between two chunks: a piece that is read has one of them, as of a model that writes."""
WARM_UP = 32
PROGRAM = "```python\ndef f(*a):\n    return 1\n```"


async def serve(chunks: int) -> None:
    """Answer requests on a free port, which is printed, until the process is ended."""

    def event(**fields: Any) -> bytes:
        told = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", **fields}
        return f"data: {json.dumps(told)}\n\n".encode()

    def written(count: int, content: str | None, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": {"content": content}, "logprobs": None, "finish_reason": finish}
        usage = {"prompt_tokens": 100, "completion_tokens": count, "total_tokens": 100 + count}
        return event(choices=[{**choice, "token_ids": None}], usage=usage)

    words = [PROGRAM, *["\n"] * (chunks - 1)]
    stream = [written(count, word) for count, word in enumerate(words, start=1)]
    stream[-1] += written(chunks, None, "stop") + b"data: [DONE]\n\n"
    models = json.dumps({"data": [{"id": "m", "root": "org/m", "max_model_len": 32768}]}).encode()
    kind = b"Content-Type: application/json\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            body = await reader.readexactly(int(lengths[0].split(b":")[1])) if lengths else b""
            if not body:
                writer.write(
                    b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (kind, len(models)) + models
                )
                continue
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
            writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
            for piece in stream:
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                await writer.drain()
                await asyncio.sleep(PAUSE)
            writer.write(b"0\r\n\r\n")

    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(quietly, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def spent(url: str, suite: Suite, root: Path) -> float:
    """Run the suite; return the CPU seconds of this process from its first task to its last record."""
    endpoint = Endpoint(model="m", base_url=url, concurrency=AT_ONCE)
    config = TeamConfig(endpoints={"e": endpoint}, roles={"coder": "e"})
    served = await check_endpoints(config, ["coder"])
    chat, ledger = OpenAIChat("e", endpoint), Ledger.open(root / "ledger")
    store = open_run(root, manifest("run", configure(RAW, suite, config, served), suite, config), fresh=False)
    try:
        behind = await behind_ledger([chat], ledger, config, served)
        store.begin_session(AT_ONCE, {})
        began = time.process_time()
        team = Team({"coder": Seat("coder", behind["e"], PAPER, 1000)})
        await work([Runner(RAW, suite, team, Judge(), store, task_seconds=600)])
        store.end_session()
        return time.process_time() - began
    finally:
        store.close()
        ledger.close()
        await chat.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--chunks", default="1,200")
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.serve))
        return
    for chunks in map(int, options.chunks.split(",")):
        command = [sys.executable, "-m", "benchmarks.overhead", "--serve", str(chunks)]
        with (
            tempfile.TemporaryDirectory() as root,
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
        ):
            assert server.stdout is not None
            url, load = f"http://127.0.0.1:{int(server.stdout.readline())}/v1", os.getloadavg()[0]
            try:
                asyncio.run(spent(url, many(WARM_UP), Path(root, "warm")))
                began = time.monotonic()
                seconds = asyncio.run(spent(url, many(options.calls), Path(root, "measured")))
            finally:
                server.terminate()
        row = {
            "chunks": chunks,
            "calls": options.calls,
            "cpu_ms_a_call": round(1000 * seconds / options.calls, 2),
        }
        print(
            json.dumps({**row, "wall": round(time.monotonic() - began, 1), "load": round(load, 1)}),
            flush=True,
        )


if __name__ == "__main__":
    main()
