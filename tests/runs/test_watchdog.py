"""A pipeline that holds the event loop is ended as one that awaits too long is; the others go on."""

import asyncio
import signal
import threading
import time
from pathlib import Path

import pytest

from dualcode.pipelines import Pipeline
from dualcode.runs import watchdog
from dualcode.runs.runner import Runner, work
from dualcode.runs.session import open_run
from dualcode.runs.store import read_run
from dualcode.runs.watchdog import HeldError, watched
from dualcode.solution import Program
from dualcode.suites.registry import load_suite
from dualcode.task import Task
from dualcode.team import Team
from tests.runs.test_runner import RAW, PassAll, answers, coder, made_with, reasons

pytestmark = pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals reach the main thread alone"
)
LONG = 3.0
"""Seconds for which no machine is too busy to run a loop once."""


async def test_a_pipeline_that_sleeps_in_the_loop_is_errored_and_the_next_task_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "LEAST", LONG)
    suite = load_suite("mini").select(2)

    async def solve(task: Task, team: Team) -> Program:
        if task.id == suite.tasks[0].id:
            try:
                time.sleep(600)  # noqa: ASYNC251 - the fault
            except Exception:
                raise AssertionError("nobody's except Exception is to keep it") from None
        return Program(text="x = 1\n", compiles=True, defines_entry_point=False, how="mine")

    store = open_run(tmp_path, made_with(suite, RAW), fresh=False)
    runner = Runner(
        Pipeline(solve, "raw-coder", ["coder"], "§0"),
        suite,
        coder(answers()),
        PassAll(),
        store,
        task_seconds=LONG,
    )
    with watched(LONG):
        await work([runner], most=1)
    store.close()
    records = read_run(store.folder)
    reason = reasons(records)[0]
    assert reason.startswith(
        "the pipeline took more than 3 s (--task-seconds), and awaited nothing in all of "
    )
    assert "(test_watchdog.py:" in reason
    assert records.done == {suite.tasks[1].id}


async def test_a_loop_that_lives_is_left_alone_and_the_signal_given_back() -> None:
    before = signal.getsignal(signal.SIGURG)
    with watched(LONG):
        assert signal.getsignal(signal.SIGURG) is not before
        signal.raise_signal(signal.SIGURG)  # of anybody's
        await asyncio.sleep(0)
    assert signal.getsignal(signal.SIGURG) is before


async def test_a_loop_is_not_ended_for_a_limit_that_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "BEAT", 0.01)
    gone_on = False
    with watched(0.01):
        time.sleep(0.2)  # noqa: ASYNC251 - as a slow disk does
        gone_on = True
    assert gone_on


async def test_where_the_signal_is_in_use_nothing_is_watched() -> None:
    def mine(*_: object) -> None:
        pass

    before = signal.signal(signal.SIGURG, mine)
    try:
        with watched(0.001):
            time.sleep(0.01)  # noqa: ASYNC251 - held, and not ended
            assert signal.getsignal(signal.SIGURG) is mine
    except HeldError:
        pytest.fail("it was watched")
    finally:
        signal.signal(signal.SIGURG, before)
