"""What a command says of its long steps: nothing of one that is short, a line on stderr of one that lasts."""

import threading
from types import TracebackType

import click

SILENCE = 1.0
"""Seconds that a step may last before it is named."""


class Steps:
    """Names the step at hand once it has lasted; used as a context, and called with each step's text."""

    def __init__(self, after: float = SILENCE) -> None:
        self._after = after
        self._timer: threading.Timer | None = None

    def __call__(self, text: str) -> None:
        """Begin a step, such as `drawing figure-3 (4 of 11)`; the one before is over."""
        self.end()
        self._timer = threading.Timer(self._after, click.echo, [text], {"err": True})
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        """End the step at hand."""
        if self._timer is not None:
            self._timer.cancel()

    def __enter__(self) -> "Steps":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
