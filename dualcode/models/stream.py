"""What a server streams of one reply: servers have many names for a thought."""

import re
import time
from dataclasses import dataclass, field
from typing import Any, cast

from dualcode.call import Usage
from dualcode.extraction import strip_thinking

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


@dataclass
class Stream:
    """What has been received of one streamed reply."""

    content: list[str] = field(default_factory=list[str])
    reasoning: list[str] = field(default_factory=list[str])
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    fingerprint: str | None = None
    first_token: float | None = None

    def text(self) -> str | None:
        """Return the answer, or None where none arrived."""
        return _whole(self.content)

    def thought(self) -> str | None:
        """Return the reasoning, or None where none arrived."""
        return _whole(self.reasoning)

    def unanswered_thought(self) -> str:
        """Return the thought of a reply that has nothing else, wherever the server left it."""
        return (self.thought() or _OPENING.sub("", self.text() or "")).strip()

    def answers(self) -> bool:
        """Whether there is an answer besides a thought, which some servers leave in the content."""
        return bool(strip_thinking(self.text() or "").strip())

    def read_chat(self, chunk: Any) -> None:
        """Take in a piece of a chat completion."""
        self.fingerprint = chunk.system_fingerprint or self.fingerprint
        for choice in chunk.choices:
            thought, content = said(choice.delta)
            self.reasoning.append(thought)
            self.content.append(content)
            if (thought or content) and self.first_token is None:
                self.first_token = time.time()
            self.finish_reason = choice.finish_reason or self.finish_reason

    def read_completion(self, chunk: Any) -> None:
        """Take in a piece of a completion."""
        for choice in chunk.choices:
            if choice.text:
                self.content.append(choice.text)
                self.first_token = self.first_token or time.time()
            self.finish_reason = choice.finish_reason or self.finish_reason

    def count(self, told: Any) -> int:
        """Take in the tokens that the server counted so far; return how many are new."""
        completion, prompt = told.completion_tokens_details, told.prompt_tokens_details
        before = self.usage.completion_tokens
        self.usage = Usage(
            prompt_tokens=told.prompt_tokens,
            completion_tokens=told.completion_tokens or 0,
            reasoning_tokens=(completion and completion.reasoning_tokens) or 0,
            cached_tokens=(prompt and prompt.cached_tokens) or 0,
        )
        return max(0, self.usage.completion_tokens - before)


def _whole(pieces: list[str]) -> str | None:
    """Return the text with surrogate pairs joined, and lone halves, which no record can hold, replaced."""
    return "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16", "replace") or None


def said(delta: Any) -> tuple[str, str]:
    """Return the thought and the answer in a piece; a thought under several names counts once."""
    fields = (text_of(getattr(delta, name, None)) for name in _FIELDS)
    thought = next(filter(None, fields), "")
    content: Any = getattr(delta, "content", None)
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
