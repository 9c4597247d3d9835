"""Pipelines that go wrong. They stand apart: what a pipeline's file imports is read to name its runs."""

import asyncio

from dualcode.pipelines import pipeline
from dualcode.solution import Program
from dualcode.steps import write
from dualcode.task import Task
from dualcode.team import Team


@pipeline("lost", roles=["coder"])
async def lost(task: Task, team: Team) -> Program:
    """Write; where the server is gone, that is all."""
    return await write(team.coder, task)


@pipeline("odd", roles=["coder"])
async def odd(task: Task, team: Team) -> Program:
    """Raise."""
    raise ValueError(task.entry_point)


@pipeline("endless", roles=["coder"])
async def endless(task: Task, team: Team) -> Program:
    """Write, and go on for ever."""
    await write(team.coder, task)
    await asyncio.Event().wait()
    raise AssertionError
