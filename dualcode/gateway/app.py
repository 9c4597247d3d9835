"""The routes: what an OpenAI-compatible server answers to, each with its errors in OpenAI's shape."""

import asyncio
import contextlib
import hmac
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as Path
from starlette.types import Receive, Scope, Send

from dualcode import __version__
from dualcode.gateway.answers import ALIVE, Chunks, dump, error_line, whole
from dualcode.gateway.protocol import Asked, ChatRequest, RefusedError, describe, read_body
from dualcode.gateway.raw import TOOLS, Alone
from dualcode.gateway.routing import Route, route
from dualcode.gateway.service import Gateway, Piece, fault
from dualcode.gateway.voice import Event, Voice
from dualcode.models.stream import Stream

DRAINED = 16
"""How many times the largest body is read and dropped, so that a client hears why it is refused."""
_Handler = Callable[[Request], Awaitable[Response]]
A = TypeVar("A")


def build(gateway: Gateway, *, closing: Callable[[], Awaitable[None]] | None = None) -> Starlette:
    """Return the application over a gateway; `closing` is awaited at its end."""
    api = _Api(gateway)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        yield
        if closing is not None:
            await closing()

    cors = Middleware(
        CORSMiddleware,
        allow_origins=list(gateway.settings.origins),
        allow_methods=["GET", "POST"],
        allow_headers=["authorization", "content-type"],
        expose_headers=["x-dualcode-path", "x-dualcode-reason", "retry-after"],
    )
    return Starlette(
        routes=[
            Path("/v1/models", api.guarded(api.models), methods=["GET"]),
            Path("/v1/models/{name:path}", api.guarded(api.model), methods=["GET"]),
            Path("/v1/chat/completions", api.guarded(api.chat), methods=["POST"]),
            Path("/v1/completions", api.guarded(api.completions), methods=["POST"]),
            Path("/openapi.json", api.description, methods=["GET"]),
            Path("/health", api.health, methods=["GET"]),
            Path("/metrics", api.metrics, methods=["GET"]),
        ],
        middleware=[cors] if gateway.settings.origins else [],
        exception_handlers={
            RefusedError: _refused,
            ClientDisconnect: _gone,
            HTTPException: _unknown,
            Exception: _refused,
        },
        lifespan=lifespan,
    )


def refused(error: RefusedError) -> Response:
    """Return the response that says why."""
    headers = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    if error.status == 413:
        headers["connection"] = "close"
    return JSONResponse(error.body(), error.status, headers)


async def _refused(_: Request, error: Exception) -> Response:
    return refused(error if isinstance(error, RefusedError) else fault(error))


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=499)


async def _unknown(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    paths = "/v1/chat/completions, /v1/completions, /v1/models, /health, /metrics"
    what = f"{request.method} {request.url.path[:100]}"
    code = "method_not_allowed" if status == 405 else "not_found"
    return refused(RefusedError(status, f"{what} is not served here; served: {paths}", code=code))


class _Api:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def guarded(self, handler: _Handler) -> _Handler:
        """Let in whoever may."""

        async def handle(request: Request) -> Response:
            self._check(request)
            return await handler(request)

        return handle

    def _check(self, request: Request) -> None:
        settings = self._gateway.settings
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
        if settings.hosts and host not in settings.hosts:  # a page whose name was bound to this address
            raise RefusedError(403, f"this gateway is not asked as {host[:100]!r}", code="wrong_host")
        if settings.key is not None:
            given = request.headers.get("authorization", "")
            scheme, _, key = given.partition(" ")
            right = hmac.compare_digest(key.strip().encode(), settings.key.encode())
            if scheme.lower() != "bearer" or not right:
                told = "a wrong API key" if key else "no API key; send Authorization: Bearer KEY"
                raise RefusedError(401, told, kind="authentication_error", code="invalid_api_key")

    async def _body(self, request: Request) -> bytes:
        """Read a body that is JSON and not too large."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":  # a web page may send any other without asking first
            raise RefusedError(415, f"the content type is {kind[:60]!r}, and not application/json")
        most, parts, size = self._gateway.settings.most_bytes, list[bytes](), 0
        async for part in request.stream():
            size += len(part)
            if size <= most:
                parts.append(part)
            elif size > DRAINED * most:
                break
        if size > most:
            told = f"the body is larger than {most:,} bytes; send fewer files, or start with --max-bytes"
            raise RefusedError(413, told, code="body_too_large")
        return b"".join(parts)

    async def models(self, _: Request) -> Response:
        """List what can be asked for."""
        listed = [
            each.model_dump(mode="json", exclude_unset=True) for each in self._gateway.catalogue.listed()
        ]
        return JSONResponse({"object": "list", "data": listed})

    async def model(self, request: Request) -> Response:
        """Say what one name stands for."""
        catalogue = self._gateway.catalogue
        card = catalogue.card(catalogue.choose(request.path_params["name"]))
        return Response(dump(card), media_type="application/json")

    async def health(self, _: Request) -> Response:
        """Say that the gateway is there, and how many it works for."""
        inside = self._gateway.admission.inside
        return JSONResponse({"status": "ok", "version": __version__, "requests": inside})

    async def description(self, _: Request) -> Response:
        """Return the OpenAPI description."""
        return JSONResponse(describe())

    async def metrics(self, _: Request) -> Response:
        """Return prometheus's page."""
        return Response(self._gateway.meters.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def chat(self, request: Request) -> Response:
        """`POST /v1/chat/completions`."""
        gateway = self._gateway
        asked, sent = read_body(await self._body(request), ChatRequest, gateway.settings.most_messages)
        choice = gateway.catalogue.choose(asked.model)
        way = route(asked, choice)
        piece = Piece(choice, way.path)
        gateway.admission.enter()
        if way.path == "alone":
            return _Alone(gateway, piece, "/chat/completions", sent, asked, way)
        return _Pair(gateway, piece, asked, way)

    async def completions(self, request: Request) -> Response:
        """`POST /v1/completions`: the coder fills in the middle for editors, whichever name is asked for."""
        gateway = self._gateway
        asked, sent = read_body(await self._body(request), Asked, gateway.settings.most_messages)
        choice = gateway.catalogue.choose(asked.model)
        if sent.get("prompt") is None:
            raise RefusedError(400, "prompt: field required", param="prompt")
        gateway.alone(choice)
        gateway.admission.enter()
        way = Route("alone", "completions are one model's")
        return _Alone(gateway, Piece(choice, "alone"), "/completions", sent, asked, way)


class _Work(Response):
    """A response that is worked for while the client is there, and no longer."""

    def __init__(self, gateway: Gateway, piece: Piece, asked: Asked, way: Route) -> None:
        """Take over a place that the request has been given."""
        self._gateway, self._piece, self._asked = gateway, piece, asked
        self._head = {"x-dualcode-path": way.path, "x-dualcode-reason": way.reason}
        self.background = None
        self.status_code = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = "left"
        leaving = asyncio.create_task(self._until_gone(receive))
        work = asyncio.create_task(self.answer(scope, receive, send))
        try:
            await asyncio.wait({leaving, work}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                status = work.result()
        finally:
            for task in (leaving, work):
                task.cancel()
            await asyncio.gather(leaving, work, return_exceptions=True)
            self._gateway.admission.leave()
            meters, piece = self._gateway.meters, self._piece
            meters.requests.labels(piece.choice.id, piece.path, status).inc()
            meters.whole.labels(piece.path).observe(piece.seconds)

    @staticmethod
    async def _until_gone(receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> str:
        """Answer, and return the status: `200`, or that of an error."""
        raise NotImplementedError

    async def _open(self, send: Send) -> None:
        headers = {
            **self._head, "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache",
            "x-accel-buffering": "no",
        }  # fmt: skip
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})

    def _spoke(self) -> None:
        if not self._piece.spoke:
            self._piece.spoke = True
            self._gateway.meters.first.observe(self._piece.seconds)


async def _write(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


class _Pair(_Work):
    """An answer of the pair, or of a pipeline."""

    def __init__(self, gateway: Gateway, piece: Piece, asked: ChatRequest, way: Route) -> None:
        super().__init__(gateway, piece, asked, way)
        self._chat, self._way = asked, way

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> str:
        """Answer with what the work says, as it says it or whole."""
        voice = Voice(self._chat.stops)
        work = asyncio.create_task(self._gateway.chat(self._piece, self._chat, self._way, voice))
        work.add_done_callback(lambda _: voice.close())
        try:
            if self._asked.stream:
                return await self._streamed(voice, work, send)
            thought = [event.text async for event in _said(voice) if event.kind == "thought"]
            await work
            outcome = self._piece.outcome
            assert outcome is not None
            self._head["x-dualcode-path"] = outcome.path
            body = dump(whole(self._piece.choice.id, outcome, self._piece.usage, "".join(thought)))
            await Response(body, 200, self._head, "application/json")(scope, receive, send)
        except RefusedError as error:
            await refused(error)(scope, receive, send)
            return str(error.status)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        return "200"

    async def _streamed(self, voice: Voice, work: "asyncio.Task[None]", send: Send) -> str:
        chunks = Chunks(self._piece.choice.id)
        await self._open(send)
        await _write(send, chunks.opening())
        async for event in _alive(_said(voice), self._gateway.settings.keep_alive):
            if event is not None:
                self._spoke()
            await _write(send, ALIVE if event is None else chunks.piece(event))
        try:
            await work
        except RefusedError as error:
            await _write(send, error_line(error), more=False)
            return str(error.status)
        assert self._piece.outcome is not None
        usage, wanted = self._piece.usage, self._asked.wants_usage
        await _write(send, chunks.closing(self._piece.outcome, usage, wants_usage=wanted), more=False)
        return "200"


async def _said(voice: Voice) -> AsyncGenerator[Event]:
    """Yield what is said until the end."""
    while (event := await voice.next()).kind != "end":
        yield event


class _Alone(_Work):
    """An answer of one model, as it gives it."""

    def __init__(
        self, gateway: Gateway, piece: Piece, path: str, sent: dict[str, object], asked: Asked, way: Route
    ) -> None:
        named = asked.model_copy(update={"model": piece.choice.id})
        super().__init__(gateway, piece, named, way)
        self._path, self._sent = path, sent

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> str:
        """Answer as the server does, event by event or whole."""
        tally, opened, answer = Stream(), False, dict[str, object]()
        try:
            async with self._gateway.at_work(self._piece, tally):
                alone = self._gateway.alone(self._piece.choice)
                if not self._asked.stream:
                    answer = await alone.whole(self._path, self._sent, self._asked, tally)
                    self._toolless(alone)
                else:
                    events = alone.stream(self._path, self._sent, self._asked, tally)
                    async for event in _alive(events, self._gateway.settings.keep_alive):
                        if not opened:
                            self._toolless(alone)
                            await self._open(send)
                            opened = True
                        if event is not None:
                            self._spoke()
                        await _write(send, ALIVE if event is None else event)
        except RefusedError as error:
            if opened:
                await _write(send, error_line(error), more=False)
            else:
                await refused(error)(scope, receive, send)
            return str(error.status)
        if self._asked.stream:
            await _write(send, b"", more=False)
        else:
            await JSONResponse(answer, 200, self._head)(scope, receive, send)
        return "200"

    def _toolless(self, alone: Alone) -> None:
        if alone.toolless and any(self._sent.get(name) for name in TOOLS):
            self._head["x-dualcode-reason"] = "tools, which the server does not take: they are left out"


async def _alive(events: AsyncGenerator[A], every: float) -> AsyncGenerator[A | None]:
    """Yield events, and None after so many seconds without one."""
    waiting: asyncio.Future[A | None] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(anext(events, None))
            done, _ = await asyncio.wait({waiting}, timeout=every)
            if not done:
                yield None
                continue
            event, waiting = waiting.result(), None
            if event is None:
                return
            yield event
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await events.aclose()
