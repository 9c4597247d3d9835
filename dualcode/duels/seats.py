"""The seats of one cell: each role of its workflow bound to a model of the duel."""

import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dualcode.call import Call, Reply, Request
from dualcode.config import TeamConfig
from dualcode.duels.records import JOIN, Key
from dualcode.models.chat import ChatModel, Meter
from dualcode.sampling import SamplingProfile
from dualcode.team import Seat, Team

_STRIDE = 15_485_863
"""So that a trial's seeds are no other trial's, nor those of `Sampling.drawn`."""
_SEEDS = 1 << 31


class DrawnChat:
    """A ChatModel that asks one of several, drawn for each request: the control that any pair has to beat.

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


@dataclass(frozen=True)
class Seating:
    """Seats the models of a duel; all cells share their connections, and so each server's limit."""

    team: TeamConfig
    chats: Mapping[str, ChatModel]
    """By endpoint."""
    seed: int
    contexts: Mapping[str, int | None] = field(default_factory=dict[str, int | None])
    """By endpoint, the tokens that its server takes in all, where it tells."""

    def team_of(
        self, roles: Mapping[str, str], key: Key, record: Callable[[Call], None], *, first: int = 1
    ) -> Team:
        """Return the team of one cell; its calls are numbered from `first`, and go to `record`.

        A trial has a seed of its own, and its temperature is the team's: at 0 trials differ by chance alone.
        """
        numbers = itertools.count(first)
        seats: dict[str, Seat] = {}
        for role, model in roles.items():
            names = model.split(JOIN)
            endpoints = [self.team.endpoints[name] for name in names]
            chats = [self.chats[name] for name in names]
            chat = chats[0] if len(chats) == 1 else DrawnChat(chats, f"{self.seed}/{key[1]}/{key[2]}")
            contexts = [told for name in names if (told := self.contexts.get(name)) is not None]
            budgets = [each.thinking_budget for each in endpoints if each.thinking == "switch"]
            seats[role] = Seat(
                role=role,
                chat=chat,
                sampling=self._sampling(role, key[2]),
                answer_tokens=min(each.answer_tokens for each in endpoints),
                thinking_budget=min(budgets) if len(budgets) == len(endpoints) else None,
                cut_repetition=all(each.cut_repetition for each in endpoints),
                context=min(contexts, default=None),
                task_id="/".join(map(str, key)),
                record=_naming(chat, record),
                numbers=numbers,
            )
        return Team(seats)

    def _sampling(self, role: str, trial: int) -> SamplingProfile:
        profile = self.team.sampling.for_role(role)
        moved = (self.seed + (trial - 1) * _STRIDE) % _SEEDS
        plain, thinking = (
            each.model_copy(update={"seed": (each.seed + moved) % _SEEDS})
            for each in (profile.plain, profile.thinking)
        )
        return SamplingProfile(name=profile.name, plain=plain, thinking=thinking)


def _naming(chat: ChatModel, record: Callable[[Call], None]) -> Callable[[Call], None]:
    """Return a recorder that names who was drawn: a call has one model, and one price."""
    if not isinstance(chat, DrawnChat):
        return record

    def named(call: Call) -> None:
        drawn = chat.draw(call.request)
        record(call.model_copy(update={"endpoint": drawn.name, "model": drawn.model}))

    return named
