"""A request's way through the gateway: chosen, routed, worked on in its turn, answered, and put on record."""

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dualcode.bench.bench import Bench
from dualcode.call import Call, Usage
from dualcode.config import Role, TeamConfig
from dualcode.errors import ContextOverflowError, DualcodeError, EndpointError, UnreachableError
from dualcode.gateway.admission import Admission
from dualcode.gateway.catalogue import ALONE, OWN_TOKENS, Catalogue, Choice
from dualcode.gateway.conversation import Outcome, Talk, solve_function, told
from dualcode.gateway.meters import Meters
from dualcode.gateway.protocol import ChatRequest, RefusedError
from dualcode.gateway.raw import Alone
from dualcode.gateway.routing import Route
from dualcode.gateway.voice import Voice
from dualcode.journal import Entry, Findings, Journal, entry_of
from dualcode.models.endpoints import Served
from dualcode.pricing import charge
from dualcode.steps.review import REVIEW_TOKENS
from dualcode.team import Seat, Team

_LOG = logging.getLogger("dualcode.gateway")
CHARACTERS = 3
"""Of code a token, at least: what a context surely holds."""


@dataclass(frozen=True)
class Settings:
    """What whoever starts a gateway decides."""

    at_once: int | None = None
    """Requests worked on at a time; None: what the team's servers take together."""
    waiting: int = 64
    """Requests that may wait beside them."""
    most_bytes: int = 4 << 20
    """Of a body."""
    most_messages: int = 1000
    keep_alive: float = 10.0
    """Seconds of silence after which a stream says that it lives."""
    key: str | None = None
    """What clients must send as a bearer's token; None: nothing."""
    origins: tuple[str, ...] = ()
    """Web pages that may ask, by their origin."""
    hosts: tuple[str, ...] = ()
    """Names under which this gateway may be asked; empty: any."""
    keep_calls: bool = False
    """Whether the records hold what was said."""


@dataclass
class Piece:
    """One request while it is worked on."""

    choice: Choice
    path: str
    at: float = field(default_factory=time.time)
    began: float = field(default_factory=time.monotonic)
    calls: list[Call] = field(default_factory=list[Call])
    ended: Literal["done", "left", "errored"] = "errored"
    outcome: Outcome | None = None
    spoke: bool = False

    @property
    def usage(self) -> Usage:
        """The tokens of all calls so far."""
        return sum((call.usage for call in self.calls), Usage())

    @property
    def seconds(self) -> float:
        """How long it takes so far."""
        return time.monotonic() - self.began


class Gateway:
    """The team at work for clients."""

    def __init__(
        self,
        config: TeamConfig,
        team: Team,
        catalogue: Catalogue,
        alone: dict[str, Alone],
        settings: Settings,
        *,
        served: dict[str, Served] | None = None,
        bench: Bench | None = None,
        journal: Journal | None = None,
    ) -> None:
        """`alone` has each endpoint by its name; without a journal nothing is kept."""
        self.config = config
        self.catalogue = catalogue
        self.settings = settings
        endpoints = {name: config.endpoints[name] for name in config.roles.values()}
        at_once = settings.at_once or sum(each.concurrency for each in endpoints.values())
        self.admission = Admission(at_once, settings.waiting)
        self.meters = Meters(self.admission)
        self._team, self._bench, self._journal = team, bench, journal
        self._alone, self._served = alone, served or {}
        self._prices = {name: endpoint.price for name, endpoint in config.endpoints.items()}

    def alone(self, choice: Choice) -> Alone:
        """Return the endpoint that is asked where one model answers: the coder's but for `raw-planner`."""
        role = choice.alone or "coder"
        if role not in self.config.roles:
            raise RefusedError(404, f"this team has no {role}", code="model_not_found", param="model")
        return self._alone[self.config.roles[role]]

    async def chat(self, piece: Piece, request: ChatRequest, way: Route, voice: Voice) -> None:
        """Work on a request in its turn, and say what goes on and what came of it. Raises RefusedError."""
        async with self._kept(piece), self.admission.slot():
            piece.outcome = await self._worked(piece, request, way, voice)

    async def _worked(self, piece: Piece, request: ChatRequest, way: Route, voice: Voice) -> Outcome:
        pipeline, flow = piece.choice.pipeline, piece.choice.flow
        if way.task is not None and pipeline is not None:

            def record(call: Call) -> None:
                piece.calls.append(call)
                voice.tell(told(call))

            team = self._at_work(pipeline.roles, record)
            if "coder" in team.seats:
                team.seats["coder"] = self._as_asked(team.coder, request)
            return await self._ending(team, solve_function(pipeline, way.task, team, piece.calls, voice))
        assert flow is not None
        roles = [role for role in (flow.writer, flow.critic, flow.planner) if role]
        team = self._at_work(roles, piece.calls.append)
        talk = Talk(
            way.turns,
            voice,
            piece.calls,
            stops=request.stops,
            live=piece.choice.live,
            room=self._room(flow.critic),
        )
        writer = self._as_asked(team[flow.writer], request)
        outcome = await self._ending(team, talk.run(flow, writer, team))
        return talk.hand_over(outcome)

    def _at_work(self, roles: Sequence[Role], record: Callable[[Call], None]) -> Team:
        team = self._team if self._bench is None else self._team.at_work(roles, self._bench)
        return team.for_task("request", record)

    async def _ending(self, team: Team, work: Awaitable[Outcome]) -> Outcome:
        try:
            return await work
        finally:
            team.end_task()

    def _as_asked(self, seat: Seat, request: ChatRequest) -> Seat:
        limit = min(request.limit or seat.answer_tokens, seat.answer_tokens)
        return dataclasses.replace(seat, sampling=request.sampled(seat.sampling), answer_tokens=limit)

    def _room(self, critic: Role | None) -> int | None:
        """Return how many characters of a conversation a critic can take; None where nobody knows."""
        served = self._served.get(self.config.roles[critic]) if critic else None
        if critic is None or served is None or served.max_model_len is None:
            return None
        endpoint = self.config.endpoint_of(critic)
        budget = endpoint.thinking_budget if endpoint.thinking == "switch" else 0
        return max(0, served.max_model_len - REVIEW_TOKENS - budget - OWN_TOKENS) * CHARACTERS

    @contextlib.asynccontextmanager
    async def _kept(self, piece: Piece):  # noqa: ANN202 - a context
        """Around a piece of work: its errors become the protocol's, and it goes on record however it ends."""
        try:
            yield
            piece.ended = "done"
        except asyncio.CancelledError:
            piece.ended = "left"
            raise
        except DualcodeError as error:
            raise refusal(error) from error
        except RefusedError:
            raise
        except (
            Exception
        ) as error:  # of a pipeline, or ours: the client hears of it in its protocol all the same
            _LOG.exception("%s failed", piece.choice.id)
            raise fault(error) from error
        finally:
            self.record(piece)

    def record(self, piece: Piece, usage: Usage | None = None) -> None:
        """Put a piece of work on record: its counters, and its line in the journal.

        `usage` is that of a model that was asked alone, which leaves no calls.
        """
        spent = piece.usage if usage is None else usage
        self.meters.count(spent)
        if piece.outcome is not None:
            self.meters.judge(piece.outcome)
        if self._journal is not None:
            self._journal.add(self._entry(piece, usage))

    def _entry(self, piece: Piece, usage: Usage | None) -> Entry:
        if usage is None:
            made = entry_of(
                piece.calls,
                source="gateway",
                pipeline=piece.choice.name,
                at=piece.at,
                seconds=piece.seconds,
                prices=self._prices,
                outcome=piece.ended,
                amended=piece.outcome.amended if piece.outcome else None,
                keep_calls=self.settings.keep_calls,
            )
            if piece.ended != "left":
                return made
            # What was in flight is paid for, too, and nobody counted it.
            return made.model_copy(update={"usage": made.usage + Usage(untold=1), "money": None})
        endpoint = self.alone(piece.choice)
        paid = charge(self._prices.get(endpoint.name), usage, piece.seconds)
        return Entry(
            at=piece.at,
            source="gateway",
            pipeline=next(name for name, role in ALONE.items() if role == (piece.choice.alone or "coder")),
            outcome=piece.ended,
            findings=Findings(),
            calls=1,
            usage=usage,
            seconds=piece.seconds,
            money=None if paid is None else {paid.currency: paid.amount},
        )


def fault(error: Exception) -> RefusedError:
    """Return the protocol's form of a fault of the gateway's own, without what it says of the inside."""
    told = f"a fault of the gateway's own: {type(error).__name__}; its log has more"
    return RefusedError(500, told, kind="server_error", code="internal_error")


def refusal(error: DualcodeError) -> RefusedError:
    """Return the protocol's form of an error that work on a request met."""
    told = error.message + (f"; try: {error.hint}" if error.hint else "")
    if isinstance(error, ContextOverflowError):
        return RefusedError(400, told, code="context_length_exceeded", param="messages")
    if isinstance(error, UnreachableError):
        return RefusedError(503, told, kind="upstream_error", code="upstream_lost", retry_after=5)
    if isinstance(error, EndpointError):
        return RefusedError(502, told, kind="upstream_error", code="upstream_error")
    return RefusedError(500, told, kind="server_error", code="pipeline_failed")
