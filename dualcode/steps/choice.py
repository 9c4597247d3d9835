"""The choice between two programs (paper §3.3, 3)."""

from collections.abc import Sequence
from typing import Literal

from dualcode import prompts
from dualcode.record import Record
from dualcode.solution import Program
from dualcode.steps import schema
from dualcode.steps.conversation import system, user
from dualcode.task import Task
from dualcode.team import Seat

REASON_CHARACTERS = 300
TOKENS = 512


class Choice(Record):
    """Which of two programs a reviewer prefers."""

    reason: str
    better: Literal["A", "B"]


def choice_schema() -> schema.Schema:
    """Return the JSON schema of a choice: the reason first, so that it is thought of first."""
    return schema.record({"reason": schema.text(REASON_CHARACTERS), "better": {"enum": ["A", "B"]}})


def read_choice(text: str | None) -> Choice | None:
    """Return the choice in a reply; None off the schema."""
    return schema.read_object(text, Choice.model_validate)


async def choose(
    seat: Seat, task: Task, first: Program, second: Program, *, evidence: Sequence[str] = ()
) -> Program:
    """Ask which program meets the specification better, with thinking; the first where no answer came.

    `evidence` says on which inputs the two were seen to differ.
    """
    choice = await seat.ask(
        "choose",
        [
            system("reviewer"),
            user("choose", task=task, first=first, second=second, evidence=evidence),
        ],
        read=read_choice,
        about=(first, second),
        schema=choice_schema(),
        repair=prompts.render("repair_choice"),
        thinking=True,
        answer_tokens=TOKENS,
    )
    return second if choice is not None and choice.better == "B" else first
