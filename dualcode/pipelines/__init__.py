"""The pipelines: one file each. A pipeline is an async function (task, team) -> program, built of steps."""

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable, Sequence

from dualcode.config import Role
from dualcode.errors import UnknownNameError
from dualcode.program import Program
from dualcode.task import Task
from dualcode.team import Team

Solve = Callable[[Task, Team], Awaitable[Program]]


class Pipeline:
    """A named way for the team to solve a task."""

    def __init__(self, solve: Solve, name: str, roles: Sequence[Role], paper: str) -> None:
        self.solve = solve
        self.name = name
        self.roles = tuple(roles)
        """The roles that it speaks to; each must be bound."""
        self.paper = paper
        """The section of the paper that describes it."""

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self.solve) or "").partition("\n")[0]

    async def __call__(self, task: Task, team: Team) -> Program:
        """Solve the task."""
        return await self.solve(task, team)


def pipeline(name: str, *, roles: Sequence[Role], paper: str) -> Callable[[Solve], Pipeline]:
    """Turn an async function into the pipeline `name`."""
    return lambda solve: Pipeline(solve, name, roles, paper)


@functools.cache
def pipelines() -> dict[str, Pipeline]:
    """Return the built-in pipelines by name, in the paper's order."""
    found: list[Pipeline] = []
    for module in pkgutil.iter_modules(__path__, prefix=f"{__name__}."):
        members = vars(importlib.import_module(module.name)).values()
        found += [member for member in members if isinstance(member, Pipeline)]
    return {each.name: each for each in sorted(found, key=lambda each: (each.paper, each.name))}


def find_pipeline(name: str) -> Pipeline:
    """Return the pipeline `name`. Raises UnknownNameError with the nearest names."""
    if name not in pipelines():
        raise UnknownNameError("pipeline", name, pipelines(), hint="dualcode pipelines")
    return pipelines()[name]
