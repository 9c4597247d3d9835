"""Drafts: programs that a writer makes from the specification, from a plan, or from others' failures."""

from collections.abc import Sequence

from dualcode.extraction import extract
from dualcode.record import Record
from dualcode.solution import Program
from dualcode.steps.conversation import TaskView, imports_of, system, user, writing
from dualcode.steps.review import Review
from dualcode.task import Task
from dualcode.team import Seat


class Failed(Record):
    """A program that failed, why, and what the reviewer said of it."""

    program: Program
    failure: str
    """The first visible test that it failed, or the error."""
    review: Review


async def write(seat: Seat, task: Task, *, draw: int = 0, thinking: bool = False) -> Program:
    """Ask for a program that solves the task: the same request in every pipeline (paper §3.2, 1).

    Draw 0 is the baseline's; every other `draw` is sampled apart from it. With `thinking`, a model that can
    thinks first: no baseline of the paper's does.
    """
    messages = writing(task)
    return await seat.ask(
        "write", messages, read=lambda reply: extract(reply, task), draw=draw, thinking=thinking
    )


async def implement(seat: Seat, task: Task, analysis: str) -> Program:
    """Ask for a program with a planner's analysis as context (paper §3.1)."""
    asked = user("implement", task=TaskView(task), analysis=analysis)
    return await seat.ask("implement", [system("coder"), asked], read=lambda reply: extract(reply, task))


async def synthesize(seat: Seat, task: Task, attempts: Sequence[Failed]) -> Program:
    """Ask for a new program, informed by failed ones and their reviews (paper §3.3, 4)."""
    asked = user("synthesize", task=TaskView(task), imports=imports_of(task.prompt), attempts=attempts)
    about = [attempt.program for attempt in attempts]
    messages = [system("coder"), asked]
    return await seat.ask("synthesize", messages, read=lambda reply: extract(reply, task), about=about)
