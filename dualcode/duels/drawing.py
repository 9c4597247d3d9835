"""A model drawn anew at each step: the control that any pair has to beat."""

import hashlib
from collections.abc import Sequence

from dualcode.call import Reply, Request
from dualcode.duels.conditions import JOIN
from dualcode.models.chat import ChatModel, Meter


class DrawnChat:
    """A ChatModel that asks one of several, drawn for each request.

    The draw is a function of the seed and of what was said so far, so that a resumed run draws the same.
    """

    def __init__(self, chats: Sequence[ChatModel], seed: str) -> None:
        """`seed`: what sets this trial's draws apart from those of others."""
        self._chats, self._seed = tuple(chats), seed
        self.name = JOIN.join(each.name for each in chats)
        self.model = JOIN.join(each.model for each in chats)
        self.meter = Meter()

    def draw(self, request: Request) -> ChatModel:
        """Return who answers a request."""
        said = hashlib.sha256(self._seed.encode())
        for message in request.messages:
            said.update(f"\n{message.role}\n{message.content}".encode("utf-8", "surrogatepass"))
        return self._chats[int.from_bytes(said.digest()[:8]) % len(self._chats)]

    async def complete(self, request: Request) -> Reply:
        """Answer by the one who is drawn; see ChatModel."""
        return await self.draw(request).complete(request)

    async def close(self) -> None:
        """Do nothing: the models are others' too."""
