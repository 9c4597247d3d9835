"""The client that speaks to an OpenAI-compatible server."""

import asyncio
import contextlib
import hashlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from itertools import takewhile
from typing import Any, Literal, cast

import openai

from dualcode.call import Attempt, Message, Reply, Request, Usage
from dualcode.clock import now
from dualcode.config import Endpoint
from dualcode.errors import EndpointError, ReplyError, RunError, UnreachableError
from dualcode.models.admission import Admission
from dualcode.models.breaker import STUCK, Breaker
from dualcode.models.chat import LISTENER, Meter
from dualcode.models.dialect import Dialect, remedy
from dualcode.models.endpoints import is_loopback, usable_environment
from dualcode.models.faults import (
    LearntError,
    ToldError,
    TransientError,
    of_status,
    outcome_of,
    short,
    words_of,
)
from dualcode.models.stream import Stream

RETRY_PENALTY = 1.5
"""The presence penalty of the one retry after a thought that never came to an answer."""
TEACHING = (400, 404, 415, 422, 500, 501)
"""Statuses with which servers refuse a field."""
MOST_ATTEMPTS = 100
"""HTTP requests of one call, whatever excused them: one that kills its server each time comes to an end."""
SESSION = "X-Session-ID"
"""The header by which a router before replicas keeps the requests of a conversation on one of them."""
DRAINING = 1.0
"""Seconds that a server may take to end a stream after its last event."""


_Kind = Literal["chat", "close", "penalty"]
"""Of an attempt; see `Attempt`."""
_Send = Callable[[Stream], Awaitable[None]]
"""Sends one HTTP request and reads its reply into the stream."""


class _Client(openai.AsyncOpenAI):
    """Sends what a server needs to know and no more: what the environment holds for OpenAI is not others'."""

    @property
    def default_headers(self) -> dict[str, str | openai.Omit]:
        return {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "dualcode"}


class OpenAIChat:
    """A chat model behind an OpenAI-compatible HTTP server; one instance per endpoint.

    As many requests are in flight as `admission` lets through. 5xx, 408, 409, 429, lost connections and
    silent streams are retried up to `endpoint.attempts` times with jittered exponential backoff; every
    attempt is recorded in the reply. With a `breaker`, an attempt that a server did not take because it was
    away, or had no room, is not counted: it is waited for as long as the breaker's patience lasts.
    """

    breaker: Breaker | None = None

    def __init__(
        self,
        name: str,
        endpoint: Endpoint,
        *,
        api_key: str | None = None,
        backoff: float = 0.5,
        without: Sequence[str] = (),
    ) -> None:
        """`without`: what the server is known to refuse, by the names of `Attempt.left_out`."""
        if endpoint.base_url is None:
            raise ValueError(f"endpoint {name!r} has no base_url; resolve its server first")
        self.name = name
        self.model = endpoint.model
        fixed = "concurrency" in endpoint.model_fields_set
        self.admission = Admission(endpoint.concurrency, fixed=fixed)
        self.meter = Meter(admission=self.admission)
        self._endpoint, self._key = endpoint, api_key
        self._backoff = backoff
        self._root = endpoint.root
        self._where = f"endpoint {name!r} ({self._root})"
        self._chats, self._completions = Dialect(without), Dialect(without)
        with usable_environment(name, self._root):
            transport = openai.DefaultAsyncHttpxClient(trust_env=not is_loopback(endpoint.base_url))
        self._client = _Client(
            base_url=endpoint.base_url,
            api_key=api_key or "none",
            max_retries=0,  # ours are recorded
            timeout=None,  # silence is measured here
            http_client=transport,
        )

    @property
    def refused(self) -> tuple[str, ...]:
        """What its chats are known to be refused, by the names of `Attempt.left_out`, sorted."""
        return tuple(sorted(self._chats.refused))

    def leave_out(self, *names: str) -> None:
        """Leave these out of the chats from now on, as what the server refuses."""
        self._chats = self._chats.without(*names)

    async def close(self) -> None:
        """Close the connections."""
        if self.breaker is not None:
            await self.breaker.close()
        await self._client.close()

    async def complete(self, request: Request) -> Reply:
        """Answer the request; see ChatModel."""
        started, attempts = now(), list[Attempt]()
        try:
            stream = await self._first(request, attempts)
            if request.thinking and not stream.answers(structured=request.json_schema is not None):
                stream = await self._answer_after_thought(request, stream, attempts)
        except EndpointError as error:
            error.attempts = tuple(attempts)
            raise
        except RunError:  # another server came back: no call can be answered any more
            raise
        except Exception as error:  # of a client or an odd answer: what was paid is on record all the same
            met = EndpointError(f"{self._where}: {outcome_of(error)}")
            met.attempts = tuple(attempts)
            raise met from error
        last = attempts[-1]
        return Reply(
            content=stream.text(),
            reasoning=stream.thought(),
            finish_reason=stream.finish_reason or "unknown",
            usage=sum((attempt.usage for attempt in attempts), Usage()),
            started=started,
            seconds=now() - started,
            first_token_seconds=None if stream.first_token is None else stream.first_token - last.started,
            attempts=tuple(attempts),
            system_fingerprint=stream.fingerprint,
        )

    async def rendering(self, messages: Sequence[Message], *, thinking: bool) -> list[int] | None:
        """Return the prompt tokens that the server makes of a chat; None where it has no /tokenize.

        Raises UnreachableError.
        """
        switch = {} if self._endpoint.thinking == "none" else {"enable_thinking": thinking}
        try:
            return await self._tokens(
                messages=self._chats.messages(messages),
                add_generation_prompt=True,
                chat_template_kwargs=switch,
            )
        except ReplyError:
            return None
        except TransientError as error:
            message = f"{self._where}: {error.outcome}"
            raise UnreachableError(message, hint="scripts/serve.sh status") from error

    async def _first(self, request: Request, attempts: list[Attempt]) -> Stream:
        """Ask; without a schema where the server breaks on it, without a word of why."""
        try:
            return await self._retried("chat", attempts, partial(self._chat, request))
        except EndpointError:
            if request.json_schema is None or not attempts[-1].outcome.startswith("500"):
                raise
            without = self._chats.without("json_schema", "response_format")
            stream = await self._retried("chat", attempts, partial(self._chat, request, dialect=without))
            self._chats = without
            return stream

    # The ladder for a thought that left no answer: close it by force, then once more with a penalty.

    async def _answer_after_thought(self, request: Request, first: Stream, attempts: list[Attempt]) -> Stream:
        thought = first.unanswered_thought()
        closed = await self._rung("close", attempts, partial(self._close_by_force, request, thought))
        if closed is not None and closed.answers():
            closed.reasoning = [thought]
            return closed
        sampling = request.sampling.model_copy(update={"presence_penalty": RETRY_PENALTY})
        again = request.model_copy(update={"sampling": sampling})
        second = await self._rung("penalty", attempts, partial(self._chat, again))
        return second if second is not None and second.answers() else first

    async def _rung(self, kind: _Kind, attempts: list[Attempt], send: _Send) -> Stream | None:
        """Try one rung; None where the server cannot take it. What was said so far stands then."""
        try:
            return await self._retried(kind, attempts, send)
        except UnreachableError:
            raise
        except EndpointError:
            return None  # no /tokenize, no token prompts, no schemas here, or a request that it fails on

    # Retries.

    async def _retried(self, kind: _Kind, attempts: list[Attempt], send: _Send) -> Stream:
        began, counted, waited = time.monotonic(), 0, 0.0
        while True:
            try:
                async with self.admission.turn():
                    if self.breaker is not None:
                        await self.breaker.passed()
                    while True:
                        with contextlib.suppress(LearntError):
                            stream = await self._recorded(kind, attempts, send, waited)
                            self.admission.served()
                            return stream
            except TransientError as error:
                excused, in_vain = await self._excused(error, began)
                counted += not excused
                if in_vain or counted >= self._endpoint.attempts or len(attempts) >= MOST_ATTEMPTS:
                    raise self._given_up(error, len(attempts), away=in_vain) from error
                ceiling = min(30.0, self._backoff * 2 ** min(len(attempts) - 1, 10))
                told = error.retry_after
                waited = random.uniform(0, ceiling) if told is None else min(told, 60.0)
                await asyncio.sleep(waited)

    async def _excused(self, error: TransientError, began: float) -> tuple[bool, bool]:
        """Return whether a fault was the server's absence or want of room, which was waited for and does not
        count, and whether it was a want of room that was waited for in vain."""
        if error.full:
            self.admission.refused()
        if self.breaker is None or not self.breaker.patience:
            return False, False
        if error.full:
            patient = time.monotonic() - began < self.breaker.patience
            return patient, not patient
        hung = error.outcome.startswith("silent") and self.admission.stuck > STUCK
        return error.unreachable and await self.breaker.lost(error.outcome, hung=hung), False

    def _given_up(self, error: TransientError, made: int, *, away: bool) -> EndpointError:
        """Return what is raised after the last attempt."""
        message = f"{self._where}: {error.outcome}, after {made} attempt{'s' if made > 1 else ''}"
        hint = "scripts/serve.sh status"
        if error.outcome.startswith("silent") and self.admission.most > 1:
            hint += f", or fewer requests at once: concurrency, now {self.admission.most}, under"
            hint += f" [endpoints.{self.name}]"
        return (UnreachableError if error.unreachable or away else EndpointError)(message, hint=hint)

    async def _recorded(self, kind: _Kind, attempts: list[Attempt], send: _Send, waited: float) -> Stream:
        started, stream, outcome = now(), Stream(), "ok"
        if (listener := LISTENER.get()) is not None:
            listener.begin()
        self.meter.in_flight += 1
        try:
            await send(stream)
        except Exception as error:
            outcome = outcome_of(error)
            raise
        finally:
            self.meter.in_flight -= 1
            attempt = Attempt(
                kind=kind,
                started=started,
                seconds=now() - started,
                outcome=outcome,
                finish_reason=stream.finish_reason,
                usage=stream.paid(),  # of a stream that was lost too: it was paid for
                waited=waited,
                left_out=stream.left_out,
            )
            attempts.append(attempt)
        return stream

    # Requests.

    async def _chat(self, request: Request, stream: Stream, dialect: Dialect | None = None) -> None:
        fields: dict[str, Any] = {
            "model": self.model,
            "messages": [message.model_dump() for message in request.messages],
            "max_tokens": request.max_tokens,
        }
        if self._endpoint.thinking != "none":
            fields["chat_template_kwargs"] = {"enable_thinking": request.thinking}
        if request.thinking:
            fields["thinking_token_budget"] = request.thinking_budget
        await self._exchange("/chat/completions", dialect or self._chats, request, fields, stream)

    async def _close_by_force(self, request: Request, thought: str, stream: Stream) -> None:
        """Continue the thought with `</think>` by /v1/completions, so that an answer must follow."""
        prompt = await self._tokens(
            messages=self._chats.messages(request.messages),
            add_generation_prompt=True,
            chat_template_kwargs={"enable_thinking": True},
        )
        end = str(await self._ask("detokenize", {"tokens": prompt[-8:]}, "prompt"))
        opened = "" if end.rstrip().endswith("<think>") else "<think>\n"  # some templates open the thought
        closed = await self._tokens(prompt=f"{opened}{thought}\n</think>\n\n", add_special_tokens=False)
        fields = {"model": self.model, "prompt": prompt + closed, "max_tokens": request.answer_tokens}
        await self._exchange("/completions", self._completions, request, fields, stream)

    async def _tokens(self, **body: Any) -> list[int]:
        found: object = await self._ask("tokenize", body, "tokens")
        shown = short(str(found), 80)
        tokens = cast("list[object]", found) if isinstance(found, list) else []
        if not tokens or not all(isinstance(token, int) for token in tokens):
            raise ReplyError(f"{self._where}: /tokenize answered {shown!r}, no tokens")
        return cast("list[int]", tokens)

    async def _ask(self, path: str, body: dict[str, Any], key: str) -> Any:
        """Ask one of vLLM's own endpoints beside /v1 for what it has under a key."""
        answer: Any = None
        try:
            async with asyncio.timeout(self._endpoint.silence_seconds):
                answer = await self._client.post(
                    f"{self._root}/{path}", cast_to=object, body={"model": self.model, **body}
                )
            return answer[key]
        except openai.APIStatusError as error:
            raise ReplyError(f"{self._where}: /{path} answered {error.status_code}") from error
        except (openai.APIConnectionError, TimeoutError) as error:
            raise _lost(error) from error
        except (openai.OpenAIError, ValueError, LookupError, TypeError) as error:  # a web interface's page
            said = short(str(answer), 80)
            raise ReplyError(f"{self._where}: /{path} answered {said!r}, without {key!r}") from error

    async def _exchange(
        self, path: str, dialect: Dialect, request: Request, fields: dict[str, Any], stream: Stream
    ) -> None:
        """Post a request and read its reply into `stream`, ending it when it stays silent for too long."""
        if self._endpoint.stream_interval is not None and LISTENER.get() is None:
            fields = {**fields, "stream_interval": self._endpoint.stream_interval}
        body, stream.left_out = dialect.body(request, fields)
        silence = self._endpoint.silence_seconds
        try:
            async with asyncio.timeout(silence):
                opened = await self._client.post(
                    path,
                    cast_to=object,
                    body=body,
                    options={"headers": {SESSION: session_of(request)}},
                    stream=True,
                    stream_cls=openai.AsyncStream[object],
                )
            try:
                pieces = aiter(opened.response.aiter_bytes())
                while (piece := await self._next(pieces, stream)) is not None:
                    before = stream.counts.get("completion_tokens", 0)
                    stream.feed(piece)
                    self.meter.tokens += max(0, stream.counts.get("completion_tokens", 0) - before)
                stream.close()
            finally:
                await opened.close()
        except openai.APIStatusError as error:
            words = words_of(error.body)
            words = words.replace(self._key, "…") if self._key else words
            if error.status_code in TEACHING and dialect.learn(words, body):
                raise LearntError(f"{error.status_code} {short(words)}") from error
            hint = remedy(words, body, self.name)
            raise of_status(error, words, self._where, self._endpoint.api_key_env, hint) from error
        except ToldError as error:
            if dialect.learn(error.outcome, body):
                raise LearntError(error.outcome) from error
            raise
        except TimeoutError:
            raise TransientError(f"silent for {silence:g} s", unreachable=True) from None
        except openai.APIConnectionError as error:
            raise _lost(error) from error

    async def _next(self, pieces: AsyncIterator[bytes], stream: Stream) -> bytes | None:
        """Return the next piece, be it a comment: a server that sends anything lives. None: there is no more.

        What may follow the end is waited for shortly, so that the connection can serve again.
        """
        try:
            async with asyncio.timeout(DRAINING if stream.ended else self._endpoint.silence_seconds):
                return await anext(pieces, None)
        except Exception as error:  # the transport's own
            if stream.ended:
                return None
            if isinstance(error, TimeoutError):
                raise
            raise _lost(error) from error


def session_of(request: Request) -> str:
    """Return what a request has in common with those that continue it: a checksum of its first turn."""
    first = takewhile(lambda message: message.role != "assistant", request.messages)
    return hashlib.sha256("\n".join(message.content for message in first).encode()).hexdigest()[:32]


def _lost(error: Exception) -> TransientError:
    return TransientError(f"connection lost ({type(error.__cause__ or error).__name__})", unreachable=True)
