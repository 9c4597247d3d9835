"""What runs: `running.json` in the state folder, and whether it still does."""

import os
from pathlib import Path

from pydantic import ValidationError

from dualcode import resources
from dualcode.record import Record
from dualcode.serving import processes

FILE = "running.json"


class RunningServer(Record):
    """One started vLLM server."""

    name: str
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
    team_file: Path
    """The profile's team.toml."""
    vllm_python: Path
    vllm: str
    """The version of vLLM."""
    servers: tuple[RunningServer, ...]

    @property
    def ready(self) -> bool:
        """Whether every server answered after its start."""
        return all(server.ready_after is not None for server in self.servers)

    @property
    def alive(self) -> bool:
        """Whether every server's process still runs."""
        return all(processes.alive(server) for server in self.servers)

    def base_urls(self) -> dict[str, str]:
        """Return server name -> base URL, `/v1` included."""
        return {server.name: server.base_url for server in self.servers}

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


def save(pair: RunningPair, state: Path) -> None:
    """Write the pair into the state folder in one step."""
    draft = state / f".{FILE}.{os.getpid()}"
    draft.write_text(pair.model_dump_json(indent=2) + "\n")
    draft.replace(state / FILE)


def clear(state: Path) -> None:
    """Forget what ran."""
    (state / FILE).unlink(missing_ok=True)
