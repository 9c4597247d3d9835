"""What the servers of a team say of themselves, asked before the first task."""

import asyncio
import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from dualcode.config import Role, TeamConfig
from dualcode.errors import TeamError, UnreachableError
from dualcode.record import Record


class Served(Record):
    """What a server says of itself: the part of a run's configuration that the team's file cannot know."""

    model: str
    root: str | None = None
    """The checkpoint behind the served name."""
    max_model_len: int | None = None
    version: str | None = None
    """Of vLLM; None for a server that does not tell."""


async def check_endpoints(config: TeamConfig, roles: Sequence[Role]) -> dict[str, Served]:
    """Ask the endpoint of each role what it serves, before the first task.

    Returns endpoint name -> what it serves. Raises UnreachableError for an endpoint that is not there, and
    TeamError for one that does not serve the model, refuses the key, or whose context is smaller than the
    configured tokens.
    """
    names = list(dict.fromkeys(config.roles[role] for role in roles))
    found = await asyncio.gather(*(_check(name, config) for name in names))
    return dict(zip(names, found, strict=True))


async def _check(name: str, config: TeamConfig) -> Served:
    endpoint = config.endpoints[name]
    url, key = (endpoint.base_url or "").rstrip("/"), os.environ.get(endpoint.api_key_env)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(headers=headers, timeout=15.0, trust_env=not is_loopback(url)) as client:
        try:
            answer = await client.get(f"{url}/models")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(
                f"endpoints.{name}.base_url: found no server at {url} ({type(error).__name__}: {error}); "
                f"expected one that serves {endpoint.model!r}",
                hint="scripts/serve.sh start, or correct base_url",
            ) from None
        models = _models(name, url, endpoint.api_key_env, answer)
        if endpoint.model not in models:
            raise TeamError(
                f"endpoints.{name}.model: expected {endpoint.model!r}; "
                f"{url} serves: {', '.join(models) or 'nothing'}",
                hint=f"set model to what the server serves, or base_url to the server of {endpoint.model!r}",
            )
        version = await _version(client, url.removesuffix("/v1"))
    card = models[endpoint.model]
    served = Served(
        model=endpoint.model, root=card.get("root"), max_model_len=card.get("max_model_len"), version=version
    )
    _check_room(name, config, served)
    return served


def _models(name: str, url: str, key_env: str, answer: httpx.Response) -> dict[str, dict[str, Any]]:
    if answer.status_code in (401, 403):
        raise TeamError(
            f"endpoints.{name}: {url} refuses the API key in ${key_env}",
            hint=f"export {key_env}=KEY",
        )
    try:
        answer.raise_for_status()
        return {card["id"]: card for card in answer.json()["data"]}
    except (httpx.HTTPStatusError, ValueError, KeyError, TypeError):
        said = " ".join(answer.text.split())[:120]
        raise TeamError(
            f"endpoints.{name}.base_url: expected a list of models at {url}/models; "
            f"found HTTP {answer.status_code}: {said!r}",
            hint="base_url of an OpenAI-compatible server ends in /v1",
        ) from None


async def _version(client: httpx.AsyncClient, root: str) -> str | None:
    try:
        answer = await client.get(f"{root}/version")
        return str(answer.json()["version"]) if answer.is_success else None
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None


def _check_room(name: str, config: TeamConfig, served: Served) -> None:
    endpoint = config.endpoints[name]
    budget = endpoint.thinking_budget if endpoint.thinking == "switch" else 0
    if served.max_model_len is not None and endpoint.answer_tokens + budget >= served.max_model_len:
        raise TeamError(
            f"endpoints.{name}: answer_tokens {endpoint.answer_tokens} + thinking_budget {budget} leave "
            f"no room for a prompt in the server's max_model_len {served.max_model_len}",
            hint="lower thinking_budget or answer_tokens",
        )


def is_loopback(url: str) -> bool:
    """Whether the address is this machine's own: a proxy from the environment must not get in between."""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host == "::1" or host.startswith("127.")
