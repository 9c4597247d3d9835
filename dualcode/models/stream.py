"""What a piece of a streamed chat reply says: servers have many names for a thought."""

from typing import Any, cast

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
