"""Work that is begun side by side: all of it has ended before whoever began it goes on."""

import ast
import asyncio
from pathlib import Path

import pytest

from dualcode import together as together_module
from dualcode.together import TimeUpError, all_or_nothing, first_failure, ticking, together, within


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


async def test_work_within_its_time_gives_what_it_returns_and_raises() -> None:
    async def given(value: int) -> int:
        await asyncio.sleep(0)
        return 1 // value

    assert await within(60, given(1)) == 1
    with pytest.raises(ZeroDivisionError):
        await within(None, given(0))


async def test_work_that_takes_too_long_is_cancelled_and_its_own_timeout_is_another_thing() -> None:
    ended = list[str]()

    async def long() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cleaned up")

    async def own() -> None:
        raise TimeoutError

    with pytest.raises(TimeUpError):
        await within(0.01, long())
    assert ended == ["cleaned up"]
    with pytest.raises(TimeoutError):
        await within(60, own())


async def deaf(heard: list[str]) -> None:
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            heard.append("no")


@pytest.mark.parametrize("outside", [False, True], ids=["its time is up", "whoever waits is cancelled"])
async def test_work_that_swallows_its_end_is_given_up(monkeypatch: pytest.MonkeyPatch, outside: bool) -> None:
    monkeypatch.setattr(together_module, "GRACE", 0.05)
    heard, before = list[str](), asyncio.all_tasks()
    waiting = asyncio.create_task(within(None if outside else 0.01, deaf(heard)))
    if outside:
        for _ in range(3):  # it begins, and so does its work
            await asyncio.sleep(0)
        waiting.cancel()
    with pytest.raises(asyncio.CancelledError if outside else TimeUpError):
        await waiting
    assert heard == ["no"]
    assert asyncio.all_tasks() == before  # nothing is left that would hold the loop's end


async def test_work_that_is_silent_is_heard_of_and_work_that_speaks_or_ends_at_once_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told, clock = list[str](), [100.0]
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        clock[0] += seconds
        await real(0)

    async with ticking(told.append):
        pass
    assert told == []
    monkeypatch.setattr(together_module.asyncio, "sleep", sleep)
    monkeypatch.setattr(together_module.time, "monotonic", lambda: clock[0])
    async with ticking(told.append) as tell:
        while len(told) < 2:
            await real(0)
        while clock[0] < 120:
            await real(0)
        tell("a word")
        while len(told) < 4:
            await real(0)
    assert told[:2] == ["… 3 s", "… 13 s"]
    assert told[2] == "a word"
    assert told[3] == "… 30 s", "ten seconds after the word, not after the last sign"


def test_nothing_is_begun_side_by_side_that_outlives_a_failure() -> None:
    """Bare `gather` lets siblings go on behind the failure that it raises: it stands nowhere here."""
    package = Path(together_module.__file__).parent
    found = [
        f"{file.relative_to(package)}:{node.lineno}"
        for file in sorted(package.rglob("*.py"))
        if "gather(" in (source := file.read_text())
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (node.func.attr, getattr(node.func.value, "id", "")) == ("gather", "asyncio")
        and "return_exceptions" not in {keyword.arg for keyword in node.keywords}
    ]
    assert not found
