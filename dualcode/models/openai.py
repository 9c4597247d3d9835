"""The client that speaks to an OpenAI-compatible server."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Literal, cast

import httpx
import openai
import tenacity

from dualcode.call import Attempt, Message, Reply, Request, Usage
from dualcode.config import Endpoint
from dualcode.errors import EndpointError, ReplyError, UnreachableError
from dualcode.models.chat import Meter
from dualcode.models.endpoints import is_loopback
from dualcode.models.faults import TransientError, of_status, outcome_of, short
from dualcode.models.stream import Stream, ends_in_object

RETRY_PENALTY = 1.5
"""The presence penalty of the one retry after a thought that never came to an answer."""


_Send = Callable[[Stream], Awaitable[None]]
"""Sends one HTTP request and reads its reply into the stream."""


class OpenAIChat:
    """A chat model behind an OpenAI-compatible HTTP server; one instance per endpoint.

    At most `endpoint.concurrency` requests are in flight. 5xx, 408, 409, 429, lost connections, time-outs and
    silent streams are retried up to `endpoint.attempts` times with jittered exponential backoff; every
    attempt is recorded in the reply.
    """

    def __init__(
        self, name: str, endpoint: Endpoint, *, api_key: str | None = None, backoff: float = 0.5
    ) -> None:
        if endpoint.base_url is None:
            raise ValueError(f"endpoint {name!r} has no base_url; resolve its server first")
        self.name = name
        self.model = endpoint.model
        self.meter = Meter()
        self._endpoint = endpoint
        self._backoff = backoff
        self._slots = asyncio.Semaphore(endpoint.concurrency)
        self._root = endpoint.base_url.rstrip("/").removesuffix("/v1")
        self._where = f"endpoint {name!r} ({self._root})"
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = openai.AsyncOpenAI(
            base_url=endpoint.base_url,
            api_key=api_key or "none",
            max_retries=0,  # ours are recorded
            timeout=endpoint.silence_seconds,
            http_client=openai.DefaultAsyncHttpxClient(trust_env=not is_loopback(endpoint.base_url)),
        )
        self._untyped: Any = self._client  # its overloads cannot follow a request that is built as data

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def complete(self, request: Request) -> Reply:
        """Answer the request; see ChatModel."""
        started, attempts = time.time(), list[Attempt]()
        try:
            stream = await self._retried("chat", attempts, partial(self._chat, request))
            if request.thinking and not stream.answers() and not _answers_in_thought(request, stream):
                stream = await self._answer_after_thought(request, stream, attempts)
        except EndpointError as error:
            error.attempts = tuple(attempts)
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
            seconds=time.time() - started,
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
                messages=[message.model_dump() for message in messages],
                add_generation_prompt=True,
                chat_template_kwargs=switch,
            )
        except ReplyError:
            return None
        except TransientError as error:
            message = f"{self._where}: {error.outcome}"
            raise UnreachableError(message, hint="scripts/serve.sh status") from error

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

    async def _rung(
        self, kind: Literal["close", "penalty"], attempts: list[Attempt], send: _Send
    ) -> Stream | None:
        """Try one rung; None where the server cannot take it. What was said so far stands then."""
        try:
            return await self._retried(kind, attempts, send)
        except UnreachableError:
            raise
        except EndpointError:
            return None  # no /tokenize, no token prompts, no schemas here, or a request that it fails on

    # Retries.

    async def _retried(
        self,
        kind: Literal["chat", "close", "penalty"],
        attempts: list[Attempt],
        send: _Send,
    ) -> Stream:
        waits = [0.0]  # before each attempt
        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(self._endpoint.attempts),
            wait=self._wait,
            before_sleep=lambda state: waits.append(state.upcoming_sleep),
            retry=tenacity.retry_if_exception_type(TransientError),
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    async with self._slots:
                        return await self._recorded(kind, attempts, send, waits[-1])
        except TransientError as error:
            tries = f"{self._endpoint.attempts} attempts" if self._endpoint.attempts > 1 else "1 attempt"
            message = f"{self._where}: {error.outcome}, after {tries}"
            kind_of = UnreachableError if error.unreachable else EndpointError
            raise kind_of(message, hint="scripts/serve.sh status") from error
        raise AssertionError("tenacity ends by a return or a raise")

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, TransientError) and error.retry_after is not None:
            return min(error.retry_after, 60.0)
        return tenacity.wait_random_exponential(multiplier=self._backoff, max=30.0)(state)

    async def _recorded(
        self,
        kind: Literal["chat", "close", "penalty"],
        attempts: list[Attempt],
        send: _Send,
        waited: float,
    ) -> Stream:
        started, stream, outcome = time.time(), Stream(), "ok"
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
                seconds=time.time() - started,
                outcome=outcome,
                finish_reason=stream.finish_reason,
                usage=stream.usage,  # of a stream that was lost too: it was paid for
                waited=waited,
            )
            attempts.append(attempt)
        return stream

    # Requests.

    def _parameters(self, request: Request) -> dict[str, Any]:
        sampling = request.sampling
        extra: dict[str, Any] = {
            "top_k": sampling.top_k,
            "min_p": sampling.min_p,
            "repetition_penalty": sampling.repetition_penalty,
        }
        parameters: dict[str, Any] = {
            "model": self.model,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "presence_penalty": sampling.presence_penalty,
            "frequency_penalty": sampling.frequency_penalty,
            "seed": sampling.seed,
            "n": 1,
            "stream": True,
            "stream_options": {"include_usage": True, "continuous_usage_stats": True},
            "extra_body": extra,
        }
        if request.repetition is not None:
            extra["repetition_detection"] = request.repetition.model_dump()
        if request.json_schema is not None:
            parameters["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": request.json_schema, "strict": True},
            }
        return parameters

    async def _chat(self, request: Request, stream: Stream) -> None:
        parameters = self._parameters(request)
        if self._endpoint.thinking != "none":
            parameters["extra_body"]["chat_template_kwargs"] = {"enable_thinking": request.thinking}
        if request.thinking:
            parameters["extra_body"]["thinking_token_budget"] = request.thinking_budget
        parameters["messages"] = [message.model_dump() for message in request.messages]
        parameters["max_tokens"] = request.max_tokens
        await self._receive(self._untyped.chat.completions.create, parameters, stream.read_chat, stream)

    async def _close_by_force(self, request: Request, said: str, stream: Stream) -> None:
        """Continue the thought with `</think>` by /v1/completions, so that an answer must follow."""
        prompt = await self._tokens(
            messages=[message.model_dump() for message in request.messages],
            add_generation_prompt=True,
            chat_template_kwargs={"enable_thinking": True},
        )
        opened = (
            (await self._text(prompt[-8:])).rstrip().endswith("<think>")
        )  # some templates open the thought
        thought = ("" if opened else "<think>\n") + said
        closed = await self._tokens(prompt=f"{thought}\n</think>\n\n", add_special_tokens=False)
        parameters = self._parameters(request)
        parameters["prompt"] = prompt + closed
        parameters["max_tokens"] = request.answer_tokens
        if "response_format" in parameters:  # vLLM takes one here too, but the client's method knows of none
            parameters["extra_body"]["response_format"] = parameters.pop("response_format")
        await self._receive(self._untyped.completions.create, parameters, stream.read_completion, stream)

    async def _tokens(self, **body: Any) -> list[int]:
        tokens: Any = await self._post("tokenize", body, "tokens")
        if not isinstance(tokens, list) or not tokens:
            raise ReplyError(f"{self._where}: /tokenize answered {tokens!r}, no tokens")
        return cast("list[int]", tokens)

    async def _text(self, tokens: list[int]) -> str:
        return str(await self._post("detokenize", {"tokens": tokens}, "prompt"))

    async def _post(self, path: str, body: dict[str, Any], key: str) -> Any:
        """Ask one of vLLM's own endpoints beside /v1 for what it has under a key."""
        try:
            async with httpx.AsyncClient(
                headers=self._headers,
                timeout=self._endpoint.silence_seconds,
                trust_env=not is_loopback(self._root),
            ) as client:
                answer = await client.post(f"{self._root}/{path}", json={"model": self.model, **body})
        except httpx.HTTPError as error:
            raise TransientError(f"connection lost ({type(error).__name__})", unreachable=True) from error
        if not answer.is_success:
            raise ReplyError(f"{self._where}: /{path} answered {answer.status_code}")
        try:
            return answer.json()[key]
        except (ValueError, LookupError, TypeError) as error:  # a page of a web interface, say
            said = short(answer.text, 80)
            raise ReplyError(f"{self._where}: /{path} answered {said!r}, without {key!r}") from error

    # Streams.

    async def _receive(
        self,
        create: Callable[..., Awaitable[Any]],
        parameters: dict[str, Any],
        read: Callable[[Any], None],
        stream: Stream,
    ) -> None:
        """Read one streamed reply into `stream`, ending it when it stays silent for too long."""
        try:
            async for chunk in self._watched(create(**parameters)):
                read(chunk)
                if chunk.usage is not None:
                    self.meter.tokens += stream.count(chunk.usage)
        except openai.APIStatusError as error:
            raise of_status(error, self._where, self._endpoint.api_key_env) from error
        except openai.APITimeoutError as error:
            raise TransientError(
                f"silent for {self._endpoint.silence_seconds:g} s", unreachable=True
            ) from error
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise TransientError(f"connection lost ({type(cause).__name__})", unreachable=True) from error
        except openai.APIError as error:  # an error event inside the stream
            raise TransientError(f"error in the stream: {short(str(error))}") from error
        if stream.finish_reason is None:
            raise TransientError("the stream ended early", unreachable=True)

    async def _watched(self, creation: Awaitable[Any]) -> AsyncIterator[Any]:
        silence = self._endpoint.silence_seconds
        try:
            async with asyncio.timeout(silence):
                chunks = await creation
            try:
                while True:
                    async with asyncio.timeout(silence):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        return
                    yield chunk
            finally:
                await chunks.close()
        except TimeoutError:
            raise TransientError(f"silent for {silence:g} s", unreachable=True) from None


def _answers_in_thought(request: Request, stream: Stream) -> bool:
    return (
        request.json_schema is not None
        and stream.finish_reason == "stop"
        and ends_in_object(stream.thought())
    )
