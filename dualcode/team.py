"""The team: roles bound to chat models, and the seats that pipelines talk to."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dualcode.bench.bench import Bench
from dualcode.call import IN_ANSWERS, IN_THOUGHTS, Attempt, Call, Message, Reply, Request, Value
from dualcode.config import Endpoint, Gate, Role, TeamConfig
from dualcode.errors import EndpointError, TeamError
from dualcode.extraction import strip_thinking
from dualcode.models.chat import ChatModel
from dualcode.models.stream import ends_in_object
from dualcode.record import Record
from dualcode.sampling import SamplingProfile
from dualcode.solution import Program

if TYPE_CHECKING:
    from dualcode.models.endpoints import Served

Recorder = Callable[[Call], None]
V = TypeVar("V", bound=Record | None)
"""What a step reads from a reply: a program, a review, a plan; None where it can be none of it."""


class Shift:
    """The time in which the seats of one task may be asked."""

    def __init__(self) -> None:
        self._asking = set[asyncio.Task[Any]]()
        self._over = False

    @contextlib.contextmanager
    def asking(self) -> Generator[None]:
        """Ask within the shift; after its end whoever asks is cancelled."""
        task = asyncio.current_task()
        if self._over or task is None:
            raise asyncio.CancelledError("the task has ended for which this seat was asked")
        self._asking.add(task)
        try:
            yield
        finally:
            self._asking.discard(task)

    def end(self) -> None:
        """Cancel what is being asked: a pipeline has left it behind."""
        self._over = True
        for task in self._asking:
            task.cancel()


@dataclass(frozen=True)
class Seat:
    """One role at work on one task: asks its model and records each call."""

    role: Role
    chat: ChatModel
    sampling: SamplingProfile
    answer_tokens: int
    thinking_budget: int | None = None
    """None where the model cannot think, or must not."""
    cut_repetition: bool = False
    context: int | None = None
    """Tokens that the model's server takes in all, where it tells; None: not known."""
    task_id: str = ""
    record: Recorder = lambda _: None
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    shift: Shift = field(default_factory=Shift)

    @property
    def endpoint(self) -> str:
        """The endpoint's name in the team's configuration."""
        return self.chat.name

    async def ask(
        self,
        step: str,
        messages: Sequence[Message],
        *,
        read: Callable[[str | None], V],
        about: Sequence[Program] = (),
        schema: dict[str, Any] | None = None,
        repair: str | None = None,
        thinking: bool = False,
        answer_tokens: int | None = None,
        draw: int = 0,
    ) -> V:
        """Send the messages, and return what `read` makes of the reply; None if it can make nothing of it.

        The call is recorded under `step` with that value, and with the programs that it is `about`: those
        that the messages show to be reviewed, corrected or chosen between. The server holds the reply to
        `schema`. With `repair`, a reply that `read` refuses is asked for once more, with `repair` as the
        user's next message and without thinking; both requests are attempts of one call.

        `thinking` counts only for a model that can be switched. `answer_tokens` lowers the endpoint's own
        limit. Draw 0 is sampled as configured, another `draw` with a seed of its own (`Sampling.drawn`).
        Raises EndpointError, or what the client or `read` raised, after the call was recorded as failed.
        """
        request = self._request(messages, thinking, answer_tokens, schema)
        request = request.model_copy(update={"sampling": request.sampling.drawn(draw)})
        with self.shift.asking():
            asked = _Asked(self, next(self.numbers), step, request, about)
            reply = await asked.complete()
            value, notes = asked.read(reply, read), list(_notes(reply))
            if value is None and repair is not None:
                notes.append("off-schema")
                reply = await asked.repaired(reply, repair)
                value = asked.read(reply, read)
                notes += ["repaired"] if value is not None else []
            asked.save(reply, value=value, notes=tuple(notes))
            return value

    def _request(
        self,
        messages: Sequence[Message],
        thinking: bool,
        answer_tokens: int | None,
        schema: dict[str, Any] | None,
    ) -> Request:
        budget = self.thinking_budget if thinking else None
        return Request(
            messages=tuple(messages),
            sampling=self.sampling.for_thinking(budget is not None),
            thinking=budget is not None,
            thinking_budget=budget,
            answer_tokens=min(answer_tokens or self.answer_tokens, self.answer_tokens),
            repetition=IN_THOUGHTS if budget is not None else (IN_ANSWERS if self.cut_repetition else None),
            json_schema=schema,
        )


@dataclass(frozen=True)
class _Asked:
    """One call of a seat, from its request to its record."""

    seat: Seat
    number: int
    step: str
    request: Request
    about: Sequence[Program]

    async def complete(self, again: Request | None = None, before: tuple[Attempt, ...] = ()) -> Reply:
        """Ask, or ask `again` after the attempts `before`. A call that fails is recorded, whatever it was."""
        try:
            return await self.seat.chat.complete(again or self.request)
        except Exception as error:
            known = isinstance(error, EndpointError)
            said = error.message if known else f"{type(error).__name__}: {error}"
            attempts = error.attempts if known else ()
            self.save(None, error=said, failed=before + (_repairs(again, attempts) if again else attempts))
            raise

    def read(self, reply: Reply, read: Callable[[str | None], V]) -> V:
        """Read a reply's answer; where a structured one is empty, its thought: some servers put it there."""
        try:
            answer = reply.content
            empty = not strip_thinking(answer or "").strip()
            if self.request.json_schema is not None and empty and ends_in_object(reply.reasoning):
                answer = reply.reasoning if reply.finish_reason in ("stop", "unknown") else None
            return read(answer)
        except Exception as error:  # the reply was paid for: it is on record whatever the reader met
            self.save(reply, error=f"{type(error).__name__}: {error}")
            raise

    async def repaired(self, first: Reply, repair: str) -> Reply:
        """Ask again; return that reply with the attempts and costs of both, and the thought of the first."""
        messages, said = self.request.messages, strip_thinking(first.content or "")
        if said.strip():
            answer = Message(role="assistant", content=said)
            messages += (answer, Message(role="user", content=repair))
        else:  # servers refuse an empty turn, and two turns of one role
            asked = f"{messages[-1].content}\n\n{repair}"
            messages = (*messages[:-1], messages[-1].model_copy(update={"content": asked}))
        update: dict[str, Any] = {"thinking": False, "thinking_budget": None}
        update |= {"messages": messages, "sampling": self.seat.sampling.plain}
        again = self.request.model_copy(update=update)
        kept = [attempt.model_copy(update={"content": first.content}) for attempt in first.attempts[-1:]]
        before = (*first.attempts[:-1], *kept)  # what the last answered is replaced
        second = await self.complete(again, before)
        return second.model_copy(
            update={
                "attempts": before + _repairs(again, second.attempts),
                "reasoning": first.reasoning,
                "usage": first.usage + second.usage,
                "started": first.started,
                "seconds": first.seconds + second.seconds,  # not end less start: one may be replayed
            }
        )

    def save(
        self,
        reply: Reply | None,
        *,
        value: Record | None = None,
        notes: tuple[str, ...] = (),
        error: str | None = None,
        failed: tuple[Attempt, ...] = (),
    ) -> None:
        """Put the call on record."""
        self.seat.record(
            Call(
                task_id=self.seat.task_id,
                number=self.number,
                step=self.step,
                role=self.seat.role,
                endpoint=self.seat.endpoint,
                model=self.seat.chat.model,
                request=self.request,
                reply=reply,
                error=error,
                failed_attempts=failed,
                value=None if value is None else Value.of(value),
                about=tuple(program.checksum for program in self.about),
                programs=(*self.about, *([value] if isinstance(value, Program) else [])),
                notes=notes,
            )
        )


def _notes(reply: Reply) -> tuple[str, ...]:
    done = {attempt.kind for attempt in reply.attempts if attempt.outcome == "ok"}
    notes = [word for kind, word in (("close", "closed-by-force"), ("penalty", "penalised")) if kind in done]
    if reply.content is None:
        notes.append("null-content")
    if reply.finish_reason in ("length", "repetition"):
        notes.append("cut")
    return tuple(notes)


def _repairs(request: Request, attempts: tuple[Attempt, ...]) -> tuple[Attempt, ...]:
    """Return the attempts of a repair with what they asked, which is not what the call asked."""
    return tuple(
        each.model_copy(update={"request": request, "kind": "repair" if each.kind == "chat" else each.kind})
        for each in attempts
    )


class Team:
    """Roles bound to seats: `team.coder` and `team.reviewer`, and `team["judge-2"]` for any other."""

    def __init__(
        self, seats: Mapping[Role, Seat], *, bench: Bench | None = None, gate: Gate | None = None
    ) -> None:
        self.seats = dict(seats)
        self.gate = gate or Gate()
        """When a pipeline takes a specification for rich."""
        self._bench = bench

    @property
    def has_bench(self) -> bool:
        """Whether programs can be run."""
        return self._bench is not None

    @property
    def bench(self) -> Bench:
        """Where programs are run on what the models may see."""
        if self._bench is None:
            raise TeamError("this team has no bench to run programs on", hint="open a sandbox for it")
        return self._bench

    @property
    def coder(self) -> Seat:
        """The seat that writes."""
        return self["coder"]

    @property
    def reviewer(self) -> Seat:
        """The seat that reasons: plans, reviews, enriches, chooses."""
        return self["reviewer"]

    def __getitem__(self, role: Role) -> Seat:
        """Return the seat of any role: `team["judge-2"]`. Raises TeamError for one that is unbound."""
        if role not in self.seats:
            bound = ", ".join(self.seats) or "none"
            raise TeamError(
                f"the role {role!r} is unbound; bound: {bound}", hint=f"bind {role} under [roles]"
            )
        return self.seats[role]

    @property
    def chats(self) -> list[ChatModel]:
        """The team's chat models, each once."""
        return list({id(seat.chat): seat.chat for seat in self.seats.values()}.values())

    def for_task(self, task_id: str, record: Recorder) -> "Team":
        """Return the team at work on one task: its calls are numbered from 1 and go to `record`."""
        numbers, shift = itertools.count(1), Shift()
        return Team(
            {
                role: replace(seat, task_id=task_id, record=record, numbers=numbers, shift=shift)
                for role, seat in self.seats.items()
            },
            bench=self._bench,
            gate=self.gate,
        )

    def end_task(self) -> None:
        """Cancel what these seats are still asked: a task that has ended takes no call."""
        for seat in self.seats.values():
            seat.shift.end()

    def at_work(self, roles: Sequence[Role], bench: Bench | None) -> "Team":
        """Return the team with the seats of these roles alone, and with a bench, if it is to have one."""
        return Team({role: self[role] for role in roles}, bench=bench, gate=self.gate)

    def through(self, wrap: Callable[[ChatModel], ChatModel]) -> "Team":
        """Return the team with each chat model replaced by what `wrap` makes of it."""
        wrapped = {id(chat): wrap(chat) for chat in self.chats}
        seats = {role: replace(seat, chat=wrapped[id(seat.chat)]) for role, seat in self.seats.items()}
        return Team(seats, bench=self._bench, gate=self.gate)

    async def close(self) -> None:
        """Close the connections."""
        for chat in self.chats:
            await chat.close()


@contextlib.asynccontextmanager
async def open_team(
    config: TeamConfig,
    roles: Sequence[Role],
    served: "Mapping[str, Served]",
    *,
    ledger: Path | None = None,
    patience: float | None = None,
) -> AsyncGenerator[Team]:
    """Open the team of these roles, behind the ledger in the folder `ledger` if there is to be one.

    `served` is what `check_endpoints` found of their endpoints, or `ask_endpoints`. With `patience`, a server
    that is lost meanwhile is waited for, so many seconds. Raises RunError for a ledger that cannot be used,
    and EndpointError if a server does not answer the ledger's question who it is.
    """
    from dualcode.models.ledger import Ledger, behind_ledger  # it imports the client

    async with contextlib.AsyncExitStack() as opened:
        team = build_team(config, roles, served, patience=patience)
        opened.push_async_callback(team.close)
        if ledger is not None:
            kept = opened.enter_context(contextlib.closing(Ledger.open(ledger)))
            behind = await behind_ledger(team.chats, kept, config, served)
            team = team.through(lambda chat: behind[chat.name])
        yield team


def build_team(
    config: TeamConfig,
    roles: Sequence[Role],
    served: "Mapping[str, Served] | None" = None,
    *,
    patience: float | None = None,
) -> Team:
    """Return the team with one chat model per endpoint that one of `roles` is bound to.

    `served` says what each endpoint's requests go out without; the others find out by themselves. With
    `patience`, which needs it, a lost server is waited for, so many seconds.
    """
    from dualcode.models.breaker import Breaker
    from dualcode.models.endpoints import api_key
    from dualcode.models.openai import OpenAIChat  # its library takes a second to import

    chats: dict[str, ChatModel] = {}
    for name in dict.fromkeys(config.roles[role] for role in roles):
        endpoint, known = config.endpoints[name], (served or {}).get(name)
        without = known.left_out if known else ()
        chat = chats[name] = OpenAIChat(name, endpoint, api_key=api_key(name, endpoint), without=without)
        if patience is not None and known:
            chat.breaker = Breaker(name, config, known, chat.meter, patience=patience)
    return team_with(config, roles, chats, served)


def team_with(
    config: TeamConfig,
    roles: Sequence[Role],
    chats: Mapping[str, ChatModel],
    served: "Mapping[str, Served] | None" = None,
) -> Team:
    """Return the team of these roles with chat models that are at hand, by the names of their endpoints."""
    seats: dict[Role, Seat] = {}
    for role in roles:
        endpoint = config.endpoint_of(role)
        seats[role] = Seat(
            role=role,
            chat=chats[config.roles[role]],
            sampling=config.sampling.for_role(role),
            answer_tokens=endpoint.answer_tokens,
            thinking_budget=endpoint.thinking_budget if endpoint.thinking == "switch" else None,
            cut_repetition=endpoint.cut_repetition,
            context=_context(endpoint, (served or {}).get(config.roles[role])),
        )
    return Team(seats, gate=config.gate)


def _context(endpoint: Endpoint, served: "Served | None") -> int | None:
    told = (served.context or served.max_model_len) if served else None
    return endpoint.can.context or told
