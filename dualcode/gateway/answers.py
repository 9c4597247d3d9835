"""What goes out: OpenAI's own types, as one object or as a stream of chunks."""

import json
import time
import uuid
from typing import Any

from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from dualcode.call import Usage
from dualcode.gateway.conversation import Outcome
from dualcode.gateway.protocol import RefusedError
from dualcode.gateway.voice import Event

DONE = b"data: [DONE]\n\n"
ALIVE = b": working\n\n"
"""A comment, which clients pass over and proxies take for life."""


def usage_of(usage: Usage) -> CompletionUsage | None:
    """Return the tokens of all calls together; None if a server did not tell its own: unknown is not zero."""
    if usage.untold:
        return None
    return CompletionUsage.model_validate(
        {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        }
    )


def reasoning(thought: str) -> dict[str, str]:
    """Return a thought under both names that clients read."""
    return {"reasoning_content": thought, "reasoning": thought}


def dump(value: BaseModel) -> bytes:
    """Return a value as JSON, without the fields that nobody set."""
    return value.model_dump_json(exclude_unset=True).encode("utf-8", "surrogatepass")


def line(value: BaseModel) -> bytes:
    """Return a value as an event of a stream."""
    return b"data: " + dump(value) + b"\n\n"


class Chunks:
    """The chunks of one answer."""

    def __init__(self, model: str) -> None:
        self.id = f"chatcmpl-{uuid.uuid4().hex}"
        self._head = {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }

    def _chunk(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        return line(ChatCompletionChunk.model_validate({**self._head, "choices": choices, **more}))

    def opening(self) -> bytes:
        """Return the first: whose turn it is."""
        return self._chunk(
            [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]
        )

    def piece(self, event: Event) -> bytes:
        """Return a piece of the answer, or of what is told of the work."""
        delta = {"content": event.text} if event.kind == "answer" else reasoning(event.text)
        return self._chunk([{"index": 0, "delta": delta, "finish_reason": None}])

    def closing(self, outcome: Outcome, usage: Usage, *, wants_usage: bool) -> bytes:
        """Return the last: why it ended, what came of the request, and the tokens where they are wanted."""
        last: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": outcome.finish}
        ended = self._chunk([last], dualcode=summary(outcome))
        counted = self._chunk([], usage=usage_of(usage)) if wants_usage else b""
        return ended + counted + DONE


def whole(model: str, outcome: Outcome, usage: Usage, thought: str) -> ChatCompletion:
    """Return an answer as one object."""
    message = {"role": "assistant", "content": outcome.answer, "refusal": None, **reasoning(thought)}
    return ChatCompletion.model_validate(
        {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": outcome.finish, "logprobs": None}],
            "usage": usage_of(usage),
            "dualcode": summary(outcome),
        }
    )


def summary(outcome: Outcome) -> dict[str, Any]:
    """Return what came of a request, for whoever looks at the field `dualcode`."""
    return outcome.model_dump(mode="json", exclude={"answer", "finish"})


def error_line(error: RefusedError) -> bytes:
    """Return an error in the middle of a stream, which ends with it.

    Status and headers went out before it: what Retry-After would have said is the error's `retry_after`, in
    seconds, which OpenAI's clients hand on as `APIError.body`.
    """
    body = error.body()
    if error.retry_after is not None:
        body["error"]["retry_after"] = error.retry_after
    return b"data: " + json.dumps(body).encode() + b"\n\n"
