"""Who looks on while runs work: readings go to the runs of those servers, and nothing outlives it."""

import asyncio
import io
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from rich.console import Console

from dualcode.call import Call
from dualcode.errors import RunError
from dualcode.models.chat import ChatModel
from dualcode.models.endpoints import Served
from dualcode.models.scripted import ScriptedChat
from dualcode.runs import watching
from dualcode.runs.manifest import configure, manifest
from dualcode.runs.monitor import Reading, Source
from dualcode.runs.progress import Whole
from dualcode.runs.session import RunStore, open_run
from dualcode.runs.store import read_servers
from dualcode.runs.watching import Watch
from dualcode.serving.hardware import Gpu, ServedHardware
from dualcode.suites.registry import load_suite
from dualcode.verdict import Verdict
from tests.runs.test_pool import RAW
from tests.runs.test_summary import call, verdict
from tests.scripted_runs import TEAM

SUITE = load_suite("mini").select(2)
ONE, TWO = "http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1"
GPU = Gpu(uuid="GPU-1", name="NVIDIA H200", memory_bytes=None, used_bytes=None, driver="1")
HARDWARE = {name: ServedHardware(model="m", root=None, gpus=(GPU,)) for name in ("coder", "reviewer")}


class Servers:
    """What is monitored, and how often it was read."""

    def __init__(self) -> None:
        self.found: Sequence[Source] = ()
        self.read = 0
        self.record: Callable[[Reading], None]

    @asynccontextmanager
    async def monitored(
        self, found: Sequence[Source], record: Callable[[Reading], None]
    ) -> AsyncGenerator[Callable[[], Awaitable[None]]]:
        self.found, self.record = found, record

        async def read() -> None:
            self.read += 1

        yield read

    def tell(self, *endpoints: str) -> None:
        self.record(Reading(at=1.0, endpoints=endpoints, in_flight=0, running=1))


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    found = Servers()
    monkeypatch.setattr(watching, "monitored", found.monitored)
    return found


@pytest.fixture
def stores(tmp_path: Path) -> Generator[tuple[RunStore, RunStore]]:
    """A run of one endpoint, and one of two."""
    configuration = configure(RAW, SUITE, TEAM, {"e": Served(model="m")})
    opened = [open_run(tmp_path, manifest(name, configuration, SUITE, TEAM), fresh=False) for name in "ab"]
    for store, addresses in zip(opened, ({"coder": ONE}, {"coder": ONE, "reviewer": TWO}), strict=True):
        store.keep_source(b"")
        store.begin_session(1, addresses, hardware=HARDWARE)
    yield opened[0], opened[1]
    for store in opened:
        store.close()


def chats() -> list[ChatModel]:
    return [ScriptedChat([], name=name) for name in ("coder", "reviewer")]


def quiet() -> Console:
    return Console(file=io.StringIO())


def test_a_session_keeps_what_its_own_servers_run_on(stores: tuple[RunStore, RunStore]) -> None:
    first, second = (store.manifest.sessions[-1].hardware for store in stores)
    assert (set(first), set(second)) == ({"coder"}, {"coder", "reviewer"})


async def test_a_reading_goes_to_the_runs_at_work_on_that_server_and_names_their_endpoints(
    servers: Servers, stores: tuple[RunStore, RunStore]
) -> None:
    one, both = stores
    watch = Watch(SUITE, 2, quiet())
    for name, store in (("raw-coder", one), ("review-fix", both)):
        watch.begin(name, store)
    async with watch.over(chats(), 600):
        assert [(each.root, each.gpus) for each in servers.found] == [
            ("http://127.0.0.1:1", ("GPU-1",)), ("http://127.0.0.1:2", ("GPU-1",)),
        ]  # fmt: skip
        servers.tell("coder", "reviewer")
        servers.tell("reviewer")
        await watch.end(one)
        one.end_session()
        servers.tell("coder")  # a run that has ended takes nothing
    assert [each.endpoints for each in read_servers(one.folder)] == [("coder",)]
    told = [("coder", "reviewer"), ("reviewer",), ("coder",)]
    assert [each.endpoints for each in read_servers(both.folder)] == told
    assert servers.read == 1


async def test_the_whole_counts_runs_that_were_complete_and_those_that_end(
    servers: Servers, stores: tuple[RunStore, RunStore]
) -> None:
    whole = Whole(runs=3, tasks=3 * len(SUITE.tasks))
    watch = Watch(SUITE, 3, quiet(), whole=whole)
    watch.pass_over()
    for name, store in zip("ab", stores, strict=True):
        watch.begin(name, store)
    async with watch.over(chats(), 600):
        for count, store in enumerate(stores, start=2):
            witness = await watch.end(store)
            assert store.listener == witness.hear
            assert (whole.ended, whole.done) == (count, count * len(SUITE.tasks))


async def test_what_the_runs_raise_passes_and_nobody_draws_any_more(
    servers: Servers, stores: tuple[RunStore, RunStore]
) -> None:
    before, watch = asyncio.all_tasks(), Watch(SUITE, 1, quiet())
    watch.begin("raw-coder", stores[0])
    with pytest.raises(RunError, match="lost"):
        async with watch.over(chats()[:1], 600):
            await asyncio.sleep(0)
            assert len(asyncio.all_tasks()) > len(before)
            raise RunError("the server was lost")
    assert asyncio.all_tasks() == before


async def test_an_observer_hears_of_each_run_what_its_tally_counts(
    servers: Servers, stores: tuple[RunStore, RunStore]
) -> None:
    heard: list[object] = []

    class Ear:
        def on_start(self, total: int, verdicts: Sequence[Verdict]) -> None:
            heard.append((total, list(verdicts)))

        def on_call(self, call: Call) -> None:
            heard.append(call)

        def on_verdict(self, verdict: Verdict) -> None:
            heard.append(verdict)

    tally = Watch(SUITE, 1, quiet(), observer=Ear()).begin("raw-coder", stores[0])
    asked, passed = call("write"), verdict("passed", "passed")
    tally.on_start(2, [passed])
    tally.on_call(asked)
    tally.on_verdict(passed)
    assert heard == [(2, [passed]), asked, passed]
