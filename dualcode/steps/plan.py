"""The plan: an analysis in prose before any code (paper §3.1)."""

from dualcode.extraction import strip_thinking
from dualcode.steps.conversation import system, user
from dualcode.task import Task
from dualcode.team import Seat

PLAN_TOKENS = 768


async def plan(seat: Seat, task: Task) -> str:
    """Ask for algorithm, edge cases and complexity in natural language, with thinking; "" if none came."""
    messages = [system("planner"), user("plan", task=task)]
    reply = await seat.ask("plan", messages, thinking=True, answer_tokens=PLAN_TOKENS)
    return strip_thinking(reply.content or "").strip()
