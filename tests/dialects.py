"""Servers of other kinds: what they refuse, in which words, and how they stream. A kind is a row: add one."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.fake_server import Answer

Refuses = Callable[[Any], bool]


def anything(_: Any) -> bool:
    """Refuse the field, whatever its value."""
    return True


def nothing(_name: str, _value: Any) -> None:
    """Say nothing: no field is refused."""


@dataclass(frozen=True)
class Dialect:
    """What a server refuses, and how it says it."""

    refuses: Mapping[str, Refuses]
    """Name of a field, `stream_options` and what is in it too, -> whether it refuses this value."""
    says: Callable[[str, Any], Any]
    """(field, value) -> the body of the refusal."""
    status: int = 400
    system: Any = None
    """The body with which it refuses a system role; None: it takes one."""
    schemas: Mapping[str, Any] | None = None
    """Type of `response_format` -> the body with which it refuses that."""

    def refuse(self, path: str, body: Mapping[str, Any]) -> Answer | None:
        """Return the refusal of a request, or None where this server takes it."""
        if not path.startswith("/v1/"):
            return None
        if self.system is not None and any(each["role"] == "system" for each in body.get("messages", ())):
            return Answer(status=self.status, page=self.system)
        kind = body.get("response_format", {}).get("type")
        if kind in (self.schemas or {}):
            return Answer(status=self.status, page=(self.schemas or {})[kind])
        sent = {**body, **body.get("stream_options", {})}
        for name, refused in self.refuses.items():
            if name in sent and refused(sent[name]):
                return Answer(status=self.status, page=self.says(name, sent[name]))
        return None


def told(message: str, **more: Any) -> dict[str, Any]:
    """Return an error as OpenAI writes it."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, **more}}


def vllm(message: str) -> dict[str, Any]:
    """Return an error as vLLM wrote it before 0.10."""
    return {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": 400}


_EXTRAS = (
    "min_p",
    "top_k",
    "repetition_penalty",
    "repetition_detection",
    "thinking_token_budget",
    "stream_interval",
)
_KNOWN = "expected one of `messages`, `model`, `seed`, `stop`, `stream_options`, `top_p`"

DIALECTS = {
    "vLLM 0.8": Dialect(
        {"top_k": lambda value: value == 0},
        lambda name, value: vllm(f"{name} must be -1 (disable), or at least 1, got {value}."),
    ),
    "SGLang": Dialect(
        {"top_k": lambda value: value == 0, "min_p": anything},
        lambda name, value: {"object": "error", "message": f"{name} must be at least 1, got {value}"},
    ),
    "TGI": Dialect(
        {"top_p": lambda value: value == 1.0},
        lambda name, _: {
            "error": f"Input validation error: `{name}` must be > 0.0 and < 1.0",
            "error_type": "validation",
        },
        status=422,
    ),
    "a parser that lists what it knows": Dialect(
        dict.fromkeys(("min_p", "repetition_detection"), anything),
        lambda name, _: f"Failed to deserialize the JSON body: unknown field `{name}`, {_KNOWN} at line 1",
        status=422,
    ),
    "Mistral": Dialect(
        dict.fromkeys((*_EXTRAS, "seed", "continuous_usage_stats"), anything),
        lambda name, value: {
            "object": "error",
            "message": {
                "detail": [
                    {
                        "type": "extra_forbidden",
                        "loc": ["body", name],
                        "msg": "Extra inputs are not permitted",
                    },
                    {"input": value},
                ]
            },
        },
        status=422,
    ),
    "FastAPI": Dialect(
        dict.fromkeys((*_EXTRAS, "stream_options"), anything),
        lambda name, value: {"detail": [{"loc": ["body", name], "msg": "not permitted", "input": value}]},
        status=422,
    ),
    "OpenAI": Dialect(
        dict.fromkeys((*_EXTRAS, "continuous_usage_stats"), anything),
        lambda name, _: told(f"Unrecognized request argument supplied: {name}", param=name),
    ),
    "Groq": Dialect(
        dict.fromkeys(_EXTRAS, anything), lambda name, _: told(f"property '{name}' is unsupported")
    ),
    "Gemini": Dialect(
        dict.fromkeys(_EXTRAS, anything),
        lambda name, _: [
            {
                "error": {
                    "code": 400,
                    "message": f'Unknown name "{name}": Cannot find field.',
                    "status": "INVALID",
                }
            }
        ],
    ),
    "Gemma's template": Dialect({}, nothing, system=vllm("System role not supported")),
    "llama.cpp": Dialect(
        {},
        nothing,
        status=500,
        system=told("Only user and assistant roles are supported!", code=500),
        schemas={"json_schema": told("Failed to parse grammar", code=500)},
    ),
    "an old template": Dialect(
        {},
        nothing,
        system=vllm("Conversation roles must alternate user/assistant/user/assistant/..."),
    ),
    "JSON mode alone": Dialect(
        {},
        nothing,
        schemas={"json_schema": told("Invalid value: 'json_schema'.", param="response_format")},
    ),
    "no JSON mode": Dialect(
        {},
        nothing,
        schemas={kind: {"error": "no response_format here"} for kind in ("json_schema", "json_object")},
    ),
    "next to nothing": Dialect(
        {
            **dict.fromkeys((*_EXTRAS, "seed", "stream_options"), anything),
            "top_p": lambda value: value == 1.0,
        },
        lambda name, _: {"detail": f"{name}: no such field"},
        status=422,
        system={"detail": "System role not supported"},
        schemas={kind: {"detail": "no response_format"} for kind in ("json_schema", "json_object")},
    ),
    "LM Studio": Dialect(
        {},
        nothing,
        schemas={
            "json_schema": {"error": "This model has no structured output"},
            "json_object": {"error": "'response_format.type' must be 'json_schema' or 'text'"},
        },
    ),
}


def event(choices: Any = ..., **more: Any) -> str:
    """Return one event of a stream; without `choices` it has none."""
    chunk = {"id": "1", "object": "chat.completion.chunk", **more}
    chunk |= {} if choices is ... else {"choices": choices}
    return f"data: {json.dumps(chunk)}\n\n"


def piece(content: Any = None, *, finish: str | None = None, **delta: Any) -> str:
    """Return an event with a piece of the answer."""
    return event([{"index": 0, "delta": {"content": content, **delta}, "finish_reason": finish}])


USAGE = {"prompt_tokens": 7, "completion_tokens": 3}
END = piece(finish="stop")
DONE = "data: [DONE]\n\n"
COUNTED = event([], usage=USAGE)

WHOLE = {
    "plain": piece("hel") + piece("lo") + END + COUNTED + DONE,
    "choices null": event(None) + piece("hello") + END + event(None, usage=USAGE) + DONE,
    "choices missing": event() + piece("hello") + END + event(usage=USAGE) + DONE,
    "delta null": event([{"delta": None}]) + piece("hello") + END + COUNTED + DONE,
    "a choice that is null": event([None]) + piece("hello") + END + COUNTED + DONE,
    "content as parts": piece([{"type": "text", "text": "hel"}]) + piece("lo") + END + COUNTED + DONE,
    "pings": "event: ping\ndata: {}\n\n"
    + piece("hello")
    + "event: ping\ndata: ping\n\n"
    + END
    + COUNTED
    + DONE,
    "numbers of events": "id: 1\nretry: 3000\n" + piece("hello") + "id: 2\n" + END + COUNTED + DONE,
    "data null": "data: null\n\n" + piece("hello") + "data:\n\n" + END + COUNTED + DONE,
    "comments": ": OPENROUTER PROCESSING\n\n" + piece("hello") + ":\n\n" + END + COUNTED + DONE,
    "CRLF": (piece("hello") + END + COUNTED + DONE).replace("\n", "\r\n"),
    "CR": (piece("hello") + END + COUNTED + DONE).replace("\n", "\r"),
    "no space after data": (piece("hello") + END + COUNTED + DONE).replace("data: ", "data:"),
    "no empty lines": (piece("hello") + END + COUNTED + DONE).replace("\n\n", "\n"),
    "an object on several lines": piece("hello").replace(", ", ",\ndata: ") + END + COUNTED + DONE,
    "no [DONE]": piece("hello") + END + COUNTED,
    "no last empty line": piece("hello") + END + COUNTED.rstrip(),
    "everything in one event": event([{"delta": {"content": "hello"}, "finish_reason": "stop"}], usage=USAGE),
    "usage within the choice": piece("hello") + event([{"finish_reason": "stop", "usage": USAGE}]) + DONE,
    "usage with the last piece": piece("hello") + event([{"finish_reason": "stop"}], usage=USAGE) + DONE,
    "one object instead of a stream": json.dumps(
        {"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}], "usage": USAGE}, indent=1
    ),
}
"""Bodies that say `hello`, stop, and cost USAGE."""

UNCOUNTED = {
    "null": piece("hello") + END + event([], usage=None) + DONE,
    "absent": piece("hello") + END + DONE,
    "partial": piece("hello") + END + event([], usage={"completion_tokens": 3}) + DONE,
    "of no numbers": piece("hello") + END + event([], usage={"prompt_tokens": None}) + DONE,
    "in details alone": piece("hello") + END + event([], usage={"prompt_tokens_details": None}) + DONE,
    "a list": piece("hello") + END + event([], usage=[]) + DONE,
}
"""Bodies that say `hello` and stop, and do not tell what it cost."""

BROKEN = {
    "broken JSON": piece("hel") + 'data: {"choices": [{"delta": {"conte\n\n',
    "an error in the stream": piece("hel") + 'data: {"error": {"message": "out of memory"}}\n\n',
    "an error in words": piece("hel") + 'data: {"error": "out of memory"}\n\n',
    "an error's event": piece("hel") + "event: error\ndata: out of memory\n\n",
    "an error of llama.cpp": piece("hel") + 'error: {"code": 500, "message": "out of memory"}\n\n',
    "an error of vLLM": piece("hel") + 'data: {"object": "error", "message": "out of memory"}\n\n',
    "no end": piece("hello"),
    "nothing": "",
    "a page": "<html><title>502 Bad Gateway</title></html>",
    "an object of another kind": '{"object": "list", "data": []}',
    "an error as an object": '{"error": {"message": "out of memory"}}',
}
"""Bodies that hold no whole reply."""
