"""The run: what a kill leaves, what a resume does, what an error is. Models and grader are scripted."""

import asyncio
import json
from pathlib import Path

import pytest

from dualcode import together
from dualcode.call import Reply, Request
from dualcode.config import Endpoint, TeamConfig
from dualcode.errors import EndpointError, GraderError, RunError, UnreachableError
from dualcode.models.endpoints import Served
from dualcode.models.scripted import Answer, ScriptedChat
from dualcode.pipelines import Pipeline, Solve
from dualcode.pipelines.find import find_pipeline
from dualcode.runs.manifest import Manifest, configure, manifest
from dualcode.runs.runner import Runner
from dualcode.runs.runner import work as work_all
from dualcode.runs.session import RunStore, open_run
from dualcode.runs.store import RunRecords, read_run
from dualcode.runs.summary import summarize
from dualcode.sampling import PAPER
from dualcode.solution import Program
from dualcode.steps import write
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from dualcode.task import Task
from dualcode.team import Seat, Team
from dualcode.verdict import Outcome, Verdict

TEAM = TeamConfig(
    endpoints={"e": Endpoint(base_url="http://127.0.0.1:1/v1", model="m")},
    roles={"coder": "e", "reviewer": "e"},
)
RAW = find_pipeline("raw-coder")


class PassAll:
    """Passes every program; `broken` tasks make it fail itself."""

    def __init__(self, broken: set[str] | None = None) -> None:
        self.broken = broken or set()
        self.graded: list[str] = []

    async def grade(self, task_id: str, program: str) -> Verdict:
        await asyncio.sleep(0)
        self.graded.append(task_id)
        if task_id in self.broken:
            return Verdict.of_error(task_id, GraderError("sandbox broke").message, plus=True)
        passed = Outcome(status="passed")
        return Verdict.of(task_id, base=passed, plus=passed)

    async def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite("mini").select(6)


def made_with(suite: Suite, pipeline: Pipeline = RAW, team: TeamConfig = TEAM) -> Manifest:
    configuration = configure(pipeline, suite, team, {"e": Served(model="m")})
    return manifest("run", configuration, suite, team)


def coder(chat: ScriptedChat) -> Team:
    return Team({"coder": Seat("coder", chat, PAPER, 100, None)})


def solution(suite: Suite, task: Task) -> str:
    return f"```python\n{suite.hidden[task.id].reference()}\n```"


async def work(
    root: Path, suite: Suite, chat: ScriptedChat, grader: PassAll | None = None, *, fresh: bool = False
) -> RunRecords:
    store = open_run(root, made_with(suite), fresh=fresh)
    store.begin_session(2, {})
    try:
        graded = grader or PassAll()
        await work_all([Runner(RAW, suite, coder(chat), graded, store, task_seconds=600)], most=2)
    finally:
        store.end_session()
        store.close()
    return read_run(store.folder)


def answers(*faults: tuple[int, Answer]) -> ScriptedChat:
    """Answer every request with a program; the n-th (from 0) as the faults say."""
    script, count = dict(faults), iter(range(1000))

    def answer(_: object) -> Answer:
        return script.get(next(count), "```python\ndef f():\n    return 1\n```")

    return ScriptedChat(answer)


async def test_a_run_holds_a_call_a_sample_and_a_verdict_for_each_task(tmp_path: Path, suite: Suite) -> None:
    records = await work(tmp_path, suite, answers())
    assert len(records.calls) == len(records.samples) == len(records.verdicts) == 6
    assert records.done == {task.id for task in suite.tasks}


async def test_a_run_holds_its_tasks_and_every_program_once_with_its_first_place(
    tmp_path: Path, suite: Suite
) -> None:
    records = await work(tmp_path, suite, answers())
    assert list(records.tasks.values()) == list(suite.tasks)
    assert len(records.programs) == 6  # each is its task's draft and solution
    for call in records.calls:
        assert call.program is not None
        named = records.programs[call.task_id, call.program]
        assert (named.step, named.call) == ("write", 1)
        assert named.text == records.samples[call.task_id].solution


async def test_what_a_kill_left_of_tasks_and_programs_is_completed_and_nothing_stands_twice(
    tmp_path: Path, suite: Suite
) -> None:
    whole = await work(tmp_path, suite, answers())
    for name, keep in (("tasks", 3), ("programs", 4), ("calls", 3), ("samples", 2), ("verdicts", 2)):
        path = tmp_path / "run" / f"{name}.jsonl"
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(lines[:keep]) + lines[keep][:20])
    resumed = await work(tmp_path, suite, answers())
    assert (resumed.tasks, resumed.programs) == (whole.tasks, whole.programs)
    for name in ("tasks", "programs"):
        assert len((tmp_path / "run" / f"{name}.jsonl").read_text().splitlines()) == 6


async def test_a_program_that_no_call_wrote_is_on_record_too(tmp_path: Path, suite: Suite) -> None:
    store = open_run(tmp_path, made_with(suite), fresh=False)
    program = Program(text="x = 1\n", compiles=True, defines_entry_point=False, how="mine")
    store.add_sample("MiniRich/0", program)
    store.close()
    named = read_run(store.folder).programs["MiniRich/0", program.checksum]
    assert (named.text, named.step, named.call) == ("x = 1\n", "solution", 0)


async def test_samples_are_in_evalplus_format(tmp_path: Path, suite: Suite) -> None:
    await work(tmp_path, suite, answers())
    lines = (tmp_path / "run" / "samples.jsonl").read_text().splitlines()
    assert all({"task_id", "solution"} <= json.loads(line).keys() for line in lines)


async def test_a_complete_run_asks_nothing_again(tmp_path: Path, suite: Suite) -> None:
    await work(tmp_path, suite, answers())
    chat = answers()
    await work(tmp_path, suite, chat)
    assert chat.requests == []


async def test_a_resumed_run_redoes_only_what_is_missing(tmp_path: Path, suite: Suite) -> None:
    await work(tmp_path, suite, answers((2, EndpointError("hiccup"))))
    chat = answers()
    records = await work(tmp_path, suite, chat)
    assert len(chat.requests) == 1
    assert len(records.done) == 6
    assert len(records.manifest.sessions) == 2


async def test_a_lost_call_makes_the_task_errored_not_failed(tmp_path: Path, suite: Suite) -> None:
    records = await work(tmp_path, suite, answers((0, EndpointError("hiccup"))))
    verdict = records.verdicts[suite.tasks[0].id]
    assert (verdict.base.status, verdict.base.reason) == ("errored", "hiccup")
    assert summarize(records).base.failed == 0
    assert not summarize(records).complete


async def test_the_calls_of_a_task_done_again_are_set_aside_not_lost(tmp_path: Path, suite: Suite) -> None:
    await work(tmp_path, suite, answers((0, EndpointError("hiccup"))))
    records = await work(tmp_path, suite, answers())
    assert len(records.calls) == 6
    assert "hiccup" in (tmp_path / "run" / "superseded.jsonl").read_text()


async def test_a_broken_grader_makes_the_task_errored_and_is_asked_again(
    tmp_path: Path, suite: Suite
) -> None:
    broken = suite.tasks[1].id
    records = await work(tmp_path, suite, answers(), PassAll({broken}))
    assert records.verdicts[broken].errored
    chat, grader = answers(), PassAll()
    records = await work(tmp_path, suite, chat, grader)
    assert (chat.requests, grader.graded) == ([], [broken])
    assert not records.verdicts[broken].errored


async def test_a_lost_server_stops_the_run_and_says_how_to_resume(tmp_path: Path, suite: Suite) -> None:
    chat = ScriptedChat(lambda _: UnreachableError("nobody there"))
    with pytest.raises(RunError, match="nobody there.*\n.*resumes"):
        await work(tmp_path, suite, chat)
    assert len((await work(tmp_path, suite, answers())).done) == 6


async def solve(
    root: Path, suite: Suite, how: Solve, chat: ScriptedChat | None = None, task_seconds: float = 300.0
) -> RunRecords:
    """Run anybody's pipeline on the suite."""
    pipeline = Pipeline(how, "raw-coder", ["coder"], "§0")
    store = open_run(root, made_with(suite), fresh=False)
    team = coder(chat or answers())
    one = Runner(pipeline, suite, team, PassAll(), store, task_seconds=task_seconds)
    try:
        await work_all([one], most=2)
    finally:
        store.close()
    return read_run(store.folder)


def reasons(records: RunRecords) -> list[str]:
    return [verdict.base.reason or "" for verdict in records.verdicts.values()]


async def test_a_pipeline_that_raises_makes_its_task_errored(tmp_path: Path, suite: Suite) -> None:
    async def explode(task: Task, team: Team) -> Program:
        raise KeyError(task.id)

    for reason in reasons(await solve(tmp_path, suite, explode)):
        assert "pipeline raised KeyError" in reason
        assert "test_runner.py:" in reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [(EndpointError("hiccup"), "hiccup"), (ValueError("odd"), "pipeline raised ValueError: odd (")],
)
async def test_a_failure_in_a_task_group_is_recorded_as_itself(
    tmp_path: Path, suite: Suite, error: Exception, reason: str
) -> None:
    async def fail() -> None:
        raise error

    async def grouped(task: Task, team: Team) -> Program:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(asyncio.Event().wait())
        raise AssertionError("the group has failed")

    for found in reasons(await solve(tmp_path, suite.select(2), grouped)):
        assert found.startswith(reason)


async def test_a_lost_server_in_a_task_group_stops_the_run_too(tmp_path: Path, suite: Suite) -> None:
    async def grouped(task: Task, team: Team) -> Program:
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(write(team.coder, task))
        return asked.result()

    with pytest.raises(RunError, match="nobody there.*\n.*resumes"):
        await solve(tmp_path, suite, grouped, ScriptedChat(lambda _: UnreachableError("nobody there")))


async def test_a_pipeline_that_cancels_itself_makes_its_task_errored(tmp_path: Path, suite: Suite) -> None:
    async def leave(task: Task, team: Team) -> Program:
        raise asyncio.CancelledError

    assert all("CancelledError" in each for each in reasons(await solve(tmp_path, suite, leave)))


async def test_a_pipeline_that_never_returns_is_ended_and_its_task_errored(
    tmp_path: Path, suite: Suite
) -> None:
    async def hang(task: Task, team: Team) -> Program:
        await asyncio.Event().wait()
        raise AssertionError("nothing sets it")

    two = suite.select(2)
    records = await solve(tmp_path, two, hang, task_seconds=0.02)
    assert reasons(records) == ["the pipeline took more than 0.02 s (--task-seconds)"] * 2
    assert records.done == set()
    assert len((await work(tmp_path, two, answers())).done) == 2  # and done again


async def test_a_pipeline_that_asks_without_end_is_ended_too(tmp_path: Path, suite: Suite) -> None:
    async def insist(task: Task, team: Team) -> Program:
        while True:
            await write(team.coder, task)
            await asyncio.sleep(0)

    records = await solve(tmp_path, suite.select(1), insist, task_seconds=0.02)
    assert reasons(records) == ["the pipeline took more than 0.02 s (--task-seconds)"]
    assert records.calls  # they were paid for


async def test_a_time_out_of_the_pipelines_own_is_its_own(tmp_path: Path, suite: Suite) -> None:
    async def impatient(task: Task, team: Team) -> Program:
        raise TimeoutError("mine")

    assert all(
        "pipeline raised TimeoutError: mine" in each
        for each in reasons(await solve(tmp_path, suite.select(1), impatient))
    )


class Slow(ScriptedChat):
    """Answers nothing before the gate is open."""

    def __init__(self) -> None:
        super().__init__(lambda _: "```python\ndef f():\n    return 1\n```")
        self.gate, self.asked, self.ended = asyncio.Event(), asyncio.Event(), list[str]()

    async def complete(self, request: Request) -> Reply:
        self.asked.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        return await super().complete(request)


@pytest.mark.parametrize("fails", [True, False])
async def test_a_call_that_a_pipeline_leaves_behind_ends_with_its_task(
    tmp_path: Path, suite: Suite, fails: bool
) -> None:
    """A sibling of `asyncio.gather`, or a task that nobody waits for: its record would come too late."""
    left, chat = list[asyncio.Task[Program]](), Slow()

    async def leave(task: Task, team: Team) -> Program:
        left.append(asyncio.create_task(write(team.coder, task)))
        await chat.asked.wait()
        if fails:
            raise ValueError("the other half failed")
        return Program(text="x = 1\n", compiles=True, defines_entry_point=False, how="mine")

    records = await solve(tmp_path, suite.select(1), leave, chat)
    chat.gate.set()
    await asyncio.wait(left)
    assert left[0].cancelled()
    assert chat.ended == ["cancelled"]
    assert records.calls == read_run(tmp_path / "run").calls == ()


async def test_a_seat_is_not_asked_after_its_task(tmp_path: Path, suite: Suite) -> None:
    seats, chat = list[Team](), answers()

    async def keep(task: Task, team: Team) -> Program:
        seats.append(team)
        return await write(team.coder, task)

    one = suite.select(1)
    await solve(tmp_path, one, keep, chat)
    with pytest.raises(asyncio.CancelledError, match="the task has ended"):
        await write(seats[0].coder, one.tasks[0])
    assert len(chat.requests) == 1


@pytest.mark.parametrize("file", ["calls.jsonl", "samples.jsonl", "verdicts.jsonl"])
async def test_a_torn_last_line_is_done_again(tmp_path: Path, suite: Suite, file: str) -> None:
    whole = await work(tmp_path, suite, answers())
    path = tmp_path / "run" / file
    path.write_bytes(path.read_bytes()[:-20])
    records = await work(tmp_path, suite, answers())
    assert records.done == whole.done
    assert records.samples == whole.samples
    assert records.verdicts == whole.verdicts


async def test_a_run_is_open_once(tmp_path: Path, suite: Suite) -> None:
    store = open_run(tmp_path, made_with(suite), fresh=False)
    with pytest.raises(RunError, match="another process is working on"):
        open_run(tmp_path, made_with(suite), fresh=False)
    store.close()


async def test_fresh_begins_beside_the_old_run(tmp_path: Path, suite: Suite) -> None:
    await work(tmp_path, suite, answers())
    chat = answers()
    records = await work(tmp_path, suite, chat, fresh=True)
    assert records.manifest.id == "run-2"
    assert len(chat.requests) == 6


def test_another_configuration_is_another_run(suite: Suite) -> None:
    same, other = TEAM, TEAM.model_copy(update={"sampling": TEAM.sampling.model_copy(update={"seed": 1})})
    moved = TEAM.resolved({})
    moved = moved.model_copy(
        update={
            "endpoints": {"e": moved.endpoints["e"].model_copy(update={"base_url": "http://127.0.0.1:9/v1"})}
        }
    )
    prints = [made_with(suite, team=team).fingerprint for team in (same, other, moved)]
    assert prints[0] != prints[1]
    assert prints[0] == prints[2]
    assert made_with(suite.select(3)).fingerprint != prints[0]
    assert made_with(suite, find_pipeline("raw-planner")).fingerprint != prints[0]


async def test_another_configuration_in_the_same_folder_is_refused(tmp_path: Path, suite: Suite) -> None:
    open_run(tmp_path, made_with(suite), fresh=False).close()
    with pytest.raises(RunError, match="another configuration"):
        RunStore.open(tmp_path / "run", made_with(suite.select(2)))


def test_a_folder_that_is_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no run"):
        read_run(tmp_path)


async def test_no_secret_is_written(tmp_path: Path, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "sesame-open")
    await work(tmp_path, suite, answers())
    written = "".join(path.read_text() for path in (tmp_path / "run").iterdir())
    assert "sesame-open" not in written


async def test_a_pipeline_that_swallows_its_end_is_errored_asks_nothing_more_and_the_others_are_done(
    tmp_path: Path, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "GRACE", 0.2)
    chat, refused = answers(), list[str]()

    async def solve(task: Task, team: Team) -> Program:
        while task.id == suite.tasks[0].id:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                try:
                    await write(team.coder, task)
                except asyncio.CancelledError:
                    refused.append(task.id)
        return await write(team.coder, task)

    store = open_run(tmp_path, made_with(suite), fresh=False)
    deaf = Pipeline(solve, "raw-coder", ["coder"], "§0")
    runner = Runner(deaf, suite, coder(chat), PassAll(), store, task_seconds=5.0)
    await work_all([runner], most=6)
    store.close()
    reasons_of = {id_: verdict.base.reason for id_, verdict in read_run(store.folder).verdicts.items()}
    assert reasons_of.pop(suite.tasks[0].id) == "the pipeline took more than 5 s (--task-seconds)"
    assert set(reasons_of.values()) == {None}
    assert refused
    assert len(chat.requests) == len(suite.tasks) - 1
