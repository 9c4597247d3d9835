"""Corrections: the writer's next version of its own program."""

from dualcode.extraction import extract
from dualcode.solution import Program
from dualcode.steps.conversation import answered, imports_of, user, writing
from dualcode.steps.review import Review
from dualcode.task import Task
from dualcode.team import Seat


async def fix(seat: Seat, task: Task, draft: Program, review: Review, *, objection: str = "") -> Program:
    """Ask the writer to correct its draft by the review's findings (paper §3.2, 3).

    `objection` says why an earlier correction by the same review was refused.
    """
    return await _correct(seat, task, draft, "fix", review=review, objection=objection)


async def mend(seat: Seat, task: Task, program: Program, failure: str) -> Program:
    """Ask the writer to correct its program by what running it showed (paper §2.3)."""
    return await _correct(seat, task, program, "mend", failure=failure)


async def _correct(seat: Seat, task: Task, program: Program, prompt: str, **variables: object) -> Program:
    asked = user(prompt, task=task, imports=imports_of(task.prompt), **variables)
    conversation = [*writing(task), answered(program), asked]
    return await seat.ask(prompt, conversation, read=lambda reply: extract(reply, task), about=(program,))
