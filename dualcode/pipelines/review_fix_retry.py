"""Review, then the visible tests: the paper's best figure."""

from dualcode.pipelines import pipeline
from dualcode.pipelines.retrying import retry
from dualcode.pipelines.review_fix import review_fix
from dualcode.solution import Program
from dualcode.task import Task
from dualcode.team import Team


@pipeline("review-fix-retry", roles=["coder", "reviewer"], paper="§3.2 + retry", calls=(2, 6))
async def review_fix_retry(task: Task, team: Team) -> Program:
    """review-fix, then up to 3 corrections by the tests that the prompt shows. 2 to 6 calls."""
    return await retry(team.coder, team, task, await review_fix(task, team))
