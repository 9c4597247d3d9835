"""The chat-model seam: whatever answers requests. The client is imported where one is made: it is heavy."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from dualcode.call import Reply, Request
from dualcode.models.admission import Admission

PROTOCOL = 2
"""Part of every kept reply's key. Raise it when the same request is sent, retried or read in another way."""


@dataclass
class Meter:
    """What a chat model is doing right now, for the progress display and for whoever gives it work."""

    in_flight: int = 0
    tokens: int = 0
    """Completion tokens received so far, the running streams included."""
    trouble: str = ""
    """Why nothing is sent to the server now."""
    admission: Admission | None = None
    """What lets requests through to a server; None where there is no server."""


class Listener(Protocol):
    """Hears a reply while it arrives, where somebody waits for its pieces. `complete` returns it whole."""

    def begin(self) -> None:
        """Hear that a request goes out: what was heard before was of another, perhaps a lost one."""
        ...

    def hear(self, thought: str, content: str) -> None:
        """Hear a piece, of the thought or of the answer."""
        ...


LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)
"""Who hears what the requests of this task of the event loop are answered. A kept or scripted reply makes no
sound."""


@contextmanager
def listening(listener: Listener) -> Generator[None]:
    """Let a listener hear what is answered within."""
    token = LISTENER.set(listener)
    try:
        yield
    finally:
        LISTENER.reset(token)


class ChatModel(Protocol):
    """Anything that answers requests: a server, or a script in tests."""

    name: str
    """The endpoint's name in the team's configuration."""
    model: str
    meter: Meter

    async def complete(self, request: Request) -> Reply:
        """Answer the request.

        Raises EndpointError, with its `attempts` filled in, when retries are exhausted or cannot help.
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
