"""How a request is put to one server. What the server refuses by name is left out from then on, wherever the
request means the same without it; what was left out stands on the record of the attempt."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dualcode.call import Message, Request

NEUTRAL = {
    "top_p": 1.0,
    "top_k": 0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}
"""Values that mean what leaving the field out means to a server that refuses it."""
SPARED = (
    "seed",
    "repetition_detection",
    "thinking_token_budget",
    "stream_interval",
    "continuous_usage_stats",
    "stream_options",
)
"""What makes replies repeatable, bounded or countable: a server that has no such thing answers without it."""
_FIELD = re.compile(rf"\b(?:{'|'.join((*NEUTRAL, *SPARED, 'temperature', 'chat_template_kwargs'))})\b")
_OTHERS = re.compile(r"(?i)\b(?:expected|supported|allowed|permitted|known)\b[^.;]{0,40}?(?:one of|are|:)")
"""What begins a server's list of the fields that it does have."""
_SCHEMA = re.compile(r"(?i)response_format|json[_ -]?(?:schema|object)|guided|grammar|structured output")
_SYSTEM = re.compile(
    r"(?i)system[\W_]+(?:role|message|prompt|turn)|role\W+system|roles must alternate"
    r"|only user(?:,| and) (?:assistant|model)"
)


class Dialect:
    """What one path of one server was found to refuse."""

    def __init__(self, refused: Sequence[str] = ()) -> None:
        self.refused = list(refused)

    def without(self, *names: str) -> "Dialect":
        """Return a dialect that leaves these out too."""
        return Dialect((*self.refused, *(name for name in names if name not in self.refused)))

    def messages(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """Return the messages as they are sent: where a system role is refused, the user's turn says it."""
        sent = [message.model_dump() for message in messages]
        if "system" in self.refused and len(sent) > 1 and sent[0]["role"] == "system":
            told, asked, *rest = sent
            return [{**asked, "content": f"{told['content']}\n\n{asked['content']}"}, *rest]
        return sent

    def body(self, request: Request, fields: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return what is posted, `fields` beside the request's sampling and bounds, and what was left out."""
        body: dict[str, Any] = {
            **request.sampling.model_dump(),
            "stream": True,
            "stream_options": {"include_usage": True, "continuous_usage_stats": True},
            **fields,
        }
        if request.repetition is not None:
            body["repetition_detection"] = request.repetition.model_dump()
        if request.json_schema is not None:
            schema = {"name": "answer", "schema": request.json_schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        left_out = [name for name in self.refused if _can_go(name, body)]
        for name in left_out:
            if name == "system":
                body["messages"] = self.messages(request.messages)
            elif name == "json_schema":
                body["response_format"] = {"type": "json_object"}
            elif name == "continuous_usage_stats":
                body["stream_options"] = {"include_usage": True}
            else:
                del body[name]
        return body, tuple(left_out)

    def learn(self, words: str, body: Mapping[str, Any]) -> bool:
        """Find in a refusal's words what `body` can do without; tell whether there was something."""
        names = _named(words)
        if "continuous_usage_stats" in names:
            names = [name for name in names if name != "stream_options"]  # the field that it stands in
        if _SCHEMA.search(words):
            names += ["json_schema"] if _can_go("json_schema", body) else ["response_format"]
        if _SYSTEM.search(words):
            names.append("system")
        found = [name for name in names if _can_go(name, body)]
        self.refused += [name for name in found if name not in self.refused]
        return bool(found)


def remedy(words: str, body: Mapping[str, Any], endpoint: str) -> str | None:
    """Return the line of the team's file to change after a refusal that nothing can be left out for."""
    for name in _named(words):
        if name == "chat_template_kwargs" and name in body:
            return f'thinking = "none" under [endpoints.{endpoint}]'
        if name in body:
            neutral = "1" if name == "temperature" else f"{NEUTRAL.get(name, 'another value')}"
            return f"{name} = {neutral} under [sampling.roles.ROLE]; it is {body[name]} now"
    return None


def _named(words: str) -> list[str]:
    """Return the fields of ours that a refusal names, without those of a list of what would be accepted."""
    others = _OTHERS.search(words)
    return _FIELD.findall(words[: others.start()] if others else words)


def _can_go(name: str, body: Mapping[str, Any]) -> bool:
    """Tell whether a body holds something under this name that it means the same, or enough, without."""
    if name == "system":
        return any(message["role"] == "system" for message in body.get("messages", ()))
    if name == "json_schema":
        return body.get("response_format", {}).get("type") == name
    if name == "continuous_usage_stats":
        return name in body.get("stream_options", {})
    if name in NEUTRAL:
        return name in body and body[name] == NEUTRAL[name]
    return name in body and name in (*SPARED, "response_format")
