"""What runs: `running.json` in the state folder, whether it still does, and what a server says of itself."""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from dualcode import resources
from dualcode.config import TeamConfig, load_team
from dualcode.errors import TeamError
from dualcode.record import Record
from dualcode.serving import processes
from dualcode.serving.environment import API_KEY

FILE = "running.json"
PATIENCE = 300.0
"""Seconds for a server's first token, as kernels may be compiled for it; `ready_seconds` ends it, too."""
Kind = Literal["server", "replica", "router"]
"""A vLLM server, one of several behind a router, or that router, which clients speak to instead."""


class RunningServer(Record):
    """One started process: a vLLM server, or a router before several."""

    name: str
    kind: Kind = "server"
    of: str = ""
    """The profile's server that it is, or is a part of."""
    pid: int
    created: float
    """The process's creation time, seconds since 1970: with the pid it names the process for good."""
    host: str
    """The address that it listens on."""
    port: int
    base_url: str
    """Where an OpenAI client finds it, `/v1` included."""
    model: str
    """The name under which requests ask for its model."""
    weights: str
    """The folder or hub name that the weights come from."""
    commit: str | None = None
    """Of the weights' repository on the hub; None for a folder."""
    log: Path
    cores: tuple[int, ...] | None
    """The CPU cores that it is bound to; None: all."""
    shutdown_timeout: float
    started: float
    """Seconds since 1970."""
    ready_after: float | None = None
    """Seconds from its start until it answered; None while it starts."""

    @property
    def root_url(self) -> str:
        """Where its own endpoints are: /health, /version, /metrics, /tokenize."""
        return self.base_url.removesuffix("/v1")


class RunningPair(Record):
    """The servers of one profile, as they were started."""

    profile: str
    checksum: str = ""
    """Of what the profile says of its servers: an edited profile is another."""
    team_file: Path
    """The profile's team.toml."""
    vllm_python: Path
    vllm: str
    """The version of vLLM."""
    servers: tuple[RunningServer, ...]

    @property
    def profile_argument(self) -> str:
        """What `--profile` takes for this one: its name, or the folder of one that is elsewhere."""
        folder = self.team_file.parent
        known = {room.resolve() / self.profile for room in resources.rooms("serving")}
        return self.profile if folder in known else str(folder)

    @property
    def ready(self) -> bool:
        """Whether every server answered after its start."""
        return all(server.ready_after is not None for server in self.servers)

    @property
    def alive(self) -> bool:
        """Whether every server's process still runs."""
        return all(processes.alive(server) for server in self.servers)

    def base_urls(self) -> dict[str, str]:
        """Return server name -> base URL, `/v1` included; of replicas their router's."""
        return {server.name: server.base_url for server in self.servers if server.kind != "replica"}

    def behind(self, server: RunningServer) -> tuple[RunningServer, ...]:
        """Return the vLLM servers that answer for a server: its replicas, or itself."""
        if server.kind != "router":
            return (server,)
        return tuple(each for each in self.servers if each.kind == "replica" and each.of == server.of)

    def __getitem__(self, name: str) -> RunningServer:
        return next(server for server in self.servers if server.name == name)


def recorded(state: Path | None = None) -> RunningPair | None:
    """Return the pair that the state folder tells of, if any process of it is left; else forget it."""
    file = (state or resources.state_folder()) / FILE
    try:
        pair = RunningPair.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        file.unlink(missing_ok=True)
        return None
    if any(processes.members(server) for server in pair.servers):
        return pair
    file.unlink(missing_ok=True)
    return None


def running(state: Path | None = None) -> RunningPair | None:
    """Return the pair that was started and still runs; None: nothing started, not ready yet, or one died."""
    pair = recorded(state)
    return pair if pair and pair.ready and pair.alive else None


def find_team(given: Path | TeamConfig | None) -> TeamConfig:
    """Return the team of a TOML file, or of the servers that `scripts/serve.sh` started, with addresses.

    Raises TeamError if there is neither.
    """
    if isinstance(given, TeamConfig):
        return given
    pair = running()
    file = given or (pair and pair.team_file)
    if file is None and (half := recorded()):
        dead = [server for server in half.servers if not processes.alive(server)]
        names = ", ".join(f"{server.name} (log: {server.log})" for server in dead)
        raise TeamError(
            f"of the servers of profile {half.profile!r} these have died: {names}"
            if dead
            else f"the servers of profile {half.profile!r} have not all answered yet",
            hint=f"dualcode serve start --profile {half.profile_argument}"
            if dead
            else "dualcode serve status",
        )
    if file is None:
        raise TeamError(
            "no team: --team was not given, and scripts/serve.sh has started no servers",
            hint="scripts/serve.sh start (or start --profile cpu), --team FILE, or --base-url with --model",
        )
    return load_team(file).resolved(pair.base_urls() if pair else {})


def save(pair: RunningPair, state: Path) -> None:
    """Write the pair into the state folder in one step."""
    draft = state / f".{FILE}.{os.getpid()}"
    draft.write_text(pair.model_dump_json(indent=2) + "\n")
    draft.replace(state / FILE)


def clear(state: Path) -> None:
    """Forget what ran."""
    (state / FILE).unlink(missing_ok=True)


class Listing(Record):
    """What a server lists of its model."""

    max_model_len: int | None = None
    """The longest context (prompt and answer) in tokens; None if it lists no such model, or did not say."""
    locked: bool = False
    """Whether it wants another API key than ours."""

    @property
    def ready(self) -> bool:
        """Whether the server serves its model, be it not to us."""
        return self.locked or self.max_model_len is not None


def healthy(server: RunningServer, *, timeout: float = 5) -> bool:
    """Whether the server answers /health with 200."""
    import httpx  # a fifth of a second, which `dualcode --help` does not need

    try:
        # A proxy of the user's has nothing to do with a server of this machine.
        return httpx.get(f"{server.root_url}/health", timeout=timeout, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def listing(server: RunningServer) -> Listing:
    """Return what /v1/models says of the model, asked with the key in $VLLM_API_KEY if there is one."""
    found = _models(server.base_url, 5, trust_env=False)
    if found == 401:
        return Listing(locked=True)
    models = {} if isinstance(found, int) else found
    length = models.get(server.model, {}).get("max_model_len")
    return Listing(max_model_len=length if isinstance(length, int) else None)


def answers(server: RunningServer) -> bool:
    """Whether the server answers a request for one token; a refusal counts, a fault of its own does not.

    /health says that the engine's loop runs, not that it can compute: what lacks a kernel, or memory for its
    first batch, dies of its first request.
    """
    import httpx

    asked = {"model": server.model, "prompt": "1", "max_tokens": 1}
    try:
        reply = httpx.post(
            f"{server.base_url}/completions", json=asked, headers=_ours(), timeout=PATIENCE, trust_env=False
        )
    except httpx.HTTPError:
        return False
    return reply.status_code < 500


def served_at(root: str) -> list[str] | None:
    """Return the names that the server at this address serves; None if it does not answer."""
    found = _models(f"{root}/v1", 10, trust_env=True)
    return None if isinstance(found, int) else list(found)


def _models(base_url: str, timeout: float, *, trust_env: bool) -> dict[str, dict[str, Any]] | int:
    """Return what a server lists, by name, asked with our key; else its status, 0 where it says nothing."""
    import httpx

    status = 0
    try:
        reply = httpx.get(f"{base_url}/models", headers=_ours(), timeout=timeout, trust_env=trust_env)
        status = reply.status_code
        return {str(each["id"]): each for each in reply.raise_for_status().json()["data"]}
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
        return status


def _ours() -> dict[str, str]:
    key = os.environ.get(API_KEY, "").strip()
    return {"Authorization": f"Bearer {key}"} if key else {}
