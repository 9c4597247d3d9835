"""Runs side by side: what servers are kept at, which task is next, and whose the time is."""

import asyncio
import itertools
import time
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from benchmarks.throughput import SETUPS, simulate
from dualcode.models.endpoints import Served
from dualcode.models.scripted import ScriptedChat
from dualcode.pipelines import Pipeline
from dualcode.pipelines.find import find_pipeline
from dualcode.runs import runner
from dualcode.runs.manifest import configure, manifest
from dualcode.runs.runner import Runner, work
from dualcode.runs.session import RunStore, open_run
from dualcode.sampling import PAPER
from dualcode.solution import Program
from dualcode.suites.registry import load_suite
from dualcode.task import Task
from dualcode.team import Seat, Team
from dualcode.verdict import Outcome, Verdict
from tests.scripted_runs import TEAM

SUITE = load_suite("mini").select(6)
RAW = find_pipeline("raw-coder")


@pytest.mark.parametrize(("pipelines", "tasks", "least"), [("all", 32, 0.97), ("review-fix", 164, 0.95)])
def test_servers_are_kept_at_their_limit(pipelines: str, tasks: int, least: float) -> None:
    """In virtual time: the ratio is the same on any machine, however busy."""
    assert simulate(pipelines, tasks, SETUPS["alike"]).ratio >= least


class Judge:
    """Passes all, once the gate is open."""

    def __init__(self, *, closed: bool = False) -> None:
        self.gate = asyncio.Event()
        if not closed:
            self.gate.set()

    async def grade(self, task_id: str, program: str) -> Verdict:
        await self.gate.wait()
        return Verdict.of(task_id, base=Outcome(status="passed"), plus=Outcome(status="passed"))

    async def close(self) -> None:
        pass


class Solving:
    """A pipeline that notes what it begins, and goes on in its turn."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.at_once = self.most = 0

    async def __call__(self, task: Task, team: Team) -> Program:
        self.begun.append(task.id)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        for _ in range(3):
            await asyncio.sleep(0)
        self.at_once -= 1
        return Program(text="x = 1\n", compiles=True, defines_entry_point=False, how="mine")


@pytest.fixture
def root(tmp_path: Path) -> Generator[Path]:
    """Where runs lie, which are closed at the end."""
    yield tmp_path
    while STORES:
        STORES.pop().close()


STORES: list[RunStore] = []


def store_in(root: Path, name: str) -> RunStore:
    configuration = configure(RAW, SUITE, TEAM, {"e": Served(model="m")})
    store = open_run(root, manifest(name, configuration, SUITE, TEAM), fresh=False)
    store.begin_session(1, {})
    STORES.append(store)
    return store


def runners(root: Path, solve: Sequence[Solving], judge: Judge | None = None) -> list[Runner]:
    team = Team({"coder": Seat("coder", ScriptedChat([], name="e"), PAPER, 100)})
    return [
        Runner(
            Pipeline(each, f"p{number}", ["coder"], "§0"), SUITE, team, judge or Judge(),
            store_in(root, f"p{number}"), task_seconds=600,
        )
        for number, each in enumerate(solve)
    ]  # fmt: skip


async def test_runs_that_want_the_same_server_begin_and_end_in_their_order(root: Path) -> None:
    solve, ended = Solving(), list[Runner]()

    async def end(done: Runner) -> None:
        ended.append(done)

    both = runners(root, [solve, solve])
    await work(both, ended=end)
    assert solve.begun == [task.id for task in SUITE.tasks] * 2
    assert ended == both


async def test_no_more_tasks_are_at_work_than_was_asked_for_of_all_runs_together(root: Path) -> None:
    solve = Solving()
    await work(runners(root, [solve, solve, solve]), most=2)
    assert (solve.most, len(solve.begun)) == (2, 18)


async def test_programs_that_wait_for_verdicts_are_not_added_to_without_end(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "MOST_UNGRADED", 3)
    solve, judge = Solving(), Judge(closed=True)
    working = asyncio.create_task(work(runners(root, [solve], judge), most=1))
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(solve.begun) == 3
    judge.gate.set()
    await working
    assert len(solve.begun) == 6


async def test_the_time_is_divided_among_the_runs_at_work(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    both = runners(root, [Solving(), Solving()])
    await work(both, most=4)
    lasted = next(clock) - 1
    assert lasted / 4 < both[0].held < lasted * 3 / 4
    assert lasted * 3 / 4 < both[0].held + both[1].held <= lasted  # some ticks pass with nothing at work


async def test_a_run_that_lacks_nothing_ends_at_once(root: Path) -> None:
    ended = list[Runner]()

    async def end(done: Runner) -> None:
        ended.append(done)

    solve = Solving()
    await work(runners(root, [solve]), ended=end)
    STORES.pop().close()
    await work(runners(root, [solve]), ended=end)
    assert (len(solve.begun), len(ended)) == (6, 2)
