"""A small duel on the shop's issue: real trees, jail, agents and grading; scripted models."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dualcode.duels.duel import Models, seated
from dualcode.duels.preparing import Prepared, differences, manifest, prepare
from dualcode.duels.purse import Purse
from dualcode.duels.records import Cell
from dualcode.duels.running import Duelling, Means
from dualcode.duels.store import DuelStore
from dualcode.issues.grading import Bench
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.packages import Environment
from dualcode.issues.worktrees import recover
from dualcode.models.chat import ChatModel
from dualcode.models.ledger import Fingerprint
from tests.issues import shop

TEAM = """\
[roles]
[sampling.roles]
"""
ENDPOINT = """\
[endpoints.{name}]
model = "{name}"
base_url = "http://127.0.0.1:9/v1"
{price}
"""
VISIBLE = ("fail_to_pass", 'visible_test = "grep -q sum shop/price.py && echo 2 passed"\nfail_to_pass')
"""A change of the shop's task: its own tests take no time."""
PRICE = "price = { input_per_million = 1.0, cached_input_per_million = 0.1, output_per_million = 2.0 }"


def write_duel(
    folder: Path,
    names: tuple[str, ...],
    issue: Path,
    *,
    price: Callable[[str], str] = lambda _: PRICE,
    **changes: Any,
) -> Path:
    """Write a duel's file and its team, and return the former; `changes` are keys of it."""
    folder.mkdir(parents=True, exist_ok=True)
    endpoints = "".join(ENDPOINT.format(name=name, price=price(name)) for name in names)
    (folder / "team.toml").write_text(f"{TEAM}{endpoints}")
    keys: dict[str, Any] = {"models": list(names), "issues": [str(issue)], **changes}
    tables: dict[str, dict[str, Any]] = {n: each for n, each in keys.items() if isinstance(each, dict)}
    lines = [f"{name} = {json.dumps(value)}" for name, value in keys.items() if name not in tables]
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
    (folder / "duel.toml").write_text("\n".join(lines) + "\n")
    return folder / "duel.toml"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f'"{key}" = {_toml(each)}' for key, each in value.items())  # pyright: ignore[reportUnknownVariableType]
        return f"{{ {inner} }}"
    return json.dumps(value)


@dataclass(frozen=True)
class Ground:
    """What all duels of the tests stand on."""

    jail: CommandJail
    environment: Environment

    def prepared(self, path: Path) -> Prepared:
        """Read a duel's file."""
        return prepare(path)

    @contextlib.contextmanager
    def opened(self, prepared: Prepared, folder: Path, chats: Mapping[str, ChatModel]) -> Generator[Means]:
        """Open a duel with scripted models in the place of servers."""
        duel = manifest(prepared, served={}, tier=self.jail.tier.name)
        prints = {name: Fingerprint(model=name) for name in chats}
        models = Models(prepared.team, chats, prints, {})
        with contextlib.closing(DuelStore.open(folder, duel, differences)) as store:
            benches = {
                name: shop.make_bench(task, self.environment, self.jail)
                for name, task in prepared.tasks.items()
            }
            for bench in benches.values():
                recover(bench.base)
            purse = Purse(folder, prepared.prices, prepared.config.limits.money)
            with seated(models, folder, purse, prepared.config.seed) as seating:
                limits = prepared.agent_limits
                yield Means(store, prepared.workflows, benches, seating, prepared.prices, purse, limits)

    def run(
        self,
        prepared: Prepared,
        folder: Path,
        chats: Mapping[str, ChatModel],
        *,
        concurrency: int = 4,
        told: list[str] | None = None,
    ) -> list[Cell]:
        """Do what is left of a duel, and return the cells that errored."""
        tell = (told if told is not None else list[str]()).append

        async def running() -> list[Cell]:
            with self.opened(prepared, folder, chats) as means:
                return await Duelling(means, concurrency=concurrency, tell=tell).run()

        return asyncio.run(running())


def trees_of(bench: Bench) -> list[str]:
    """Return the worktrees that lie at a base."""
    return sorted(each.name for each in (bench.base.folder / "trees").glob("*"))
