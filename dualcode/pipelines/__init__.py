"""The pipelines: one file each. A pipeline is an async function (task, team) -> program, built of steps."""

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import cast

from dualcode.config import Role
from dualcode.solution import Program
from dualcode.task import Task
from dualcode.team import Team

Solve = Callable[[Task, Team], Awaitable[Program]]


class Pipeline:
    """A named way for the team to solve a task."""

    def __init__(
        self,
        solve: Solve,
        name: str,
        roles: Sequence[Role],
        paper: str,
        calls: tuple[int, int] | None = None,
    ) -> None:
        self.solve = solve
        self.name = name
        self.roles = tuple(roles)
        """The roles that it speaks to; each must be bound."""
        self.paper = paper
        """The section of the paper that describes it; `control` or `ours` for what the paper lacks."""
        self.calls = calls
        """The fewest and the most calls a task; None if nobody counted."""

    @property
    def source(self) -> Path:
        """The file that defines it."""
        return Path(inspect.getfile(self.solve))

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self.solve) or "").partition("\n")[0]

    async def __call__(self, task: Task, team: Team) -> Program:
        """Solve the task; a TypeError if what came out is no program."""
        program = cast("object", await self.solve(task, team))  # a drop-in may return anything
        if not isinstance(program, Program):
            raise TypeError(f"{self.name} returned {type(program).__name__}, not a Program")
        return program


def pipeline(
    name: str, *, roles: Sequence[Role], paper: str = "", calls: tuple[int, int] | None = None
) -> Callable[[Solve], Pipeline]:
    """Turn an async function into the pipeline `name`."""
    return lambda solve: Pipeline(solve, name, roles, paper, calls)


@functools.cache
def builtins() -> dict[str, Pipeline]:
    """Return the pipelines of this package by name, the paper's first and in its order.

    `dualcode.pipelines.find` knows all others.
    """
    found: dict[str, Pipeline] = {}
    for module in pkgutil.iter_modules(__path__, prefix=f"{__name__}."):
        for member in vars(importlib.import_module(module.name)).values():
            if isinstance(member, Pipeline):
                found[member.name] = member
    return dict(sorted(found.items(), key=lambda item: (not item[1].paper.startswith("§"), item[1].paper)))
