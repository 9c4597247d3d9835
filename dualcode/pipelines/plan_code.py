"""The conventional pattern, which the paper finds to hurt: delegate the thinking, then code."""

from dualcode.pipelines import pipeline
from dualcode.solution import Program
from dualcode.steps import implement, plan
from dualcode.task import Task
from dualcode.team import Team


@pipeline("plan-code", roles=["coder", "reviewer"], paper="§3.1", calls=(2, 2))
async def plan_code(task: Task, team: Team) -> Program:
    """The reviewer plans in prose, the coder implements with the plan as context. 2 calls."""
    return await implement(team.coder, task, await plan(team.reviewer, task))
