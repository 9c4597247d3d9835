"""What a command says of its long steps: nothing of short ones, lines on stderr of one that lasts."""

import threading
import time
from types import TracebackType

import click

SILENCE = 1.0
"""Seconds without a word after which the step at hand is named, also where many short ones made them up."""
AGAIN = 2.5
"""Seconds after which one that goes on is named again, with how long it has taken."""


class Steps:
    """Names the step at hand once it has lasted; used as a context, and called with each step's text."""

    def __init__(self, after: float = SILENCE) -> None:
        self._after = after
        self._timer: threading.Timer | None = None
        self._lock, self._number = threading.Lock(), 0
        self._spoke = time.monotonic()

    def __call__(self, text: str) -> None:
        """Begin a step, such as `drawing figure-3 (4 of 11)`; the one before is over. "" begins none."""
        self.end()
        if text:
            silent = time.monotonic() - self._spoke
            self._wait(max(0.0, self._after - silent), text, self._after, self._number)

    def end(self) -> None:
        """End the step at hand."""
        with self._lock:
            self._number += 1  # whatever is being said of it is the last
            if self._timer is not None:
                self._timer.cancel()

    def _wait(self, seconds: float, text: str, lasted: float, number: int) -> None:
        self._timer = threading.Timer(seconds, self._say, [text, lasted, number])
        self._timer.daemon = True
        self._timer.start()

    def _say(self, text: str, lasted: float, number: int) -> None:
        with self._lock:
            if number == self._number:
                self._spoke = time.monotonic()
                click.echo(text if lasted == self._after else f"{text} … {lasted:g} s", err=True)
                self._wait(AGAIN, text, lasted + AGAIN, number)

    def __enter__(self) -> "Steps":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
