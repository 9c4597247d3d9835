"""What a run was made with: enough to name it, to resume it, and to distrust it."""

import hashlib
import importlib.metadata
import json
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

from pydantic import Field

import dualcode
from dualcode.config import TeamConfig
from dualcode.models.capabilities import Capabilities
from dualcode.models.endpoints import Served
from dualcode.pipelines import Pipeline
from dualcode.record import Record
from dualcode.runs.influence import pipeline_hash, prompts_of, rooms_hash
from dualcode.sampling import SamplingProfile
from dualcode.sandbox.sandbox import Tier
from dualcode.serving.hardware import ServedHardware
from dualcode.suites.files import DataSource
from dualcode.suites.suite import Suite

PACKAGES = ("evalplus", "httpx", "jinja2", "numpy", "openai", "pydantic")
"""What renders, sends and runs: their versions can change a record."""


class Session(Record):
    """One process that worked on the run."""

    started: float
    """Seconds since the epoch."""
    ended: float | None = None
    """None while it works, or if it was killed."""
    held: float | None = None
    """Seconds of the servers that were this run's, where several worked at once: each moment is divided by
    the tasks that were at work. None: all of its time, as in a session that was killed or is older."""
    concurrency: int
    """Most tasks at a time."""
    git_revision: str | None = None
    """Of the code, `+` appended if the checkout had uncommitted changes; None outside a checkout."""
    sandbox: Tier | None = None
    """What the programs ran in, and what holds there; None in runs older than the sandbox. It is no part of
    the configuration: it decides what a program can do to the machine, not what its tests make of it."""
    nodes: tuple[str, ...] = ()
    """The machines of a cluster that tasks were done at; none for the one that this process ran on."""
    hardware: dict[str, ServedHardware] = Field(default_factory=dict[str, ServedHardware])
    """By endpoint: the model's size and what the server runs on; empty in runs older than this. It is no part
    of the configuration: a server that moved is the same server."""


class Configuration(Record):
    """All that may change a record. Two runs with the same configuration are the same run."""

    pipeline: str
    pipeline_source: str
    """SHA-256 of the file that defines it, and of what that imports outside the rooms of `code`."""
    dataset: str
    data: str
    """SHA-256 of the benchmark's data."""
    tasks: tuple[str, ...]
    team: dict[str, Any]
    """The resolved team, without addresses: a server that moved is the same server."""
    sampling: dict[str, SamplingProfile]
    """By role, resolved."""
    served: dict[str, Served]
    """By endpoint: the servers' own word on version, model and context."""
    prompts: dict[str, str]
    """Of those that the pipeline can render, SHA-256 by name."""
    code: str
    """SHA-256 of the rooms that make replies, programs and verdicts (`runs/influence.py`)."""
    packages: dict[str, str]
    """Versions; `python` runs the candidates."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the configuration."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def run_id(self) -> str:
        """The id of the configuration's run: readable, and different for each configuration."""
        return f"{self.dataset}-{self.pipeline}-{self.fingerprint[:8]}"


class Manifest(Record):
    """A run's `manifest.json`."""

    id: str
    created: float
    """Seconds since the epoch."""
    fingerprint: str
    configuration: Configuration
    title: str
    """The suite's, such as `HumanEval+ (12 of 164 tasks)`."""
    has_plus: bool
    size: int | None = None
    """How many tasks the whole suite has, of which the run may have selected some; None in older runs."""
    source: DataSource
    addresses: dict[str, str]
    """Endpoint to base URL, as of the last session."""
    dualcode: str
    python: str
    platform: str
    sessions: tuple[Session, ...]
    note: str = ""
    """What the team's configuration says that readers must know."""
    capabilities: dict[str, Capabilities] = Field(default_factory=dict[str, Capabilities])
    """By endpoint: what the server could do when the run was made; empty in older runs. What of it changes
    what is sent is in the configuration, as `left_out` of what is served."""


def configure(pipeline: Pipeline, suite: Suite, team: TeamConfig, served: dict[str, Served]) -> Configuration:
    """Return the configuration of a run of `pipeline` over `suite` by the resolved `team`."""
    used = {team.roles[role] for role in pipeline.roles}
    endpoints = {
        name: endpoint.model_dump(mode="json", exclude={"base_url", "server", "api_key_env", "can"})
        for name, endpoint in team.endpoints.items()
        if name in used
    }
    roles = {role: team.roles[role] for role in pipeline.roles}
    return Configuration(
        pipeline=pipeline.name,
        pipeline_source=pipeline_hash(pipeline.source),
        dataset=suite.name,
        data=suite.data.sha256,
        tasks=tuple(task.id for task in suite.tasks),
        team={"endpoints": endpoints, "roles": roles, "gate": team.gate.model_dump()},
        sampling={role: team.sampling.for_role(role) for role in pipeline.roles},
        served=served,
        prompts=prompts_of(pipeline),
        code=rooms_hash(),
        packages={name: importlib.metadata.version(name) for name in PACKAGES}
        | {"python": platform.python_version()},
    )


def manifest(run_id: str, configuration: Configuration, suite: Suite, team: TeamConfig) -> Manifest:
    """Return the manifest of a new run, without sessions."""
    return Manifest(
        id=run_id,
        created=time.time(),
        fingerprint=configuration.fingerprint,
        configuration=configuration,
        title=suite.title,
        has_plus=suite.has_plus,
        size=suite.size,
        source=suite.data,
        addresses=addresses(configuration, team),
        dualcode=dualcode.__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        sessions=(),
        note=team.note,
        capabilities={name: each.can for name, each in configuration.served.items() if each.can},
    )


def addresses(configuration: Configuration, team: TeamConfig) -> dict[str, str]:
    """Return the base URLs of the endpoints that the configuration uses."""
    return {name: team.endpoints[name].base_url or "" for name in configuration.team["endpoints"]}


def git_revision() -> str | None:
    """Return the revision of the checkout that this code runs from, `+` appended if it is changed."""
    root = Path(dualcode.__file__).parents[1]
    if not (root / ".git").exists():
        return None
    revision, changes = (
        _git(root, "rev-parse", "HEAD"),
        _git(root, "status", "--porcelain", "--untracked-files=no"),
    )
    return None if revision is None else revision + ("+" if changes else "")


def _git(root: Path, *arguments: str) -> str | None:
    try:
        command = ["git", "-C", str(root), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
