"""A duel from its file to its records: what `dualcode duel run` does."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dualcode.agents import mini
from dualcode.config import Price, TeamConfig
from dualcode.duels.conditions import keys_of
from dualcode.duels.forecast import DuelForecast, forecast
from dualcode.duels.preparing import Prepared, differences, manifest
from dualcode.duels.purse import PaidChat, Purse, SteadyChat
from dualcode.duels.records import Cell, Duel, DuelRecords, Judgement
from dualcode.duels.running import Duelling, Means
from dualcode.duels.seats import Seating
from dualcode.duels.store import (
    MANIFEST,
    DuelStore,
    cell_folder,
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
from dualcode.panel.calibration import calibrations_of
from dualcode.panel.exhibit import Exhibit
from dualcode.panel.panel import Score, judge_all
from dualcode.panel.records import Asked
from dualcode.panel.renderings import RENDERINGS
from dualcode.panel.rubric import Rubric, find_rubric
from dualcode.pricing import charge
from dualcode.serving.running import find_team
from dualcode.team import open_team
from dualcode.together import ticking
from dualcode.workflows.store import Place

Tell = Callable[[str], None]


def folder_of(prepared: Prepared, root: Path, *, fresh: bool = False) -> Path:
    """Return the duel's folder: the newest of its name, or with `fresh` one that is not there yet."""
    names = [prepared.name, *(f"{prepared.name}-{number}" for number in range(2, 10_000))]
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
    keys = keys_of(prepared.conditions, tuple(prepared.tasks), prepared.config.trials)
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
    prepared: Prepared, folder: Path, *, tell: Tell, unsafe: bool = False
) -> AsyncGenerator[Means]:
    """Open all that a duel works with. Raises any DualcodeError; nothing is left open then."""
    mini.load()  # refused before a server is asked, where it is not installed
    jail: CommandJail = await open_jail(unsafe=unsafe)
    team = find_team(prepared.path.parent / prepared.config.team)
    async with open_models(prepared, team, tell) as models:
        served = {name: each.model_dump(mode="json") for name, each in models.served.items()}
        duel = manifest(prepared, served=served, tier=jail.tier.name)
        with contextlib.closing(DuelStore.open(folder, duel, differences)) as store:
            benches = await open_benches(prepared.tasks, prepared.near, jail, tell)
            purse = Purse(folder, prepared.prices, prepared.config.limits.money)
            with seated(models, folder, purse, prepared.config.seed) as seating:
                limits = prepared.agent_limits
                yield Means(store, prepared.workflows, benches, seating, prepared.prices, purse, limits)


async def run_duel(
    prepared: Prepared,
    folder: Path,
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
            open_duel(prepared, folder, tell=tell, unsafe=unsafe) as means,
        ):
            most = concurrency or prepared.config.limits.concurrency
            await Duelling(means, concurrency=most, tell=tell).run()
            await judge_duel(means, prepared, tell)
    return read_duel(folder)


async def judge_duel(means: Means, prepared: Prepared, tell: Tell) -> None:
    """Let judges score what is done. Raises MoneyError at the money limit."""
    if prepared.config.judges:
        store = means.store
        await means.purse.spend(judge(means, find_rubric(prepared.config.rubric), tell))
        if (why := means.purse.why) is not None and unjudged(store.duel, store.cells(), store.judgements()):
            raise MoneyError(
                f"the money limit is reached: {why}; judges have not seen all",
                hint="a higher [limits.money], then the same command goes on",
            )


async def judge(means: Means, rubric: Rubric, tell: Tell) -> None:
    """Let the duel's judges score what they have not scored yet; each score is on record as it comes.

    A judge that fails is missing, never zero, and asked again another time if it was its server's fault. A
    cell that changed nothing needs no judge: it has the lowest score by rule.
    """
    store, team = means.store, means.seating.team
    duel = store.duel
    seats = means.seating.team_of({name: name for name in duel.judges}, ("judging", "", 1), lambda _: None)
    tasks = {name: bench.task for name, bench in means.benches.items()}
    cells = [cell for cell in store.cells() if cell.status != "errored"]
    exhibits = tuple(exhibits_of(store.folder, [cell for cell in cells if cell.diff.strip()], tasks))
    known = [each for each in store.judgements() if each.checksum == rubric.checksum]
    done = {each.asked for each in known if each.settled}
    names = {*duel.models, *duel.models.values(), *(each.model for each in team.endpoints.values())}
    for cell in cells:
        if not cell.diff.strip():
            made = (unchanged(cell, name, seats[name].chat.model, rubric) for name in duel.judges)
            for each in (each for both in made for each in both if each.asked not in done):
                store.add_judgement(each)
    tell(f"judging: {len(exhibits)} fixes, {len(duel.judges)} judges, two renderings")

    def record(score: Score) -> None:
        store.add_judgement(judgement_of(score, means.prices.get(score.judge)))
        said = score.why_missing or ", ".join(f"{key} {each}" for key, each in (score.scores or {}).items())
        what = score.calibration or "/".join(map(str, score.asked.key))
        tell(f"{score.judge} on {what} ({score.rendering}): {said}")

    await judge_all(
        exhibits,
        {name: seats[name] for name in duel.judges},
        rubric,
        seed=duel.seed,
        done=done,
        record=record,
        names=names,
        paths={str(bench.base.folder) for bench in means.benches.values()},
    )


def exhibits_of(folder: Path, cells: Sequence[Cell], tasks: Mapping[str, IssueTask]) -> Iterator[Exhibit]:
    """Yield the calibrations of each issue, and then the cells' fixes with what the visible tests said."""
    for task in tasks.values():
        yield from calibrations_of(task)
    for cell in cells:
        # What the tree's own tests said at the end: judges are held against the hidden ones.
        checks = {phase.name for phase in cell.phases if phase.kind == "check"}
        nodes = Place(cell_folder(folder, cell.key)).nodes()
        said = [node.output for name, node in nodes.items() if name in checks]
        yield Exhibit(
            key=cell.key,
            issue=cell.issue,
            instruction=tasks[cell.issue].instruction,
            plan=cell.plan,
            diff=cell.diff,
            tests=said[-1] if said else "",
        )


def judgement_of(score: Score, price: Price | None) -> Judgement:
    """Return a score as it is on record, with its price."""
    paid = charge(price, score.usage, score.seconds)
    return Judgement(
        **score.model_dump(exclude={"repaired", "shown", "from_ledger"}),
        money={paid.currency: paid.amount} if paid else None,
        source=paid.source if paid else "unknown",
    )


def unchanged(cell: Cell, judge: str, model: str, rubric: Rubric) -> Iterator[Judgement]:
    """Yield what stands for a judge's two judgements of a cell that changed nothing.

    Missing would favour who gives up: its other cells alone would make its mean.
    """
    names = [each.key for each in rubric.asked(plan=cell.plan is not None)]
    for rendering in RENDERINGS:
        yield Judgement(
            condition=cell.condition,
            issue=cell.issue,
            trial=cell.trial,
            judge=judge,
            model=model,
            rubric=rubric.name,
            checksum=rubric.checksum,
            rendering=rendering,
            same=True,
            scores=dict.fromkeys(names, rubric.lowest),
            reasons=dict.fromkeys(names, "by rule: nothing was changed, and nobody was asked"),
            money={},
            by_rule=True,
        )


def unjudged(duel: Duel, cells: Sequence[Cell], judgements: Sequence[Judgement]) -> bool:
    """Whether a judge has something left to say of the cells that are done."""
    done = {each.asked for each in judgements if each.settled}
    return any(
        Asked(cell.key, judge, rendering) not in done
        for cell in cells
        if cell.status != "errored"
        for judge in duel.judges
        for rendering in RENDERINGS
    )
