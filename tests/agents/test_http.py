"""Agents on a server: streams that are heard, faults that are retried, silence and failure that end them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from dualcode.agents.agent import run_agent
from dualcode.agents.records import AgentLimits, AgentRun, Step, Workplace
from dualcode.call import Call
from dualcode.issues.bases import Base
from dualcode.issues.worktrees import worktree
from tests.agents.acting import BRIEF, MEND, SUBMIT, says, seat
from tests.fake_server import Answer, FakeServer, serve
from tests.issues import shop
from tests.models.asking import chatting

REFUSAL = Answer(status=400, error={"message": "no such model"})


@asynccontextmanager
async def at_work(
    server: FakeServer, place: Workplace, **limits: float
) -> AsyncGenerator[tuple[AgentRun, list[Step], list[Call]]]:
    steps, calls = list[Step](), list[Call]()
    async with chatting(server) as chat:
        run, _ = await run_agent(
            seat(chat, record=calls.append),
            place,
            BRIEF,
            AgentLimits.model_validate(limits),
            record=steps.append,
        )
        yield run, steps, calls


async def test_over_http_with_a_lost_stream_in_between(place: Workplace) -> None:
    answers = [says(MEND), says("git diff"), says(SUBMIT)]
    script = [Answer(content=answers[0]), Answer(content=answers[1], drop=True), *map(Answer, answers[1:])]
    with serve(*script) as server:
        async with at_work(server, place) as (run, steps, calls):
            assert (run.ending, run.steps, run.answer) == ("submitted", 3, "done")
            assert "+    return sum(prices)" in steps[1].observation
            assert [len(call.attempts) for call in calls] == [1, 2, 1]
            assert run.usage.completion_tokens == sum(call.usage.completion_tokens for call in calls) > 0
        roles = [message["role"] for message in server.bodies[-1]["messages"]]
        assert roles == ["system", "user", *["assistant", "user"] * 2]


@pytest.mark.parametrize(
    ("answer", "limits", "ending"),
    [
        (REFUSAL, {}, "endpoint"),
        (Answer(status=500), {}, "endpoint"),
        (Answer(hang=600.0), {"idle_seconds": 0.2}, "stalled"),
        (Answer(hang=600.0), {"seconds": 0.2}, "time"),
    ],
    ids=["refusal", "failure", "silence", "time"],
)
async def test_a_server_that_fails_or_is_silent(
    place: Workplace, answer: Answer, limits: dict[str, float], ending: str
) -> None:
    with serve(answer) as server:
        async with at_work(server, place, **limits) as (run, steps, _):
            assert (run.ending, run.succeeded, steps) == (ending, False, [])
            assert run.why


async def test_agents_side_by_side_have_each_their_own_tree(place: Workplace, base: Base) -> None:
    async def one(name: str) -> str:
        with worktree(base, name) as tree:
            own = replace(place, room=replace(place.room, worktree=tree))
            with serve(
                Answer(content=says(f"echo {name} > shop/own.py")), Answer(content=says(SUBMIT))
            ) as server:
                async with at_work(server, own) as (run, _, _):
                    assert run.ending == "submitted"
            return (tree.path / "shop/own.py").read_text()

    names = ["one", "two", "three"]
    assert await asyncio.gather(*map(one, names)) == [f"{name}\n" for name in names]
    assert (place.room.worktree.path / "shop/price.py").read_text() == shop.FILES["shop/price.py"]
