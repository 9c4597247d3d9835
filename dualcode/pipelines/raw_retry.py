"""Control: what the visible tests alone gain, without a review."""

from dualcode.pipelines import pipeline
from dualcode.pipelines.retrying import retry
from dualcode.solution import Program
from dualcode.steps import write
from dualcode.task import Task
from dualcode.team import Team


@pipeline("raw-retry", roles=["coder"], paper="control", calls=(1, 4))
async def raw_retry(task: Task, team: Team) -> Program:
    """The coder writes, then corrects up to 3 times by the tests that the prompt shows. 1 to 4 calls."""
    return await retry(team.coder, team, task, await write(team.coder, task))
