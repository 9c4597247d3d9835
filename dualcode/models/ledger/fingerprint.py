"""What a reply is kept under: the whole request, and all beside it that can change a reply: the model."""

import hashlib
import json
from pathlib import Path
from typing import Any

from dualcode.call import Message, Request
from dualcode.config import Endpoint
from dualcode.models.chat import PROTOCOL, ChatModel
from dualcode.models.endpoints import Served
from dualcode.record import Record
from dualcode.sampling import PAPER

CONVERSATION = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="Is 7 prime?"),
    Message(role="assistant", content="Yes."),
    Message(role="user", content="And 8?"),
)
"""What a server renders, so that another chat template or tokenizer shows."""


class Fingerprint(Record):
    """A model as one server serves it. The address is not part of it: a server that moved is the same."""

    model: str
    """The name that it is served under."""
    root: str | None = None
    """The checkpoint behind the name."""
    max_model_len: int | None = None
    version: str | None = None
    """Of the server."""
    card: str | None = None
    """What else the server lists of the model; see `endpoints.Served`."""
    left_out: tuple[str, ...] = ()
    """What requests go out without; see `endpoints.Served`."""
    system: str | None = None
    """The server's `system_fingerprint`; vLLM hashes checkpoint, revision, quantization and dtype into it."""
    template: str | None = None
    """SHA-256 of the tokens that the server makes of CONVERSATION; None for a server that does not tell."""
    weights: str | None = None
    """SHA-256 of the names, sizes and times of the files in `root`, where that is a folder here."""
    thinking: str = "none"
    """How the endpoint is told to think or not; see `config.Endpoint`."""
    protocol: int = PROTOCOL
    """The version of the client's own part: the ladder after a thought without answer, the reading of it."""

    @property
    def digest(self) -> str:
        """SHA-256 of the fingerprint."""
        # So that it is what it was before these fields.
        unlisted = {name for name in ("card", "left_out") if not getattr(self, name)}
        return hashlib.sha256(canonical(self.model_dump(mode="json", exclude=unlisted))).hexdigest()


def canonical(value: Any) -> bytes:
    """Return JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


async def identify(chat: ChatModel, served: Served, endpoint: Endpoint) -> Fingerprint:
    """Return the fingerprint of what `chat` speaks to; costs one request for one token.

    Raises EndpointError if the server does not answer.
    """
    probe = Request(messages=CONVERSATION, sampling=PAPER.plain, answer_tokens=1)
    system = (await chat.complete(probe)).system_fingerprint
    rendered: list[Any] = [None]
    from dualcode.models.openai import OpenAIChat

    if isinstance(chat, OpenAIChat):
        rendered = [await chat.rendering(CONVERSATION, thinking=thinking) for thinking in (False, True)]
    folder = Path(served.root) if served.root else None
    marks: list[tuple[str, int, int]] | None = None
    if folder and folder.is_dir():
        files = sorted(path for path in folder.iterdir() if path.is_file())
        marks = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return Fingerprint(
        **served.model_dump(),
        system=system,
        template=None if None in rendered else hashlib.sha256(canonical(rendered)).hexdigest(),
        weights=None if marks is None else hashlib.sha256(canonical(marks)).hexdigest(),
        thinking=endpoint.thinking,
    )


def key_of(fingerprint: Fingerprint, request: Request) -> bytes:
    """Return the 32 bytes that the reply to `request` is kept under.

    Every field of the request counts, those at their defaults too: a default that changes later must not
    bring back an old reply. A schema counts as written, not sorted: a server that is held to it writes the
    properties in its order.
    """
    schema = None if request.json_schema is None else json.dumps(request.json_schema)
    asked = request.model_dump(mode="json", exclude={"json_schema"}) | {"json_schema": schema}
    return hashlib.sha256(canonical({"model": fingerprint.digest, "request": asked})).digest()
