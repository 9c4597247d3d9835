"""The baseline: the coder alone."""

from dualcode.pipelines import pipeline
from dualcode.solution import Program
from dualcode.steps import write
from dualcode.task import Task
from dualcode.team import Team


@pipeline("raw-coder", roles=["coder"], paper="§2.1", calls=(1, 1))
async def raw_coder(task: Task, team: Team) -> Program:
    """The coder writes; nobody looks at it. 1 call."""
    return await write(team.coder, task)
