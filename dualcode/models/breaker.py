"""Whether a server is there: while it is not, nobody sends to it, and one looks until it is back."""

import asyncio
import contextlib
import time

import httpx

from dualcode.config import TeamConfig
from dualcode.errors import EndpointError, RunError, TeamError, UnreachableError
from dualcode.models.chat import Meter
from dualcode.models.endpoints import Served, check_endpoints, client_to

PATIENCE = 300.0
"""Seconds that a lost server is waited for, if nobody says more: a restart, with its weights at hand."""
STUCK = 60.0
"""Seconds without a token of a server that has work, after which one that is silent is taken for hung."""
PROBE = 20.0
"""Seconds for one token of a server that is taken for hung."""


class Breaker:
    """Guards one endpoint. A server that comes back has to be the one that it was: `served` says which."""

    def __init__(
        self,
        name: str,
        config: TeamConfig,
        served: Served,
        meter: Meter,
        *,
        patience: float,
        pause: float = 1.0,
    ) -> None:
        self.patience = patience
        self._name, self._config, self._served, self._meter = name, config, served, meter
        self._pause = pause
        self._looking: asyncio.Task[bool] | None = None
        self._given_up = ""

    async def passed(self) -> None:
        """Return once the server is there, as far as is known. Raises as `lost`."""
        if self._looking is not None:
            await asyncio.shield(self._looking)

    async def lost(self, why: str, *, hung: bool = False) -> bool:
        """Look whether the server is there; if it is not, wait for it. Return whether it had been away.

        Raises UnreachableError if it does not come back within `patience` seconds, and RunError if it comes
        back as another.
        """
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(why, hung))
        return await asyncio.shield(self._looking)

    async def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._looking

    async def _look(self, why: str, hung: bool) -> bool:
        began, away = time.monotonic(), False
        try:
            while (absent := await self._absent(hung)) is not None:
                away, waited = True, time.monotonic() - began
                if self._given_up or waited >= self.patience:
                    self._given_up = absent
                    told = f"endpoint {self._name!r}: {why}, then {absent}; "
                    told += f"it was waited for {self.patience:g} s (--wait-for-server)"
                    raise UnreachableError(told, hint="scripts/serve.sh status")
                self._meter.trouble = f"{absent}, waited {waited:.0f} of {self.patience:g} s"
                await asyncio.sleep(min(self._pause, self.patience - waited))
            self._given_up = ""
            if away:
                await self._require_same()
            return away
        finally:
            self._looking, self._meter.trouble = None, ""

    async def _absent(self, hung: bool) -> str | None:
        """Return why the server cannot be asked, None if it can."""
        endpoint = self._config.endpoints[self._name]
        url = (endpoint.base_url or "").rstrip("/")
        asked = {"model": endpoint.model, "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}
        try:
            async with client_to(self._name, endpoint, timeout=PROBE) as client:
                health = await client.get(f"{endpoint.root}/health")
                if health.is_server_error:
                    return f"/health says {health.status_code}"
                models = await client.get(f"{url}/models")
                if models.is_server_error:
                    return f"/v1/models says {models.status_code}"
                if hung:
                    await client.post(f"{url}/chat/completions", json=asked)
        except httpx.TimeoutException:
            return "its engine hangs: it answers and makes no token" if hung else "no answer"
        except httpx.HTTPError as error:
            return f"no connection ({type(error).__name__})"
        return None

    async def _require_same(self) -> None:
        role = next(role for role, name in self._config.roles.items() if name == self._name)
        hint = "start the one that the run began with; the same command resumes the run"
        try:
            found = (await check_endpoints(self._config, [role]))[self._name]
        except TeamError as error:
            raise RunError(f"another server came back: {error.message}", hint=hint) from error
        except EndpointError:
            return  # away again: whoever asks next finds out
        if (now := found.listed) != (was := self._served.listed):
            pairs = {key: (getattr(was, key), getattr(now, key)) for key in Served.model_fields}
            told = ", ".join(f"{key} was {old}, is {new}" for key, (old, new) in pairs.items() if old != new)
            raise RunError(f"endpoint {self._name!r}: another server came back: {told}", hint=hint)
