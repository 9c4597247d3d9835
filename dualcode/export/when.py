"""When the calls of a task happened in its run."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from dualcode.call import Call


class When(NamedTuple):
    """Seconds since the epoch."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


def times(calls: Sequence[Call], begun: float) -> list[When]:
    """Return when each call of a task happened; `begun` is when the run began.

    A call that the ledger replayed has in its record the time of the call that paid for it. In this run it
    took no time; it stands where the next call that was asked began, or else where the last one ended.
    """
    asked: list[When | None] = []
    for call in calls:
        if call.from_ledger or not call.attempts:
            asked.append(None)
        elif call.reply is not None:
            asked.append(When(call.reply.started, call.reply.started + call.reply.seconds))
        else:
            last = call.attempts[-1]
            asked.append(When(call.attempts[0].started, last.started + last.seconds))
    found: list[When] = []
    following = max((each.end for each in asked if each), default=begun)
    for each in reversed(asked):
        following = each.start if each else following
        found.append(each or When(following, following))
    return found[::-1]


def utc(seconds: float) -> datetime:
    """Return a time since the epoch as Inspect has it."""
    return datetime.fromtimestamp(seconds, UTC)
