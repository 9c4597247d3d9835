"""Structured concurrency: what was begun side by side has ended before whoever began it goes on."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar, overload

GRACE = 10.0
"""Seconds for cancelled work to come to its end."""
A = TypeVar("A")
B = TypeVar("B")


@overload
async def together(first: Awaitable[A], second: Awaitable[B], /) -> tuple[A, B]: ...
@overload
async def together(*work: Awaitable[A]) -> tuple[A, ...]: ...
async def together(*work: Awaitable[Any]) -> tuple[Any, ...]:
    """Return what came of each, in order; raise the first failure once nothing of the work is going on.

    What did not fail is brought to its end: a call in flight is paid for, and belongs on record before its
    task ends. `asyncio.gather` alone would let it go on behind the failure. Cancelled, it cancels all.
    """
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return tuple(results)


def first_failure(failure: BaseException) -> BaseException:
    """Return the first error of a group, however deep; an error of its own is its own first."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return failure  # pyright: ignore[reportUnknownVariableType]


async def all_or_nothing(work: Iterable[Coroutine[Any, Any, A]]) -> list[A]:
    """Return what came of each, in order; at the first failure cancel the rest, and raise it alone.

    For much work that costs nobody anything if it is left: `together` would do all of it first.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except BaseExceptionGroup as failures:
        raise first_failure(failures) from None
    return [task.result() for task in tasks]


class TimeUpError(Exception):
    """Work took longer than it might."""


async def within(
    seconds: float | None, work: Coroutine[Any, Any, A], *, ending: Callable[[], None] = lambda: None
) -> A:
    """Return what comes of the work. Raises TimeUpError if that takes more than so many seconds.

    `ending` is called before it is cancelled. Work that goes on all the same is given up after GRACE, at the
    place where it waits: a coroutine can swallow the one end, and not the other.
    """
    working = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait({working}, timeout=seconds)
    except asyncio.CancelledError:
        ending()
        await _ended(working, work)
        raise
    if not done:
        ending()
        await _ended(working, work)
        raise TimeUpError
    return working.result()


async def _ended(working: "asyncio.Task[A]", work: Coroutine[Any, Any, A]) -> None:
    working.cancel()
    await asyncio.wait({working}, timeout=GRACE)
    if not working.done():
        with contextlib.suppress(RuntimeError):  # it may ignore this, too
            work.close()
        working.cancel()  # what it waits for is to let go of it
        await asyncio.wait({working}, timeout=GRACE)
    if working.done() and not working.cancelled():
        working.exception()  # nobody else asks for it


@contextlib.asynccontextmanager
async def ticking(tell: Callable[[str], None]) -> AsyncGenerator[Callable[[str], None]]:
    """Lend a `tell` beside which silence is broken: after 3 seconds, and then every 10 without a word."""
    began = last = time.monotonic()

    def heard(text: str) -> None:
        nonlocal last
        last = time.monotonic()
        tell(text)

    async def tick() -> None:
        await asyncio.sleep(3)
        while True:
            if time.monotonic() - last >= (10 if last > began else 3):
                heard(f"… {time.monotonic() - began:.0f} s")
            await asyncio.sleep(1)

    task = asyncio.create_task(tick())
    try:
        yield heard
    finally:
        task.cancel()
