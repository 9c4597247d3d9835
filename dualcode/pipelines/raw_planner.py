"""The other baseline: the reviewer, which the paper calls the planner, alone."""

from dualcode.pipelines import pipeline
from dualcode.solution import Program
from dualcode.steps import write
from dualcode.task import Task
from dualcode.team import Team


@pipeline("raw-planner", roles=["reviewer"], paper="§2.1", calls=(1, 1))
async def raw_planner(task: Task, team: Team) -> Program:
    """The reviewer writes, with its thinking off; nobody looks at it. 1 call."""
    return await write(team.reviewer, task)
