"""Who does the tasks of a command: this machine, or the nodes of a cluster."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from dualcode.bench.bench import SandboxBench, Shown
from dualcode.grading.grader import Grader, SandboxGrader, default_workers
from dualcode.pipelines import Pipeline
from dualcode.sandbox import open_sandbox
from dualcode.sandbox.sandbox import Sandbox, Tier
from dualcode.suites.suite import Suite
from dualcode.team import Team

Record = Callable[[Shown], None]
"""Hears what was run for a pipeline, and what it was told of that."""


class Hands(Protocol):
    """Where pipelines run, and programs; models are asked, and records written, by this process alone."""

    @property
    def tier(self) -> Tier:
        """What programs run in."""
        ...

    @property
    def grader(self) -> Grader:
        """Who gives verdicts."""
        ...

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the machines that take part; none for this one alone."""
        ...

    def prepare(self, task_ids: Sequence[str]) -> None:
        """Get ready to grade these tasks, while models write."""
        ...

    def equip(self, pipeline: Pipeline, team: Team, record: Record) -> tuple[Pipeline, Team]:
        """Return the pipeline as it is run here, and the team, of all roles, as it works on it."""
        ...


class Here:
    """This machine: everything happens in this process and its sandboxes."""

    nodes = ()

    def __init__(self, grader: SandboxGrader, sandbox: Sandbox) -> None:
        self.grader, self._sandbox = grader, sandbox

    @property
    def tier(self) -> Tier:
        """What programs run in."""
        return self._sandbox.tier

    def prepare(self, task_ids: Sequence[str]) -> None:
        """Run references one after the other."""
        self.grader.prepare(task_ids)

    def equip(self, pipeline: Pipeline, team: Team, record: Record) -> tuple[Pipeline, Team]:
        """Return the pipeline as it is, and the team with a bench of this machine's."""
        return pipeline, team.at_work(pipeline.roles, SandboxBench(self._sandbox, record))


@asynccontextmanager
async def open_here(
    suite: Suite, *, workers: int | None = None, unsafe: bool = False
) -> AsyncGenerator[Here]:
    """Open two sandboxes and a grader; `workers` programs run in each at a time. Raises SandboxError."""
    workers = workers or default_workers()
    async with (
        open_sandbox(workers, unsafe=unsafe) as grading,
        # A visible test takes milliseconds and holds a model up: it does not wait behind a grading.
        open_sandbox(workers, unsafe=unsafe) as bench,
        SandboxGrader(suite, grading, workers=grading.workers) as grader,
    ):
        yield Here(grader, bench)
