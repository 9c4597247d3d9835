"""Calls in Inspect's words: chat messages, settings of a request, the model's output, tokens, and times.

Every id follows from the run, the task and the place, so that a second export equals the first.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ModelOutput,
    ModelUsage,
    StopReason,
)

from dualcode.call import Attempt, Call, Request, Usage

_STOP_REASONS: dict[str, StopReason] = {"stop": "stop", "length": "max_tokens"}
"""Of the server's words those that Inspect knows, too; `repetition` is vLLM's own and becomes `unknown`."""

_KINDS = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}


@dataclass(frozen=True)
class Scope:
    """A task of a run: what ids are made in."""

    run: str
    task: str

    def id(self, *place: object) -> str:
        """Return the id of a place in the task, the same one whenever it is asked for."""
        return identity(self.run, self.task, *place)


def identity(*place: object) -> str:
    """Return a UUID (version 5) that follows from the words."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "\0".join(["dualcode", *map(str, place)])))


@dataclass(frozen=True)
class Turn:
    """A call as messages."""

    call: Call
    input: list[ChatMessage]
    output: ModelOutput


def converse(scope: Scope, calls: Sequence[Call]) -> tuple[list[ChatMessage], list[Turn]]:
    """Return the conversation of a task, and its calls.

    The conversation has every message once: a request that goes on with what a role was sent, and answered,
    before adds only what is new in it. Each message says in its metadata in which call, step and role it
    came first.
    """
    conversation: list[ChatMessage] = []
    known: dict[tuple[str, str, str], ChatMessage] = {}
    turns: list[Turn] = []
    for place, call in enumerate(calls):
        sent: list[ChatMessage] = []
        for position, message in enumerate(call.request.messages):
            key = (call.role, message.role, message.content)
            if key not in known:
                known[key] = _KINDS[message.role](
                    id=scope.id("sent", place, position),
                    content=printable(message.content),
                    source="input",
                    metadata=whereabouts(call),
                )
                conversation.append(known[key])
            sent.append(known[key])
        output = _output(scope.id("reply", place), call)
        if call.reply is not None:
            conversation.append(output.message)
            known.setdefault((call.role, "assistant", call.reply.content or ""), output.message)
        turns.append(Turn(call, sent, output))
    return conversation, turns


def whereabouts(call: Call) -> dict[str, Any]:
    """Return what names a call in the metadata of messages and events."""
    return {"call": call.number, "step": call.step, "role": call.role}


def _output(id_: str, call: Call) -> ModelOutput:
    if call.reply is None:
        return ModelOutput(model=call.model, error=printable(call.error or "no reply"))
    reply, answer = call.reply, printable(call.reply.content or "")
    thought = [ContentReasoning(reasoning=printable(reply.reasoning))] if reply.reasoning else []
    message = ChatMessageAssistant(
        id=id_,
        content=[*thought, ContentText(text=answer)] if thought else answer,
        model=call.model,
        source="generate",
        metadata=whereabouts(call),
    )
    reason = _STOP_REASONS.get(reply.finish_reason, "unknown")
    return ModelOutput(
        model=call.model,
        choices=[ChatCompletionChoice(message=message, stop_reason=reason)],
        usage=tokens([call.usage]),
        time=reply.seconds,
        metadata={"finish_reason": reply.finish_reason, "first_token_seconds": reply.first_token_seconds},
    )


def settings(request: Request) -> GenerateConfig:
    """Return all settings of a request; `extra_body` has, as it was sent, what Inspect has no field for."""
    sampling = request.sampling
    extra: dict[str, Any] = {
        "min_p": sampling.min_p,
        "repetition_penalty": sampling.repetition_penalty,
    }
    if request.repetition is not None:
        extra["repetition_detection"] = request.repetition.model_dump()
    if request.json_schema is not None:
        answer = {"name": "answer", "schema": request.json_schema, "strict": True}
        extra["response_format"] = {"type": "json_schema", "json_schema": answer}
    return GenerateConfig(
        max_tokens=request.max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        presence_penalty=sampling.presence_penalty,
        frequency_penalty=sampling.frequency_penalty,
        seed=sampling.seed,
        reasoning_tokens=request.thinking_budget,
        extra_body=extra,
    )


def tokens(usages: Iterable[Usage]) -> ModelUsage:
    """Return the sum of tokens. Inspect counts a prompt's cached tokens apart from its others."""
    total = sum(usages, Usage())
    return ModelUsage(
        input_tokens=total.prompt_tokens - total.cached_tokens,
        input_tokens_cache_read=total.cached_tokens,
        output_tokens=total.completion_tokens,
        reasoning_tokens=total.reasoning_tokens,
        total_tokens=total.prompt_tokens + total.completion_tokens,
    )


def asked(calls: Iterable[Call]) -> tuple[dict[str, ModelUsage], dict[str, ModelUsage]]:
    """Return the tokens by model and by role that servers were really asked for.

    As in Inspect, what came from a cache (here: the ledger) is not among them.
    """
    paid: dict[tuple[str, str], list[Attempt]] = {}
    for call in calls:
        of_call = paid.setdefault((call.model, call.role), [])
        # A kill while calls are set aside may leave some twice.
        of_call += [each for each in call.attempts if not each.from_ledger and each not in of_call]
    return _summed(paid, 0), _summed(paid, 1)


def _summed(paid: dict[tuple[str, str], list[Attempt]], part: int) -> dict[str, ModelUsage]:
    by_name: dict[str, list[Usage]] = {}
    for key, attempts in paid.items():
        by_name.setdefault(key[part], []).extend(each.usage for each in attempts)
    return {name: tokens(usages) for name, usages in by_name.items()}


def printable(text: str) -> str:
    r"""Return a text that is UTF-8: a lone surrogate, which is none, as its escape (`\udc80`)."""
    return text.encode("utf-8", "backslashreplace").decode()


def printables(value: Any) -> Any:
    """Return data with every text in it printable."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        mapping = cast("Mapping[Any, Any]", value)
        return {printable(str(key)): printables(each) for key, each in mapping.items()}
    if isinstance(value, list | tuple):
        return [printables(each) for each in cast("Sequence[Any]", value)]
    return value


class When(NamedTuple):
    """Seconds since the epoch."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


def times(calls: Sequence[Call], begun: float) -> list[When]:
    """Return when each call of a task happened; `begun` is when the run began.

    A call that the ledger replayed has in its record the time of the call that paid for it. In this run it
    took no time; it stands where the next call that was asked began, or else where the last one ended.
    """
    asked: list[When | None] = []
    for call in calls:
        if call.from_ledger or not call.attempts:
            asked.append(None)
        elif call.reply is not None:
            asked.append(When(call.reply.started, call.reply.started + call.reply.seconds))
        else:
            last = call.attempts[-1]
            asked.append(When(call.attempts[0].started, last.started + last.seconds))
    found: list[When] = []
    following = max((each.end for each in asked if each), default=begun)
    for each in reversed(asked):
        following = each.start if each else following
        found.append(each or When(following, following))
    return found[::-1]


def utc(seconds: float) -> datetime:
    """Return a time since the epoch as Inspect has it."""
    return datetime.fromtimestamp(seconds, UTC)
