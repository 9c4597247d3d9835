"""A request's way through the gateway: chosen, routed, worked on in its turn, answered, and put on record."""

import asyncio
import contextlib
import dataclasses
import logging
import math
import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from dualcode.bench.bench import Bench
from dualcode.call import Call, Usage
from dualcode.config import Role, TeamConfig
from dualcode.errors import ContextOverflowError, DualcodeError, EndpointError, UnreachableError
from dualcode.gateway.catalogue import ALONE, OWN_TOKENS, Catalogue, Choice
from dualcode.gateway.conversation import Outcome, Talk, solve_function, told
from dualcode.gateway.protocol import ChatRequest, RefusedError
from dualcode.gateway.raw import Alone
from dualcode.gateway.routing import Route
from dualcode.gateway.voice import Voice
from dualcode.journal import Entry, Journal, entry_of
from dualcode.models.endpoints import Served
from dualcode.models.stream import Stream
from dualcode.pricing import charge
from dualcode.steps.review import REVIEW_TOKENS
from dualcode.team import Seat, Team

_LOG = logging.getLogger("dualcode.gateway")
LONGEST_RETRY = 120
"""Seconds after which a client that is turned away may come back, at most."""
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 600)
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


class Admission:
    """A finite queue: first come, first served."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._at_once = at_once
        self._most = at_once + waiting
        self.inside = 0
        """At work or waiting."""
        self._typical = 5.0
        """Seconds that a piece of work takes, lately."""

    @property
    def waiting(self) -> int:
        """How many wait."""
        return max(0, self.inside - self._at_once)

    def enter(self) -> None:
        """Take a place, to be given back by `leave`. Raises RefusedError where all are taken."""
        if self.inside >= self._most:
            after = self._typical * (self.waiting + 1) / self._at_once
            raise RefusedError(
                503,
                f"{self.inside} requests are at work or waiting, which is all that this gateway takes; come "
                "back later",
                kind="server_error",
                code="overloaded",
                retry_after=min(LONGEST_RETRY, max(1, math.ceil(after))),
            )
        self.inside += 1

    def leave(self) -> None:
        """Give a place back."""
        self.inside -= 1

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncGenerator[None]:
        """Wait for the turn to work, and work."""
        async with self._slots:
            began = asyncio.get_running_loop().time()
            try:
                yield
            finally:
                took = asyncio.get_running_loop().time() - began
                self._typical += 0.2 * (took - self._typical)


class Meters:
    """The counters, on a registry of their own."""

    def __init__(self, admission: Admission) -> None:
        self._registry = CollectorRegistry()
        counter = partial(Counter, registry=self._registry)
        gauge = partial(Gauge, registry=self._registry)
        timed = partial(Histogram, buckets=_SECONDS, registry=self._registry)
        self.requests = counter(
            "dualcode_gateway_requests_total", "Requests by model, way and how they ended",
            ["model", "path", "status"],
        )  # fmt: skip
        self.tokens = counter("dualcode_gateway_tokens_total", "Tokens of all calls", ["kind"])
        told = "Drafts that were reviewed, by what came of it"
        self.reviewed = counter("dualcode_gateway_drafts_total", told, ["outcome"])
        self.findings = counter("dualcode_gateway_findings_total", "Findings of reviews, untried")
        self.first = timed("dualcode_gateway_first_delta_seconds", "Time to the first delta")
        self.whole = timed("dualcode_gateway_request_seconds", "Time to the end", ["path"])
        inside = gauge("dualcode_gateway_requests_inside", "Requests at work or waiting")
        inside.set_function(lambda: admission.inside)
        gauge("dualcode_gateway_requests_waiting", "Requests waiting").set_function(lambda: admission.waiting)

    def count(self, usage: Usage) -> None:
        """Count the tokens of a piece of work."""
        self.tokens.labels("prompt").inc(usage.prompt_tokens)
        self.tokens.labels("completion").inc(usage.completion_tokens)
        self.tokens.labels("reasoning").inc(usage.reasoning_tokens)

    def judge(self, outcome: Outcome) -> None:
        """Count what came of a review."""
        if outcome.amended is not None:
            word = "refused" if outcome.refused else "amended" if outcome.amended else "stood"
            self.reviewed.labels(word).inc()
        self.findings.inc(len(outcome.findings))

    def page(self) -> bytes:
        """Return the page."""
        return generate_latest(self._registry)


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
        async with self.at_work(piece):
            pipeline, flow = piece.choice.pipeline, piece.choice.flow
            if way.task is not None and pipeline is not None:

                def record(call: Call) -> None:
                    piece.calls.append(call)
                    voice.tell(told(call))

                with self._seated(pipeline.roles, record) as team:
                    if "coder" in team.seats:
                        team.seats["coder"] = self._as_asked(team.coder, request)
                    piece.outcome = await solve_function(pipeline, way.task, team, piece.calls, voice)
                return
            assert flow is not None
            live, room = piece.choice.live, self._room(flow.critic)
            talk = Talk(way.turns, voice, piece.calls, stops=request.stops, live=live, room=room)
            roles = [role for role in (flow.writer, flow.critic, flow.planner) if role]
            with self._seated(roles, piece.calls.append) as team:
                outcome = await talk.run(flow, self._as_asked(team[flow.writer], request), team)
            piece.outcome = talk.hand_over(outcome)

    @contextlib.contextmanager
    def _seated(self, roles: Sequence[Role], record: Callable[[Call], None]) -> Generator[Team]:
        team = self._team if self._bench is None else self._team.at_work(roles, self._bench)
        team = team.for_task("request", record)
        try:
            yield team
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
    async def at_work(self, piece: Piece, tally: Stream | None = None) -> AsyncGenerator[None]:
        """Around a piece of work in its turn: its errors become the protocol's, and it goes on record.

        `tally` is of a model that was asked alone, which leaves no calls.
        """
        try:
            async with self.admission.slot():
                yield
            piece.ended = "done"
        except asyncio.CancelledError:
            piece.ended = "left"
            raise
        except DualcodeError as error:
            raise refusal(error) from error
        except RefusedError:
            raise
        except Exception as error:  # of a pipeline, or ours: the client hears of it in its protocol
            _LOG.exception("%s failed", piece.choice.id)
            raise fault(error) from error
        finally:
            self._record(piece, None if tally is None else tally.paid())

    def _record(self, piece: Piece, usage: Usage | None) -> None:
        """Put a piece of work on record: its counters, and its line in the journal."""
        spent = piece.usage if usage is None else usage
        self.meters.count(spent)
        if piece.outcome is not None:
            self.meters.judge(piece.outcome)
        if self._journal is not None:
            self._journal.add(self._entry(piece, usage))

    def _entry(self, piece: Piece, usage: Usage | None) -> Entry:
        name = piece.choice.name
        if usage is not None:
            name = next(name for name, role in ALONE.items() if role == (piece.choice.alone or "coder"))
        made = entry_of(
            piece.calls,
            source="gateway",
            pipeline=name,
            at=piece.at,
            seconds=piece.seconds,
            prices=self._prices,
            outcome=piece.ended,
            amended=piece.outcome.amended if piece.outcome else None,
            keep_calls=self.settings.keep_calls,
        )
        if usage is not None:
            paid = charge(self._prices.get(self.alone(piece.choice).name), usage, piece.seconds)
            money = paid and {paid.currency: paid.amount}
            return made.model_copy(update={"calls": 1, "usage": usage, "money": money})
        if piece.ended != "left":
            return made
        # What was in flight is paid for, too, and nobody counted it.
        return made.model_copy(update={"usage": made.usage + Usage(untold=1), "money": None})


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
