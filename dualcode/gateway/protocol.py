"""What clients send, and how they are refused: OpenAI's chat completions, read with our own models.

Fields that nobody here knows are kept: one model alone gets them all, the pair says which it left aside.
What a generator of clients needs to know of it stands at the end, as an OpenAPI description.
"""

import json
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, TypeVar, cast

from openai.types import Model
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.json_schema import models_json_schema

from dualcode import __version__
from dualcode.call import Message
from dualcode.sampling import SamplingProfile

MOST_SHOWN = 200
"""Characters of a wrong value that a refusal repeats."""


@dataclass(eq=False)
class RefusedError(Exception):
    """A request that is not done, in OpenAI's words for it."""

    status: int
    message: str
    _: KW_ONLY
    kind: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    retry_after: int | None = None
    """Seconds after which the same request may be done."""

    def __str__(self) -> str:
        return self.message

    def body(self) -> dict[str, Any]:
        """Return the object that says it."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return {"error": error}


class _Sent(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Part(_Sent):
    """A piece of a message: text, or an image, a sound, a file."""

    type: str
    text: str | None = None


class Turn(_Sent):
    """One message."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """Its text, pieces joined."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.text is not None)
        return self.content or ""

    @property
    def others(self) -> list[str]:
        """The types of what in it is no text."""
        parts = self.content if isinstance(self.content, list) else []
        return [part.type for part in parts if part.text is None]


class StreamOptions(_Sent):
    """`stream_options`."""

    include_usage: bool | None = False


class Asked(_Sent):
    """What every request for a completion has."""

    model: str = Field(min_length=1)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to end with the tokens."""
        return bool(self.stream_options and self.stream_options.include_usage)


class ChatRequest(Asked):
    """The body of `POST /v1/chat/completions`."""

    messages: list[Turn] = Field(min_length=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=-1)
    min_p: float | None = Field(default=None, ge=0, le=1)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    repetition_penalty: float | None = Field(default=None, gt=0)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    stop: str | list[str] | None = None
    n: int | None = Field(default=None, ge=1)
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    response_format: dict[str, Any] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    modalities: list[str] | None = None
    audio: dict[str, Any] | None = None

    @property
    def limit(self) -> int | None:
        """Most tokens of the answer; None: the team's own limit."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def stops(self) -> tuple[str, ...]:
        """What ends the answer before it comes."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(each for each in given if each)

    @property
    def ignored(self) -> tuple[str, ...]:
        """The fields that the pair does not know and leaves aside."""
        harmless = ("user", "store", "metadata", "stream_options", "parallel_tool_calls", "tool_choice")
        return tuple(name for name in (self.model_extra or {}) if name not in harmless)

    def sampled(self, profile: SamplingProfile) -> SamplingProfile:
        """Return a profile with what the client chose in place of the team's values."""
        names = (
            "temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty",
            "repetition_penalty", "seed",
        )  # fmt: skip
        chosen = {name: value for name in names if (value := getattr(self, name)) is not None}
        if chosen.get("top_k") == -1:
            chosen["top_k"] = 0
        return profile.model_copy(
            update={
                "plain": profile.plain.model_copy(update=chosen),
                "thinking": profile.thinking.model_copy(update=chosen),
            }
        )


A = TypeVar("A", bound=Asked)


def read_body(body: bytes, kind: type[A], most_messages: int) -> tuple[A, dict[str, Any]]:
    """Return the request in a body, and the same as it was sent. Raises RefusedError."""
    try:
        sent: object = json.loads(body.decode())
    except (ValueError, RecursionError) as error:  # binary content, too
        raise RefusedError(400, f"the body is no JSON: {error}"[:MOST_SHOWN]) from None
    if not isinstance(sent, dict):
        raise RefusedError(400, f"the body is {_shown(sent)}, and not an object with model and messages")
    table = cast("dict[str, Any]", sent)
    messages = table.get("messages")
    if isinstance(messages, list) and len(cast("list[Any]", messages)) > most_messages:
        count = len(cast("list[Any]", messages))
        told = (
            f"messages has {count:,} items, and at most {most_messages:,} are taken; begin a new conversation"
        )
        raise RefusedError(400, told, param="messages")
    if b"\\u" in body and (place := _unreadable(table)):  # what JSON can escape and no text can hold
        raise RefusedError(400, f"{place} holds half of a surrogate pair or a NUL: no text", param=place)
    try:
        return kind.model_validate(table), table
    except ValidationError as error:
        first = error.errors()[0]
        parts = [str(part) for part in first["loc"]]
        place = ".".join(part for part in parts if part != "str" and "[" not in part)  # branches of a union
        said = first["msg"][0].lower() + first["msg"][1:]
        found = "" if first["type"] == "missing" else f", found {_shown(first['input'])}"
        raise RefusedError(400, f"{place}: {said}{found}", param=place) from None


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _unreadable(value: object, place: str = "") -> str:
    """Return where a text stands that is none; "" if there is none."""
    if isinstance(value, str):
        return place if "\0" in value or any("\ud800" <= each <= "\udfff" for each in value) else ""
    if isinstance(value, dict):
        items: Any = [(key, key, each) for key, each in cast("dict[str, object]", value).items()]
    elif isinstance(value, list):
        items = [("", number, each) for number, each in enumerate(cast("list[object]", value))]
    else:
        return ""
    for key, name, each in items:
        inner = f"{place}.{name}" if place else str(name)
        if found := (_unreadable(key, "a field's name") or _unreadable(each, inner)):
            return found
    return ""


def conversation(request: ChatRequest) -> tuple[Message, ...]:
    """Return the messages as the pair's models take them, or refuse roles that are out of order.

    A system message that is not the first becomes a part of the user's turn, and turns of one role that
    follow each other become one: many chat templates refuse both.
    """
    turns: list[tuple[Literal["system", "user", "assistant"], str]] = []
    for number, turn in enumerate(request.messages):
        if turn.role in ("tool", "function"):
            raise RefusedError(
                400, f"messages.{number}.role is {turn.role!r} in a request without tools", param="messages"
            )
        role = "system" if turn.role == "developer" else turn.role
        if role == "system" and number:
            role = "user" if turns[-1][0] != "system" else "system"
        if turns and turns[-1][0] == role:
            turns[-1] = (role, f"{turns[-1][1]}\n\n{turn.text}")
        else:
            turns.append((role, turn.text))
    spoken = [role for role, _ in turns if role != "system"]
    if not spoken or spoken[0] != "user" or spoken[-1] != "user":
        found = ", ".join(turn.role for turn in request.messages[:6])
        raise RefusedError(
            400, f"messages must begin and end with a user's, after a system message if any; found: {found}",
            param="messages",
        )  # fmt: skip
    if not turns[-1][1].strip():
        raise RefusedError(400, "the last message is empty", param="messages")
    return tuple(Message(role=role, content=text) for role, text in turns)


_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
_SCHEMAS = "#/components/schemas/{model}"
"""Where the schemas of what is read stand in the description: those of the models that read it."""


def describe() -> dict[str, Any]:
    """Return the routes as an OpenAPI description: for whoever generates clients, and for tests."""
    _, made = models_json_schema(
        [(ChatRequest, "validation"), (Asked, "validation"), (Model, "serialization")], ref_template=_SCHEMAS
    )
    chat, model = ({"$ref": _SCHEMAS.format(model=name)} for name in ("ChatRequest", "Model"))
    prompted = {"type": "object", "required": ["prompt"], "properties": {"prompt": {"type": "string"}}}
    completion = {"allOf": [{"$ref": _SCHEMAS.format(model="Asked")}, prompted]}
    refused = {"description": "Refused.", "content": {"application/json": {"schema": _ERROR}}}
    listed = {
        "type": "object",
        "required": ["object", "data"],
        "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": model}},
    }

    def told(schema: dict[str, Any]) -> dict[str, Any]:
        return {"description": "Found.", "content": {"application/json": {"schema": schema}}}

    def posted(schema: dict[str, Any], kind: str) -> dict[str, Any]:
        whole: dict[str, Any] = {
            "type": "object",
            "required": ["id", "object", "created", "model", "choices"],
            "properties": {"object": {"const": kind}, "choices": {"type": "array", "minItems": 1}},
        }
        answer = {
            "description": "The answer, as one object or as a stream of events.",
            "content": {
                "application/json": {"schema": whole},
                "text/event-stream": {"schema": {"type": "string"}},
            },
        }
        body = {"required": True, "content": {"application/json": {"schema": schema}}}
        return {"requestBody": body, "responses": {"200": answer, "default": refused}}

    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "dualcode gateway", "version": __version__},
        "components": {"schemas": made["$defs"]},
        "paths": {
            "/v1/models": {"get": {"responses": {"200": told(listed), "default": refused}}},
            "/v1/models/{name}": {
                "get": {"parameters": [name], "responses": {"200": told(model), "default": refused}}
            },
            "/v1/chat/completions": {"post": posted(chat, "chat.completion")},
            "/v1/completions": {"post": posted(completion, "text_completion")},
        },
    }
