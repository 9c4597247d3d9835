"""For a pipeline that does not let go of the event loop: there a time limit is never looked at."""

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Generator
from types import FrameType

BEAT = 1.0
"""Seconds between two signs of life of the loop."""


class HeldError(BaseException):
    """The event loop was held for too long. No pipeline's `except Exception` is to keep it."""


@contextlib.contextmanager
def watched(seconds: float) -> Generator[None]:
    """Raise HeldError in whatever holds the running loop for more than so many seconds.

    It comes by a signal, so it ends a sleep, a loop of Python's and a system call, and no work within C that
    does not return. Where the loop is not the main thread's, as in some notebooks, or the signal is in use,
    nothing is watched.
    """
    in_use = signal.getsignal(signal.SIGURG) not in (signal.SIG_DFL, signal.SIG_IGN)
    if threading.current_thread() is not threading.main_thread() or in_use:
        yield
        return
    loop, main, ended = asyncio.get_running_loop(), threading.get_ident(), threading.Event()
    beat = time.monotonic()

    def tick() -> None:
        nonlocal beat, handle
        beat, handle = time.monotonic(), loop.call_later(min(BEAT, seconds / 4), tick)

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        nonlocal beat
        if time.monotonic() - beat > seconds:
            beat = time.monotonic()
            raise HeldError

    def watch() -> None:
        while not ended.wait(min(BEAT, seconds / 4)):
            if time.monotonic() - beat > seconds:
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
