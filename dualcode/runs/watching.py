"""Who looks on while runs work: shows how far they are, reads their servers, and audits what they write.

Nothing of it changes a run, but for one thing: a pipeline that does not let go of the event loop is ended.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from rich.console import Console

from dualcode.models.chat import ChatModel
from dualcode.runs.monitor import Reading, monitored, sources
from dualcode.runs.progress import Display, Tally, Whole
from dualcode.runs.runner import Observer
from dualcode.runs.session import RunStore
from dualcode.runs.watchdog import watched
from dualcode.runs.witness import Witness
from dualcode.suites.suite import Suite


class Watch:
    """Looks on at runs of one suite, which begin together and end one by one."""

    def __init__(
        self,
        suite: Suite,
        runs: int,
        console: Console,
        *,
        whole: Whole | None = None,
        quiet: bool = False,
        observer: Observer | None = None,
    ) -> None:
        """So many `runs` are a part of the `whole`, or all of it; `observer` hears each call and verdict."""
        self._suite, self._whole = suite, whole or Whole(runs, runs * len(suite.tasks))
        self._console, self._quiet, self._observer = console, quiet, observer
        self._tallies = dict[str, Tally]()
        self._at_work = dict[RunStore, tuple[Tally, Witness]]()
        self._read: Callable[[], Awaitable[None]]

    def pass_over(self) -> None:
        """Count a run that was complete already."""
        self._whole.end(len(self._suite.tasks))

    def begin(self, name: str, store: RunStore) -> Observer:
        """Look on at the run of a pipeline; return who is to be told of its calls and verdicts.

        Its session has begun, so that its manifest says what its servers are.
        """
        tally = self._tallies[name] = Tally(self._suite.has_plus, self._observer)
        witness = Witness(store.folder, store.manifest, self._suite)
        store.listener = witness.hear
        self._at_work[store] = tally, witness
        self._whole.begin(tally)
        return tally

    @contextlib.asynccontextmanager
    async def over(self, chats: Sequence[ChatModel], task_seconds: float) -> AsyncGenerator[None]:
        """Look on while the block lasts. A task that holds the loop for so many seconds gets HeldError."""
        manifests = [store.manifest for store in self._at_work]
        addresses = {name: url for each in manifests for name, url in each.addresses.items()}
        hardware = {name: told for each in manifests for name, told in each.sessions[-1].hardware.items()}
        display = Display(
            self._suite.title, self._tallies, chats,
            quiet=self._quiet, console=self._console, whole=self._whole,
        )  # fmt: skip
        async with monitored(sources(chats, addresses, hardware), self._record) as self._read:
            with watched(task_seconds):
                showing = asyncio.create_task(display.watch())
                try:
                    yield
                finally:
                    showing.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await showing

    async def end(self, store: RunStore) -> Witness:
        """Read the servers once more, and look on at this run no longer; return who heard it."""
        await self._read()
        tally, witness = self._at_work.pop(store)
        self._whole.end(len(self._suite.tasks), tally)
        return witness

    def _record(self, reading: Reading) -> None:
        for store in self._at_work:
            if own := tuple(name for name in reading.endpoints if name in store.manifest.addresses):
                store.add_reading(reading.model_copy(update={"endpoints": own}))
