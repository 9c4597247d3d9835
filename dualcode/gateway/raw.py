"""One model alone: the request as the client made it, and the answer as the server gives it.

Tool calls, images, schemas and fields that nobody here knows pass both ways. What is changed: the model's
name, the thought under both its names, a limit where the client sets none, and the tokens, which are always
asked for.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx

from dualcode.config import Endpoint
from dualcode.gateway.answers import DONE, reasoning
from dualcode.gateway.protocol import Asked, RefusedError
from dualcode.models.endpoints import is_loopback, usable_environment
from dualcode.models.faults import TransientError, code_of, short, words_of
from dualcode.models.stream import Stream

CONNECT = 15.0
"""Seconds in which a server must take the connection."""
PATIENCE = 10
"""How many times a stream's longest silence an answer as one object may take."""
TOOLS = ("tools", "tool_choice", "parallel_tool_calls", "functions", "function_call")
_TOOLLESS = (400, 404, 422, 500, 501)
"""Statuses with which servers refuse tools."""


class Alone:
    """One endpoint, asked as clients ask."""

    def __init__(self, name: str, endpoint: Endpoint, *, api_key: str | None) -> None:
        base = (endpoint.base_url or "").rstrip("/")
        headers = {"User-Agent": "dualcode"} | ({"Authorization": f"Bearer {api_key}"} if api_key else {})
        with usable_environment(name, base):
            self._client = httpx.AsyncClient(
                base_url=base,
                headers=headers,
                timeout=httpx.Timeout(None, connect=CONNECT),
                limits=httpx.Limits(max_connections=None),
                trust_env=not is_loopback(base),
                verify=not base.startswith("http:"),  # certificates take a while to load
            )
        self.name, self.endpoint = name, endpoint
        self.toolless = False
        """Whether the server refused tools: requests go out without them, and are answered in words."""
        self._key = api_key

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _body(self, sent: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
        left_out = TOOLS if self.toolless else ()
        body = {name: value for name, value in sent.items() if name not in left_out}
        body["model"] = self.endpoint.model
        if asked.stream:
            options = asked.stream_options.model_dump(exclude_unset=True) if asked.stream_options else {}
            body |= {"stream": True, "stream_options": {**options, "include_usage": True}}
        else:
            body["stream"] = False
        limits = {name: getattr(asked, name, None) for name in ("max_tokens", "max_completion_tokens")}
        given = {name: limit for name, limit in limits.items() if limit is not None}
        for name, limit in (given or {"max_tokens": self.endpoint.answer_tokens}).items():
            body[name] = min(limit, self.endpoint.answer_tokens)  # editors ask for more than a context holds
        switches: object = sent.get("chat_template_kwargs") or {}
        if self.endpoint.thinking == "off" and "messages" in sent and isinstance(switches, dict):
            body["chat_template_kwargs"] = {"enable_thinking": False, **cast("dict[str, Any]", switches)}
        return body

    @asynccontextmanager
    async def _asked(
        self, path: str, sent: Mapping[str, Any], asked: Asked
    ) -> AsyncGenerator[httpx.Response]:
        """Ask, and refuse in the server's words what it refuses. Leaving ends the request there, too."""
        response = await self._sent(path, sent, asked)
        try:
            if response.status_code != 200:
                async with asyncio.timeout(CONNECT):
                    page = await response.aread()
                # vLLM without a parser cannot call tools, and editors' agents always bring some.
                tools = any(sent.get(name) for name in TOOLS) and not self.toolless
                if tools and response.status_code in _TOOLLESS and b"tool" in page.lower():
                    self.toolless = True
                    await response.aclose()
                    response = await self._sent(path, sent, asked)
                    page = b"" if response.status_code == 200 else await response.aread()
                if response.status_code != 200:
                    raise self._refusal(response.status_code, page, response.headers.get("retry-after", ""))
            yield response
        except (httpx.HTTPError, TimeoutError) as error:
            raise self._lost(error) from error
        finally:
            await response.aclose()

    async def _sent(self, path: str, sent: Mapping[str, Any], asked: Asked) -> httpx.Response:
        request = self._client.build_request("POST", path, json=self._body(sent, asked))
        try:
            async with asyncio.timeout(self.endpoint.silence_seconds * (1 if asked.stream else PATIENCE)):
                return await self._client.send(request, stream=True)
        except (httpx.HTTPError, TimeoutError) as error:
            raise self._lost(error) from error

    async def whole(self, path: str, sent: Mapping[str, Any], asked: Asked, tally: Stream) -> dict[str, Any]:
        """Return the answer as one object."""
        async with self._asked(path, sent, asked) as response:
            page = await response.aread()
            try:
                answer = cast("dict[str, Any]", json.loads(page))
                tally.take(answer)
                return self._renamed(answer, asked.model)
            except (ValueError, AttributeError, TypeError, TransientError) as error:
                said = short(page.decode(errors="replace"), 80)
                told = f"{self.name} answered {said!r}, which is no completion"
                raise RefusedError(502, told, kind="upstream_error", code="bad_upstream_answer") from error

    async def stream(
        self, path: str, sent: Mapping[str, Any], asked: Asked, tally: Stream
    ) -> AsyncGenerator[bytes]:
        """Yield the answer's events, ready to be sent; comments of the server's own are left out."""
        async with self._asked(path, sent, asked) as response:
            lines = aiter(response.aiter_lines())
            ended = False
            while True:
                async with asyncio.timeout(self.endpoint.silence_seconds):
                    line = await anext(lines, None)
                if line is None:
                    break
                name, _, said = line.partition(":")
                if name not in ("data", "error") or not said.strip():  # the second is llama.cpp's
                    continue
                if said.strip() == "[DONE]":
                    ended = True
                    break
                if (event := self._event(said.strip(), asked, tally, failed=name == "error")) is not None:
                    yield event
            if not ended and tally.finish_reason is None:
                raise RefusedError(
                    502, f"{self.name} was lost in mid-answer; ask again", kind="upstream_error",
                    code="upstream_lost",
                )  # fmt: skip
            yield DONE

    def _event(self, said: str, asked: Asked, tally: Stream, *, failed: bool) -> bytes | None:
        """Return an event for the client; None for one that it did not ask for, or that says nothing.

        Raises RefusedError for an error, which ends the stream: vLLM tells there that its queue is full, too.
        """
        try:
            event: Any = json.loads(said)
        except ValueError:
            told = f"{self.name} sent a broken event: {short(said, 80)!r}"
            raise RefusedError(502, told, kind="upstream_error", code="bad_upstream_answer") from None
        if not isinstance(event, dict):
            return None
        table = cast("dict[str, Any]", event)
        if failed or table.get("error"):
            code, later = code_of(table), re.search(r'"retry_after": *([0-9]+)', said)
            status = int(code) if re.fullmatch("[45][0-9]{2}", code) else 502
            raise self._refusal(status, said.encode(), later[1] if later else "")
        try:
            tally.take(table)
        except TransientError as error:
            raise self._refusal(503 if error.full else 502, str(error).encode(), "") from None
        if table.get("usage") is not None and not asked.wants_usage:
            table.pop("usage")
            if not table.get("choices"):
                return None
        return self._line(self._renamed(table, asked.model))

    @staticmethod
    def _line(event: Mapping[str, Any]) -> bytes:
        return b"data: " + json.dumps(event, ensure_ascii=True).encode() + b"\n\n"

    @staticmethod
    def _renamed(answer: dict[str, Any], model: str) -> dict[str, Any]:
        """Return an answer under the name that was asked for, its thoughts under both names."""
        answer["model"] = model
        answer.setdefault("created", int(time.time()))
        for choice in cast("list[dict[str, Any]]", answer.get("choices") or []):
            for name in ("delta", "message"):
                part = cast("dict[str, Any]", choice.get(name) or {})
                if thought := part.get("reasoning") or part.get("reasoning_content"):
                    choice[name] = part | reasoning(thought)
        return answer

    def _clean(self, words: str) -> str:
        return words.replace(self._key, "…") if self._key else words

    def _refusal(self, status: int, page: bytes, retry_after: str) -> RefusedError:
        try:
            said: object = json.loads(page)
        except ValueError:
            said = page.decode(errors="replace")
        told = f"{self.name}: {short(self._clean(words_of(said))) or f'HTTP {status}'}"
        if status in (401, 403):  # our key there, not the client's here
            told = f"{self.name} refuses the gateway's key: export {self.endpoint.api_key_env}=KEY"
            return RefusedError(502, told, kind="upstream_error", code="upstream_refused")
        if status >= 500 or status == 429:
            wait = int(retry_after) if retry_after.isdecimal() else 2
            code = 503 if status in (429, 503) else 502
            return RefusedError(code, told, kind="upstream_error", code="upstream_error", retry_after=wait)
        return RefusedError(status, told)

    def _lost(self, error: Exception) -> RefusedError:
        silent = isinstance(error, TimeoutError)
        why = f"silent for {self.endpoint.silence_seconds:g} s" if silent else type(error).__name__
        told = f"{self.name} was lost ({why}); try: dualcode serve status"
        return RefusedError(502, told, kind="upstream_error", code="upstream_lost", retry_after=5)
