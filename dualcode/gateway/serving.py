"""A gateway as a process: the team's servers asked, the sandbox opened, the port bound, until it is ended."""

import errno
import os
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import uvicorn

from dualcode.bench.bench import SandboxBench
from dualcode.config import TeamConfig
from dualcode.errors import ConfigError, SandboxError, ServingError, TeamError
from dualcode.gateway.app import build
from dualcode.gateway.catalogue import Catalogue
from dualcode.gateway.raw import Alone
from dualcode.gateway.service import Gateway, Settings
from dualcode.journal import Journal
from dualcode.models.endpoints import api_key, check_endpoints
from dualcode.pipelines import Pipeline
from dualcode.sandbox import open_sandbox
from dualcode.team import open_team

ROLES = ("coder", "reviewer")
LOCAL = ("127.0.0.1", "localhost", "::1")
FAREWELL = 5
"""Seconds that answers in flight are given at the end."""
Tell = Callable[[str], None]


def key_in(variable: str) -> str | None:
    """Return the key that clients must send, from the environment; None for none.

    Raises ConfigError, which does not show it, for one that no header can carry.
    """
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(
            f"the key in ${variable} has a line break or a letter outside ASCII in it",
            hint=f"export {variable}=KEY",
        )
    return key or None


@asynccontextmanager
async def opened(
    config: TeamConfig,
    pipelines: Sequence[Pipeline],
    settings: Settings,
    *,
    records: bool = True,
    tell: Tell = lambda _: None,
) -> AsyncGenerator[Gateway]:
    """Open a gateway over a team. Raises what `check_endpoints` raises.

    Where no sandbox holds, pipelines that run programs are left out, and `tell` hears why.
    """
    roles = [role for role in ROLES if role in config.roles]
    if "coder" not in roles:
        raise TeamError("a gateway needs the role 'coder'", hint='coder = "ENDPOINT" under [roles]')
    served = await check_endpoints(config, roles)
    async with AsyncExitStack() as parts:
        bench = None
        try:
            bench = SandboxBench(await parts.enter_async_context(open_sandbox(1)))
        except SandboxError as error:
            tell(f"what a pipeline would run cannot be run: {error.message}")
        team = await parts.enter_async_context(open_team(config, roles, served))
        alone: dict[str, Alone] = {}
        for name in dict.fromkeys(config.roles[role] for role in roles):
            endpoint = config.endpoints[name]
            alone[name] = Alone(name, endpoint, api_key=api_key(name, endpoint))
            parts.push_async_callback(alone[name].close)
        keys = [api_key(name, endpoint) for name, endpoint in config.endpoints.items()]
        secrets = [key for key in (*keys, settings.key) if key]
        yield Gateway(
            config,
            team,
            Catalogue(config, served, pipelines),
            alone,
            settings,
            served=served,
            bench=bench,
            journal=Journal(secrets=secrets, tell=tell) if records else None,
        )


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; port 0 is any free one. Raises ServingError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        taken = error.errno == errno.EADDRINUSE
        hint = "--port 0 for any free one" if taken else "--host 127.0.0.1, and a port from 1024 on"
        why = "is taken" if taken else f"cannot be had: {error.strerror or error}"
        raise ServingError(f"{host}:{port} {why}", hint=hint) from None
    return listening


def require_key(host: str, key: str | None, variable: str) -> None:
    """Refuse to let a whole network use the servers without a key."""
    if host not in LOCAL and key is None:
        raise ConfigError(
            f"{host} can be reached by others, and no key is asked of them",
            hint=f"export {variable}=KEY, or --host 127.0.0.1",
        )


async def serve(gateway: Gateway, listening: socket.socket, tell: Tell = lambda _: None) -> None:
    """Answer on a bound socket until the process is told to end."""
    configured = uvicorn.Config(
        build(gateway),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=FAREWELL,
        timeout_keep_alive=75,
        h11_max_incomplete_event_size=64 << 10,
    )
    host, port = listening.getsockname()[:2]
    named = f"[{host}]" if ":" in host else host

    class Announced(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            tell(f"http://{named}:{port}/v1")  # from now on one may ask, or end it

    await Announced(configured).serve(sockets=[listening])
