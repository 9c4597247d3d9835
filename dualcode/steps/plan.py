"""The plan: an analysis in prose before any code (paper §3.1)."""

from dualcode.extraction import strip_thinking
from dualcode.record import Record
from dualcode.steps.conversation import system, user
from dualcode.task import Task
from dualcode.team import Seat

PLAN_TOKENS = 768


class Plan(Record):
    """An analysis in prose."""

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
