"""What the doctor asks of each server: what it can do, its cache, its speed, what a batch changes."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence

import httpx

from dualcode.call import Message, Reply, Request
from dualcode.config import Role, TeamConfig
from dualcode.errors import DualcodeError, EndpointError
from dualcode.models.endpoints import Served, api_key, check_endpoints
from dualcode.models.openai import OpenAIChat
from dualcode.models.probe import ask_endpoints, cautions
from dualcode.operating.check import Check, failed, passed, skipped, warned
from dualcode.sampling import PAPER
from dualcode.serving import failures, gauges
from dualcode.together import all_or_nothing

DEADLINE = 60.0
"""Seconds for one token, on a busy server too; an engine that hangs takes for ever."""
BETWEEN = 2.0
"""Seconds between two readings of the metrics."""
TOKENS = 48
"""Of each reply whose speed and words are measured."""
SOLO = 3
"""Requests that are asked alone, and again in a full batch."""
MOST = 32
"""Requests of a full batch, at most."""
_LONG = "".join(f"{number}. Keep rule {number} of this list in mind.\n" for number in range(1, 61))


async def look(
    config: TeamConfig, name: str, *, load: bool, say: Callable[[str], None] = lambda _: None
) -> AsyncIterator[Check]:
    """Yield what one endpoint of a team is like; requests for tokens only with `load`.

    One that does not answer ends it with a `fail`.
    """
    about, roles = f"server {name}", [role for role, bound in config.roles.items() if bound == name]
    address = config.endpoints[name].root
    try:
        listed = await check_endpoints(config, roles[:1])
    except DualcodeError as error:
        yield failed(about, error.message, error.hint or "dualcode serve status")
        return
    served = listed[name]
    parts = [f"{served.model} at {address}"]
    parts += [served.root] if served.root not in (None, served.model) else []
    parts += [f"vLLM {served.version}" if served.version else "no version told"]
    parts += [f"context {served.context:,}" if served.context else "no context told"]
    yield passed(about, ", ".join(parts))
    async with gauges.client_for(address) as client:
        page = await gauges.fetch(client, address)
        before = gauges.parse(page, time.monotonic()) if page else None
        if load:
            async for each in _under_load(config, name, roles, listed, client, say):
                yield each
        else:
            yield await _known(config, name, roles, listed)
            await asyncio.sleep(BETWEEN if before else 0)
        for each in _metrics(about, before, await gauges.read(client, address)):
            yield each


async def _known(config: TeamConfig, name: str, roles: Sequence[Role], listed: dict[str, Served]) -> Check:
    """Say what was found of a server's abilities earlier."""
    about = f"server {name}: can"
    try:
        served = (await ask_endpoints(config, roles, listed, ask=False))[name]
    except DualcodeError as error:
        return failed(about, error.message, error.hint or "the team's file")
    if served.can is None or served.can.usage is None:
        return skipped(about, "not known yet, and not asked without load")
    return abilities(config, name, roles, served)


def abilities(config: TeamConfig, name: str, roles: Sequence[Role], served: Served) -> Check:
    """Return what a server can do, and what of it somebody must know."""
    can = served.can
    assert can is not None
    out = [each for each in served.left_out if each not in ("json_schema", "response_format")]
    parts = [f"structured answers: {can.structured}"]
    parts += [f"left out: {', '.join(out)}" if out else "takes all that is sent"]
    parts += [f"thoughts: {can.thoughts}"] if can.thoughts else []
    if can.budget_kept is not None:
        parts.append("keeps the thinking budget" if can.budget_kept else "thinks beyond its budget")
    parts += ["tells its tokens"] if can.usage else []
    parts += [f"ignores {', '.join(can.ignored)}"] if can.ignored else []
    parts += [f"given by the team's file: {', '.join(can.given)}"] if can.given else []
    about, told = f"server {name}: can", "; ".join(parts)
    if warnings := cautions(config, roles, name, served):
        return warned(about, told, "; ".join(line.partition(") ")[2] for line in warnings))
    return passed(about, told)


async def _under_load(
    config: TeamConfig,
    name: str,
    roles: Sequence[Role],
    listed: dict[str, Served],
    client: httpx.AsyncClient,
    say: Callable[[str], None],
) -> AsyncIterator[Check]:
    """Yield what requests for tokens show."""
    about, endpoint = f"server {name}", config.endpoints[name]
    quick = endpoint.model_copy(update={"attempts": 1, "silence_seconds": DEADLINE})
    say(f"asking {name} for a token, then what it can do")
    bare = OpenAIChat(name, quick, api_key=api_key(name, endpoint))
    try:
        await asyncio.wait_for(bare.complete(_request("Say hello.", 1)), DEADLINE)
    except (EndpointError, TimeoutError) as error:
        told = error.message if isinstance(error, EndpointError) else f"no token within {DEADLINE:g} s"
        answers = await gauges.answers(client, endpoint.root)
        alive = " while its API answers: the engine hangs" if answers else ""
        yield failed(
            f"{about}: engine", f"{told}{alive}", "dualcode serve stop, then start; dualcode serve logs"
        )
        return
    finally:
        await bare.close()
    try:
        served = (await ask_endpoints(config, roles, listed, anew=True))[name]
    except DualcodeError as error:
        yield failed(f"{about}: can", error.message, error.hint or "the team's file")
        return
    yield abilities(config, name, roles, served)
    many = min(MOST, endpoint.concurrency)
    chat = OpenAIChat(name, quick, api_key=api_key(name, endpoint), without=served.left_out)
    try:
        say(f"measuring {name}: its prefix cache, then its speed alone and with {many} requests at once")
        yield await prefix_cache(about, chat)
        async for each in speed(about, chat, many):
            yield each
    except EndpointError as error:
        yield failed(f"{about}: speed", error.message, error.hint or "dualcode serve logs")
    finally:
        await chat.close()


def _request(text: str, tokens: int) -> Request:
    return Request(messages=(Message(role="user", content=text),), sampling=PAPER.plain, answer_tokens=tokens)


async def prefix_cache(about: str, chat: OpenAIChat) -> Check:
    """Ask the same long question twice, one that nobody asked before, and say what the cache had of it."""
    about, asked = f"{about}: prefix cache", _request(f"List {secrets.token_hex(8)}:\n{_LONG}\nSay yes.", 1)
    first, second = await chat.complete(asked), await chat.complete(asked)
    whole, cached = second.usage.prompt_tokens, second.usage.cached_tokens
    if second.usage.untold:
        return skipped(about, "the server does not tell its tokens")
    if cached > first.usage.cached_tokens:
        return passed(about, f"{cached} of {whole} prompt tokens of a repeated question were in it")
    sooner = [each.first_token_seconds for each in (first, second)]
    told = f"none of {whole} prompt tokens of a repeated question is told to be in it"
    if None not in sooner:
        told += f" (first token after {sooner[0]:.2f} s, then {sooner[1]:.2f} s)"
    remedy = (
        "enable-prompt-tokens-details: true in the server's YAML, so that it tells; enable-prefix-caching"
    )
    return warned(about, told, remedy)


def _rate(replies: Sequence[Reply], seconds: float) -> float | None:
    """Return tokens per second; None where the server does not tell its tokens."""
    if any(reply.usage.untold for reply in replies) or not seconds:
        return None
    return sum(reply.usage.completion_tokens for reply in replies) / seconds


async def speed(about: str, chat: OpenAIChat, many: int) -> AsyncIterator[Check]:
    """Yield the tokens per second alone and in a full batch, and whether the batch changed words."""
    questions = [
        _request(f"Write a Python function that adds {n} to each element.", TOKENS) for n in range(many)
    ]
    began = time.monotonic()
    alone = [await chat.complete(each) for each in questions[:SOLO]]
    solo, began = _rate(alone, time.monotonic() - began), time.monotonic()
    batch = await all_or_nothing(map(chat.complete, questions))
    full = _rate(batch, time.monotonic() - began)
    if solo is None or full is None:
        yield skipped(f"{about}: speed", "the server does not tell its tokens")
    else:
        told = f"{solo:.0f} tokens/s alone, {full:.0f} with {many} requests at once"
        if many > 2 and full < 1.5 * solo:
            remedy = "a server that works one at a time: concurrency = 1, or a larger max-num-seqs"
            yield warned(f"{about}: speed", f"{told}: it hardly works side by side", remedy)
        else:
            yield passed(f"{about}: speed", told)
    same = [one.content == two.content for one, two in zip(alone, batch, strict=False)]
    told = f"{sum(same)} of {len(same)} greedy replies are the same alone and in a batch of {many}"
    if all(same):
        yield passed(f"{about}: drift", told)
    else:
        remedy = "VLLM_BATCH_INVARIANT=1 where the GPU has it; else read small differences as noise"
        yield warned(f"{about}: drift", told, remedy)


def _metrics(about: str, before: gauges.Gauges | None, now: gauges.Gauges | None) -> Sequence[Check]:
    """Return what two readings of the metrics show of the catalogue's failures."""
    about = f"{about}: metrics"
    if before is None or now is None:
        return [skipped(about, "none of vLLM's at /metrics")]
    found = list(failures.in_gauges(now.since(before), now.since(before)))
    told = f"running {now.running or 0:g}, waiting {now.waiting or 0:g}, KV cache {now.kv_cache or 0:.0%}"
    if now.prefix_share is not None:
        told += f", {now.prefix_share:.0%} of prompt tokens found in the prefix cache since the start"
    if not found:
        return [passed(about, told)]
    return [
        (failed if each.failure.level == "fail" else warned)(
            about, f"{each.failure.name}: {each.cause} ({each.seen})", each.remedy
        )
        for each in found
    ]
