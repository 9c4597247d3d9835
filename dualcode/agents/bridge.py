"""Between an agent's thread and the event loop: what is awaited there, and how both are stopped."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class Bridge:
    """A thread of its own for work that blocks, and the loop that it was made on.

    asyncio's default executor has as many threads as the machine has processors, and four: beyond that,
    agents would wait for each other without a word.
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._name = name
        self._asked = set[asyncio.Task[Any]]()
        self._stopped = threading.Event()

    async def run(self, work: Callable[[], T]) -> T:
        """Do the work in a thread of its own. Cancelled, it returns once thread and loop are done with it."""
        context = contextvars.copy_context()
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix=self._name) as pool:
            working = asyncio.wrap_future(pool.submit(context.run, work))
            try:
                return await asyncio.shield(working)
            except asyncio.CancelledError:
                self._stopped.set()  # nothing begins any more
                for task in self._asked:
                    task.cancel()
                while not working.done():
                    try:
                        await asyncio.wait({working})
                    except asyncio.CancelledError:
                        continue  # asked once more: what is being ended is still to be waited for
                if not working.cancelled():
                    working.exception()  # looked at: it has been stopped
                raise

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await something on the loop, from the thread. Raises Stopped if it was cancelled there."""
        future = asyncio.run_coroutine_threadsafe(self._tracked(coroutine), self._loop)
        try:
            return future.result()
        except CancelledError:
            raise Stopped from None

    async def _tracked(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if self._stopped.is_set():
            coroutine.close()
            raise asyncio.CancelledError
        task = asyncio.current_task()
        assert task is not None
        self._asked.add(task)
        try:
            return await coroutine
        finally:
            self._asked.discard(task)


class Stopped(BaseException):
    """The agent was cancelled. No Exception: whoever catches those for a model's sake has no part in it."""
