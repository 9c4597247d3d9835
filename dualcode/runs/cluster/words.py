"""What the driver and its nodes say to each other. Both run the same code, so these are plain values."""

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import dualcode
from dualcode.bench.bench import Shown
from dualcode.call import Call, Reply, Request
from dualcode.config import TeamConfig
from dualcode.errors import ClusterError, DualcodeError, EndpointError
from dualcode.pipelines import Pipeline, builtins
from dualcode.runs.influence import pipeline_hash, prompts_of, rooms_hash
from dualcode.runs.manifest import PACKAGES
from dualcode.sandbox.sandbox import Tier
from dualcode.solution import Program
from dualcode.suites.suite import Suite
from dualcode.task import Task
from dualcode.verdict import Verdict

BEAT = 1.0
"""Seconds after which a node says something, even if it is nothing."""


@dataclass(frozen=True)
class Brought:
    """A pipeline that a node may not have: its name, and its file if it does not come with dualcode."""

    name: str
    file: str = ""
    """The file's name; empty for one that comes with dualcode."""
    source: bytes = b""

    @classmethod
    def of(cls, pipeline: Pipeline) -> "Brought":
        """Return what a node needs of a pipeline."""
        if builtins().get(pipeline.name) is pipeline:
            return cls(pipeline.name)
        return cls(pipeline.name, pipeline.source.name, pipeline.source.read_bytes())


@dataclass(frozen=True)
class Outfit:
    """What a node works with."""

    suite: Suite
    config: TeamConfig
    pipelines: tuple[Brought, ...]
    workers: int
    """Programs that run at a time."""
    unsafe: bool = False


@dataclass(frozen=True)
class Work:
    """A task to be solved; `token` is its number among all that a driver gives out."""

    token: int
    pipeline: str
    task: Task


@dataclass(frozen=True)
class Asked:
    """A seat asks; the driver answers to `number`."""

    token: int
    number: int
    endpoint: str
    request: Request


@dataclass(frozen=True)
class Called:
    """A call ended."""

    token: int
    call: Call


@dataclass(frozen=True)
class Told:
    """The bench ran something."""

    token: int
    shown: Shown


@dataclass(frozen=True)
class Solved:
    """The pipeline came to its end."""

    token: int
    program: Program


@dataclass(frozen=True)
class Failed:
    """The pipeline gave no program."""

    token: int
    reason: str
    error: DualcodeError | None = None
    """Where it is one that the driver tells from others."""


Heard = Asked | Called | Told | Solved | Failed


class Link(Protocol):
    """A node as the driver has it at hand. Whatever waits raises LostError once the node is gone."""

    name: str

    def begin(self, work: Work) -> None:
        """Have a task solved; what comes of it is heard."""
        ...

    def answer(self, number: int, reply: Reply | EndpointError) -> None:
        """Answer what a seat asked."""
        ...

    def stop(self, token: int) -> None:
        """End a task's pipeline."""
        ...

    async def hear(self) -> Sequence[Heard]:
        """Return what was said since, in order; waits for at most BEAT."""
        ...

    async def grade(self, task_id: str, program: str) -> Verdict:
        """Return the verdict on a program; raises GraderError as a grader does."""
        ...

    async def kill(self) -> None:
        """End the node's process, however it is."""
        ...


class LostError(Exception):
    """A node is gone: its machine, its process, or its wits."""


def identity(pipelines: Sequence[Pipeline]) -> dict[str, str]:
    """Return all of a process's code that may change a record, by name: the same on every node."""
    known = {"dualcode": dualcode.__version__, "Python": platform.python_version()}
    known |= {name: importlib.metadata.version(name) for name in PACKAGES}
    known["the code of dualcode"] = rooms_hash()
    for each in pipelines:
        known[f"the pipeline {each.name}"] = pipeline_hash(each.source)
        known |= {f"the prompt {name}": digest for name, digest in prompts_of(each).items()}
    return known


def compare(name: str, own: Mapping[str, str], theirs: Mapping[str, str]) -> None:
    """Raise ClusterError if the node `name` would make other records than this process."""
    differ = [each for each in {**own, **theirs} if own.get(each) != theirs.get(each)]
    shown = "; ".join(
        f"{each} is {theirs.get(each, 'missing')[:12]} there and {own.get(each, 'missing')[:12]} here"
        for each in differ[:3]
    )
    if differ:
        raise ClusterError(
            f"node {name} would make other records: {shown}",
            hint="the same dualcode and Python, in an environment made alike, on every node",
        )


def one_tier(tiers: Mapping[str, Tier]) -> Tier:
    """Return the tier of all nodes' sandboxes. Raises ClusterError where there are several."""
    first = next(iter(tiers.values()))
    if any(tier.name != first.name for tier in tiers.values()):
        each = ", ".join(f"{name}: {tier.name}" for name, tier in sorted(tiers.items()))
        raise ClusterError(
            f"the nodes' sandboxes are not of one tier ({each}): what holds in a run has to hold everywhere",
            hint="dualcode sandbox on each node, and a cluster without those that cannot",
        )
    return first
