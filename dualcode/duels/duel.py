"""A duel from its file to its records: what `dualcode duel run` does."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dualcode.agents import mini
from dualcode.config import TeamConfig
from dualcode.duels.conditions import keys_of
from dualcode.duels.forecast import DuelForecast, forecast
from dualcode.duels.judging import judge, unjudged
from dualcode.duels.preparing import Prepared, differences, manifest
from dualcode.duels.purse import PaidChat, Purse, SteadyChat
from dualcode.duels.records import DuelRecords
from dualcode.duels.running import Duelling, MakeHands, Means
from dualcode.duels.seats import Seating
from dualcode.duels.store import (
    MANIFEST,
    DuelStore,
    other_configuration,
    read_cell,
    read_duel,
    read_judgements,
    read_manifest,
)
from dualcode.errors import MoneyError
from dualcode.issues.checking import open_bench
from dualcode.issues.grading import Bench
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.jail.tiers import open_jail
from dualcode.issues.task import IssueTask
from dualcode.issues.worktrees import recover
from dualcode.models.breaker import PATIENCE
from dualcode.models.chat import ChatModel
from dualcode.models.endpoints import Served, check_endpoints
from dualcode.models.ledger import Fingerprint, Ledger, LedgerChat, identify_all
from dualcode.models.ledger.store import FOLDER
from dualcode.panel.rubric import find_rubric
from dualcode.serving.running import find_team
from dualcode.team import open_team
from dualcode.together import ticking

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Opened:
    """A duel that is ready to go on."""

    store: DuelStore
    means: Means


def folder_of(prepared: Prepared, root: Path, *, fresh: bool = False) -> Path:
    """Return the duel's folder: the newest of its name, or with `fresh` one that is not there yet."""
    names = [prepared.setting.name, *(f"{prepared.setting.name}-{number}" for number in range(2, 10_000))]
    taken = 0
    while taken < len(names) and (root / names[taken] / MANIFEST).exists():
        taken += 1
    return root / names[taken if fresh or not taken else taken - 1]


def forecast_of(prepared: Prepared, folder: Path) -> DuelForecast:
    """Return what is left to do of a duel, by what is on record of it; of all of it where nothing is."""
    records = read_duel(folder) if (folder / MANIFEST).exists() else None
    return forecast(prepared, records.cells if records else (), records.judgements if records else ())


def refuse_other(prepared: Prepared, folder: Path) -> None:
    """Refuse a folder with a duel of another configuration, before any server is asked. Raises RunError."""
    if (folder / MANIFEST).exists():
        found = read_manifest(folder)
        wanted = manifest(prepared, served=found.settings.get("served", {}), tier=found.tier)
        if why := differences(found, wanted):
            raise other_configuration(folder, why)


def left_of(prepared: Prepared, folder: Path) -> int:
    """Return how many cells are left to do."""
    keys = keys_of(prepared.conditions, tuple(prepared.setting.tasks), prepared.config.trials)
    cells = (read_cell(folder, key) for key in keys)
    return sum(cell is None or cell.status == "errored" for cell in cells)


def _unjudged(prepared: Prepared, folder: Path) -> bool:
    """Whether judges have something left to say; what they say of another rubric does not count."""
    if not prepared.config.judges:
        return False
    records, rubric = read_duel(folder), find_rubric(prepared.config.rubric)
    duel = records.duel.model_copy(update={"judges": prepared.config.judges, "rubric": rubric.name})
    said = read_judgements(folder, duel)
    return unjudged(duel, records.cells, [each for each in said if each.checksum == rubric.checksum])


@dataclass(frozen=True)
class Models:
    """The models of a duel, and what each is, for the ledger."""

    team: TeamConfig
    """With addresses, each endpoint bound to a role of its own name."""
    chats: Mapping[str, ChatModel]
    """By endpoint; asked directly."""
    fingerprints: Mapping[str, Fingerprint]
    served: Mapping[str, Served]


@contextlib.asynccontextmanager
async def open_models(prepared: Prepared, team: TeamConfig, tell: Tell) -> AsyncGenerator[Models]:
    """Ask the duel's servers what they are, and lend their models. Raises TeamError or EndpointError."""
    from dualcode.models.probe import ask_endpoints

    names = prepared.models
    bound = team.model_copy(update={"roles": {**team.roles, **{name: name for name in names}}})
    served = await ask_endpoints(bound, names, await check_endpoints(bound, names), say=tell)
    async with open_team(bound, names, served, patience=PATIENCE) as made:
        chats = {chat.name: chat for chat in made.chats}
        yield Models(bound, chats, await identify_all(made.chats, bound, served), served)


@contextlib.contextmanager
def seated(models: Models, folder: Path, purse: Purse, seed: int) -> Generator[Seating]:
    """Lend the models behind the duel's own ledger and purse: what was asked once is not paid twice."""
    with contextlib.closing(Ledger.open(folder / FOLDER)) as ledger:
        chats = {
            name: SteadyChat(LedgerChat(PaidChat(chat, purse), ledger, models.fingerprints[name]), purse)
            for name, chat in models.chats.items()
        }
        contexts = {
            name: models.team.endpoints[name].can.context or each.context or each.max_model_len
            for name, each in models.served.items()
        }
        yield Seating(models.team, chats, seed, contexts)


async def open_benches(
    tasks: Mapping[str, IssueTask], near: Sequence[Path], jail: CommandJail, tell: Tell
) -> dict[str, Bench]:
    """Return a bench for each issue, made where it is not there yet; what killed duels left is removed."""
    benches: dict[str, Bench] = {}
    for name, task in tasks.items():
        tell(f"{name}: source, base and environment")
        benches[name] = await open_bench(task, jail, near)
        for each in await asyncio.to_thread(recover, benches[name].base):
            tell(f"{name}: removed the worktree {each}, which a process that was killed had left")
    return benches


@contextlib.asynccontextmanager
async def open_duel(
    prepared: Prepared, folder: Path, make_hands: MakeHands, *, tell: Tell, unsafe: bool = False
) -> AsyncGenerator[Opened]:
    """Open all that a duel works with. Raises any DualcodeError; nothing is left open then."""
    setting = prepared.setting
    mini.load()  # refused before a server is asked, where it is not installed
    jail: CommandJail = await open_jail(unsafe=unsafe)
    team = find_team(setting.path.parent / setting.config.team)
    async with open_models(prepared, team, tell) as models:
        served = {name: each.model_dump(mode="json") for name, each in models.served.items()}
        duel = manifest(prepared, served=served, tier=jail.tier.name)
        with contextlib.closing(DuelStore.open(folder, duel, differences)) as store:
            benches = await open_benches(setting.tasks, setting.near, jail, tell)
            purse = Purse(folder, prepared.prices, setting.config.limits.money)
            with seated(models, folder, purse, setting.config.seed) as seating:
                means = Means(prepared.workflows, benches, seating, prepared.prices, purse, make_hands)
                yield Opened(store, means)


async def judge_duel(store: DuelStore, means: Means, prepared: Prepared, tell: Tell) -> None:
    """Let judges score what is done. Raises MoneyError at the money limit."""
    if prepared.config.judges:
        await means.purse.spend(judge(store, means, find_rubric(prepared.config.rubric), tell))
        if (why := means.purse.why) is not None and unjudged(store.duel, store.cells(), store.judgements()):
            raise MoneyError(
                f"the money limit is reached: {why}; judges have not seen all",
                hint="a higher [limits.money], then the same command goes on",
            )


async def run_duel(
    prepared: Prepared,
    folder: Path,
    make_hands: MakeHands,
    *,
    concurrency: int | None = None,
    unsafe: bool = False,
    tell: Tell = lambda _: None,
) -> DuelRecords:
    """Do what is not done of a duel, and return all that is on record of it then.

    Raises MoneyError at the money limit, RunError for a folder of another duel or process or for cells that
    error one after another, and what opening raises. The same duel can always be gone on with.
    """
    refuse_other(prepared, folder)
    if left_of(prepared, folder) or _unjudged(prepared, folder):
        async with (
            ticking(tell) as tell,
            open_duel(prepared, folder, make_hands, tell=tell, unsafe=unsafe) as opened,
        ):
            most = concurrency or prepared.config.limits.concurrency
            await Duelling(opened.store, opened.means, concurrency=most, tell=tell).run()
            await judge_duel(opened.store, opened.means, prepared, tell)
    return read_duel(folder)
