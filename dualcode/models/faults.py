"""What goes wrong with a request: what may pass, what cannot, and how a record says it."""

import re
from typing import TYPE_CHECKING, Any, cast

from dualcode.errors import ContextOverflowError, EndpointError, ReplyError

if TYPE_CHECKING:
    import openai

FULL = ("429", "503")
"""Codes of a server that has no room."""
_SAID = ("message", "msg", "detail", "details", "error", "errors", "error_description", "reason", "title")
"""Where servers keep their words, the most telling first."""
_KEY = re.compile(r"\b(?:[Bb]earer |sk-|hf_|gsk_)[\w./+*-]{6,}")
_CONTEXT = re.compile(
    r"(?i)context (?:length|size|window|limit)|maximum (?:model |input |prompt |sequence )?length"
    r"|max_model_len|exceed_context|too many tokens|(?:prompt|input|request) is too (?:long|large)"
    r"|inputs?`? (?:tokens|must have less)"
)


LONGER = "a longer context there (vLLM max-model-len, llama.cpp -c, Ollama num_ctx), or fewer answer_tokens"


class TransientError(Exception):
    """A fault that may pass: worth another attempt."""

    def __init__(
        self,
        outcome: str,
        *,
        unreachable: bool = False,
        full: bool = False,
        retry_after: float | None = None,
    ) -> None:
        """`full`: the server has no room at the moment."""
        super().__init__(outcome)
        self.outcome = outcome
        self.unreachable = unreachable
        self.full = full
        self.retry_after = retry_after


class ToldError(TransientError):
    """An error that the server tells in the middle of a stream.

    vLLM tells there that its queue is full, too: the status of a stream is sent before that is known.
    """

    def __init__(self, event: object) -> None:
        code = code_of(event)
        full = code in FULL
        told = f"{code} {words_of(event)}" if full else words_of(event)
        super().__init__(f"error in the stream: {short(told)}", full=full)


class LearntError(Exception):
    """A refusal that says what to leave out: the request goes out again at once, without it."""


def of_status(
    error: "openai.APIStatusError", words: str, where: str, key_variable: str, remedy: str | None
) -> Exception:
    """Return the error of a server's refusal in the server's words; `where` names the endpoint."""
    status, said = error.status_code, f"{error.status_code} {short(words)}".strip()
    if status >= 500 or status in (408, 409, 429):
        after = error.response.headers.get("retry-after", "")
        full = str(status) in FULL
        return TransientError(said, full=full, retry_after=float(after) if after.isdecimal() else None)
    overflows = error.param in ("input_tokens", "max_tokens") or _CONTEXT.search(said)
    if status == 413 or (status in (400, 422) and overflows):
        message = f"{where}: the request does not fit the server's context: {said}"
        return ContextOverflowError(message, hint=LONGER)
    if status in (401, 403):
        return ReplyError(f"{where} refuses the API key: {said}", hint=f"export {key_variable}=…")
    return ReplyError(f"{where}: {said}", hint=remedy)


def code_of(body: object) -> str:
    """Return the code of a server's answer, or of the error in it; empty where there is none."""
    if not isinstance(body, dict):
        return ""
    table = cast("dict[str, Any]", body)
    return code_of(table["error"]) if "error" in table else str(table.get("code") or "")


def words_of(body: object) -> str:
    """Return what a server's answer says, whatever its shape: text, a page, fields of any name, lists."""
    if isinstance(body, str):
        return re.sub(r"(?s)<(?:script|style).*?</(?:script|style)>|<[^>]*>", " ", body)
    if isinstance(body, list):
        return "; ".join(filter(None, map(words_of, cast("list[object]", body))))
    if not isinstance(body, dict):
        return ""
    table = cast("dict[str, Any]", body)
    said = next(filter(None, (words_of(table.get(key)) for key in _SAID)), "")
    places: list[object] = table.get("loc") or []  # pydantic's name of the field
    place = ".".join(str(part) for part in places if part != "body") or str(table.get("param") or "")
    return f"{place}: {said}" if place and place not in said else said


def outcome_of(error: Exception) -> str:
    """Return what an attempt's record says of what ended it."""
    if isinstance(error, TransientError):
        return error.outcome
    if isinstance(error, EndpointError):
        return error.message
    if isinstance(error, LearntError):
        return str(error)
    return f"{type(error).__name__}: {short(str(error))}"


def short(text: str, limit: int = 300) -> str:
    """Return a server's words as one line, cut where they are many, without what looks like a key."""
    line = _KEY.sub("…", " ".join(text.split()))
    return line if len(line) <= limit else f"{line[:limit]}…"
