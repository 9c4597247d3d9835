"""What the runs of one command work with: servers, the team behind the ledger, and who does the tasks.

Tasks are done by this machine, or by the nodes of a cluster.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Protocol

from dualcode.bench.bench import SandboxBench, Shown
from dualcode.config import Role, TeamConfig
from dualcode.grading.grader import Grader, SandboxGrader, default_workers
from dualcode.models.breaker import PATIENCE
from dualcode.models.endpoints import Served
from dualcode.models.ledger.store import FOLDER
from dualcode.models.probe import ask_endpoints, cautions
from dualcode.pipelines import Pipeline
from dualcode.sandbox import open_sandbox
from dualcode.sandbox.sandbox import Sandbox, Tier
from dualcode.serving.hardware import ServedHardware, hardware_of
from dualcode.suites.suite import Suite
from dualcode.team import Team, open_team

Record = Callable[[Shown], None]
"""Hears what was run for a pipeline, and what it was told of that."""


class Hands(Protocol):
    """Where pipelines run, and programs; models are asked, and records written, by this process alone."""

    @property
    def tier(self) -> Tier:
        """What programs run in."""
        ...

    @property
    def grader(self) -> Grader:
        """Who gives verdicts."""
        ...

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the machines that take part; none for this one alone."""
        ...

    def prepare(self, task_ids: Sequence[str]) -> None:
        """Get ready to grade these tasks, while models write."""
        ...

    def equip(self, pipeline: Pipeline, team: Team, record: Record) -> tuple[Pipeline, Team]:
        """Return the pipeline as it is run here, and the team, of all roles, as it works on it."""
        ...


class Here:
    """This machine: everything happens in this process and its sandboxes."""

    nodes = ()

    def __init__(self, grader: SandboxGrader, sandbox: Sandbox) -> None:
        self.grader, self._sandbox = grader, sandbox

    @property
    def tier(self) -> Tier:
        """What programs run in."""
        return self._sandbox.tier

    def prepare(self, task_ids: Sequence[str]) -> None:
        """Run references one after the other."""
        self.grader.prepare(task_ids)

    def equip(self, pipeline: Pipeline, team: Team, record: Record) -> tuple[Pipeline, Team]:
        """Return the pipeline as it is, and the team with a bench of this machine's."""
        return pipeline, team.at_work(pipeline.roles, SandboxBench(self._sandbox, record))


@contextlib.asynccontextmanager
async def open_here(
    suite: Suite, *, workers: int | None = None, unsafe: bool = False
) -> AsyncGenerator[Here]:
    """Open two sandboxes and a grader; `workers` programs run in each at a time. Raises SandboxError."""
    workers = workers or default_workers()
    async with (
        open_sandbox(workers, unsafe=unsafe) as grading,
        # A visible test takes milliseconds and holds a model up: it does not wait behind a grading.
        open_sandbox(workers, unsafe=unsafe) as bench,
        SandboxGrader(suite, grading, workers=grading.workers) as grader,
    ):
        yield Here(grader, bench)


async def asked(config: TeamConfig, roles: Sequence[Role], say: Callable[[str], None]) -> dict[str, Served]:
    """Return what serves these roles and can do, asked where it is not known; what it cannot is told."""
    served = await ask_endpoints(config, roles, say=say)
    for name, each in served.items():
        for line in cautions(config, roles, name, each):
            say(f"warning: {line}")
    return served


@dataclass(frozen=True)
class Tools:
    """What is open in a workshop."""

    team: Team
    """Every role of the command's pipelines, and no bench."""
    hands: Hands


@dataclass
class Workshop:
    """What the runs of one command share, each part opened when a run first needs it."""

    suite: Suite
    config: TeamConfig
    roles: Sequence[Role]
    served: dict[str, Served]
    _: KW_ONLY
    run_dir: Path
    ledger: bool = True
    """Whether calls are answered by, and kept in, the one of `run_dir`."""
    unsafe: bool = False
    patience: float = PATIENCE
    """Seconds that a lost server is waited for."""
    hands: Hands | None = None
    """Who does the tasks, opened and closed by others; None for this machine."""
    _parts: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack, init=False)
    _tools: Tools | None = field(default=None, init=False)

    async def tools(self) -> Tools:
        """Open what is not open yet, and return it."""
        if self._tools is None:
            hands = self.hands
            if hands is None:
                hands = await self._parts.enter_async_context(open_here(self.suite, unsafe=self.unsafe))
            ledger = self.run_dir / FOLDER if self.ledger else None
            team = await self._parts.enter_async_context(
                open_team(self.config, self.roles, self.served, ledger=ledger, patience=self.patience)
            )
            self._tools = Tools(team, hands)
        return self._tools

    async def hardware(self) -> dict[str, ServedHardware]:
        """Return what the servers run on, by endpoint."""
        addresses = {name: self.config.endpoints[name].base_url or "" for name in self.served}
        return await asyncio.to_thread(hardware_of, addresses, self.served)

    async def __aenter__(self) -> "Workshop":
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._parts.aclose()
