"""A request that is watched: silence ends it, a sign of life does not."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dualcode.agents import work
from dualcode.agents.work import OverError, watched
from dualcode.models.chat import LISTENER, Listener, Meter

LONG = 3600.0


def heard() -> Listener:
    listener = LISTENER.get()
    assert listener is not None
    return listener


async def ask(
    work: Callable[[], Awaitable[str]], meter: Meter, idle: float = LONG, left: float = LONG
) -> str:
    async def asking() -> str:
        return await work()

    return await watched(asking(), meter, idle=idle, left=left)


async def test_what_comes_comes_through_and_so_does_what_fails() -> None:
    async def answer() -> str:
        return "yes"

    async def fail() -> str:
        raise KeyError("no")

    assert await ask(answer, Meter()) == "yes"
    with pytest.raises(KeyError):
        await ask(fail, Meter())


@pytest.mark.parametrize(("idle", "left", "ending"), [(0.05, LONG, "stalled"), (LONG, 0.05, "time")])
async def test_silence_and_time_end_it_and_the_request_has_ended_then(
    idle: float, left: float, ending: str
) -> None:
    ended = asyncio.Event()

    async def silent() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.set()
        return ""

    with pytest.raises(OverError) as caught:
        await ask(silent, Meter(), idle, left)
    assert caught.value.ending == ending
    assert ended.is_set()


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(work, "time", made)
    return made


def test_a_piece_ends_a_silence_and_its_going_out_ends_that_before(clock: Clock) -> None:
    ear = work.Ear(Meter())
    clock.now += 5
    assert ear.quiet() == 5
    ear.begin()
    assert ear.quiet() == 0
    clock.now += 3
    ear.hear("", "word")
    clock.now += 2
    assert ear.quiet() == 2
    ear.begin()  # once more, after a stream that was lost: nothing came all the same
    assert ear.quiet() == 2


def test_who_waits_for_a_turn_is_not_idle_while_the_server_works_or_is_waited_for(clock: Clock) -> None:
    meter = Meter()
    ear = work.Ear(meter)
    clock.now += 5
    meter.tokens += 1
    assert ear.quiet() == 0
    clock.now += 5
    assert ear.quiet() == 5, "it has stopped working"
    meter.trouble = "no connection, waited 5 of 300 s"
    assert ear.quiet() == 0


def test_what_the_server_does_for_others_is_no_sign_of_a_request_that_is_out(clock: Clock) -> None:
    meter = Meter()
    ear = work.Ear(meter)
    ear.begin()
    clock.now += 5
    meter.tokens += 1
    assert ear.quiet() == 5


async def test_a_request_that_is_heard_of_outlives_many_silences() -> None:
    """By the real clock, with pieces as often as the loop turns: it ends by its own end."""

    async def streams() -> str:
        heard().begin()
        for _ in range(200):
            await asyncio.sleep(0)
            heard().hear("", "word ")
        return "whole"

    assert await ask(streams, Meter(), idle=60.0) == "whole"


async def test_cancelled_it_ends_the_request() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def silent() -> str:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return ""

    task = asyncio.create_task(ask(silent, Meter()))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
