"""What the servers of a team can do, asked before the first task in a handful of short requests.

The requests go the way that a run's requests go (`OpenAIChat`), so what is found is what a run would meet.
Answers are kept by what the server says of itself and what was asked; after `FRESH` seconds, or by `dualcode
doctor`, they are asked for again.
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dualcode import resources
from dualcode.call import IN_ANSWERS, Message, Reply, Request
from dualcode.config import Can, Endpoint, Role, TeamConfig
from dualcode.errors import EndpointError, TeamError, UnreachableError
from dualcode.extraction import strip_thinking
from dualcode.models.capabilities import FALLBACKS, Capabilities
from dualcode.models.dialect import NEUTRAL
from dualcode.models.endpoints import Served, api_key, check_context, check_endpoints
from dualcode.models.openai import OpenAIChat
from dualcode.record import Record
from dualcode.sampling import Sampling
from dualcode.together import together

VERSION = 1
"""Of the questions. Raise it when they, or what is made of their answers, change."""
FRESH = 7 * 86400.0
"""Seconds that answers are kept: a server may be started anew with other flags and say the same of itself."""
OPENING = Message(role="system", content="You are asked what you can do, before the work begins. Be brief.")
COLOUR = Message(role="user", content="Name a colour in one plain word, not as JSON.")
NUMBER = Message(role="user", content="Write down eight random numbers between 1 and 99, nothing else.")
BUDGET = 16
"""Tokens of a thought."""
LOOSE = 16
"""Tokens that a thought may go beyond its budget: it is closed with some."""
HOT = {"temperature": 1.5, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "seed": 7}
_TEXT: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 8}
SCHEMA: dict[str, Any] = {
    "anyOf": [
        {
            "type": "object",
            "properties": {
                "verdict": verdict,
                "findings": {"type": "array", "items": _TEXT, "minItems": 0, "maxItems": most},
            },
            "required": ["verdict", "findings"],
            "additionalProperties": False,
        }
        for verdict, most in (({"const": "approve"}, 0), ({"enum": ["revise"]}, 1))
    ]
}
"""A small schema of all that the steps' schemas are made of: a server may lack one of these words."""
Say = Callable[[str], None]


class _Kept(Record):
    """A file of answers."""

    asked: float
    """Seconds since the epoch."""
    capabilities: Capabilities


async def ask_endpoints(
    config: TeamConfig,
    roles: Sequence[Role],
    served: Mapping[str, Served] | None = None,
    *,
    anew: bool = False,
    ask: bool = True,
    say: Say = lambda _: None,
) -> dict[str, Served]:
    """Return `served` with what each server can do, asked for where that is not known (or all `anew`).

    Without `served` the servers are asked first what they are: see `check_endpoints`.
    `say` is told before a server is asked. With `ask` false none is: what is not known is taken for granted.
    Raises TeamError, with the line to change, for a team that sends what its server refuses and that cannot
    be left out, and EndpointError for a server that does not answer.
    """

    async def one(name: str, listed: Served) -> Served:
        endpoint, samplings = config.endpoints[name], samplings_of(config, roles, name)
        given_first(name, endpoint, samplings)
        kept = _file(endpoint, listed, samplings)
        found = None if anew else _known(kept)
        if found is None and ask and endpoint.can.ask:
            say(f"asking {name} ({endpoint.model}) what it can do; the answers are kept")
            own = [role for role in roles if config.roles[role] == name]
            found = await _asked(name, endpoint, own, samplings, listed.context)
            with contextlib.suppress(OSError):  # it is asked again then
                kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                kept.write_text(_Kept(asked=time.time(), capabilities=found).to_line())
        found = with_given(found or Capabilities(context=listed.context), endpoint.can)
        check_context(name, endpoint, found.context)
        return listed.model_copy(update={"left_out": found.left_out(endpoint), "can": found})

    served = await check_endpoints(config, roles) if served is None else served
    names = list(served)
    found = await together(*(one(name, served[name]) for name in names))
    return dict(zip(names, found, strict=True))


def samplings_of(config: TeamConfig, roles: Sequence[Role], name: str) -> list[Sampling]:
    """Return the different samplings that the roles on an endpoint send."""
    found: list[Sampling] = []
    for role in roles:
        if config.roles[role] == name:
            profile = config.sampling.for_role(role)
            found.append(profile.plain)
            found += [profile.thinking] if config.endpoints[name].thinking == "switch" else []
    return list({each.to_line(): each for each in found}.values())


def cautions(config: TeamConfig, roles: Sequence[Role], name: str, served: Served) -> list[str]:
    """Return what must be known of an endpoint before its numbers are believed, a sentence each."""
    if served.can is None:
        return []
    found = served.can.cautions(config.endpoints[name], samplings_of(config, roles, name))
    return [f"endpoint {name} ({served.model}) {each}" for each in found]


def with_given(found: Capabilities, can: Can) -> Capabilities:
    """Return the answers with those that the team's file gives in their place."""
    said = {name: value for name in Can.model_fields if (value := getattr(can, name)) is not None}
    given = tuple(sorted(said.keys() - {"ask"}))
    refused = set(found.refused) - {_FIELDS.get(name, name) for name in given}
    refused |= {_FIELDS.get(name, name) for name in given if said[name] is False}
    if can.structured is not None:
        refused = refused - {"json_schema", "response_format"} | set(FALLBACKS[can.structured])
    if can.usage:
        refused -= {"continuous_usage_stats"}
    update = {"refused": tuple(sorted(refused)), "given": given, "context": can.context or found.context}
    return found.model_copy(update=update)


_FIELDS = {"usage": "stream_options"}
"""Names of `[endpoints.NAME.can]` -> of what a request goes out without, where they differ."""


def given_first(name: str, endpoint: Endpoint, samplings: Sequence[Sampling]) -> None:
    """Refuse a team that sends a value that the same file says the server does not take."""
    for field, neutral in NEUTRAL.items():
        values = [getattr(each, field) for each in samplings]
        if getattr(endpoint.can, field) is False and (sent := [each for each in values if each != neutral]):
            raise TeamError(
                f"endpoints.{name}.can.{field} is false, and [sampling] sends {field} {sent[0]:g}",
                hint=f"{field} = {neutral:g} under [sampling.roles.ROLE], or another sampling profile",
            )


async def _asked(
    name: str, endpoint: Endpoint, roles: Sequence[Role], samplings: Sequence[Sampling], context: int | None
) -> Capabilities:
    """Ask one server all that is asked."""
    without = with_given(Capabilities(), endpoint.can).refused
    quick = endpoint.model_copy(update={"attempts": min(3, endpoint.attempts)})
    chat = OpenAIChat(name, quick, api_key=api_key(name, endpoint), without=without)
    try:
        plain = [await chat.complete(_request(each)) for each in samplings]
        update: dict[str, Any] = {
            "usage": not any(reply.attempts[-1].usage.untold for reply in plain),
            "unasked_thoughts": any(_place(reply) != "none" for reply in plain),
            "context": context,
        }
        update |= await _structured(chat, endpoint, samplings[-1])
        update["ignored"] = await _ignored(chat)
        return Capabilities(refused=chat.refused, **update)
    except UnreachableError:
        raise
    except EndpointError as error:
        places = " and ".join(f"[sampling.roles.{role}]" for role in roles)
        hint = (error.hint or "").replace("[sampling.roles.ROLE]", places) or "dualcode doctor"
        told = error.message.removeprefix(f"endpoint {name!r} ")
        raise TeamError(f"endpoints.{name}: refuses what every task would send: {told}", hint=hint) from error
    finally:
        await chat.close()


def _request(sampling: Sampling, message: Message = COLOUR, tokens: int = 8, **more: Any) -> Request:
    return Request(
        messages=(OPENING, message), sampling=sampling, answer_tokens=tokens, repetition=IN_ANSWERS, **more
    )


async def _structured(chat: OpenAIChat, endpoint: Endpoint, sampling: Sampling) -> dict[str, Any]:
    """Ask for a structured answer, after a thought where it can think, until one is held to its form.

    What does not hold the answer is left out from then on, as if it had been refused.
    """
    thinks = endpoint.thinking == "switch"
    thought: dict[str, Any] = {"thinking": True, "thinking_budget": BUDGET} if thinks else {}
    while True:
        reply = await chat.complete(_request(sampling, tokens=64, json_schema=SCHEMA, **thought))
        last = endpoint.can.structured is not None or "response_format" in chat.refused
        if last or _held(reply, chat.refused) is not False:
            break
        chat.leave_out("response_format" if "json_schema" in chat.refused else "json_schema")
    if not thinks:
        return {}
    thought_tokens = next(each.usage.reasoning_tokens for each in reply.attempts if each.outcome == "ok")
    bounded = thought_tokens and "thinking_token_budget" not in chat.refused
    kept = thought_tokens <= BUDGET + LOOSE if bounded else None
    return {"thoughts": _place(reply), "budget_kept": kept}


def _held(reply: Reply, left: Sequence[str]) -> bool | None:
    """Whether an answer that no prompt asked to be an object is held to be one; None: it cannot be told."""
    text = strip_thinking(reply.content or "").lstrip("` \n").removeprefix("json").lstrip()
    if not text:
        return None
    try:
        found, _ = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return None if text.startswith("{") and reply.finish_reason == "length" else False
    if not isinstance(found, dict):
        return False
    return "json_schema" in left or found.get("verdict") in ("approve", "revise")  # pyright: ignore[reportUnknownMemberType]


def _place(reply: Reply) -> str:
    if (reply.reasoning or "").strip():
        return "apart"
    return "in the answer" if "<think>" in (reply.content or "") else "none"


async def _ignored(chat: OpenAIChat) -> tuple[str, ...]:
    """Find the values that are without effect.

    One seed draws the same twice; with the seed kept, a draw from the likeliest token alone is another than
    a free one. (It need not be the greedy one: in bf16 several tokens are often the likeliest.)
    """
    hot = Sampling.model_validate(HOT)
    narrow = {"top_k": {"top_k": 1}, "min_p": {"min_p": 1.0}}
    narrow = {field: value for field, value in narrow.items() if field not in chat.refused}

    async def draw(sampling: Sampling) -> str | None:
        try:
            return (await chat.complete(_request(sampling, NUMBER, 12))).content
        except UnreachableError:
            raise
        except EndpointError:
            return None  # refused where it means something: a run that sends it is told so

    greedy, again, free, twice = await together(*map(draw, (Sampling(), Sampling(), hot, hot)))
    if greedy != again or free in (None, greedy):  # nothing repeats here, or it knows no temperature
        return ()
    if free != twice:
        return () if "seed" in chat.refused else ("seed",)
    drawn = await together(*(draw(hot.model_copy(update=value)) for value in narrow.values()))
    return tuple(field for field, text in zip(narrow, drawn, strict=True) if text == free)


def _file(endpoint: Endpoint, served: Served, samplings: Sequence[Sampling]) -> Path:
    asked = {
        "version": VERSION,
        "url": endpoint.base_url,
        "served": served.model_dump(mode="json"),
        "thinking": endpoint.thinking,
        "can": endpoint.can.model_dump(),
        "samplings": [each.model_dump() for each in samplings],
    }
    name = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:24]
    return folder() / f"{name}.json"


def _known(file: Path) -> Capabilities | None:
    try:
        kept = _Kept.model_validate_json(file.read_bytes())
    except (OSError, ValueError):  # none, or of another version
        return None
    return kept.capabilities if 0 <= time.time() - kept.asked < FRESH else None


def folder() -> Path:
    """Return where answers are kept."""
    return resources.state_folder() / "asked"
