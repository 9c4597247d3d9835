"""What a duel works with, opened: a bench for each issue, its models behind the ledger and the purse."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dualcode.config import TeamConfig
from dualcode.duels.preparing import Prepared
from dualcode.duels.purse import PaidChat, Purse, SteadyChat
from dualcode.duels.seats import Seating
from dualcode.issues.checking import open_bench
from dualcode.issues.grading import Bench
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.task import IssueTask
from dualcode.issues.worktrees import recover
from dualcode.models.breaker import PATIENCE, Breaker
from dualcode.models.chat import ChatModel
from dualcode.models.endpoints import Served, check_endpoints
from dualcode.models.ledger import FOLDER, Fingerprint, Ledger, LedgerChat, identify
from dualcode.team import build_team
from dualcode.together import together

Tell = Callable[[str], None]


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
    from dualcode.models.openai import OpenAIChat  # its library takes a second to import
    from dualcode.models.probe import ask_endpoints

    names = prepared.models
    bound = team.model_copy(update={"roles": {**team.roles, **{name: name for name in names}}})
    served = await ask_endpoints(bound, names, await check_endpoints(bound, names), say=tell)
    made = build_team(bound, names, served)
    try:
        chats = {chat.name: chat for chat in made.chats}
        for name, chat in chats.items():
            if isinstance(chat, OpenAIChat):
                chat.breaker = Breaker(name, bound, served[name], chat.meter, patience=PATIENCE)
        prints = await together(
            *(identify(chat, served[name], bound.endpoints[name]) for name, chat in chats.items())
        )
        yield Models(bound, chats, dict(zip(chats, prints, strict=True)), served)
    finally:
        await made.close()


@contextlib.contextmanager
def seated(models: Models, folder: Path, purse: Purse, seed: int) -> Generator[Seating]:
    """Lend the models behind the duel's own ledger and purse: what was asked once is not paid twice."""
    with contextlib.closing(Ledger.open(folder / FOLDER)) as ledger:
        chats = {
            name: SteadyChat(LedgerChat(PaidChat(chat, purse), ledger, models.fingerprints[name]), purse)
            for name, chat in models.chats.items()
        }
        yield Seating(models.team, chats, seed)


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
