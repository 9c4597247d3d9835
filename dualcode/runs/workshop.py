"""What the runs of one command work with: the team behind the ledger, and who does the tasks."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dualcode.config import Role, TeamConfig
from dualcode.models.breaker import PATIENCE
from dualcode.models.endpoints import Served
from dualcode.models.ledger.store import FOLDER
from dualcode.runs.hands import Hands, open_here
from dualcode.runs.runner import Observer
from dualcode.suites.suite import Suite
from dualcode.team import Team, open_team


@dataclass(frozen=True)
class Tools:
    """What is open in a workshop."""

    team: Team
    """Every role of the command's pipelines, and no bench."""
    hands: Hands


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
        hands: Hands | None = None,
    ) -> None:
        """`ledger`: whether calls are answered by, and kept in, the one of `run_dir`.

        `patience`: seconds that a lost server is waited for. `hands`: who does the tasks, opened and closed
        by others; None for this machine.
        """
        self.suite = suite
        self.config = config
        self.served = served
        self.observer = observer
        self._roles = roles
        self._ledger = run_dir / FOLDER if ledger else None
        self._unsafe = unsafe
        self._patience = patience
        self._hands = hands
        self._parts = contextlib.AsyncExitStack()
        self._tools: Tools | None = None

    async def tools(self) -> Tools:
        """Open what is not open yet, and return it."""
        if self._tools is None:
            hands = self._hands
            if hands is None:
                hands = await self._parts.enter_async_context(open_here(self.suite, unsafe=self._unsafe))
            team = await self._parts.enter_async_context(
                open_team(self.config, self._roles, self.served, ledger=self._ledger, patience=self._patience)
            )
            self._tools = Tools(team, hands)
        return self._tools

    async def __aenter__(self) -> "Workshop":
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._parts.aclose()
