"""A scripted OpenAI-compatible HTTP server, for faults that a real one does not produce on demand."""

import json
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dualcode.models.probe import NUMBER, OPENING

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


@dataclass
class Answer:
    """One scripted answer: an HTTP error, or a streamed reply."""

    content: str | None = "hello"
    reasoning: str | None = None
    names: tuple[str, ...] = ("reasoning",)
    """The fields that hold the reasoning."""
    finish: str | None = "stop"
    status: int = 200
    error: dict[str, Any] = field(default_factory=dict[str, Any])
    headers: dict[str, str] = field(default_factory=dict[str, str])
    hang: float = 0.0
    """Seconds of silence in the middle of the stream."""
    drop: bool = False
    """Close the connection in the middle of the stream."""
    drop_at_end: bool = False
    """Close the connection after the content, before the event that ends the reply."""
    page: Any = None
    """The whole body of a refusal: text as it is, anything else as JSON."""
    body: str | None = None
    """The whole body of a reply, as it is."""
    pause: float = 0.0
    """Seconds between the lines of `body`."""
    kind: str = "text/event-stream"
    usage: Any = ...
    """What it tells of its tokens, instead of USAGE."""


def able(body: dict[str, Any]) -> "Answer":
    """Answer what a server is asked before the first task, as one that can do everything."""
    thought = "hm" if body.get("chat_template_kwargs", {}).get("enable_thinking") else None
    if body.get("response_format", {}).get("type") == "json_schema":
        return Answer(content='{"verdict": "approve", "findings": []}', reasoning=thought)
    if body.get("response_format"):
        return Answer(content='{"colour": "blue"}', reasoning=thought)
    if NUMBER.content not in body["messages"][-1]["content"]:
        return Answer(content="blue", reasoning=thought)
    hot = body["temperature"] and body.get("top_k") != 1 and body.get("min_p") != 1.0
    return Answer(content=f"{body.get('seed')} {body['temperature']}" if hot else "1 2 3")


class FakeServer:
    """Answers POSTs in order from `answers`, the last one again and again; remembers the bodies."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers) or [Answer()]
        self.respond: Callable[[dict[str, Any]], Answer] | None = None
        """Answers by the request instead of in order."""
        self.refuse: Callable[[str, dict[str, Any]], Answer | None] | None = None
        """Looks at the path and body of each request first, also of what the ledger asks; see `dialects`."""
        self.able: Callable[[dict[str, Any]], Answer] = able
        """Answers what is asked before the first task, which is in no script and among no requests."""
        self.asked: list[dict[str, Any]] = []
        """The bodies of that."""
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.models: list[dict[str, Any]] = [{"id": "m", "root": "org/m", "max_model_len": 32768}]
        self.outside = True
        """Whether a request for one token is the ledger's, and so in no script."""
        self.pages: dict[str, Any] = {"/version": {"version": "0.0-fake"}}
        """What else it answers to a GET."""
        self.gets: dict[str, Callable[[], tuple[int, Any]]] = {}
        """Path to what a GET of it is answered, before all else: a status and a page."""
        self.base_url = ""
        self.prompt_end = "assistant\n"
        """What the rendered prompt of a thinking request ends with."""
        self.has_tokenize = True
        self.tokenized: Any = ...
        """What /tokenize answers instead of tokens."""
        self.in_flight = 0
        self.most_in_flight = 0
        self.lock = threading.Lock()

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [body for path, body in self.requests if path.startswith("/v1/")]

    def next(self, body: dict[str, Any]) -> Answer:
        if self.respond is not None:
            return self.respond(body)
        with self.lock:
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class _Listening(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256  # 5 by default: of more that come at once some are reset


def _handler(server: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            server.headers.append(dict(self.headers))
            if self.path in server.gets:
                self._json(*server.gets[self.path]())
                return
            page = {"/v1/models": {"data": server.models}, **server.pages}.get(self.path)
            self._json(200 if page else 404, page or {"error": "no such page"})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            refusal = server.refuse(self.path, body) if server.refuse else None
            if body.get("messages", [{}])[0].get("content", "").startswith(OPENING.content):
                server.asked.append(body)
                self._answer(refusal or server.able(body))
                return
            if (
                server.outside and refusal is None and body.get("max_tokens") == 1
            ):  # what the ledger asks to know the model: outside the script
                self._answer(Answer())
                return
            server.headers.append(dict(self.headers))
            server.requests.append((self.path, body))
            if self.path.endswith("tokenize") and not server.has_tokenize:
                self._json(404, {"error": "no such page"})
                return
            if self.path == "/tokenize":
                tokens = {"tokens": [1, 2] if "messages" in body else [9]}
                self._json(200, tokens if server.tokenized is ... else server.tokenized)
                return
            if self.path == "/detokenize":
                self._json(200, {"prompt": server.prompt_end})
                return
            with server.lock:
                server.in_flight += 1
                server.most_in_flight = max(server.most_in_flight, server.in_flight)
            try:
                self._answer(refusal or server.next(body))
            finally:
                with server.lock:
                    server.in_flight -= 1

        def _json(self, status: int, page: Any, headers: dict[str, str] | None = None) -> None:
            content = page.encode() if isinstance(page, str) else json.dumps(page).encode()
            self.send_response(status)
            for name, value in {"content-type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _answer(self, answer: Answer) -> None:
            if answer.status != 200:
                page = (
                    {"error": answer.error or {"message": "scripted"}} if answer.page is None else answer.page
                )
                self._json(answer.status, page, answer.headers)
                return
            self.send_response(200)
            self.send_header("content-type", answer.kind)
            self.send_header("connection", "close")
            self.end_headers()
            self.close_connection = True
            with suppress(BrokenPipeError, ConnectionResetError):
                self._stream(answer)

        def _stream(self, answer: Answer) -> None:
            for line in (answer.body or "").splitlines(keepends=True):
                self.wfile.write(line.encode())
                time.sleep(answer.pause)
            if answer.body is not None:
                return
            told = USAGE if answer.usage is ... else answer.usage
            if answer.reasoning:
                self._event(dict.fromkeys(answer.names, answer.reasoning), None, None)
            time.sleep(answer.hang)
            if answer.drop:
                return
            if answer.content:
                for half in (answer.content[:1], answer.content[1:]):
                    self._event({"content": half}, None, {**USAGE, "completion_tokens": 1} if told else None)
            if answer.drop_at_end:
                return
            self._event({}, answer.finish, told)
            self.wfile.write(b"data: [DONE]\n\n")

        def _event(self, delta: dict[str, Any], finish: str | None, usage: dict[str, int] | None) -> None:
            chat = "chat" in self.path
            choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
            choice |= {"delta": delta} if chat else {"text": delta.get("content", "")}
            kind = "chat.completion.chunk" if chat else "text_completion"
            chunk = {
                "id": "1",
                "object": kind,
                "created": 1,
                "model": "m",
                "choices": [choice],
                "usage": usage,
            }
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()

    return Handler


@contextmanager
def serve(*answers: Answer) -> Generator[FakeServer]:
    """Run the server on a free port of 127.0.0.1."""
    server = FakeServer(*answers)
    http = _Listening(("127.0.0.1", 0), _handler(server))
    server.base_url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
