"""Long steps are named on stderr, short ones are not, and a log tells what a terminal tells."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dualcode.cli import steps
from dualcode.cli.steps import Steps
from tests.cli.typed import Run, finished, undrawn


class Clock:
    """Timers that run out when they are told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting: list[Callable[[], None]] = []
        self.asked: list[float] = []
        clock = self

        class Timer:
            daemon = False

            def __init__(self, after: float, act: Callable[..., None], args: list[object]) -> None:
                assert 0 <= after <= steps.AGAIN
                clock.asked.append(after)

                def ring() -> None:
                    clock.waiting.remove(self._ring)
                    act(*args)

                self._ring = ring

            def start(self) -> None:
                clock.waiting.append(self._ring)

            def cancel(self) -> None:
                if self._ring in clock.waiting:
                    clock.waiting.remove(self._ring)

        monkeypatch.setattr(threading, "Timer", Timer)

    def run_out(self) -> None:
        for each in [*self.waiting]:
            each()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    yield Clock(monkeypatch)


def test_a_step_that_goes_on_is_named_again_with_its_time(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Steps() as tell:
        tell("reading 28 runs")
        for _ in range(3):
            clock.run_out()
        tell("")
        clock.run_out()
    assert capsys.readouterr().err.splitlines() == [
        "reading 28 runs",
        "reading 28 runs … 3.5 s",
        "reading 28 runs … 6 s",
    ]


def test_a_step_that_lasts_is_named_once(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Steps() as tell:
        tell("reading 28 runs")
        clock.run_out()
    assert capsys.readouterr().err == "reading 28 runs\n"
    assert clock.waiting == []


def test_a_step_that_is_over_is_not_named(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Steps() as tell:
        tell("reading")
        tell("drawing figure-1 (1 of 11)")
        clock.run_out()
    out, err = capsys.readouterr()
    assert (out, err) == ("", "drawing figure-1 (1 of 11)\n")


def test_many_short_steps_make_no_silence(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter((0.0, 0.1, 0.7, 1.2, 1.3, 1.5))
    monkeypatch.setattr(steps.time, "monotonic", lambda: next(now))
    with Steps() as tell:
        tell("drawing figure-1")
        tell("drawing figure-2")
        tell("drawing figure-3")
        clock.run_out()
        tell("drawing figure-4")
    first, second, late, *_, after = clock.asked
    assert (first, second, late) == pytest.approx((0.9, 0.3, 0.0))
    assert after == pytest.approx(0.8)


def test_after_an_error_nothing_is_named(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="x"), Steps() as tell:
        tell("reading")
        raise ValueError("x")
    clock.run_out()
    assert capsys.readouterr().err == ""


def test_silence_ends_before_three_seconds() -> None:
    assert steps.SILENCE < 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["figures", "runs", "--no-grade", "--name", "figure-2", "-o", "out"],
         ["loading what reads and draws", "reading and comparing the runs", "drawing figure-2 (1 of 1)"]),
        (["report", "runs", "--no-grade", "-o", "out.html"],
         ["reading and comparing the runs", "drawing figures",
          "writing the report"]),
        (["tables", "runs", "--name", "table-2"], ["reading and comparing the runs"]),
        (["costs", "runs"], ["reading the runs"]),
        (["reviewer", "runs", "--no-grade"], ["reading the runs"]),
        (["compare", "runs"], ["reading and comparing the runs"]),
    ],
)  # fmt: skip
def test_each_long_step_of_a_command_has_a_name(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: list[str]
) -> None:
    told: list[str] = []

    def note(_: Steps, text: str) -> None:
        told.append(text)

    monkeypatch.setattr(Steps, "__call__", note)
    if arguments[0] == "report":
        monkeypatch.setattr("dualcode.figures.drawing.draw", undrawn)
    finished(tmp_path / "runs")
    code, _, err = run(*arguments)
    assert code == 0, err
    assert [text for text in told if text in said] == said
