"""Work that is begun side by side: all of it has ended before whoever began it goes on."""

import asyncio

import pytest

from dualcode.together import all_or_nothing, first_failure, together


async def fail(error: Exception) -> str:
    raise error


async def note(said: list[str], word: str, gate: asyncio.Event) -> str:
    """Wait at the gate, then say the word; say `cancelled` if that is what comes."""
    try:
        await gate.wait()
    except asyncio.CancelledError:
        said.append("cancelled")
        raise
    said.append(word)
    return word


async def test_what_came_of_each_stands_in_the_order_of_the_work() -> None:
    gate, said = asyncio.Event(), list[str]()

    async def open_it() -> str:
        said.append("two")
        gate.set()
        return "two"

    assert await together(note(said, "one", gate), open_it()) == ("one", "two")
    assert said == ["two", "one"]
    assert await together() == ()


async def test_the_siblings_of_a_failure_end_before_it_is_raised() -> None:
    gate, said = asyncio.Event(), list[str]()
    working = asyncio.create_task(_both(said, gate))
    await asyncio.sleep(0)
    assert not working.done()  # the failure waits for its sibling
    gate.set()
    with pytest.raises(ValueError, match="one"):
        await working
    assert said == ["two"]


async def _both(said: list[str], gate: asyncio.Event) -> None:
    await together(fail(ValueError("one")), note(said, "two", gate))


async def test_of_two_failures_the_first_in_order_is_raised() -> None:
    with pytest.raises(ValueError, match="one"):
        await together(fail(ValueError("one")), fail(KeyError("two")))


async def test_cancelling_cancels_all() -> None:
    said = list[str]()
    working = asyncio.create_task(_both_wait(said))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert said == ["cancelled", "cancelled"]


async def _both_wait(said: list[str]) -> None:
    never = asyncio.Event()
    await together(note(said, "one", never), note(said, "two", never))


async def test_all_or_nothing_cancels_the_rest_and_raises_the_failure_itself() -> None:
    said = list[str]()
    with pytest.raises(ValueError, match="one"):
        await all_or_nothing([note(said, "two", asyncio.Event()), fail(ValueError("one"))])
    assert said == ["cancelled"]


async def test_all_or_nothing_returns_what_came_of_each_in_order() -> None:
    gate, said = asyncio.Event(), list[str]()
    gate.set()
    assert await all_or_nothing(note(said, word, gate) for word in "abc") == ["a", "b", "c"]
    assert await all_or_nothing([]) == []


def test_the_first_failure_of_a_group_is_found_however_deep() -> None:
    error = ValueError("the cause")
    assert first_failure(error) is error
    group = ExceptionGroup("one", [error, KeyError()])
    assert first_failure(group) is error
    assert first_failure(ExceptionGroup("two", [group, KeyError()])) is error
