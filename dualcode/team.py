"""The team: roles bound to chat models, and the seats that pipelines talk to."""

import asyncio
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import httpx

from dualcode.bench.bench import Bench
from dualcode.call import IN_ANSWERS, IN_THOUGHTS, Attempt, Call, Message, Reply, Request, Value
from dualcode.config import Gate, Role, TeamConfig
from dualcode.errors import EndpointError, TeamError
from dualcode.models.openai import ChatModel, OpenAIChat, is_loopback
from dualcode.record import Record
from dualcode.sampling import SamplingProfile
from dualcode.solution import Program

Recorder = Callable[[Call], None]
V = TypeVar("V", bound=Record | None)
"""What a step reads from a reply: a program, a review, a plan; None where it can be none of it."""


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
    task_id: str = ""
    record: Recorder = lambda _: None
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

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
        Raises EndpointError after the call was recorded as failed.
        """
        request = self._request(messages, thinking, answer_tokens, schema)
        request = request.model_copy(update={"sampling": request.sampling.drawn(draw)})
        number = next(self.numbers)
        reply = await self._complete(number, step, request, about)
        value, notes = read(reply.content), list(_notes(reply))
        if value is None and repair is not None:
            notes.append("off-schema")
            reply = await self._repaired(number, step, request, about, reply, repair)
            value = read(reply.content)
            notes += ["repaired"] if value is not None else []
        self._save(number, step, request, about, reply, value=value, notes=tuple(notes))
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

    async def _repaired(
        self,
        number: int,
        step: str,
        request: Request,
        about: Sequence[Program],
        first: Reply,
        repair: str,
    ) -> Reply:
        turn = (Message(role="assistant", content=first.content or ""), Message(role="user", content=repair))
        update: dict[str, Any] = {"thinking": False, "thinking_budget": None}
        update |= {"messages": request.messages + turn, "sampling": self.sampling.plain}
        again = request.model_copy(update=update)
        return _joined(first, await self._complete(number, step, again, about, before=first.attempts))

    async def _complete(
        self,
        number: int,
        step: str,
        request: Request,
        about: Sequence[Program],
        before: tuple[Attempt, ...] = (),
    ) -> Reply:
        try:
            return await self.chat.complete(request)
        except EndpointError as error:
            failed = before + error.attempts
            self._save(number, step, request, about, None, error=error.message, failed=failed)
            raise

    def _save(
        self,
        number: int,
        step: str,
        request: Request,
        about: Sequence[Program],
        reply: Reply | None,
        *,
        value: Record | None = None,
        notes: tuple[str, ...] = (),
        error: str | None = None,
        failed: tuple[Attempt, ...] = (),
    ) -> None:
        self.record(
            Call(
                task_id=self.task_id,
                number=number,
                step=step,
                role=self.role,
                endpoint=self.endpoint,
                model=self.chat.model,
                request=request,
                reply=reply,
                error=error,
                failed_attempts=failed,
                value=None if value is None else Value.of(value),
                about=tuple(program.checksum for program in about),
                programs=(*about, *([value] if isinstance(value, Program) else [])),
                notes=notes,
            )
        )


def _notes(reply: Reply) -> tuple[str, ...]:
    notes = [
        word for kind, word in (("close", "closed-by-force"), ("penalty", "penalised")) if _has(reply, kind)
    ]
    if reply.content is None:
        notes.append("null-content")
    if reply.finish_reason in ("length", "repetition"):
        notes.append("cut")
    return tuple(notes)


def _has(reply: Reply, kind: str) -> bool:
    return any(attempt.kind == kind for attempt in reply.attempts)


def _joined(first: Reply, second: Reply) -> Reply:
    """Return the repaired reply with both requests' attempts and costs, the thought of the first kept."""
    kept = [attempt.model_copy(update={"content": first.content}) for attempt in first.attempts[-1:]]
    repairs = [
        attempt.model_copy(update={"kind": "repair"}) if attempt.kind == "chat" else attempt
        for attempt in second.attempts
    ]
    update = {
        "attempts": (*first.attempts[:-1], *kept, *repairs),
        "reasoning": first.reasoning,
        "usage": first.usage + second.usage,
        "started": first.started,
        "seconds": first.seconds + second.seconds,  # not end less start: one may be replayed
    }
    return second.model_copy(update=update)


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
        numbers = itertools.count(1)
        return Team(
            {
                role: replace(seat, task_id=task_id, record=record, numbers=numbers)
                for role, seat in self.seats.items()
            },
            bench=self._bench,
            gate=self.gate,
        )

    def at_work(self, roles: Sequence[Role], bench: Bench) -> "Team":
        """Return the team with the seats of these roles alone, and with a bench."""
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


class Served(Record):
    """What a server says of itself: the part of a run's configuration that the team's file cannot know."""

    model: str
    root: str | None = None
    """The checkpoint behind the served name."""
    max_model_len: int | None = None
    version: str | None = None
    """Of vLLM; None for a server that does not tell."""


def build_team(config: TeamConfig, roles: Sequence[Role]) -> Team:
    """Return the team with one chat model per endpoint that one of `roles` is bound to."""
    chats = {
        name: OpenAIChat(
            name, config.endpoints[name], api_key=os.environ.get(config.endpoints[name].api_key_env)
        )
        for name in dict.fromkeys(config.roles[role] for role in roles)
    }
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
        )
    return Team(seats, gate=config.gate)


async def check_endpoints(config: TeamConfig, roles: Sequence[Role]) -> dict[str, Served]:
    """Ask the endpoint of each role what it serves, before the first task.

    Returns endpoint name -> what it serves. Raises TeamError for an endpoint that cannot be reached, does
    not serve the model, refuses the key, or whose context is smaller than the configured tokens.
    """
    names = list(dict.fromkeys(config.roles[role] for role in roles))
    found = await asyncio.gather(*(_check(name, config) for name in names))
    return dict(zip(names, found, strict=True))


async def _check(name: str, config: TeamConfig) -> Served:
    endpoint = config.endpoints[name]
    url, key = (endpoint.base_url or "").rstrip("/"), os.environ.get(endpoint.api_key_env)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(headers=headers, timeout=15.0, trust_env=not is_loopback(url)) as client:
        try:
            answer = await client.get(f"{url}/models")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TeamError(
                f"endpoints.{name}.base_url: found no server at {url} ({type(error).__name__}: {error}); "
                f"expected one that serves {endpoint.model!r}",
                hint="scripts/serve.sh start, or correct base_url",
            ) from None
        models = _models(name, url, endpoint.api_key_env, answer)
        if endpoint.model not in models:
            raise TeamError(
                f"endpoints.{name}.model: expected {endpoint.model!r}; "
                f"{url} serves: {', '.join(models) or 'nothing'}",
                hint=f"set model to what the server serves, or base_url to the server of {endpoint.model!r}",
            )
        version = await _version(client, url.removesuffix("/v1"))
    card = models[endpoint.model]
    served = Served(
        model=endpoint.model, root=card.get("root"), max_model_len=card.get("max_model_len"), version=version
    )
    _check_room(name, config, served)
    return served


def _models(name: str, url: str, key_env: str, answer: httpx.Response) -> dict[str, dict[str, Any]]:
    if answer.status_code in (401, 403):
        raise TeamError(
            f"endpoints.{name}: {url} refuses the API key in ${key_env}",
            hint=f"export {key_env}=KEY",
        )
    try:
        answer.raise_for_status()
        return {card["id"]: card for card in answer.json()["data"]}
    except (httpx.HTTPStatusError, ValueError, KeyError, TypeError):
        said = " ".join(answer.text.split())[:120]
        raise TeamError(
            f"endpoints.{name}.base_url: expected a list of models at {url}/models; "
            f"found HTTP {answer.status_code}: {said!r}",
            hint="base_url of an OpenAI-compatible server ends in /v1",
        ) from None


async def _version(client: httpx.AsyncClient, root: str) -> str | None:
    try:
        answer = await client.get(f"{root}/version")
        return str(answer.json()["version"]) if answer.is_success else None
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None


def _check_room(name: str, config: TeamConfig, served: Served) -> None:
    endpoint = config.endpoints[name]
    budget = endpoint.thinking_budget if endpoint.thinking == "switch" else 0
    if served.max_model_len is not None and endpoint.answer_tokens + budget >= served.max_model_len:
        raise TeamError(
            f"endpoints.{name}: answer_tokens {endpoint.answer_tokens} + thinking_budget {budget} leave "
            f"no room for a prompt in the server's max_model_len {served.max_model_len}",
            hint="lower thinking_budget or answer_tokens",
        )
