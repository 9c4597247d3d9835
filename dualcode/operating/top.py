"""What servers, GPUs and runs do at this moment: one value, taken again and again."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from dualcode.config import TeamConfig, load_team
from dualcode.errors import TeamError
from dualcode.operating.work import RunNow, Work
from dualcode.record import Record
from dualcode.serving import failures, gauges
from dualcode.serving.gauges import Gauges
from dualcode.serving.gpus import Card, Cards
from dualcode.serving.running import find_team, recorded
from dualcode.together import together


class ServerNow(Record):
    """A server at one moment; None is what it does not tell, or cannot be told from one reading."""

    name: str
    """Of the endpoints on it, with commas."""
    model: str
    address: str
    up: bool
    """Whether it answers."""
    tokens_per_second: float | None = None
    """Written."""
    prompt_tokens_per_second: float | None = None
    """Read, those found in the prefix cache included."""
    running: float | None = None
    waiting: float | None = None
    kv_cache: float | None = None
    """0..1."""
    prefix_share: float | None = None
    """0..1: of prompt tokens found in the prefix cache, since the server's start."""
    preemptions: float | None = None
    """Since the server's start."""
    failures: tuple[str, ...] = ()
    """Of the catalogue, what the metrics show."""


class Snapshot(Record):
    """Everything at one moment."""

    at: float
    """Seconds since the epoch."""
    servers: tuple[ServerNow, ...]
    gpus: tuple[Card, ...]
    runs: tuple[RunNow, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        runs = [
            each.model_dump() | {"done": each.done, "pass@1": each.hardest.pass_at_1} for each in self.runs
        ]
        return self.model_dump() | {"runs": runs}


class Watcher:
    """Takes snapshots. Rates are over the time since the one before."""

    def __init__(self, team: Path | TeamConfig | None, run_dir: Path, *, cards: Cards | None = None) -> None:
        self._team = team
        self._work = Work(run_dir)
        self._cards = cards or Cards()
        self._before: Mapping[str, Sequence[Gauges]] = {}
        self._clients = dict[str, httpx.AsyncClient]()
        self._known = dict[str, list[tuple[str, str]]]()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            await client.aclose()

    async def take(self) -> Snapshot:
        """Return what is now. Servers that are started meanwhile are in the next one."""
        known = self._servers()
        servers = await together(*(self._server(root, names) for root, names in known.items()))
        gpus, runs = await asyncio.to_thread(self._cards.read), await asyncio.to_thread(self._work.read)
        return Snapshot(at=time.time(), servers=servers, gpus=tuple(gpus), runs=tuple(runs))

    def _servers(self) -> dict[str, list[tuple[str, str]]]:
        """Return root address -> (endpoint, model) of what the team names; nothing where there is none.

        Raises TeamError for a team that was given and is wrong. One that was right stays known: a server that
        dies meanwhile is what somebody watches for.
        """
        pair = recorded()
        if self._team is None and (pair is None or not pair.ready):
            return {}
        try:
            if self._team is None and pair is not None:
                config = load_team(pair.team_file).resolved(pair.base_urls())
            else:
                config = find_team(self._team)
        except TeamError:
            if not self._known:
                raise
            return self._known
        found = dict[str, list[tuple[str, str]]]()
        for name, endpoint in config.endpoints.items():
            found.setdefault(endpoint.root, []).append((name, endpoint.model))
        self._known = found
        return found

    async def _server(self, root: str, names: Sequence[tuple[str, str]]) -> ServerNow:
        client = self._clients.get(root) or self._clients.setdefault(root, gauges.client_for(root))
        shown: dict[str, Any] = {
            "name": ", ".join(name for name, _ in names),
            "model": ", ".join(dict.fromkeys(model for _, model in names)),
            "address": root,
        }
        page = await gauges.fetch(client, root)
        now = gauges.parse(page, time.monotonic()) if page is not None else None
        if now is None:
            return ServerNow(up=page is not None or await gauges.answers(client, root), **shown)
        history = [*self._before.get(root, ()), now][-3:]
        self._before = {**self._before, root: history}
        rates = [after.since(before) for before, after in pairwise(history)]
        told = ("running", "waiting", "kv_cache", "prefix_share", "preemptions")
        shown |= {name: getattr(now, name) for name in told}
        if rates:
            shown |= {name: rates[-1][name] for name in ("tokens_per_second", "prompt_tokens_per_second")}
            shown["failures"] = tuple(each.failure.name for each in failures.in_gauges(*rates))
        return ServerNow(up=True, **shown)
