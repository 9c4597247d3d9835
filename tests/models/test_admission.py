"""How many requests are let through: by what a server says of its queue, by a number, by refusals."""

import asyncio

import pytest

from dualcode.models import admission
from dualcode.models.admission import MOST, QUEUE, Admission


def full(seats: int, own: Admission, others: int = 0) -> tuple[int, int]:
    """What a server of so many seats says that has all of `own.most` requests, and others'."""
    there = own.most + others
    return min(seats, there), max(0, there - seats)


async def settled(own: Admission, seats: int, others: int = 0, asks: int = 300) -> int:
    """Let the server report until nothing changes, while far more is asked for than it takes."""
    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(asked(own)) for _ in range(asks)]
        await asyncio.sleep(0)
        for _ in range(30):
            own.heard(*full(seats, own, others), tokens=0)
        for each in asking:
            each.cancel()
    return own.most


async def asked(own: Admission) -> None:
    async with own.turn():
        await asyncio.Event().wait()


@pytest.mark.parametrize("seats", [4, 16, 64, 200])
async def test_a_server_that_reports_is_kept_full_with_one_or_two_waiting(seats: int) -> None:
    assert seats < await settled(Admission(16), seats) <= seats + QUEUE


async def test_what_others_ask_of_the_server_is_taken_into_account() -> None:
    assert 16 < await settled(Admission(16), 16, others=10) + 10 <= 16 + QUEUE


async def test_where_others_fill_the_server_one_request_still_waits_for_its_turn() -> None:
    assert await settled(Admission(16), 16, others=100) == 1


async def test_a_number_in_the_teams_file_is_the_most_whatever_is_reported() -> None:
    assert await settled(Admission(3, fixed=True), 16) == 3


async def test_without_reports_or_a_queue_of_ours_nothing_changes() -> None:
    own = Admission(16)
    own.heard(None, None, None)
    own.heard(2, 0, 10)  # nobody here waits: more would not be used
    assert own.most == 16


async def test_no_server_is_asked_without_end() -> None:
    assert await settled(Admission(900), 5000, asks=1200) == MOST


async def test_turns_are_given_in_order_and_back_by_whoever_is_cancelled() -> None:
    own, order = Admission(1), list[int]()

    async def ask(number: int) -> None:
        async with own.turn():
            order.append(number)
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(ask(number)) for number in range(5)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    await asyncio.wait(tasks)
    assert order == [0, 1, 3, 4]
    assert own.in_flight == 0


async def test_a_turn_that_was_given_to_one_who_is_cancelled_goes_on_to_the_next() -> None:
    own = Admission(1)
    async with own.turn():
        waiting = [asyncio.create_task(asked(own)) for _ in range(2)]
        await asyncio.sleep(0)
    waiting[0].cancel()  # it has the turn, and has not begun
    await asyncio.sleep(0.001)
    assert own.in_flight == 1
    waiting[1].cancel()
    await asyncio.wait(waiting)
    assert own.in_flight == 0


async def test_a_burst_of_refusals_counts_once_and_served_requests_make_up_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([100.0] * 40)
    own = Admission(16)
    monkeypatch.setattr(admission.time, "monotonic", lambda: next(clock))
    own.in_flight = 16
    for _ in range(10):
        own.refused()
    assert own.most == 12
    for _ in range(10):
        own.served()
    assert own.most == 16


async def test_a_server_with_work_and_no_new_token_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = [0.0]
    monkeypatch.setattr(admission.time, "monotonic", lambda: moment[0])
    own = Admission(16)
    for seconds, running, waiting, tokens, stuck in (
        (10, 1, 0, 5, 0), (30, 0, 3, 5, 20), (50, 0, 3, 5, 40), (60, 1, 3, 6, 0), (90, 0, 0, 6, 0),
    ):  # fmt: skip
        moment[0] = seconds
        own.heard(running, waiting, tokens)
        assert own.stuck == stuck
