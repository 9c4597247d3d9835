"""What a server tells of itself at /metrics, and what two readings say of the time between them."""

import contextlib
import math
import re
import time
from typing import Any

import httpx

from dualcode.models.endpoints import is_loopback
from dualcode.record import Record

_LINE = re.compile(r"^vllm:(\w+)(?:\{.*\})?[ \t]+(\S+)(?:[ \t]+\S+)?[ \t\r]*$", re.MULTILINE)
_FIELDS = {
    "num_requests_running": "running",
    "num_requests_waiting": "waiting",
    "kv_cache_usage_perc": "kv_cache",
    "prompt_tokens_total": "prompt_tokens",
    "generation_tokens_total": "generation_tokens",
    "prefix_cache_queries_total": "prefix_queries",
    "prefix_cache_hits_total": "prefix_hits",
    "num_preemptions_total": "preemptions",
    "admission_rejections_total": "rejections",
    "corrupted_requests_total": "corrupted",
}
"""vLLM's name -> ours."""
_FORMER = {
    "gpu_cache_usage_perc": "kv_cache_usage_perc",
    "gpu_prefix_cache_queries_total": "prefix_cache_queries_total",
    "gpu_prefix_cache_hits_total": "prefix_cache_hits_total",
}
"""Names that vLLM had up to 0.9 -> those that followed; the versions in between tell both."""


class Gauges(Record):
    """A reading of a server; None is what it does not tell. Counters count since the server's start."""

    at: float
    """Seconds on a clock that only runs forward."""
    running: float | None = None
    """Requests in the batch."""
    waiting: float | None = None
    """Requests in the queue."""
    kv_cache: float | None = None
    """0..1: the share of the KV cache in use; the fullest engine's."""
    prompt_tokens: float | None = None
    generation_tokens: float | None = None
    prefix_queries: float | None = None
    """Prompt tokens that were looked for in the prefix cache."""
    prefix_hits: float | None = None
    preemptions: float | None = None
    """Requests thrown out of the batch for lack of KV cache, and computed again."""
    rejections: float | None = None
    """Requests turned away with 503."""
    corrupted: float | None = None
    """Replies with NaN in them."""

    @property
    def prefix_share(self) -> float | None:
        """0..1: the share of looked-up prompt tokens that the prefix cache had, since the start."""
        if self.prefix_hits is None or not self.prefix_queries:
            return None
        return self.prefix_hits / self.prefix_queries

    def since(self, before: "Gauges") -> dict[str, float | None]:
        """Return what the catalogue of failures is held against: gauges, and rates since an earlier reading.

        A counter that fell is one of a server that was started anew: it says nothing yet.
        """

        def rate(name: str) -> float | None:
            now, then = getattr(self, name), getattr(before, name)
            span = self.at - before.at
            return (
                (now - then) / span if now is not None and then is not None and now >= then and span else None
            )

        return {
            "running": self.running,
            "waiting": self.waiting,
            "kv_cache": self.kv_cache,
            "corrupted": self.corrupted,
            "tokens_per_second": rate("generation_tokens"),
            "prompt_tokens_per_second": rate("prompt_tokens"),
            "preemptions_per_second": rate("preemptions"),
            "rejections_per_second": rate("rejections"),
        }


def parse(page: str, at: float) -> Gauges | None:
    """Return a reading from a page in Prometheus's text format; None if it has nothing of vLLM's.

    Engines of one server (data parallelism) and reasons of one counter are added up. A value that is no
    finite number is passed over.
    """
    found: dict[str, list[float]] = {}
    for name, value in _LINE.findall(page):
        with contextlib.suppress(ValueError):
            if name in (_FIELDS | _FORMER) and math.isfinite(number := float(value)):
                found.setdefault(name, []).append(number)
    for former, name in _FORMER.items():
        if former in found:
            told = found.pop(former)
            found.setdefault(name, told)
    values = {
        _FIELDS[name]: max(each) if name == "kv_cache_usage_perc" else sum(each)
        for name, each in found.items()
    }
    return Gauges(at=at, **values) if values else None


async def fetch(client: httpx.AsyncClient, root: str) -> str | None:
    """Return the page at `root`/metrics; None for a server that has none or does not answer."""
    try:
        answer = await client.get(f"{root}/metrics")
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    return answer.text if answer.is_success else None


async def answers(client: httpx.AsyncClient, root: str) -> bool:
    """Whether the server's API answers, be it with a refusal."""
    with contextlib.suppress(httpx.HTTPError, httpx.InvalidURL):
        return (await client.get(f"{root}/v1/models")).status_code < 500
    return False


async def read(client: httpx.AsyncClient, root: str) -> Gauges | None:
    """Take a reading; None where there is nothing to read."""
    page = await fetch(client, root)
    return None if page is None else parse(page, time.monotonic())


def client_for(root: str, **more: Any) -> httpx.AsyncClient:
    """Return a client for a server's own pages; a proxy of the environment is not for this machine's."""
    return httpx.AsyncClient(timeout=5.0, trust_env=not is_loopback(root), **more)
