"""What of a long conversation is sent: older observations are shortened before the context is full.

mini-swe-agent sends all of it every time. Here the beginning of the conversation stays as it was for as long
as it fits, for a server keeps what it read of it; when it does not fit, so much is shortened at once that
there is room for some turns more.
"""

import math
from collections.abc import Sequence

from dualcode.call import Message

_MARGIN = 64
"""Tokens that a chat template may add."""
_FIRST_GUESS, _AT_MOST = 3.0, 6.0
"""Characters a token, until a server has told how many tokens it read: what is shortened to, and what no text
exceeds, so that only beyond it a conversation is refused unasked."""
_REFILL = 0.7
"""How full the context is after shortening."""
_RECENT = 2
"""Observations that are shortened last, and first to more than others."""
SHORT, RECENT = 300, 2_000
"""Characters that are left of an old observation, and of a recent one if nothing else helps."""


class FullError(Exception):
    """The conversation does not fit, however it is shortened."""


class Window:
    """Fits conversations into a context of so many tokens; None: as long as the server does not refuse."""

    def __init__(self, context: int | None, answer: int, opening: int) -> None:
        """`answer`: tokens that are kept for the reply; `opening`: messages before the first turn."""
        self._tokens = None if context is None else max(1, context - answer - _MARGIN)
        self._opening = opening
        self._rate: float | None = None
        self._most = math.inf
        self._left: dict[int, int] = {}

    @property
    def shortened(self) -> tuple[int, ...]:
        """The turns of which something is shortened, from 1; 0: an earlier conversation's."""
        return tuple(sorted({max(0, (at - self._opening) // 2 + 1) for at in self._left}))

    def learn(self, sent: Sequence[Message], prompt_tokens: int) -> None:
        """Hear how many tokens the server made of what was sent; 0: it did not tell."""
        if prompt_tokens > 0:
            self._rate = max(0.5, 0.95 * _length(sent) / prompt_tokens)

    def refused(self, sent: Sequence[Message]) -> None:
        """Hear that this did not fit."""
        self._most = _REFILL * _length(sent)

    def fit(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """Return what to send. Raises FullError if it cannot fit."""
        most = self._room(self._rate or _FIRST_GUESS)
        if _length(self._cut(messages)) > most:
            self._shorten(messages, most)
            if _length(self._cut(messages)) > self._room(self._rate or _AT_MOST):
                raise FullError
        return self._cut(messages)

    def _room(self, rate: float) -> float:
        """Return how many characters there is room for, as far as is known."""
        told = math.inf if self._tokens is None else self._tokens * rate
        return min(told, self._most)

    def _shorten(self, messages: Sequence[Message], most: float) -> None:
        briefs = {0, 1, self._opening - 1}  # what is to be done is said there
        places = [at for at in range(len(messages)) if at not in briefs]
        told = [at for at in places if messages[at].role == "user"]
        said = [at for at in places if messages[at].role == "assistant"]
        orders = (
            (told[:-_RECENT], SHORT, _REFILL * most),
            (said[:-_RECENT], SHORT, most),
            (told[-_RECENT:], RECENT, most),
            (told[-_RECENT:], SHORT, most),
        )
        for at, left, goal in ((at, left, goal) for order, left, goal in orders for at in order):
            if _length(self._cut(messages)) > goal and len(messages[at].content) > left:
                self._left[at] = left

    def _cut(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        return tuple(
            message
            if at not in self._left
            else message.model_copy(update={"content": shorten(message.content, self._left[at])})
            for at, message in enumerate(messages)
        )


def shorten(text: str, most: int) -> str:
    """Return a text's beginning and end, and between them how much was left out."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n[{len(text) - 2 * half:,} characters left out]\n{text[-half:]}"


def _length(messages: Sequence[Message]) -> int:
    return sum(len(message.content) for message in messages)
