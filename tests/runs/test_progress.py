"""What people see while runs work: a line or a live display, and how far several runs are."""

import asyncio
import io
import time
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from dualcode.call import Message, Request
from dualcode.models.scripted import ScriptedChat
from dualcode.runs import progress
from dualcode.runs.progress import Display, Tally, Whole
from dualcode.sampling import PAPER
from dualcode.verdict import Verdict
from tests.runs.test_summary import call, verdict


def tally(total: int = 4, done: int = 1) -> Tally:
    found = Tally(has_plus=True)
    found.on_start(total, [])
    for _ in range(done):
        found.on_verdict(verdict("passed", "failed"))
    return found


def display(found: Tally, console: Console, *, whole: Whole | None = None, quiet: bool = False) -> Display:
    chats: Any = [ScriptedChat(lambda _: "x", name="coder")]
    return Display("mini", {"raw-coder": found}, chats, quiet=quiet, console=console, whole=whole)


async def watched(shown: Display, seconds: float) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(shown.watch(), timeout=seconds)


def test_a_line_says_how_far_the_run_is_and_what_it_made() -> None:
    found = tally()
    found.pace.started = time.monotonic() - 60
    line = display(found, Console(file=io.StringIO())).line()
    assert line.startswith("raw-coder on mini: 1/4 · pass@1 base 100.0% (1/1)  plus 0.0% (0/1) · coder")
    assert line.endswith("0 in flight · about 3 min 0 s left")


def test_errors_and_the_whole_are_said_where_there_are_any() -> None:
    found, whole = tally(), Whole(runs=2, tasks=8)
    found.on_verdict(Verdict.of_error("T/9", "lost", plus=True))
    whole.begin(found)
    line = display(found, Console(file=io.StringIO()), whole=whole).line()
    assert "1 errored" in line
    assert "0 of 2 runs done, 2/8 tasks in all" in line
    alone = display(found, Console(file=io.StringIO()), whole=Whole(runs=1, tasks=4)).line()
    assert "runs done" not in alone


def test_the_whole_counts_ended_runs_and_those_at_work() -> None:
    whole = Whole(runs=3, tasks=12)
    first = tally(done=4)
    whole.begin(first)
    whole.end(4, first)
    assert (whole.ended, whole.done) == (1, 4)
    whole.begin(tally(done=2))
    whole.pace.started = time.monotonic() - 60
    assert whole.done == 6
    assert whole.seconds_left() == pytest.approx(60, abs=1)  # six in a minute, six to go


def test_a_run_that_was_complete_already_does_not_make_the_rest_look_fast() -> None:
    whole, resumed = Whole(runs=2, tasks=8), Tally(has_plus=True)
    resumed.on_start(4, [verdict("passed", "passed")] * 4)
    whole.begin(resumed)
    whole.end(4, resumed)
    assert whole.done == 4
    assert whole.seconds_left() is None


def test_a_slow_beginning_is_forgotten_by_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    pace, done, told = progress.Pace(), 0, dict[int, float | None]()
    for second in range(1, 1201):
        clock[0], done = second, done + (second > 300 or second == 50)  # references run for 5 minutes
        told[second] = pace.seconds(10_000 - done, done)
    assert told[1] is None
    assert told[600] == pytest.approx(10_000 - 301, rel=0.01)
    assert told[1200] == pytest.approx(10_000 - 901, rel=0.01)


def test_a_run_that_stands_still_has_an_estimate_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [10.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    pace = progress.Pace()
    told = list[float | None]()
    for second in range(10, 400):
        clock[0] = second
        told.append(pace.seconds(4, 1))
    assert told[-1] == pytest.approx(4 * 389)


def test_the_last_call_is_remembered_with_what_became_of_it() -> None:
    found = tally()
    found.on_call(call("review", verdict="revise"))
    assert found.last == "T/1: coder review revise"
    found.on_call(call("write").model_copy(update={"reply": None, "error": "lost"}))
    assert found.last == "T/1: coder write failed"
    assert found.calls == 2


async def test_where_the_output_is_no_terminal_there_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "PLAIN_FIRST", 0.5)
    written = io.StringIO()
    await watched(display(tally(), Console(file=written)), 1.5)
    assert 1 <= written.getvalue().count("raw-coder on mini: 1/4") <= 3


async def test_a_quiet_display_says_nothing_and_ends_at_once() -> None:
    written = io.StringIO()
    await display(tally(), Console(file=written, force_terminal=True), quiet=True).watch()
    assert written.getvalue() == ""


async def test_a_terminal_shows_bars_rates_and_the_whole() -> None:
    written, whole, found = io.StringIO(), Whole(runs=2, tasks=8), tally()
    whole.begin(found)
    found.on_call(call("write"))
    console = Console(file=written, force_terminal=True, width=100)
    await watched(display(found, console, whole=whole), 0.4)
    text = written.getvalue()
    assert "raw-coder on mini" in text
    assert "all 2 runs" in text
    assert "pass@1 base 100.0% (1/1)" in text
    assert "1 calls, last T/1: coder write" in text


async def test_replayed_tokens_are_no_work_of_a_server() -> None:
    chat = ScriptedChat(lambda _: "x", name="coder")
    request = Request(messages=(Message(role="user", content="x"),), sampling=PAPER.plain, answer_tokens=1)
    await chat.complete(request)
    assert progress.Rate("coder", chat.meter).text().startswith("coder    0 tok/s")
