"""How a run is attended that waits, by scripted looks at it: nothing here depends on a clock."""

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import pytest

from dualcode.sandbox import waiting
from dualcode.sandbox.waiting import Activity, Attendance, Places


class Clock(SimpleNamespace):
    """Stands for the module `time`."""

    CLOCK_BOOTTIME = 7
    now: float

    def clock_gettime(self, clock: int) -> float:
        assert clock == self.CLOCK_BOOTTIME
        return self.now


Look = tuple[float, Activity | None]
"""Seconds since the run began, and what the kernel counted by then."""


class Attended:
    """What became of a run that was looked at by a script."""

    def __init__(self) -> None:
        self.asked = list[float]()
        """When it was said that it waits."""
        self.ended = list[float]()
        self.kept = 0.0
        self.looks = 0


@pytest.fixture
def attend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Attended]:
    """Return what attends a run through looks; `taken` says whether its place is wanted at each time."""

    def attend(looks: Sequence[Look], *, limit: float = 10.0, taken: Sequence[bool] = ()) -> Attended:
        seen, answers, script = Attended(), iter(taken), iter(looks)
        boot = 5000.0
        clock = Clock(now=boot)
        monkeypatch.setattr(waiting, "time", clock)
        monkeypatch.setattr(waiting, "LOOK_SECONDS", 0.0)

        async def run() -> None:
            over = asyncio.Event()

            def activity(server: int, since: float) -> Activity | None:
                assert (server, since) == (77, pytest.approx(boot, abs=0.1))
                look = next(script, None)
                if look is None:
                    attendance.end()
                    over.set()
                    return None
                seen.looks += 1
                clock.now = boot + look[0]
                return look[1]

            def on_wait() -> bool:
                seen.asked.append(clock.now - boot)
                return next(answers, False)

            def on_excess() -> None:
                seen.ended.append(clock.now - boot)
                over.set()

            monkeypatch.setattr(waiting, "activity", activity)
            attendance = Attendance(77, limit, on_wait, on_excess)
            await over.wait()
            attendance.end()
            before = seen.looks
            for _ in range(5):
                await asyncio.sleep(0)
            assert seen.looks == before
            seen.kept = attendance.seen.kept

        asyncio.run(run())
        return seen

    return attend


def looks(computed: float, kept: float, *times: float) -> list[Look]:
    """Return looks at a run that computes and is kept from it for these shares of its time."""
    return [(time, Activity(computed * time, kept * time)) for time in times]


def test_a_run_that_computes_or_is_kept_from_it_is_left_alone(attend: Callable[..., Attended]) -> None:
    for computed, kept in ((1.0, 0.0), (0.0, 1.0), (0.3, 0.3), (0.1, 0.8)):
        seen = attend(looks(computed, kept, 1.0, 2.0, 10.0), limit=10.0)
        assert (seen.asked, seen.ended) == ([], [])
        assert seen.kept == pytest.approx(10.0 * kept)


def test_a_run_that_waits_is_said_to_until_its_place_is_taken(attend: Callable[..., Attended]) -> None:
    seen = attend(looks(0.1, 0.1, 1.0, 2.0, 3.0, 4.0, 5.0), taken=(False, False, True))
    assert (seen.asked, seen.ended) == ([1.0, 2.0, 3.0], [])


def test_a_run_ends_once_it_has_waited_longer_than_its_limit(attend: Callable[..., Attended]) -> None:
    seen = attend(looks(0.5, 0.25, 4.0, 8.0, 8.1, 9.0), limit=2.0)
    assert seen.ended == [pytest.approx(8.1)]
    assert (seen.asked, seen.looks) == ([], 3)


def test_computing_now_and_then_makes_no_waiting_undone(attend: Callable[..., Attended]) -> None:
    slept = [(3.0, Activity(0.0, 0.0)), (4.0, Activity(1.0, 0.0)), (9.0, Activity(5.9, 0.0))]
    assert attend(slept, limit=3.0).ended == [pytest.approx(9.0)]


def test_what_the_kernel_does_not_tell_is_held_against_nobody(attend: Callable[..., Attended]) -> None:
    seen = attend([(1.0, None), (50.0, None), (60.0, Activity(55.0, 1.0)), (61.0, None)], limit=5.0)
    assert (seen.asked, seen.ended, seen.looks, seen.kept) == ([], [], 4, 1.0)


async def test_places_are_as_many_as_before_whatever_became_of_their_runs() -> None:
    places = Places(2, 1)

    async def run(*, leaves: bool, fails: bool) -> None:
        async with places.one() as leave:
            if leaves:
                assert leave() == leave()  # asking again changes nothing
            await asyncio.sleep(0)
            if fails:
                raise ZeroDivisionError

    kinds = [(leaves, fails) for leaves in (False, True) for fails in (False, True)] * 5
    await asyncio.gather(*(run(leaves=a, fails=b) for a, b in kinds), return_exceptions=True)
    held = [places.one() for _ in range(3)]
    leave = await held[0].__aenter__()
    await held[1].__aenter__()
    third = asyncio.ensure_future(held[2].__aenter__())
    await asyncio.sleep(0)
    assert not third.done()
    assert leave()
    assert not (await third)()  # there is no room for another that waits
    for each in held:
        await each.__aexit__(None, None, None)
