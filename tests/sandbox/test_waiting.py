"""Waiting is told from being kept waiting, needs no place of its own, and ends."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from typing import cast

import pytest

from dualcode.errors import SandboxError
from dualcode.grading.outcome import OWN_WAITING, may_be_load, outcome
from dualcode.sandbox import room
from dualcode.sandbox.job import Arguments, Job, Limits, Ran
from dualcode.sandbox.pool import (
    Pool,
    _attended,  # pyright: ignore[reportPrivateUsage]
    open_sandbox,
)
from dualcode.sandbox.tiers import TIERS
from dualcode.sandbox.waiting import Places, activity, kept_by_others
from dualcode.sandbox.worker import Worker

QUICK = "def f(x): return x"
SPIN = "while True: pass"


@pytest.fixture(params=TIERS)
async def one_place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Pool]:
    """A sandbox for one run that computes, with memory for others that wait beside it."""
    monkeypatch.setattr(room, "available_memory", lambda: 2 * Limits().memory)
    try:
        async with open_sandbox(1, tier=request.param) as sandbox:
            yield sandbox
    except SandboxError as error:
        pytest.skip(f"this machine refuses the tier {request.param}: {error}")


def sleeping(seconds: float, *, limits: Limits | None = None) -> Job:
    program = f"import time\ndef f(x): time.sleep({seconds})"
    return Job(program, Arguments.of("f", [[1]]), limits or Limits(), on_wait=lambda: None)


async def test_a_run_that_waits_leaves_its_place_to_another(one_place: Pool) -> None:
    patient = Limits(waiting=500, wall=500)  # however long a busy machine takes over the other
    waiting = asyncio.create_task(one_place.run(sleeping(400, limits=patient)))
    await asyncio.sleep(0.3)
    quick = await one_place.run(Job(QUICK, Arguments.of("f", [[1]])))
    assert quick.ending == "finished"
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_run_that_computes_keeps_its_place(one_place: Pool) -> None:
    program = "import time\ndef f(x):\n    while time.process_time() < 2.5: pass"
    told = list[str]()
    job = Job(program, Arguments.of("f", [[1]]), on_wait=lambda: told.append("waits"))
    busy = asyncio.create_task(one_place.run(job))
    await asyncio.sleep(0.1)
    await one_place.run(Job(QUICK, Arguments.of("f", [[1]])))
    assert busy.done()
    assert told == []


async def test_a_run_that_computes_a_little_now_and_then_has_waited_too_long_too(one_place: Pool) -> None:
    """It computes a third of the time, so that no clock could tell it from one on a busy machine."""
    program = (
        "import time\ndef f(x):\n    while True:\n        time.sleep(0.1)\n"
        "        end = time.process_time() + 0.05\n        while time.process_time() < end: pass\n"
    )
    ran = await one_place.run(Job(program, Arguments.of("f", [[1]]), Limits(waiting=1.5)))
    assert (ran.ending, ran.killed) == ("timed_out", True)
    # The second where others compute, too, and kept it from more than its clock told.
    assert ran.detail == "1.5 s of waiting" or "of which it computed" in ran.detail
    assert (await one_place.run(Job(QUICK, Arguments.of("f", [[1]])))).ending == "finished"


async def test_calls_may_wait_longer_together_than_one_of_them(one_place: Pool) -> None:
    job = Job("import time\ndef f(x): time.sleep(1)", Arguments.of("f", [[1]] * 11), Limits(waiting=30))
    assert (await one_place.run(job)).ending == "finished"


async def test_a_cancelled_run_that_left_its_place_gives_back_the_other(one_place: Pool) -> None:
    for _ in range(2):
        waiting = asyncio.create_task(one_place.run(sleeping(30)))
        await asyncio.sleep(2.5)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await asyncio.gather(*(one_place.run(Job(QUICK, Arguments.of("f", [[1]]))) for _ in range(3)))


async def test_no_more_runs_wait_than_fit() -> None:
    places = Places(1, 1)
    async with places.one() as leave:
        assert leave()
        async with places.one() as leave_too:
            assert not leave_too()
    async with places.one() as leave:
        assert leave()


def test_what_others_kept_a_process_from_is_no_waiting() -> None:
    """Two that compute on one core: sooner or later their start, which does wait, is little beside it."""
    core = min(os.sched_getaffinity(0))
    since = time.clock_gettime(time.CLOCK_BOOTTIME)
    pair = [subprocess.Popen([sys.executable, "-c", f"import os; os.sched_setaffinity(0, [{core}])\n{SPIN}"])]
    pair.append(subprocess.Popen(pair[0].args))
    shares = list[tuple[float, float]]()
    try:
        while not shares or shares[-1][0] < 0.7 or shares[-1][1] < 0.8:
            time.sleep(0.5)
            seen = activity(os.getpid(), since - 0.05)
            passed = time.clock_gettime(time.CLOCK_BOOTTIME) - since
            if seen is not None:
                shares.append((seen.kept / passed, (seen.computed + seen.kept) / (2 * passed)))
            assert passed < 300, shares[-10:]
    finally:
        for process in pair:
            process.kill()
            process.wait()
    assert all(both < 1.2 for _, both in shares), "no more than there was"


def test_who_was_there_before_is_not_looked_at() -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(9)"])
    try:
        assert activity(os.getpid(), time.clock_gettime(time.CLOCK_BOOTTIME) + 1) is None
    finally:
        sleeper.kill()
        sleeper.wait()


@pytest.mark.parametrize(
    ("passed", "computed", "delays", "kept"),
    [
        (10, 1, [], 0),
        (10, 1, [9], 9),
        (10, 1, [0], 0),
        (10, 1, [4.5, 4.5], 8),  # two that take turns, on a busy machine
        (14, 0.5, [0.9] * 200, 0.9),  # 200 that wake together on a quiet one
        (14, 0.5, [5] * 200, 5),
        (10, 5, [5] * 2, 5),
    ],
)
def test_threads_do_not_keep_their_own_process(
    passed: float, computed: float, delays: list[float], kept: float
) -> None:
    assert kept_by_others(passed, computed, delays) == kept


WAVES = """
import threading, time
def f(x):
    def wake():
        while True:
            time.sleep(1 - time.monotonic() % 1)
            sum(range(20_000))
    for _ in range(100): threading.Thread(target=wake, daemon=True).start()
    time.sleep(600)
"""


async def test_no_program_was_kept_for_longer_than_it_ran(one_place: Pool) -> None:
    """A hundred threads that are ready at once wait for each other, too."""
    ran = await one_place.run(Job(WAVES, Arguments.of("f", [[1]]), Limits(waiting=2.0)))
    assert (ran.ending, ran.killed) == ("timed_out", True)
    assert ran.wall > 0
    assert ran.kept <= ran.wall


async def test_what_was_ended_for_its_waiting_says_how_long_it_waited() -> None:
    """Without these times it would pass for load and be tried again, and by a coin have a second toss."""
    limits = Limits(waiting=1.5)

    class Sleeping:
        pid = os.getpid()

        async def run(self, _: Job) -> Ran:
            sleeper = subprocess.Popen(["sleep", "600"])  # noqa: ASYNC220 - no event of this loop
            try:
                await asyncio.sleep(600)
                raise AssertionError
            finally:
                sleeper.kill()
                sleeper.wait()

    job = Job(QUICK, Arguments.of("f", [[1]]), limits)
    ran = await _attended(cast("Worker", Sleeping()), job, lambda: False)
    assert (ran.ending, ran.detail, ran.killed) == ("timed_out", "1.5 s of waiting", True)
    assert ran.wall - ran.cpu - ran.kept > limits.waiting
    ended = outcome(ran, None, Arguments.of("f", [[1]]))
    assert may_be_load(ran, ended, limits) is (ran.wall - ran.cpu - ran.kept < OWN_WAITING)
