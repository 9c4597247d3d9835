"""How near runs keep simulated servers to their limit; `throughput_real.py` asks the real pair.

    python benchmarks/throughput.py [--tasks 164]

The real runner, pool, admission and records work in virtual time, against two engines that batch as vLLM
does: so many seats, a queue behind them, lengths with a heavy tail. Nothing waits, nothing is measured by a
clock, so the same command gives the same ratio on any machine. The ratio is the time of the slower server's
own calls, replayed alone in the order in which they came, to the time that all took.
"""

import argparse
import asyncio
import hashlib
import heapq
import json
import math
import random
import selectors
import tempfile
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from dualcode.bench.bench import ScriptedBench
from dualcode.call import Reply, Request
from dualcode.config import Endpoint, TeamConfig
from dualcode.models.admission import Admission
from dualcode.models.chat import Meter
from dualcode.models.endpoints import Served
from dualcode.models.scripted import reply
from dualcode.pipelines import Pipeline
from dualcode.pipelines.find import find_pipelines
from dualcode.runs.manifest import configure, manifest
from dualcode.runs.runner import Runner, work
from dualcode.runs.session import open_run
from dualcode.sampling import PAPER
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from dualcode.task import Task
from dualcode.team import Seat, Team
from dualcode.verdict import Outcome, Verdict

T = TypeVar("T")
BUDGET = {"coder": None, "reviewer": 64}
TEAM = TeamConfig(
    endpoints={
        "coder": Endpoint(base_url="http://127.0.0.1:1/v1", model="m"),
        "reviewer": Endpoint(base_url="http://127.0.0.1:1/v1", model="m", thinking="switch"),
    },
    roles={"coder": "coder", "reviewer": "reviewer"},
)


class _Jump(selectors.DefaultSelector):
    """Where a loop would wait for its next timer, time jumps there."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits, and for nothing")
        self.now += max(0.0, timeout)
        return super().select(0)


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now


def in_virtual_time(work: Coroutine[Any, Any, T]) -> tuple[T, float]:
    """Return what a coroutine returned, and the seconds that it would have taken."""
    loop = _VirtualLoop()
    try:
        return loop.run_until_complete(work), loop.time()
    finally:
        loop.close()


@dataclass
class Engine:
    """A server that gives each of its seats a token every `step` seconds."""

    seats: int
    step: float = 1 / 30
    running: int = 0
    waiting: int = 0
    tokens: int = 0
    jobs: list[float] = field(default_factory=list[float])
    """The seconds that each request took of a seat, in the order in which they came."""

    def __post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.seats)

    async def make(self, tokens: int) -> None:
        """Answer a request with so many tokens."""
        seconds = 0.2 + tokens * self.step
        self.jobs.append(seconds)
        self.waiting += 1
        async with self._free:
            self.waiting -= 1
            self.running += 1
            await asyncio.sleep(seconds)
            self.running -= 1
        self.tokens += tokens

    def alone(self) -> float:
        """Return how long its requests take if all are there from the start."""
        ends = [0.0] * self.seats
        for seconds in self.jobs:
            heapq.heapreplace(ends, ends[0] + seconds)
        return max(ends)


class EngineChat:
    """A chat model on an engine. The same request twice is answered once, as by the ledger."""

    def __init__(self, name: str, engine: Engine, length: float) -> None:
        self.name, self.model = name, "m"
        self.admission = Admission(16)
        self.meter = Meter(admission=self.admission)
        self.engine = engine
        self._length = length
        self._known: dict[str, asyncio.Future[Reply]] = {}

    async def complete(self, request: Request) -> Reply:
        """Answer as a model would that is right now and then: always the same to the same request."""
        key = request.to_line()
        if key not in self._known:
            self._known[key] = asyncio.get_running_loop().create_future()
            chance = random.Random(hashlib.sha256(key.encode()).digest())
            longer = 4 if request.thinking else 1
            async with self.admission.turn():
                await self.engine.make(
                    min(4096, int(chance.lognormvariate(math.log(self._length * longer), 0.8)))
                )
            self._known[key].set_result(reply(answer(request, chance)))
        return await asyncio.shield(self._known[key])

    async def close(self) -> None:
        """Do nothing."""


def answer(request: Request, chance: random.Random) -> str:
    """Answer any step as a model that is right now and then."""
    luck = chance.random() < 0.5
    said: dict[str, Any] = {
        "better": "A" if luck else "B", "reason": "none", "types": "any", "examples": [], "edge_cases": [],
        "probes": [{"call": "f(1)", "asserted": "1"}], "verdict": "approve" if luck else "revise",
        "findings": [] if luck else [{"where": "line 1", "actual": "nothing", "expected": "something"}],
    }  # fmt: skip
    wanted = json.dumps(request.json_schema or {})
    keys = [key for key in said if f'"{key}"' in wanted]
    return (
        json.dumps({key: said[key] for key in keys}) if keys else "```python\ndef f(*a):\n    return 1\n```"
    )


class Judge:
    """Passes all, at once."""

    async def grade(self, task_id: str, program: str) -> Verdict:  # noqa: ARG002 - a protocol's
        """Pass."""
        return Verdict.of(task_id, base=Outcome(status="passed"), plus=Outcome(status="passed"))

    async def close(self) -> None:
        """Do nothing."""


def many(count: int) -> Suite:
    """Return a suite of so many tasks, made of the mini suite's: only their ids and prompts differ."""
    mini = load_suite("mini")
    own = [mini.tasks[number % len(mini.tasks)] for number in range(count)]
    tasks = [
        Task(id=f"Many/{number}", prompt=f"{one.prompt}\n# {number}\n", entry_point=one.entry_point)
        for number, one in enumerate(own)
    ]
    hidden = {task.id: mini.hidden[one.id] for task, one in zip(tasks, own, strict=True)}
    return replace(mini, tasks=tuple(tasks), hidden=hidden, size=count)


@dataclass(frozen=True)
class Setup:
    """Two engines, coder and reviewer."""

    seats: tuple[int, int]
    lengths: tuple[int, int]
    """The median of an answer in tokens; one with a thought is four times as long."""


@dataclass(frozen=True)
class Simulated:
    """What a simulation came to."""

    seconds: float
    bounds: dict[str, float]

    @property
    def ratio(self) -> float:
        """Of the slower server's bound."""
        return max(self.bounds.values()) / self.seconds


async def _simulated(
    pipelines: Sequence[Pipeline],
    suite: Suite,
    setup: Setup,
    root: Path,
) -> dict[str, float]:
    chats = [
        EngineChat(name, Engine(own), length)
        for name, own, length in zip(("coder", "reviewer"), setup.seats, setup.lengths, strict=True)
    ]
    runners, stores = list[Runner](), ExitStack()
    for pipeline in pipelines:
        served = {name: Served(model="m") for name in {TEAM.roles[role] for role in pipeline.roles}}
        configuration = configure(pipeline, suite, TEAM, served)
        store = open_run(root, manifest(pipeline.name, configuration, suite, TEAM), fresh=False)
        stores.callback(store.close)
        store.begin_session(1, {})
        by_name = {chat.name: chat for chat in chats}
        team = Team(
            {
                role: Seat(role, by_name[role], PAPER, 1000, 64 if role == "reviewer" else None)
                for role in pipeline.roles
            },
            bench=ScriptedBench({"None": "got None"}),
        )
        runners.append(Runner(pipeline, suite, team, Judge(), store, task_seconds=1e9))

    async def report() -> None:
        while True:
            await asyncio.sleep(1.0)
            for chat in chats:
                chat.admission.heard(chat.engine.running, chat.engine.waiting, chat.engine.tokens)

    reporting = asyncio.create_task(report())
    with stores:
        await work(runners)
    reporting.cancel()
    with suppress(asyncio.CancelledError):
        await reporting
    return {chat.name: chat.engine.alone() for chat in chats}


def simulate(names: str, tasks: int, setup: Setup) -> Simulated:
    """Run pipelines over so many tasks."""
    with tempfile.TemporaryDirectory() as root:
        running = _simulated(find_pipelines(names), many(tasks), setup, Path(root))
        bounds, seconds = in_virtual_time(running)
    return Simulated(seconds, bounds)


SETUPS = {
    "alike": Setup((16, 16), (120, 60)),
    "a reviewer of 4 seats that thinks": Setup((16, 4), (120, 150)),
    "a coder of 64 seats": Setup((64, 16), (120, 60)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tasks", type=int, default=164)
    options = parser.parse_args()
    for title, setup in SETUPS.items():
        for names in ("raw-coder", "review-fix", "adversarial", "all"):
            found = simulate(names, options.tasks, setup)
            row = {"setup": title, "pipeline": names, "tasks": options.tasks, "ratio": round(found.ratio, 3)}
            row |= {"seconds": round(found.seconds), "alone": {k: round(v) for k, v in found.bounds.items()}}
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
