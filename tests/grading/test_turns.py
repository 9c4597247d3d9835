"""Turns: how many at a time, who is alone, and that nobody waits for long."""

import asyncio

import pytest

from dualcode.grading.turns import Turns


class Log:
    """What is running, and the most that ever ran beside each other and beside a lonely one."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.running = 0
        self.most = 0
        self.beside_alone = 0
        self.order: list[str] = []

    async def one(self, name: str, steps: int = 3) -> None:
        async with self.turns.one():
            self.order.append(name)
            self.running += 1
            self.most = max(self.most, self.running)
            for _ in range(steps):
                await asyncio.sleep(0)
            self.running -= 1

    async def alone(self, name: str) -> None:
        async with self.turns.alone():
            self.order.append(name)
            self.beside_alone += self.running
            await asyncio.sleep(0)
            self.beside_alone += self.running


async def test_no_more_than_size_run_at_a_time_and_in_order() -> None:
    log = Log(Turns(3))
    await asyncio.gather(*(log.one(str(number)) for number in range(20)))
    assert log.most == 3
    assert log.order == [str(number) for number in range(20)]


async def test_a_lonely_one_lets_the_others_go_first() -> None:
    log = Log(Turns(2))
    turns = [log.one(str(number)) for number in range(10)]
    await asyncio.gather(*turns[:5], log.alone("alone"), *turns[5:])
    assert log.order[-1] == "alone"
    assert log.beside_alone == 0


async def test_out_of_patience_all_lonely_ones_go_next_and_then_turns_again() -> None:
    log = Log(Turns(2, patience=0))
    turns = [log.one(str(number)) for number in range(6)]
    await asyncio.gather(*turns[:3], log.alone("a"), log.alone("b"), *turns[3:])
    assert log.order == ["0", "1", "a", "b", "2", "3", "4", "5"]
    assert log.beside_alone == 0


async def test_patience_ends_while_turns_keep_coming() -> None:
    log = Log(Turns(1, patience=0.02))
    waiting = asyncio.create_task(log.alone("alone"))
    busy = [asyncio.create_task(log.one(str(number))) for number in range(3)]

    async def keep_coming() -> None:
        while not waiting.done():
            await log.one("more", steps=50)

    await asyncio.wait_for(asyncio.gather(keep_coming(), keep_coming(), waiting, *busy), 20)
    assert log.beside_alone == 0


@pytest.mark.parametrize("kind", ["one", "alone"])
@pytest.mark.parametrize("pauses", [0, 1, 2, 3])
async def test_a_cancelled_request_leaves_no_trace(kind: str, pauses: int) -> None:
    log = Log(Turns(1))
    busy = asyncio.create_task(log.one("busy"))
    doomed = asyncio.create_task(log.one("doomed", steps=9) if kind == "one" else log.alone("doomed"))
    for _ in range(pauses):
        await asyncio.sleep(0)
    doomed.cancel()
    await asyncio.gather(busy, doomed, return_exceptions=True)
    log.running = 0
    await asyncio.wait_for(asyncio.gather(log.one("x"), log.alone("y"), log.one("z")), 10)
    assert set(log.order) >= {"x", "y", "z"}
