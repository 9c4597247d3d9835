"""What the runs of one command work with: the team behind the ledger, a bench, the grader, two sandboxes."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dualcode.bench.bench import SandboxBench, Shown
from dualcode.config import Role, TeamConfig
from dualcode.grading.grader import SandboxGrader, default_workers
from dualcode.models.breaker import PATIENCE, Breaker
from dualcode.models.endpoints import Served
from dualcode.models.ledger import FOLDER, Ledger, behind_ledger
from dualcode.runs.runner import Observer
from dualcode.sandbox import open_sandbox
from dualcode.sandbox.sandbox import Sandbox
from dualcode.suites.suite import Suite
from dualcode.team import Team, build_team


@dataclass(frozen=True)
class Tools:
    """What is open in a workshop."""

    team: Team
    """Every role of the command's pipelines, and no bench."""
    grader: SandboxGrader
    sandbox: Sandbox
    """Where what pipelines run is run."""

    def team_of(self, roles: Sequence[Role], record: Callable[[Shown], None]) -> Team:
        """Return the team of one pipeline; `record` is told what its bench ran and showed."""
        return self.team.at_work(roles, SandboxBench(self.sandbox, record))


class Workshop:
    """What the runs of one command share, each part opened when a run first needs it."""

    def __init__(
        self,
        suite: Suite,
        config: TeamConfig,
        roles: Sequence[Role],
        served: dict[str, Served],
        *,
        run_dir: Path,
        ledger: bool = True,
        unsafe: bool = False,
        observer: Observer | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """`ledger`: whether calls are answered by, and kept in, the one of `run_dir`.

        `patience`: seconds that a lost server is waited for.
        """
        self.suite = suite
        self.config = config
        self.served = served
        self.observer = observer
        self._roles = roles
        self._ledger = run_dir / FOLDER if ledger else None
        self._unsafe = unsafe
        self._patience = patience
        self._parts = contextlib.AsyncExitStack()
        self._tools: Tools | None = None

    async def tools(self) -> Tools:
        """Open what is not open yet, and return it."""
        if self._tools is None:
            from dualcode.models.openai import OpenAIChat  # its library takes a second to import

            workers, unsafe = default_workers(), self._unsafe
            grading = await self._parts.enter_async_context(open_sandbox(workers, unsafe=unsafe))
            # A visible test takes milliseconds and holds a model up: it does not wait behind a grading.
            bench = await self._parts.enter_async_context(open_sandbox(workers, unsafe=unsafe))
            grader = SandboxGrader(self.suite, grading, workers=grading.workers)
            await self._parts.enter_async_context(grader)
            team = build_team(self.config, self._roles, self.served)
            self._parts.push_async_callback(team.close)
            for chat in team.chats:
                if isinstance(chat, OpenAIChat):
                    chat.breaker = Breaker(
                        chat.name, self.config, self.served[chat.name], chat.meter, patience=self._patience
                    )
            if self._ledger is not None:
                ledger = Ledger.open(self._ledger)
                self._parts.callback(ledger.close)
                behind = await behind_ledger(team.chats, ledger, self.config, self.served)
                team = team.through(lambda chat: behind[chat.name])
            self._tools = Tools(team, grader, bench)
        return self._tools

    async def __aenter__(self) -> "Workshop":
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._parts.aclose()
