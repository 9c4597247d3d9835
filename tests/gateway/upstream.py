"""A model server in the test's own event loop: the test decides what it says and when, and hears who left."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
DROP = "\0drop"
"""A piece after which the connection is lost."""
Script = Callable[[dict[str, Any]], Any]
"""The body -> the answer's text, its pieces (a dict is a delta, an Event is waited for), or a Response."""


class Upstream:
    """Answers by step: `write`, `review`, `fix`, `plan`, `alone`; remembers what it was asked."""

    def __init__(self) -> None:
        self.arrived = asyncio.Condition()
        self.forget()

    def forget(self) -> None:
        """Begin anew, for another test."""
        self.scripts: dict[str, Script] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.left: asyncio.Queue[str] = asyncio.Queue()
        """The steps whose client closed the connection before the end."""
        self.usage: Mapping[str, int] | None = USAGE
        self.finish = "stop"

    def answer(self, step: str, script: Script) -> None:
        """Answer a step by a script."""
        self.scripts[step] = script

    def on(self, **scripts: Any) -> None:
        """Say what is answered to a step: a script, or always the same."""
        for step, script in scripts.items():
            fixed = isinstance(script, Response) or not callable(script)
            self.scripts[step] = (lambda _, same=script: same) if fixed else script

    def steps(self) -> list[str]:
        return [step for step, _ in self.asked]

    def bodies(self, step: str) -> list[dict[str, Any]]:
        return [body for each, body in self.asked if each == step]

    async def count(self, step: str, times: int = 1) -> None:
        """Wait until a step was asked for so many times."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: self.steps().count(step) >= times)

    async def _chat(self, request: Request) -> Response:
        body = json.loads(await request.body())
        step = step_of(body)
        self.asked.append((step, body))
        async with self.arrived:
            self.arrived.notify_all()
        script = self.scripts.get(step)
        said = script(body) if script else {"review": APPROVAL}.get(step, f"no script for {step}")
        if isinstance(said, Response):
            return said
        pieces = [said] if isinstance(said, str) else list(said)
        chat = request.url.path.endswith("chat/completions")
        if body.get("stream"):
            return StreamingResponse(self._events(step, pieces, chat, body), media_type="text/event-stream")
        for gate in pieces:
            if isinstance(gate, asyncio.Event):  # an answer as one object hangs as a whole
                await self._opened(gate, request, step)
        text = "".join(each for each in pieces if isinstance(each, str))
        inner = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        choice = {"index": 0, "finish_reason": self.finish, "logprobs": None, **inner}
        kind = "chat.completion" if chat else "text_completion"
        return JSONResponse(
            {"id": "u", "object": kind, "created": 1, "model": "m", "choices": [choice], "usage": self.usage}
        )

    async def _opened(self, gate: asyncio.Event, request: Request, step: str) -> None:
        """Wait for a gate, or until the client is gone."""
        while not gate.is_set():
            if await request.is_disconnected():
                self.left.put_nowait(step)
                return
            await asyncio.sleep(0.002)

    async def _events(
        self, step: str, pieces: Sequence[Any], chat: bool, body: Mapping[str, Any]
    ) -> AsyncIterator[str]:
        ended = False
        try:
            for piece in pieces:
                if isinstance(piece, asyncio.Event):
                    await piece.wait()
                    continue
                if piece == DROP:
                    ended = True
                    raise ConnectionResetError
                delta = cast("dict[str, Any]", piece if isinstance(piece, dict) else {"content": piece})
                yield self._event(delta, None, chat)
            yield self._event({}, self.finish, chat)
            counted: dict[str, Any] = {
                **json.loads(self._event({}, None, chat)[6:]),
                "choices": [],
                "usage": self.usage,
            }
            yield f"data: {json.dumps(counted)}\n\ndata: [DONE]\n\n"
            ended = True
        finally:
            if not ended:
                self.left.put_nowait(step)

    @staticmethod
    def _event(delta: Mapping[str, Any], finish: str | None, chat: bool) -> str:
        inner = {"delta": dict(delta)} if chat else {"text": delta.get("content", "")}
        kind = "chat.completion.chunk" if chat else "text_completion"
        choice = {"index": 0, "finish_reason": finish, **inner}
        event = {"id": "u", "object": kind, "created": 1, "model": "m", "choices": [choice]}
        return f"data: {json.dumps(event)}\n\n"

    async def _models(self, _: Request) -> Response:
        return JSONResponse({"data": [{"id": "m", "root": "org/m", "max_model_len": 8192}]})

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/models", self._models),
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/completions", self._chat, methods=["POST"]),
            ]
        )


APPROVAL = '{"verdict": "approve", "findings": []}'
FINDING = {"where": "add", "actual": "it gives 0 for 1, 2", "expected": "3"}
REVISION = json.dumps({"verdict": "revise", "findings": [FINDING]})


def step_of(body: Mapping[str, Any]) -> str:
    """Return the step that a request is of, by what its last message says."""
    messages = body.get("messages") or [{"content": ""}]
    last = str(messages[-1].get("content") or "")
    for step, words in (
        ("review", "Answer with a JSON object. If the"),
        ("review", "Review this program against"),
        ("repair", "That was not the JSON object asked for"),
        ("fix", "A reviewer compared your"),
        ("plan", "Write no code."),
    ):
        if words in last:
            return step
    return "alone" if "repetition_penalty" not in body else "write"  # steps send every sampling value


@asynccontextmanager
async def served(app: Any) -> AsyncGenerator[str]:
    """Serve an application on a free port of 127.0.0.1; yield its root."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # pyright: ignore[reportAttributeAccessIssue]
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn's has no event
            await asyncio.sleep(0.002)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listening.close()
