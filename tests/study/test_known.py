"""What earlier runs, and a short trial, say about the calls to come."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dualcode.call import Attempt, Call, Message, Request, Usage
from dualcode.config import Endpoint, Limits, TeamConfig
from dualcode.errors import EndpointError
from dualcode.models.scripted import reply
from dualcode.pipelines.find import find_pipelines
from dualcode.runs.store import read_run
from dualcode.sampling import PAPER
from dualcode.study.known import MOST, Known, learn, try_speed
from dualcode.suites.registry import load_suite
from tests.made import Story, write_run


def call(step: str, *attempts: Attempt, prompt: int = 100, made: int = 50) -> Call:
    request = Request(messages=(Message(role="user", content="x"),), sampling=PAPER.plain, answer_tokens=1)
    usage = Usage(prompt_tokens=prompt, completion_tokens=made)
    told = attempts or (attempt(0, 1, usage=usage),)
    return Call(
        task_id="T/1", number=1, step=step, role="coder", endpoint="coder", model="m", request=request,
        reply=reply("x").model_copy(update={"attempts": told}),
    )  # fmt: skip


def attempt(started: float, seconds: float, *, ledger: bool = False, usage: Usage | None = None) -> Attempt:
    used = usage or Usage(prompt_tokens=100, completion_tokens=50)
    return Attempt(
        kind="chat", started=started, seconds=seconds, outcome="ok", usage=used, from_ledger=ledger
    )


def test_requests_in_flight_together_count_their_time_once() -> None:
    known = Known()
    known.add([call("write", attempt(0, 4)), call("write", attempt(2, 4))])
    assert known.rate("coder") == pytest.approx(100 / 6)


def test_what_the_ledger_answered_says_nothing_of_speed_but_of_length() -> None:
    known = Known()
    known.add([call("write", attempt(0, 4, ledger=True))])
    assert known.rate("coder") is None
    assert known.mean("coder", "write") == (100, 50)


def test_a_reply_whose_tokens_nobody_told_says_nothing_of_the_next() -> None:
    known = Known()
    known.add([call("write", attempt(0, 4)), call("write", attempt(5, 4, usage=Usage(untold=1)))])
    assert known.mean("coder", "write") == (100, 50)
    assert known.rate("coder") == pytest.approx(50 / 4)


def test_two_runs_are_not_taken_for_one_that_was_busy_throughout() -> None:
    known = Known()
    known.add([call("write", attempt(0, 1))])
    known.add([call("write", attempt(1000, 1))])
    assert known.rate("coder") == 50


def test_means_are_by_endpoint_and_step() -> None:
    known = Known()
    known.add([call("write", prompt=100, made=40), call("write", prompt=200, made=60), call("fix", made=9)])
    assert known.mean("coder", "write") == (150, 50)
    assert known.mean("coder", "review") is None
    assert known.mean("reviewer", "write") is None


def test_calls_without_a_reply_are_not_counted() -> None:
    known = Known()
    known.add([call("write").model_copy(update={"reply": None, "error": "lost"})])
    assert known.mean("coder", "write") is None
    assert known.rate("coder") is None


def test_runs_of_the_same_servers_are_learnt_from_and_damaged_ones_passed_over(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "raw-coder", {"T/1": Story(plus=True), "T/2": Story(plus=False)})
    served = read_run(folder).manifest.configuration.served
    assert sum(map(len, learn(tmp_path, served).tokens.values())) == 2
    other = {name: each.model_copy(update={"root": "another"}) for name, each in served.items()}
    assert not learn(tmp_path, other).tokens
    (folder / "calls.jsonl").write_text("{\n{\n")
    assert not learn(tmp_path, served).tokens


class Trial:
    """A workshop whose team answers at once, or fails."""

    def __init__(self, fault: Exception | None = None, concurrency: int = 4) -> None:
        endpoint = Endpoint(model="m", base_url="http://127.0.0.1:9/v1", concurrency=concurrency)
        self.config = TeamConfig(endpoints={"coder": endpoint}, roles={"coder": "coder"})
        self.suite = load_suite("mini")
        self.fault = fault
        self.asked: list[str] = []
        self.hangs = False

    async def tools(self) -> Any:
        return SimpleNamespace(team=self)

    def for_task(self, task_id: str, record: Callable[[Call], None]) -> tuple[str, Callable[[Call], None]]:
        return task_id, record

    async def play(self, task: Any, team: Any) -> None:
        if self.fault:
            raise self.fault
        if self.hangs:
            await asyncio.Event().wait()
        self.asked.append(task.id)
        team[1](call("write"))


async def tried(trial: Trial, known: Known, name: str = "raw-coder") -> str:
    (pipeline,) = find_pipelines(name)

    class Played:
        calls, roles = pipeline.calls, pipeline.roles
        __call__ = staticmethod(trial.play)

    told: list[str] = []
    pipelines: Any = [Played()]
    workshop: Any = trial
    await try_speed(pipelines, workshop, known, told.append)
    return "\n".join(told)


async def test_an_unknown_speed_is_tried_on_as_many_tasks_as_the_server_takes_at_once() -> None:
    known, trial = Known(), Trial()
    assert "on 4 drafts, which are kept" in await tried(trial, known)
    assert trial.asked == [task.id for task in trial.suite.tasks[:4]]
    assert known.rate("coder")


async def test_a_trial_is_short_however_many_requests_a_server_takes() -> None:
    trial = Trial(concurrency=500)
    await tried(trial, Known())
    assert len(trial.asked) == min(MOST, len(trial.suite.tasks))


async def test_a_known_speed_is_not_tried_again() -> None:
    known, trial = Known(), Trial()
    known.add([call("write")])
    assert await tried(trial, known) == ""
    assert trial.asked == []


async def test_only_pipelines_of_one_call_are_tried() -> None:
    trial = Trial()
    await tried(trial, Known(), "review-fix")
    assert trial.asked == []


async def test_a_pipeline_that_never_returns_does_not_hold_up_the_forecast() -> None:
    known, trial = Known(), Trial()
    trial.config = trial.config.model_copy(update={"limits": Limits(task_seconds=0.01)})
    trial.hangs = True
    await tried(trial, known)
    assert known.rate("coder") is None


async def test_a_server_that_fails_stays_unknown_and_a_fault_of_ours_does_not_pass() -> None:
    known = Known()
    await tried(Trial(EndpointError("gone", hint="start it")), known)
    assert known.rate("coder") is None
    with pytest.raises(ZeroDivisionError):
        await tried(Trial(ZeroDivisionError()), known)
