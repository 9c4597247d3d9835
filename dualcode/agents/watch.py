"""A request that is watched while it is made: it ends when its server is silent, or time is up."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Literal, TypeVar

from dualcode.models.chat import Meter, listening

T = TypeVar("T")


class OverError(Exception):
    """A limit that ends an agent; `seconds` were spent on the request that it ended."""

    def __init__(self, ending: Literal["tokens", "time", "stalled"], why: str, seconds: float = 0.0) -> None:
        super().__init__(why)
        self.seconds = seconds
        self.ending: Literal["tokens", "time", "stalled"] = ending
        self.why = why


class Ear:
    """Knows when something was last heard of a request.

    Until it goes out it waits for its turn at the server: then what the server does for others is a sign of
    life, too, and so is that somebody knows of its trouble and waits for it.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter, self._tokens = meter, meter.tokens
        self._begun = False
        self._heard = time.monotonic()

    def begin(self) -> None:
        """Hear that it goes out, the first time: nothing of it has come by going out again."""
        if not self._begun:
            self._begun, self._heard = True, time.monotonic()

    def hear(self, thought: str, content: str) -> None:  # noqa: ARG002 - the listener's protocol
        """Hear a piece."""
        self._heard = time.monotonic()

    def quiet(self) -> float:
        """Return the seconds since the last sign of life."""
        working = not self._begun and self._meter.tokens != self._tokens
        if working or self._meter.trouble:
            self._heard = time.monotonic()
        self._tokens = self._meter.tokens
        return time.monotonic() - self._heard


async def watched(asking: Coroutine[Any, Any, T], meter: Meter, *, idle: float, left: float) -> T:
    """Return what comes of a request. Raises OverError after `idle` silent seconds, or `left` in all."""
    ear, began = Ear(meter), time.monotonic()
    with listening(ear):
        task = asyncio.create_task(asking)
    try:
        while True:
            spent, quiet = time.monotonic() - began, ear.quiet()
            if spent >= left:
                raise OverError("time", "its time was over while its model was asked", spent)
            if quiet >= idle:
                raise OverError("stalled", f"nothing came from its model for {quiet:.3g} s", spent)
            pause = min(left - spent, idle - quiet, idle / 4)
            done, _ = await asyncio.wait({task}, timeout=pause)
            if done:
                return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
