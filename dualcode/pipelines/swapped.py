"""Control: is it the order of the roles that helps, or any two models?"""

from dualcode.pipelines import pipeline
from dualcode.solution import Program
from dualcode.steps import critique, fix, write
from dualcode.task import Task
from dualcode.team import Team


@pipeline("swapped", roles=["coder", "reviewer"], paper="control", calls=(2, 3))
async def swapped(task: Task, team: Team) -> Program:
    """review-fix with the seats exchanged: the reviewer writes and fixes, the coder reviews. 2 to 3 calls."""
    draft = await write(team.reviewer, task)
    review = await critique(team.coder, task, draft)
    return draft if review.approves else await fix(team.reviewer, task, draft, review)
