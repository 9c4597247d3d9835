"""What a server answers to one request: an event stream, as servers really write them, or one JSON object."""

import contextlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from dualcode.call import Usage
from dualcode.clock import now
from dualcode.extraction import strip_thinking
from dualcode.models.chat import LISTENER
from dualcode.models.faults import ToldError, TransientError, short, words_of

_FIELDS = (
    "reasoning",  # vLLM from 0.16, OpenRouter, gpt-oss
    "reasoning_content",  # DeepSeek, vLLM before, SGLang, llama.cpp, LM Studio
    "thinking",  # Ollama
    "thought",
    "thoughts",
    "reasoning_text",
    "reasoning_details",
)
_PARTS = ("thinking", "reasoning", "thought", "reasoning.text")
"""Types of parts, where the content is a list of them (Mistral)."""
_TEXTS = ("text", "thinking", "reasoning", "content")
_OPENING = re.compile(r"\A\s*<think>")
_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")  # what follows a last \r is not there yet
_SILENT = (b":", b"id:", b"retry:")
"""Lines of a stream that carry nothing: comments, which keep the connection alive, and numbers of events."""


@dataclass
class Stream:
    """What has been received of one reply. Pieces of a chat completion and of a completion are told apart."""

    content: list[str] = field(default_factory=list[str])
    reasoning: list[str] = field(default_factory=list[str])
    finish_reason: str | None = None
    counts: dict[str, int] = field(default_factory=dict[str, int])
    """Field of a Usage -> tokens, as far as the server told."""
    cost: float | None = None
    """US dollars, where the server told them."""
    fingerprint: str | None = None
    first_token: float | None = None
    ended: bool = False
    """Whether the server said that this is all: by `[DONE]`, or by one object instead of a stream."""
    left_out: tuple[str, ...] = ()
    """What the request went out without; see `dialect`."""
    _rest: bytes = b""
    _data: list[bytes] = field(default_factory=list[bytes])
    _plain: list[bytes] = field(default_factory=list[bytes])
    _failed: bool = False

    def text(self) -> str | None:
        """Return the answer, or None where none arrived."""
        return _whole(self.content)

    def thought(self) -> str | None:
        """Return the reasoning, or None where none arrived."""
        return _whole(self.reasoning)

    def unanswered_thought(self) -> str:
        """Return the thought of a reply that has nothing else, wherever the server left it."""
        return (self.thought() or _OPENING.sub("", self.text() or "")).strip()

    def answers(self, *, structured: bool = False) -> bool:
        """Whether there is an answer besides a thought, which some servers leave in the content.

        Some put a structured answer where the thought belongs.
        """
        if strip_thinking(self.text() or "").strip():
            return True
        return structured and self.finish_reason in ("stop", None) and ends_in_object(self.thought())

    def paid(self) -> Usage:
        """Return the tokens that the server told of; a reply that began untold of counts as unknown."""
        told = "prompt_tokens" in self.counts and "completion_tokens" in self.counts
        began = self.ended or self.finish_reason is not None or self.first_token is not None
        return Usage(**self.counts, untold=int(began and not told), cost=self.cost)

    def feed(self, piece: bytes) -> None:
        """Take in a piece of the body. Raises TransientError for an event that is broken or an error."""
        *lines, self._rest = _LINE_END.split(self._rest + piece)
        for line in lines:
            if not line:
                self._dispatch()
            elif line.startswith(b"data:"):
                self._data.append(line[5:].strip())
            elif line.startswith(b"error:"):  # llama.cpp, instead of `data:`
                self._failed = True
                self._data.append(line[6:].strip())
            elif line.startswith(b"event:"):
                self._failed = line[6:].strip() == b"error"
            elif not line.startswith(_SILENT):
                self._plain.append(line)

    def close(self) -> None:
        """Take in the end of the body: what no empty line followed, or an object that is all of the reply."""
        self.feed(b"\n\n")
        page = b"\n".join(self._plain)
        if page.strip() and not self.ended and self.finish_reason is None and self.first_token is None:
            whole = _table(_read(page)) if page.lstrip().startswith(b"{") else {}
            self.take(whole)
            if not _tables(whole.get("choices")):
                said = short(words_of(page.decode(errors="replace")), 120)
                raise TransientError(f"answered {said!r}, which is no completion")
            self.ended = True
        if not self.ended and self.finish_reason is None:
            raise TransientError("the stream ended early", unreachable=True)

    def take(self, event: object) -> None:
        """Take in what an event says; one that says nothing is skipped."""
        told = _table(event)
        if told.get("error") or told.get("object") == "error":
            raise ToldError(told)
        self.fingerprint = text_of(told.get("system_fingerprint")) or self.fingerprint
        self._count(told.get("usage"))
        for choice in _tables(told.get("choices")):
            delta = choice.get("delta") or choice.get("message") or {"content": choice.get("text")}
            thought, content = said(_table(delta))
            self.reasoning.append(thought)
            self.content.append(content)
            if (thought or content) and (listener := LISTENER.get()) is not None:
                listener.hear(thought, content)
            if (thought or content) and self.first_token is None:
                self.first_token = now()
            self.finish_reason = text_of(choice.get("finish_reason")) or self.finish_reason
            self._count(choice.get("usage"))  # Moonshot's place for it

    def _dispatch(self) -> None:
        """Take in the event whose lines are complete."""
        lines, self._data = self._data, []
        if self._failed:
            words = b" ".join(lines)
            raise ToldError(_read(words) if words.startswith(b"{") else words.decode(errors="replace"))
        self.ended = self.ended or b"[DONE]" in lines
        lines = [line for line in lines if line != b"[DONE]"]
        if len(lines) > 1:  # one object on several lines, or several events without an empty line between
            with contextlib.suppress(ValueError):
                lines = [json.dumps(json.loads(b"\n".join(lines))).encode()]
        for line in lines:
            if line.startswith(b"{"):  # the others carry nothing: null, a ping
                self.take(_read(line))

    def _count(self, usage: object) -> None:
        """Take in the tokens that the server counted so far; what it leaves out stays as it was."""
        told = _table(usage)
        thoughts, cached = told.get("completion_tokens_details"), told.get("prompt_tokens_details")
        for name, count in (
            ("prompt_tokens", told.get("prompt_tokens")),
            ("completion_tokens", told.get("completion_tokens")),
            ("reasoning_tokens", _table(thoughts).get("reasoning_tokens")),
            ("cached_tokens", _table(cached).get("cached_tokens")),
        ):
            if isinstance(count, int) and count >= 0:
                self.counts[name] = count
        self.cost = self.cost if (charged := _charge(told)) is None else charged


def _charge(usage: Mapping[str, Any]) -> float | None:
    """Return the US dollars in OpenRouter's words: its own charge and, under a key of one's own, that of the
    provider behind it, without which the former is a fee alone."""
    parts: list[object] = [usage.get("cost")]
    if usage.get("is_byok"):
        parts.append(_table(usage.get("cost_details")).get("upstream_inference_cost"))
    told = [float(each) for each in parts if isinstance(each, int | float) and not isinstance(each, bool)]
    return sum(told) if len(told) == len(parts) and all(0 <= each < math.inf for each in told) else None


def _table(found: object) -> dict[str, Any]:
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _tables(found: object) -> list[dict[str, Any]]:
    return [_table(each) for each in cast("list[object]", found)] if isinstance(found, list) else []


def _read(event: bytes) -> object:
    try:
        return json.loads(event)
    except ValueError:
        said = short(event.decode(errors="replace"), 80)
        raise TransientError(f"broken event in the stream: {said}") from None


def _whole(pieces: list[str]) -> str | None:
    """Return the text with surrogate pairs joined, and lone halves, which no record can hold, replaced."""
    return "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16", "replace") or None


def said(delta: Mapping[str, Any]) -> tuple[str, str]:
    """Return the thought and the answer in a piece; a thought under several names counts once."""
    thought = next(filter(None, (text_of(delta[name]) for name in _FIELDS if delta.get(name))), "")
    content = delta.get("content")
    if not isinstance(content, list):
        return thought, text_of(content)
    answer = ""
    for part in cast("list[Any]", content):
        if isinstance(part, dict) and cast("dict[str, Any]", part).get("type") in _PARTS:
            thought += text_of(part)
        else:
            answer += text_of(part)
    return thought, answer


def text_of(found: Any) -> str:
    """Return the text of a string, of a part that holds one, or of a list of these; else nothing."""
    if isinstance(found, str):
        return found
    if isinstance(found, list):
        return "".join(map(text_of, cast("list[Any]", found)))
    if isinstance(found, dict):
        part = cast("dict[str, Any]", found)
        return next((text_of(part[key]) for key in _TEXTS if part.get(key)), "")
    return ""


def ends_in_object(thought: str | None) -> bool:
    """Tell whether a thought ends as a structured answer does: some servers put the answer there."""
    return (thought or "").rstrip("` \n").endswith("}")
