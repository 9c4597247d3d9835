"""Runs -> outcomes: the first failing test decides, and no forged frame makes a pass."""

import json

import pytest

from dualcode.grading.outcome import Mismatch, describe, may_be_load, outcome, shown_input, values
from dualcode.sandbox.job import Arguments, Limits, Ran, Told, frame
from dualcode.verdict import Cause, Outcome

CALLS = Arguments.of("f", [[1], [2, "x"], []])
BEGIN, END, LATE = frame("B", b""), frame("E", b""), frame("L", b"")
VALUE = frame("V", b"N")


def raised(kind: str = "R", name: str = "ValueError", message: str = "no") -> bytes:
    return frame(kind, json.dumps([name, message, "Traceback …"]).encode())


def test_a_value_for_every_call_passes() -> None:
    assert outcome(Ran("finished", BEGIN + VALUE * 3 + END), None, CALLS) == Outcome(status="passed")


@pytest.mark.parametrize(
    ("ran", "cause", "reason", "at", "failing_input"),
    [
        (Ran("finished", BEGIN + VALUE + raised() + END), "raised", "raised ValueError: no", 1, "2, 'x'"),
        (Ran("finished", BEGIN + VALUE * 2 + LATE + END), "time_out", "time-out", 2, None),
        (Ran("timed_out", BEGIN + VALUE), "total_time_out", "time-out (all tests together)", None, None),
        (Ran("died", BEGIN, "exit code 3"), "died", "the process died (exit code 3)", None, None),
        (Ran("died", BEGIN + VALUE * 3), "died", "the process died", None, None),
        (Ran("flooded", BEGIN + VALUE), "flooded", "returned more than is read", None, None),
        (Ran("finished", BEGIN + VALUE * 2 + END), "died", "the process died", None, None),
        (Ran("unloaded", raised("F", "E") + END), "not_loaded", "cannot be loaded: E: no", None, None),
        (
            Ran("unloaded", raised("F", "SyntaxError", "bad") + END),
            "not_loaded",
            "does not compile: SyntaxError: bad",
            None,
            None,
        ),
        (
            Ran("unloaded", raised("F", "NameError", "the program does not define 'f'") + END),
            "not_loaded",
            "does not define f",
            None,
            None,
        ),
        (Ran("unloaded", b""), "not_loaded", "cannot be loaded", None, None),
    ],
)
def test_each_ending_has_its_reason(
    ran: Ran, cause: Cause, reason: str, at: int | None, failing_input: str | None
) -> None:
    assert outcome(ran, None, CALLS) == Outcome(
        status="failed", cause=cause, reason=reason, at=at, failing_input=failing_input
    )


def test_a_wrong_output_before_an_exception_decides() -> None:
    ran = Ran("finished", BEGIN + VALUE * 2 + raised() + END)
    assert outcome(ran, Mismatch(0), CALLS).cause == "wrong_output"
    assert outcome(ran, Mismatch(0), CALLS).failing_input == "1"


@pytest.mark.parametrize(
    "forged",
    [
        VALUE + raised() + VALUE * 2,
        VALUE * 2 + LATE + VALUE,
        END + VALUE * 3,
        VALUE * 4,
        VALUE * 2 + frame("X", b"") + VALUE,
    ],
)
def test_frames_out_of_order_pass_nothing(forged: bytes) -> None:
    assert outcome(Ran("finished", BEGIN + forged + END), None, CALLS).status == "failed"


def test_values_end_at_the_first_call_that_returned_none() -> None:
    assert len(list(values(BEGIN + VALUE + frame("P", b"text") + VALUE + raised() + VALUE))) == 2


@pytest.mark.parametrize(
    "ran",
    [
        Ran("timed_out", BEGIN, cpu=1.6, wall=2.0, killed=True),
        Ran("timed_out", BEGIN, cpu=1.6, wall=14.0, kept=12.0, killed=True),
        Ran("finished", BEGIN + LATE + END, cpu=1.1, wall=1.2),
        Ran("died", BEGIN, "signal SIGKILL", killed=True),
    ],
)
def test_what_was_ended_from_outside_may_be_the_machine_s_load(ran: Ran) -> None:
    assert may_be_load(ran, outcome(ran, None, CALLS), Limits(call_cpu=1.0))


@pytest.mark.parametrize(
    "ran",
    [
        Ran("died", BEGIN, "exit code 3"),
        Ran("died", BEGIN, "signal SIGSEGV"),
        Ran("died", BEGIN, "more than 256 threads", killed=True),
        Ran("flooded", BEGIN, killed=True),
        Ran("finished", BEGIN + raised() + END),
        Ran("finished", BEGIN + LATE + END, cpu=0.01, wall=0.01),
        Ran("finished", BEGIN + VALUE + LATE + END, cpu=1.1, wall=1.2),
        Ran("timed_out", BEGIN, cpu=0.1, wall=10.0, killed=True),
        Ran("timed_out", BEGIN, cpu=5.0, wall=60.0, kept=1.0, killed=True),
    ],
)
def test_what_a_program_did_itself_is_not_load(ran: Ran) -> None:
    """Exits and crashes; a time-out that it only claims; time that it slept away."""
    limits = Limits(call_cpu=1.0, slow_calls={1: 4.0})
    assert not may_be_load(ran, outcome(ran, None, CALLS), limits)


def test_what_a_program_says_can_be_written_down() -> None:
    text = describe(Told("E\n", "\ud800\x1b[31m\n" + "x" * 900, ""))
    assert text.encode()
    assert text.isprintable()
    assert len(text) == 200


def test_an_integer_of_too_many_digits_is_not_shown() -> None:
    assert shown_input(Arguments.of("f", [[10**5000]]), 0) == "(too long to show)"


def test_a_long_input_is_cut() -> None:
    text = shown_input(Arguments.of("f", [["x" * 2000]]), 0) or ""
    assert (len(text), text[-1]) == (500, "…")
