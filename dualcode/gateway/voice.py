"""What a piece of work says while it goes on: thoughts, the answer in pieces, the end."""

import asyncio
from collections.abc import Sequence
from typing import Literal, NamedTuple

OPENED, CLOSED = "<think>", "</think>"
PIECE = 400
"""Characters of an answer that is whole already, a delta each."""


class Event(NamedTuple):
    """One thing said."""

    kind: Literal["thought", "answer", "end", "left"]
    """`end`: the work is over; `left`: whoever asked is gone."""
    text: str = ""


class Voice:
    """From the work to whoever asked. Pieces wait here while the client is slow."""

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.said = ""
        """All of the answer that was said so far."""
        self._until = Until(stops)
        self._next: Event | None = None
        """Taken from the queue already: it could not be joined to the one before."""

    def tell(self, text: str) -> None:
        """Say how the work goes on, as a thought."""
        if text:
            self.events.put_nowait(Event("thought", text))

    def say(self, text: str) -> None:
        """Say a piece of the answer, as far as no stop sequence ends it."""
        if text := self._until.feed(text):
            self.said += text
            self.events.put_nowait(Event("answer", text))

    def finish(self) -> None:
        """Say what was held back because a stop sequence could have begun with it."""
        if rest := self._until.rest():
            self.said += rest
            self.events.put_nowait(Event("answer", rest))

    def close(self, kind: Literal["end", "left"] = "end") -> None:
        """Say that there is no more."""
        self.events.put_nowait(Event(kind))

    async def next(self) -> Event:
        """Return what comes next; pieces of one kind that wait already are one."""
        event, self._next = self._next or await self.events.get(), None
        text = [event.text]
        while event.text and not self.events.empty():
            following = self.events.get_nowait()
            if following.kind != event.kind:
                self._next = following
                break
            text.append(following.text)
        return Event(event.kind, "".join(text))


class Until:
    """A text in pieces, up to the first of some sequences."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.over = False

    def feed(self, text: str) -> str:
        """Return what may be passed on now: what could begin a sequence waits."""
        if self.over or not self._stops:
            return "" if self.over else text
        self._held += text
        places = [(at + len(stop), at) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if places:
            self.over = True
            return self._take(min(places)[1])  # the one that was complete first, as where tokens come singly
        longest = max(
            (
                size
                for stop in self._stops
                for size in range(min(len(stop) - 1, len(self._held)), 0, -1)
                if stop.startswith(self._held[-size:])
            ),
            default=0,
        )
        return self._take(len(self._held) - longest)

    def rest(self) -> str:
        """Return what was held back, once nothing more comes."""
        return "" if self.over else self._take(len(self._held))

    def _take(self, size: int) -> str:
        taken, self._held = self._held[:size], self._held[size:]
        return taken


def until(text: str, stops: Sequence[str]) -> str:
    """Return a text up to the first of some sequences."""
    cut = Until(stops)
    return cut.feed(text) + cut.rest()


class Drafting:
    """Hears a draft: as thoughts, or live as the answer. A thought within the answer is told as one."""

    def __init__(self, voice: Voice, *, live: bool) -> None:
        self._voice, self._live = voice, live
        self._sent = ""
        """What was said live, of whichever attempt."""
        self._new = ""
        """What the present attempt said."""
        self._start = ""
        self._thinking = False

    def begin(self) -> None:
        """Hear that a request goes out: what a lost one said before is compared with what comes now."""
        self._new, self._start, self._thinking = "", "", False

    def hear(self, thought: str, content: str) -> None:
        """Hear a piece."""
        self._voice.tell(thought)
        if not content:
            return
        if not self._live:
            self._voice.tell(content)
            return
        self._said(self._apart(content))

    @property
    def broken(self) -> bool:
        """Whether what was said live is not how the answer began in the end."""
        return not self._new.startswith(self._sent)

    def settle(self, answer: str) -> None:
        """Say the whole answer if nothing of it was heard: it was kept or scripted."""
        if not self._sent:
            self._said(answer)

    def _said(self, content: str) -> None:
        self._new += content
        if self._new.startswith(self._sent):
            rest = self._new[len(self._sent) :]
            self._sent = self._new
            self._voice.say(rest)

    def _apart(self, content: str) -> str:
        """Return the answer in a piece, and tell the thought that some servers leave before it."""
        if self._thinking:
            self._start += content
            thought, closed, answer = self._start.partition(CLOSED)
            if not closed:
                return ""
            self._voice.tell(thought)
            self._start, self._thinking = "", False
            return answer.lstrip()
        if self._new:
            return content
        self._start += content
        opening = self._start.lstrip()
        if OPENED.startswith(opening[: len(OPENED)]):
            if len(opening) < len(OPENED):
                return ""  # it may be one
            self._start, self._thinking = opening.removeprefix(OPENED), True
            return self._apart("")
        found, self._start = self._start, ""
        return found


class Thinking:
    """Hears a review or a plan: its thought alone."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice

    def begin(self) -> None:
        """Hear that a request goes out."""

    def hear(self, thought: str, content: str) -> None:  # noqa: ARG002 - a listener's signature
        """Tell the thought of a piece."""
        self._voice.tell(thought)


def say_whole(voice: Voice, answer: str) -> None:
    """Say an answer that is whole already, in pieces."""
    for at in range(0, len(answer), PIECE):
        voice.say(answer[at : at + PIECE])
