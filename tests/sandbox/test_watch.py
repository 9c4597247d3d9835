"""A child as the server watches it: its bytes and when they came, and the limits, by scripted clocks."""

import itertools
import os
from collections.abc import Generator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from dualcode.sandbox import server
from dualcode.sandbox.wire import SLACK, Arrival, Request

REQUEST = Request(
    number=1, call_cpu=1.0, total_cpu=30.0, wall=100.0, waiting=10.0, memory=1, output=8, length=0, calls=0
)


class Watched(server.Child):
    """A child whose clock is set by the test."""

    used = 0.0

    def cpu(self) -> float:
        return self.used


class Clock(SimpleNamespace):
    """Stands for the module `time`."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@contextmanager
def watched(request: Request = REQUEST) -> Generator[tuple[Watched, int, Clock]]:
    """Make a child of one processor, the end of its pipe that it writes to, and the clock on the wall."""
    receiving, sending = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(receiving, False)
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "time", clock)
        patch.setattr(server, "_PROCESSORS", 1)
        child = Watched(os.getpid(), receiving, request, -1, -1)
        try:
            yield child, sending, clock
        finally:
            child.close()
            os.close(sending)


def content(child: Watched) -> bytes:
    return os.pread(child.stream, 1 << 20, 0)


def test_bytes_arrive_as_they_were_written_and_the_pipes_end_is_told() -> None:
    with watched() as (child, sending, _):
        assert child.take()
        assert (child.loaded, content(child)) == (False, b"")
        for piece in (b"ab", b"\0c"):
            os.write(sending, piece)
            assert child.take()
        assert (child.loaded, child.length, content(child)) == (True, 4, b"ab\0c")
        os.dup2(child.stream, sending)  # nobody writes any more
        assert not child.take()


def test_calls_are_moved_on_from_behind_the_work_as_far_as_there_is_room() -> None:
    calls = bytes(range(256)) * 1024
    with watched(REQUEST._replace(length=5, calls=len(calls))) as (child, _, _):
        child.job = os.memfd_create("job")
        os.write(child.job, b"work." + calls)
        receiving, child.feeding = os.pipe()
        assert child.feed()
        read = b""
        while child.feeding >= 0:
            read += os.read(receiving, 1 << 16)
            child.feed()
        while piece := os.read(receiving, 1 << 16):
            read += piece
        assert read == calls
        os.close(receiving)


def test_a_child_that_takes_no_calls_is_offered_none_any_more() -> None:
    with watched(REQUEST._replace(calls=4)) as (child, _, _):
        child.job = os.memfd_create("job")
        os.write(child.job, b"work")
        receiving, child.feeding = os.pipe()
        os.close(receiving)
        assert not child.feed()
        assert child.feeding == -1


def test_of_a_flood_one_byte_more_than_allowed_is_taken() -> None:
    with watched() as (child, sending, _):
        os.write(sending, b"x" * 8)
        assert child.take()
        assert not child.flooded
        os.write(sending, b"y" * 100)
        assert child.take()
        assert (child.flooded, content(child)) == (True, b"x" * 8 + b"y")


def test_an_arrival_says_by_when_bytes_came_and_until_when_no_more_did() -> None:
    with watched() as (child, sending, _):
        for used, piece in ((0.2, b""), (0.3, b"ab"), (0.9, b""), (1.0, b"cd"), (1.01, b"ef")):
            child.used = used
            os.write(sending, piece)
            assert child.take()
        assert child.arrivals == [Arrival(0, 0.0, 0.2), Arrival(2, 0.3, 0.9), Arrival(6, 1.0, 1.01)]


def test_however_bytes_are_dribbled_their_arrivals_are_bounded_and_in_order() -> None:
    pieces = 4000
    with watched(REQUEST._replace(output=pieces)) as (child, sending, _):
        for at in range(pieces):
            child.used = 30.0 * at / pieces
            os.write(sending, b".")
            assert child.take()
        arrivals = child.arrivals
    assert len(arrivals) <= server.ARRIVALS + 2
    assert arrivals[-1].length == pieces
    for earlier, later in itertools.pairwise(arrivals):
        assert earlier.length < later.length
        assert earlier.by <= later.by
    assert all(each.by <= each.until + 1e-9 for each in arrivals[1:])


@pytest.mark.parametrize(
    ("loaded", "used", "marked", "passed", "silent", "breach"),
    [
        (True, 30.0, 30.0, 31.0, 0.0, "30 s of CPU time in all"),
        (False, 15.0, 0.0, 15.0, 15.0, "15 s of CPU time for loading"),
        (True, 2.0 + 1.0 + SLACK, 2.0, 4.0, 2.0, "1 s of CPU time for a call"),
        (True, 29.0, 29.0, 100.0, 0.0, "100 s of time"),
        (False, 0.0, 0.0, 10.0, 10.0, "10 s of time, of which it computed 0.0 s"),
        (True, 5.0, 5.0, 20.0, 10.0, "20 s of time, of which it computed 5.0 s"),
        (True, 1.0, 1.0, 18.0, 0.0, "18 s of time, of which it computed 1.0 s"),
    ],
)
def test_a_limit_is_broken_at_its_value_and_not_below(
    loaded: bool, used: float, marked: float, passed: float, silent: float, breach: str
) -> None:
    with watched() as (child, _, clock):
        child.loaded, child.marked, child.used = loaded, marked, used
        clock.now, child.heard = passed, passed - silent
        assert child.find_breach() == (breach, 0.0)
        child.used, child.marked = used - 0.02, marked - 0.01
        clock.now = passed - 0.2
        child.heard = clock.now - max(0.0, silent - 0.2)
        assert child.find_breach()[0] == ""


@pytest.mark.parametrize("computing", [0.0, 0.5, 1.0])
def test_nothing_is_missed_by_looking_away_as_long_as_is_said(computing: float) -> None:
    """Whatever share of the processor a child takes meanwhile."""
    looked = 0
    states = itertools.product((False, True), (0.0, 0.7, 9.0, 14.0), (0.0, 0.4, 1.4), (0.5, 8.0, 60.0, 99.0))
    with watched() as (child, _, clock):
        for loaded, marked, since, passed in states:
            child.loaded, child.marked, child.used = loaded, marked, marked + since
            clock.now = child.heard = passed
            breach, seconds = child.find_breach()
            if breach or seconds <= 0.01:
                continue
            looked += 1
            clock.now += 0.999 * seconds
            child.used += 0.999 * seconds * computing
            assert child.find_breach()[0] == ""
    assert looked > 10


def test_a_pipe_without_bytes_has_no_input_even_at_its_end() -> None:
    receiving, sending = os.pipe()
    assert not server._has_input(receiving)  # pyright: ignore[reportPrivateUsage]
    os.write(sending, b"x")
    assert server._has_input(receiving)  # pyright: ignore[reportPrivateUsage]
    os.read(receiving, 1)
    os.close(sending)
    assert not server._has_input(receiving)  # pyright: ignore[reportPrivateUsage]
    os.close(receiving)


def test_the_end_of_a_server_is_told_with_what_was_refused_or_with_its_place() -> None:
    tell = server._tell  # pyright: ignore[reportPrivateUsage]
    assert tell(PermissionError(1, "unshare: Operation not permitted")) == "unshare: Operation not permitted"
    assert tell(FileNotFoundError(2, "No such file", "/x")) == "No such file /x"
    try:
        int("seven")
    except ValueError as error:
        trace = error.__traceback__
        assert trace is not None
        assert tell(error) == f"ValueError: {error} (lines {trace.tb_lineno})"
