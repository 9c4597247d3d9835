"""Cancelling an agent, at any moment: nothing of it runs on, and what it had come to is told."""

import asyncio
import secrets
import threading
from collections.abc import Callable

import pytest

from dualcode.agents.agent import run_agent
from dualcode.agents.bridge import Bridge, Stopped
from dualcode.agents.records import AgentLimits, AgentRun, Step, Workplace
from dualcode.call import Reply, Request
from dualcode.issues.worktrees import Worktree
from dualcode.models.scripted import ScriptedChat
from tests.agents.acting import BRIEF, MEND, SUBMIT, act, says, seat
from tests.issues.attacks import command_lines


class Gate(ScriptedChat):
    """A model whose replies from the `at`-th on are never given; `asked` tells that one is waited for."""

    def __init__(self, answers: list[str], at: int) -> None:
        super().__init__(answers)
        self.asked, self.ended = asyncio.Event(), asyncio.Event()
        self._at = at

    async def complete(self, request: Request) -> Reply:
        if len(self.requests) < self._at:
            return await super().complete(request)
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()
        raise AssertionError("unreachable")


def begin(
    place: Workplace,
    chat: ScriptedChat,
    record: Callable[[Step], None] = lambda _: None,
    replay: tuple[Step, ...] = (),
) -> "asyncio.Task[object]":
    work = run_agent(seat(chat), place, BRIEF, AgentLimits(), record=record, replay=replay)
    return asyncio.create_task(work)


async def ended(task: "asyncio.Task[object]") -> AgentRun:
    """Await a cancelled agent, and return what it had come to; no thread of it is left."""
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert not [each for each in threading.enumerate() if each.name.startswith("agent-")]
    assert type(caught.value) is asyncio.CancelledError, "timeout() and TaskGroup know no other"
    run = caught.value.args[0]
    assert isinstance(run, AgentRun)
    assert (run.ending, run.answer) == ("cancelled", None)
    return run


async def until(there: Callable[[], bool]) -> None:
    """Return once something is there of which nobody tells."""
    while not await asyncio.to_thread(there):  # noqa: ASYNC110 - a process, a file
        await asyncio.sleep(0.01)


def runs(mark: str) -> Callable[[], bool]:
    """Whether a process runs that has a mark in its command."""
    return lambda: any(mark in line for line in command_lines())


async def test_before_it_begins(place: Workplace) -> None:
    chat = ScriptedChat([says(SUBMIT)])
    task = begin(place, chat)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert chat.requests == []


@pytest.mark.parametrize("at", [0, 1])
async def test_while_its_model_is_asked(place: Workplace, at: int) -> None:
    chat = Gate([says(MEND)], at)
    task = begin(place, chat)
    await chat.asked.wait()
    task.cancel()
    assert (await ended(task)).steps == at
    assert chat.ended.is_set()


async def test_while_a_command_sleeps_with_a_daemon_beside_it(place: Workplace) -> None:
    mark = secrets.token_hex(8)
    steps: list[Step] = []
    command = f"setsid sh -c 'sleep 600; : {mark}' & touch shop/begun; sleep 600; : {mark}-main"
    task = begin(place, ScriptedChat([says("true"), says(command), says(SUBMIT)]), steps.append)
    await until(runs(f"{mark}-main"))
    task.cancel()
    assert (await ended(task)).steps == 1
    assert not runs(mark)()
    assert [step.command for step in steps] == ["true"]


async def test_twice_while_a_command_sleeps(place: Workplace) -> None:
    mark = secrets.token_hex(8)
    task = begin(place, ScriptedChat([says(f"sleep 600; : {mark}")]))
    await until(runs(mark))
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await ended(task)
    assert not runs(mark)()


async def test_while_a_step_is_recorded(place: Workplace) -> None:
    steps: list[Step] = []

    def record(step: Step) -> None:
        steps.append(step)
        task.cancel()

    chat = ScriptedChat([says("true"), says("true"), says(SUBMIT)])
    task = begin(place, chat, record)
    run = await ended(task)
    assert [step.number for step in steps] == [1]
    assert run.steps <= 1
    assert len(chat.requests) <= 2


async def test_at_whatever_moment_by_the_clock(place: Workplace, tree: Worktree) -> None:
    """Cancelled after ever more turns of the loop: in git, between threads, wherever it then is."""
    outcomes: set[str] = set()
    for turns in range(0, 40, 4):
        tree.restore("")
        task = begin(place, ScriptedChat([says(MEND), says(SUBMIT)]))
        for _ in range(turns):
            await asyncio.sleep(0.002)
        task.cancel()
        done, _ = await asyncio.wait({task})
        outcomes |= {"cancelled" if each.cancelled() else "done" for each in done}
        assert not [each for each in threading.enumerate() if each.name.startswith("agent-")]
    assert "cancelled" in outcomes


async def test_a_timeout_around_it_is_a_timeout(place: Workplace) -> None:
    chat = Gate([], 0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await run_agent(seat(chat), place, BRIEF, AgentLimits(), record=lambda _: None)
    assert chat.asked.is_set() == chat.ended.is_set()


async def test_a_group_that_fails_ends_its_agents(place: Workplace) -> None:
    chat = Gate([], 0)

    async def fail() -> None:
        await chat.asked.wait()
        raise ValueError("the other one")

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(run_agent(seat(chat), place, BRIEF, AgentLimits(), record=lambda _: None))
    assert [str(each) for each in caught.value.exceptions] == ["the other one"]
    assert chat.ended.is_set()


async def test_a_seat_whose_task_has_ended_ends_its_agent(place: Workplace) -> None:
    taken = seat(ScriptedChat([says(SUBMIT)]))
    taken.shift.end()
    with pytest.raises(asyncio.CancelledError) as caught:
        await run_agent(taken, place, BRIEF, AgentLimits(), record=lambda _: None)
    assert caught.value.args[0].ending == "cancelled"


async def test_a_cancelled_agent_can_be_resumed_as_if_nothing_had_been(
    place: Workplace, tree: Worktree
) -> None:
    mark = secrets.token_hex(8)
    steps: list[Step] = []
    half = f"echo half > shop/half.py; sleep 600; : {mark}"
    half_done = tree.path / "shop/half.py"
    task = begin(place, ScriptedChat([says(MEND), says(half)]), steps.append)
    await until(half_done.exists)
    task.cancel()
    await ended(task)
    assert half_done.exists()
    acted = await act(place, [says(MEND), says("git status --short"), says(SUBMIT)], replay=steps)
    assert acted.observations[0] == "exit code 0\n<output>\n M shop/price.py\n</output>"


# The bridge by itself.


async def test_many_bridges_wait_side_by_side() -> None:
    """More than asyncio's own executor has threads: none waits for another's end."""
    arrived = threading.Barrier(40, timeout=60)
    bridges = [Bridge(f"side-{number}") for number in range(40)]
    assert (
        await asyncio.gather(*(bridge.run(lambda: arrived.wait() >= 0) for bridge in bridges)) == [True] * 40
    )


async def test_what_is_called_after_the_stop_never_begins() -> None:
    bridge, began = Bridge("late"), asyncio.Event()
    free = threading.Event()
    ran: list[str] = []

    async def never() -> None:
        ran.append("it ran")

    def work() -> None:
        asyncio_loop.call_soon_threadsafe(began.set)
        free.wait(60)
        with pytest.raises(Stopped):
            bridge.call(never())
        raise Stopped

    asyncio_loop = asyncio.get_running_loop()
    task = asyncio.create_task(bridge.run(work))
    await began.wait()
    task.cancel()
    await asyncio.sleep(0)
    free.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ran == []


async def test_what_fails_on_the_loop_fails_in_the_thread_and_context_goes_along() -> None:
    from contextvars import ContextVar

    known: ContextVar[str] = ContextVar("known", default="nothing")
    known.set("who asks")
    bridge = Bridge("plain")

    async def fails() -> None:
        raise KeyError(known.get())

    with pytest.raises(KeyError, match="who asks"):
        await bridge.run(lambda: bridge.call(fails()))
