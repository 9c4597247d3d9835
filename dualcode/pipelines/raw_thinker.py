"""Control: is it the second model that helps, or the thinking?"""

from dualcode.pipelines import pipeline
from dualcode.solution import Program
from dualcode.steps import write
from dualcode.task import Task
from dualcode.team import Team


@pipeline("raw-thinker", roles=["reviewer"], paper="control", calls=(1, 1))
async def raw_thinker(task: Task, team: Team) -> Program:
    """The reviewer alone: it thinks, then writes; nobody looks at it. 1 call."""
    return await write(team.reviewer, task, thinking=True)
