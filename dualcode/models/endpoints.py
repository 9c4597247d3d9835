"""What the servers of a team say of themselves, asked before the first task."""

import hashlib
import json
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import Field

from dualcode.config import Endpoint, Role, TeamConfig
from dualcode.errors import TeamError, UnreachableError
from dualcode.models.capabilities import Capabilities
from dualcode.record import Record
from dualcode.together import together

IDENTITY = ("revision", "meta", "digest", "sha", "hash", "quantization", "arch", "details", "size")
"""What a server may list that tells one checkpoint from another under the same name, as llama.cpp's `meta`.
Not `created`, which is the time of the question on vLLM, SGLang and llama.cpp."""
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class Served(Record):
    """What a server says of itself: the part of a run's configuration that the team's file cannot know."""

    model: str
    root: str | None = None
    """The checkpoint behind the served name."""
    max_model_len: int | None = None
    version: str | None = None
    """Of vLLM; None for a server that does not tell."""
    card: str | None = None
    """SHA-256 of what else the server lists of the model (IDENTITY); None where it lists nothing of it."""
    left_out: tuple[str, ...] = Field(default=(), exclude_if=lambda names: not names)
    """What the requests of this team go out without, because the server cannot take it: what is sent is then
    another thing, and its run another run. Where there is nothing it is not dumped, so that a run keeps the
    name that it had before the field."""
    context: int | None = Field(default=None, exclude=True, repr=False)
    """The longest context in tokens, wherever the server tells it. On no record here: `can` has it."""
    can: Capabilities | None = Field(default=None, exclude=True, repr=False)
    """All that the server was asked, once it was; a run's manifest keeps it beside its configuration."""

    @property
    def listed(self) -> "Served":
        """What the server says unasked: two servers with the same are taken for one."""
        return self.model_copy(update={"left_out": (), "can": None})


async def check_endpoints(config: TeamConfig, roles: Sequence[Role]) -> dict[str, Served]:
    """Ask the endpoint of each role what it serves, before the first task.

    Returns endpoint name -> what it serves. Raises UnreachableError for an endpoint that is not there, and
    TeamError for one that does not serve the model, refuses the key, or whose context is smaller than the
    configured tokens.
    """
    names = list(dict.fromkeys(config.roles[role] for role in roles))
    found = await together(*(_check(name, config) for name in names))
    return dict(zip(names, found, strict=True))


async def _check(name: str, config: TeamConfig) -> Served:
    endpoint = config.endpoints[name]
    url = (endpoint.base_url or "").rstrip("/")
    async with client_to(name, endpoint, timeout=15.0) as client:
        try:
            answer = await client.get(f"{url}/models")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            proxies = [] if is_loopback(url) else _set(_PROXIES[:3])
            through = f", asked through {' or '.join(proxies)}," if proxies else ""
            raise UnreachableError(
                f"endpoints.{name}.base_url: found no server at {url}{through} "
                f"({type(error).__name__}: {error}); expected one that serves {endpoint.model!r}",
                hint="scripts/serve.sh start, or correct base_url",
            ) from None
        models = _models(name, url, endpoint.api_key_env, answer)
        if endpoint.model not in models:
            raise TeamError(
                f"endpoints.{name}.model: expected {endpoint.model!r}; "
                f"{url} serves: {', '.join(models) or 'nothing'}",
                hint=f"set model to what the server serves, or base_url to the server of {endpoint.model!r}",
            )
        card = models[endpoint.model]
        version = await _version(client, endpoint.root)
        context = endpoint.can.context or await _context(client, endpoint.root, endpoint.model, card)
    root = card.get("root")
    identity = {field: card[field] for field in IDENTITY if card.get(field) is not None}
    served = Served(
        model=endpoint.model,
        root=root if isinstance(root, str) else None,
        max_model_len=_number(card, "max_model_len"),
        version=version,
        card=hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest() if identity else None,
        context=context,
    )
    check_context(name, endpoint, context)
    return served


def client_to(name: str, endpoint: Endpoint, *, timeout: float) -> httpx.AsyncClient:
    """Return a client that asks an endpoint's server with its key.

    Raises TeamError for a key, or an environment, with which none can be made.
    """
    url, key = endpoint.base_url or "", api_key(name, endpoint)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with usable_environment(name, url):
        return httpx.AsyncClient(headers=headers, timeout=timeout, trust_env=not is_loopback(url))


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


_CONTEXTS = (
    "max_model_len",
    "loaded_context_length",
    "max_context_length",
    "context_length",
    "context_window",
)
"""How model cards name the longest context: vLLM and SGLang, LM Studio, Mistral, OpenRouter, Groq."""


async def _context(client: httpx.AsyncClient, address: str, model: str, card: dict[str, Any]) -> int | None:
    """Return the longest context in tokens, from the card or where a server tells it; None: it does not."""
    if (told := _number(card, *_CONTEXTS)) is not None:
        return told
    for path in ("props", "info", "api/v0/models", "api/ps"):  # llama.cpp, TGI, LM Studio, Ollama
        try:
            answer = await client.get(f"{address}/{path}")
            page: Any = answer.json() if answer.is_success else {}
            rows: list[dict[str, Any]] = [*page.get("data", ()), *page.get("models", ())]
            own = [row for row in rows if model in (row.get("id"), row.get("name"))]
            tables: list[dict[str, Any]] = [*own, page.get("default_generation_settings") or {}, page]
            found = [_number(table, *_CONTEXTS, "n_ctx", "max_total_tokens") for table in tables]
        except (httpx.HTTPError, ValueError, AttributeError, TypeError):
            continue
        if told := next(filter(None, found), None):
            return told
    return None


def _number(table: dict[str, Any], *names: str) -> int | None:
    return next((found for name in names if isinstance(found := table.get(name), int) and found > 0), None)


def check_context(name: str, endpoint: Endpoint, context: int | None) -> None:
    """Refuse an endpoint whose tokens leave no room for a prompt in the server's context."""
    budget = endpoint.thinking_budget if endpoint.thinking == "switch" else 0
    if context is not None and endpoint.answer_tokens + budget >= context:
        raise TeamError(
            f"endpoints.{name}: answer_tokens {endpoint.answer_tokens} + thinking_budget {budget} leave "
            f"no room for a prompt in the server's max_model_len {context}",
            hint="lower thinking_budget or answer_tokens, or serve it with a longer context "
            "(vLLM max-model-len, llama.cpp -c, Ollama num_ctx)",
        )


def api_key(name: str, endpoint: Endpoint) -> str | None:
    """Return the key that an endpoint's variable holds, None for none.

    Raises TeamError, which does not show it, for a key that no header can carry.
    """
    variable = endpoint.api_key_env
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        wrong = "a line break or another control character" if key.isascii() else "a letter outside ASCII"
        raise TeamError(
            f"endpoints.{name}: the API key in ${variable} has {wrong} in it", hint=f"export {variable}=KEY"
        )
    return key or None


@contextmanager
def usable_environment(name: str, url: str) -> Generator[None]:
    """Around the making of a client: name the proxies or certificates of the environment that prevent it."""
    try:
        yield
    except Exception as error:  # of httpx, ssl or the operating system, each in its own words
        names = _set(_CERTIFICATES if isinstance(error, OSError) else _PROXIES)
        told = f"endpoints.{name}: no connection to {url} can be made with the environment's "
        told += f"{' and '.join(names) or 'settings'}: {' '.join(str(error).split())}"
        raise TeamError(told, hint=f"unset {' '.join(names)}, or correct what is in it") from None


def _set(names: Sequence[str]) -> list[str]:
    return [each for name in names for each in (name, name.lower()) if os.environ.get(each)]


def is_loopback(url: str) -> bool:
    """Whether the address is this machine's own: a proxy from the environment must not get in between."""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host == "::1" or host.startswith("127.")
