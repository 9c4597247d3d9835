"""The choice between two programs (paper §3.3, 3)."""

from collections.abc import Sequence
from typing import Any, Literal

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


def parse_choice(text: str | None) -> dict[str, Any] | None:
    """Return the choice in a reply as an object; None off the schema."""
    choice = schema.read_object(text, Choice.model_validate)
    return None if choice is None else choice.model_dump(mode="json")


async def choose(
    seat: Seat, task: Task, first: Program, second: Program, *, evidence: Sequence[str] = ()
) -> Program:
    """Ask which program meets the specification better, with thinking; the first where no answer came.

    `evidence` says on which inputs the two were seen to differ.
    """
    parsed = await seat.ask_object(
        "choose",
        [
            system("reviewer"),
            user("choose", task=task, first=first, second=second, evidence=evidence),
        ],
        schema=choice_schema(),
        parse=parse_choice,
        repair=prompts.render("repair_choice"),
        thinking=True,
        answer_tokens=TOKENS,
    )
    return second if parsed is not None and parsed["better"] == "B" else first
