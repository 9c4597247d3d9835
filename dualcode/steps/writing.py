"""The way to a program: plans, drafts from a specification, a plan or others' failures, and corrections."""

from collections.abc import Sequence

from dualcode.extraction import extract, strip_thinking
from dualcode.record import Record
from dualcode.solution import Program
from dualcode.steps.conversation import TaskView, answered, imports_of, system, user, writing
from dualcode.steps.review import Review
from dualcode.task import Task
from dualcode.team import Seat

PLAN_TOKENS = 768


class Plan(Record):
    """An analysis in prose, before any code (paper §3.1)."""

    text: str


async def plan(seat: Seat, task: Task) -> str:
    """Ask for algorithm, edge cases and complexity in natural language, with thinking; "" if none came."""
    messages = [system("planner"), user("plan", task=task)]
    planned = await seat.ask("plan", messages, read=read_plan, thinking=True, answer_tokens=PLAN_TOKENS)
    return planned.text if planned else ""


def read_plan(text: str | None) -> Plan | None:
    """Return the plan in a reply, without the thought before it; None if nothing else is there."""
    said = strip_thinking(text or "").strip()
    return Plan(text=said) if said else None


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
