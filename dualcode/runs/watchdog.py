"""For a pipeline that does not let go of the event loop: there a time limit is never looked at."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Generator
from types import FrameType

BEAT = 1.0
"""Seconds between two signs of life of the loop."""
LEAST = 30.0
"""Seconds for which any loop may be held: a busy machine, a slow disk."""


class HeldError(BaseException):
    """The event loop was held for too long. No pipeline's `except Exception` is to keep it."""


@contextlib.contextmanager
def watched(seconds: float) -> Generator[None]:
    """Raise HeldError in the task that holds the running loop for more than so many seconds, at least LEAST.

    It comes by a signal, so it ends a sleep, a loop of Python's and a system call, and no work within C that
    does not return. Where the loop is not the main thread's, as in some notebooks, or the signal is in use,
    nothing is watched.
    """
    in_use = signal.getsignal(signal.SIGURG) not in (signal.SIG_DFL, signal.SIG_IGN)
    if threading.current_thread() is not threading.main_thread() or in_use:
        yield
        return
    loop, main, ended = asyncio.get_running_loop(), threading.get_ident(), threading.Event()
    most, silent = max(seconds, LEAST) / BEAT, 0

    def tick() -> None:
        nonlocal silent, handle
        silent, handle = 0, loop.call_later(BEAT / 2, tick)

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        nonlocal silent
        if silent > most and asyncio.current_task(loop) is not None:  # it has not gone on meanwhile
            silent = 0
            raise HeldError

    def watch() -> None:
        nonlocal silent
        while not ended.wait(BEAT):  # counted, not timed: a process that was stopped has missed one
            silent += 1
            if silent > most:
                signal.pthread_kill(main, signal.SIGURG)

    handle = loop.call_soon(tick)
    before = signal.signal(signal.SIGURG, interrupt)
    thread = threading.Thread(target=watch, name="watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        handle.cancel()
        signal.signal(signal.SIGURG, before)
