"""What daily work is done at: the team behind a ledger of its own, a sandbox, and the journal."""

import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dualcode import machine, resources
from dualcode.bench.bench import SandboxBench
from dualcode.call import Call
from dualcode.config import Price, Role, TeamConfig
from dualcode.journal import Findings, Journal, entry_of, switched_on
from dualcode.models.endpoints import Served, api_key, check_endpoints
from dualcode.models.ledger.store import FOLDER
from dualcode.sandbox import open_sandbox
from dualcode.sandbox.sandbox import Tier
from dualcode.team import Team, open_team


@dataclass
class Work:
    """A piece of work, while it goes on."""

    outcome: Literal["done", "left", "errored"] = "errored"
    """What stands in the journal if nobody says better."""
    amended: bool | None = None
    findings: Findings | None = None
    """None: those of the reviews among the calls, untried."""
    calls: list[Call] = field(default_factory=list[Call])
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it takes so far."""
        return time.monotonic() - self.started


@dataclass(frozen=True)
class Desk:
    """Where a piece of daily work is done."""

    team: Team
    config: TeamConfig
    served: dict[str, Served]
    """What the servers say of themselves, by endpoint."""
    tier: Tier
    """What holds in the sandbox."""
    journal: Journal

    @contextlib.contextmanager
    def on_record(self, source: Literal["review", "solve"], pipeline: str, work: Work) -> Generator[Work]:
        """Around a piece of work, which goes into the journal however it ends."""
        at = time.time()
        try:
            yield work
        finally:
            self.journal.add(
                entry_of(
                    work.calls,
                    source=source,
                    pipeline=pipeline,
                    at=at,
                    seconds=work.seconds,
                    prices=self.prices,
                    outcome=work.outcome,
                    amended=work.amended,
                    findings=work.findings,
                )
            )

    @property
    def prices(self) -> dict[str, Price | None]:
        """The endpoints' prices, by name."""
        return {name: each.price for name, each in self.config.endpoints.items()}


@contextlib.asynccontextmanager
async def desk(
    config: TeamConfig,
    roles: Sequence[Role],
    *,
    ledger: Path | None = None,
    own_ledger: bool = True,
    unsafe: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> AsyncGenerator[Desk]:
    """Open what work needs; the servers are asked first who they are.

    The ledger answers what was asked before, such as the review of code that did not change: that in
    `ledger`, else with `own_ledger` the user's own, which the switch of the journal turns off, too. Raises
    TeamError, UnreachableError or SandboxError.
    """
    config.require(roles, by="this command")
    served = await check_endpoints(config, roles)
    kept = ledger or (resources.state_folder() / FOLDER if own_ledger and switched_on() else None)
    async with (
        open_sandbox(machine.cores(), unsafe=unsafe) as sandbox,
        open_team(config, roles, served, ledger=kept) as team,
    ):
        keys = [api_key(name, config.endpoints[name]) for name in served]
        journal = Journal(secrets=[key for key in keys if key], tell=tell)
        yield Desk(team.at_work(roles, SandboxBench(sandbox)), config, served, sandbox.tier, journal)
