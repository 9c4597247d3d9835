"""Tasks at the nodes of a cluster: whatever is lost, the records are those of one machine."""

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from dualcode.bench.bench import Shown
from dualcode.call import Reply, Request
from dualcode.errors import ClusterError, EndpointError, PipelineError, RunError, UnreachableError
from dualcode.models.endpoints import Served
from dualcode.models.scripted import ScriptedChat
from dualcode.pipelines import Pipeline, builtins, pipeline
from dualcode.pipelines.find import find_pipeline
from dualcode.runs.cluster import driver as driving
from dualcode.runs.cluster.driver import Driver
from dualcode.runs.cluster.node import (
    Brought,
    Heard,
    Link,
    LostError,
    Node,
    Work,
    compare,
    identity,
    one_tier,
    unpacked,
)  # fmt: skip
from dualcode.runs.manifest import configure, manifest
from dualcode.runs.runner import Runner, work
from dualcode.runs.session import open_run
from dualcode.runs.store import RunRecords, read_run
from dualcode.sampling import PAPER
from dualcode.sandbox.sandbox import Tier
from dualcode.solution import Program
from dualcode.steps import write
from dualcode.suites.registry import load_suite
from dualcode.task import Task
from dualcode.team import Seat, Team, team_with
from dualcode.verdict import Verdict
from tests.runs.odd_pipelines import endless, lost, odd
from tests.runs.test_kill import essence
from tests.scripted_runs import TEAM, Judge, Telling, model

SUITE = load_suite("mini").select(4)
TIER = Tier(name="namespaces", holds=())


class Bare:
    """The hands of a node whose sandbox is a script."""

    tier, nodes = TIER, ()

    def __init__(self, grader: Judge | None = None) -> None:
        self.grader = grader or Judge()

    def prepare(self, task_ids: Sequence[str]) -> None:
        assert set(task_ids) <= {task.id for task in SUITE.tasks}

    def equip(self, pipeline: Pipeline, team: Team, record: Callable[[Shown], None]) -> tuple[Pipeline, Team]:
        return pipeline, team.at_work(pipeline.roles, Telling(record))


class Mortal:
    """A node in this process, which is lost once so many words were exchanged."""

    def __init__(
        self, name: str, pipelines: Sequence[Pipeline], words: int, grader: Judge | None = None
    ) -> None:
        self.name = name
        self.node = Node(pipelines, TEAM, Bare(grader))
        self.left = words
        self.lost = asyncio.Event()

    def _spend(self, words: int = 1) -> bool:
        self.left -= words
        if self.left < 0:
            self.lost.set()
        return self.left >= 0

    def begin(self, work: Work) -> None:
        if self._spend():
            self.node.begin(work)

    def answer(self, number: int, reply: Reply | EndpointError) -> None:
        if self._spend():
            self.node.answer(number, reply)

    def stop(self, token: int) -> None:
        self.node.stop(token)

    async def hear(self) -> Sequence[Heard]:
        hearing, losing = asyncio.ensure_future(self.node.hear()), asyncio.ensure_future(self.lost.wait())
        await asyncio.wait([hearing, losing], return_when=asyncio.FIRST_COMPLETED)
        losing.cancel()
        said = await hearing if hearing.done() else ()
        hearing.cancel()
        heard = [each for each in said if self._spend()]  # the rest was on its way
        if self.lost.is_set() and not heard:
            raise LostError("its machine is gone")
        return heard

    async def grade(self, task_id: str, program: str) -> Verdict:
        if not self._spend():
            raise LostError("its machine is gone")
        return await self.node.grade(task_id, program)

    async def kill(self) -> None:
        self.lost.set()
        await self.node.end()


async def never(_: str) -> Link | None:
    return None


async def run(
    folder: Path,
    pipeline: Pipeline,
    links: Sequence[Mortal] = (),
    *,
    chat: ScriptedChat | None = None,
    told: list[str] | None = None,
    again: driving.Again = never,
    seconds: float = 600,
) -> RunRecords:
    """Run a pipeline on four tasks at these nodes; without any, here."""
    configuration = configure(pipeline, SUITE, TEAM, {"e": Served(model="m")})
    store = open_run(folder, manifest(pipeline.name, configuration, SUITE, TEAM), fresh=False)
    store.begin_session(1, {})
    asked = chat or ScriptedChat(model(SUITE), name="e")
    whole = team_with(TEAM, ("coder", "reviewer"), {"e": asked})
    say = (told if told is not None else []).append
    try:
        async with Driver(links, TIER, task_seconds=seconds, say=say, again=again) as driver:
            hands = driver if links else Bare()
            at, team = hands.equip(pipeline, whole, store.add_shown)
            await work([Runner(at, SUITE, team, hands.grader, store, task_seconds=seconds)], most=2)
    finally:
        for link in links:
            await link.node.end()
        store.end_session()
        store.close()
    return read_run(store.folder)


def timeless(records: RunRecords) -> dict[str, object]:
    """What a run says, in no order: two tasks are at work at a time."""
    found = essence(records)
    return {**found, "samples": dict(found["samples"]), "verdicts": dict(found["verdicts"])}


@pytest.mark.parametrize("name", sorted(builtins()))
async def test_whatever_node_is_lost_at_whatever_word_the_records_are_those_of_one_machine(
    tmp_path: Path, name: str
) -> None:
    each, chance = builtins()[name], random.Random(name)
    here = ScriptedChat(model(SUITE), name="e")
    alone = timeless(await run(tmp_path / "alone", each, chat=here))
    for count in range(3):
        chat = ScriptedChat(model(SUITE), name="e")
        nodes = [Mortal(f"mortal-{n}", [each], chance.randint(0, 40)) for n in range(count)]
        nodes.append(Mortal("stays", [each], 10_000))
        records = await run(tmp_path / str(count), each, nodes, chat=chat)
        assert timeless(records) == alone
        assert len(chat.requests) == len(here.requests)  # nothing was paid twice
        numbers = [(call.task_id, call.number) for call in records.calls]
        assert len(set(numbers)) == len(numbers)


async def test_a_loss_is_told_and_the_node_comes_back_where_its_machine_is_there(tmp_path: Path) -> None:
    each, told = builtins()["review-fix"], list[str]()
    back = list[str]()

    async def again(name: str) -> Link | None:
        back.append(name)
        return Mortal(name, [each], 10_000)

    records = await run(tmp_path, each, [Mortal("only", [each], 9)], told=told, again=again)
    assert records.done == {task.id for task in SUITE.tasks}
    assert back == ["only"]
    assert told[0].startswith("warning: lost the node only: its machine is gone; 2 tasks")
    assert told[1:] == ["the node only is back"]


async def test_without_a_node_left_the_run_stops_and_keeps_what_was_done(tmp_path: Path) -> None:
    each, told = builtins()["raw-coder"], list[str]()
    with pytest.raises(RunError, match="no node is left of 2; what was done is kept"):
        await run(tmp_path, each, [Mortal("a", [each], 6), Mortal("b", [each], 6)], told=told)
    left = [name for name in ("a", "b") for line in told if f"lost the node {name}" in line]
    assert sorted(left) == ["a", "b"]
    records = await run(tmp_path, each, [Mortal("c", [each], 10_000)])
    assert records.done == {task.id for task in SUITE.tasks}


async def test_a_task_that_takes_its_nodes_along_is_errored_and_the_others_are_done(tmp_path: Path) -> None:
    victim = SUITE.tasks[1].id
    nodes = list[Mortal]()

    def deadly(own: int) -> Pipeline:
        @pipeline("deadly", roles=["coder"])
        async def solve(task: Task, team: Team) -> Program:
            if task.id == victim:
                nodes[own].lost.set()
                await asyncio.Event().wait()
            return await write(team.coder, task)

        return solve

    nodes += [Mortal(f"n{n}", [deadly(n)], 10_000) for n in range(5)]
    records = await run(tmp_path, deadly(0), nodes)
    wrong = {verdict.task_id for verdict in records.verdicts.values() if verdict.errored}
    assert wrong == {victim}
    assert "3 nodes were lost" in str(records.verdicts[victim])


@pytest.mark.parametrize("each", [odd, endless], ids=lambda each: each.name)
async def test_what_a_pipeline_does_wrong_is_said_in_the_same_words_as_on_one_machine(
    tmp_path: Path, each: Pipeline
) -> None:
    alone = await run(tmp_path / "a", each, seconds=0.3)
    there = await run(tmp_path / "b", each, [Mortal("n", [each], 10_000)], seconds=0.3)
    assert timeless(there) == timeless(alone)
    assert all(verdict.errored for verdict in there.verdicts.values())


async def test_a_server_that_is_lost_ends_the_run_as_on_one_machine(tmp_path: Path) -> None:
    gone = ScriptedChat(lambda _: UnreachableError("e is gone"), name="e")
    for folder, nodes in (("a", []), ("b", [Mortal("n", [lost], 10_000)])):
        with pytest.raises(RunError, match="stopped: e is gone"):
            await run(tmp_path / folder, lost, nodes, chat=gone)


async def test_a_node_whose_loop_is_held_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driving, "LEAST", 0.2)
    each, told = builtins()["raw-coder"], list[str]()
    held, well = Mortal("held", [each], 10_000), Mortal("well", [each], 10_000)

    async def silent() -> Sequence[Heard]:
        await held.lost.wait()
        raise AssertionError

    monkeypatch.setattr(held, "hear", silent)
    await run(tmp_path, each, [held, well], told=told, seconds=0.2)
    assert any("lost the node held: it said nothing for 0.2 s" in line for line in told)
    assert held.lost.is_set()


def test_a_pipeline_of_ones_own_travels_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from dualcode.pipelines import pipeline\n\n"
        "@pipeline('mine', roles=['coder'])\nasync def mine(task, team):\n    raise ValueError('line 5')\n"
    )
    mine, raw = find_pipeline(f"{file}:mine"), find_pipeline("raw-coder")
    brought = [Brought.of(each) for each in (mine, raw)]
    file.unlink()
    there = unpacked(brought)
    assert [each.name for each in there] == ["mine", "raw-coder"]
    assert there[0].source.name == "mine.py"  # as errors name it
    with pytest.raises(PipelineError):
        unpacked([Brought("mine", "mine.py", b"import nothing_of_this_name")])


def test_a_node_with_other_code_is_refused_by_name() -> None:
    own = identity([builtins()["review-fix"]])
    compare("a", own, dict(own))
    assert {"Python", "dualcode", "the code of dualcode", "the pipeline review-fix"} <= own.keys()
    for name in own:
        with pytest.raises(ClusterError, match=f"node b would make other records: {name} is 0.0"):
            compare("b", own, {**own, name: "0.0"})
    with pytest.raises(ClusterError, match="the pipeline review-fix is missing there"):
        compare("b", own, {name: value for name, value in own.items() if name != "the pipeline review-fix"})


def test_sandboxes_of_different_tiers_are_refused_by_name() -> None:
    weak = Tier(name="landlock", holds=())
    assert one_tier({"a": TIER, "b": TIER}) == TIER
    with pytest.raises(ClusterError, match="a: namespaces, b: landlock"):
        one_tier({"a": TIER, "b": weak})


async def test_the_same_request_asked_twice_is_asked_twice() -> None:
    chat = ScriptedChat(["first", "second"], remember=True)
    request = Request(messages=(), sampling=PAPER.plain, answer_tokens=1)
    seat = Seat("coder", chat, PAPER, 1000, None)
    course = driving._Course(Team({"coder": seat}), lambda _: None)  # pyright: ignore[reportPrivateUsage]
    for _ in range(2):  # done again, it hears the same
        course.begin()
        said = [(await course.ask("scripted", request)).content for _ in range(2)]
        assert said == ["first", "second"]
    course.end()
