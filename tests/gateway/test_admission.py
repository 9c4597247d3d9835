"""The queue: finite, first come first served, and honest about when to come back."""

import asyncio

import pytest

from dualcode.gateway.protocol import RefusedError
from dualcode.gateway.service import LONGEST_RETRY, Admission


def fill(admission: Admission, places: int) -> None:
    for _ in range(places):
        admission.enter()


def test_what_is_beyond_work_and_queue_is_refused_with_a_time() -> None:
    admission = Admission(2, 3)
    fill(admission, 5)
    assert (admission.inside, admission.waiting) == (5, 3)
    with pytest.raises(RefusedError) as met:
        admission.enter()
    assert (met.value.status, met.value.code) == (503, "overloaded")
    assert met.value.retry_after == 10  # 5 s a piece until one was timed, 4 before this one, 2 at once
    admission.leave()
    admission.enter()


def test_a_time_to_come_back_is_never_endless() -> None:
    admission = Admission(1, 10_000)
    fill(admission, 10_001)
    with pytest.raises(RefusedError) as met:
        admission.enter()
    assert met.value.retry_after == LONGEST_RETRY


async def test_so_many_work_at_once_and_the_others_in_their_order() -> None:
    admission, order, most = Admission(2, 8), list[int](), 0
    gate = asyncio.Event()

    async def work(number: int) -> None:
        nonlocal most
        async with admission.slot():
            order.append(number)
            most = max(most, len(order))
            await gate.wait()

    async with asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(work(number))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert order == [0, 1]
        gate.set()
    assert order == list(range(6))


async def test_a_turn_is_given_back_whatever_happens_in_it() -> None:
    admission = Admission(1, 0)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            async with admission.slot():
                raise ValueError("no")
    async with asyncio.timeout(5), admission.slot():
        pass
