"""Control: is it the second model that helps, or the second look?"""

from dualcode.pipelines import pipeline
from dualcode.solution import Program
from dualcode.steps import critique, fix, write
from dualcode.task import Task
from dualcode.team import Team


@pipeline("self-review", roles=["coder"], paper="control", calls=(2, 3))
async def self_review(task: Task, team: Team) -> Program:
    """review-fix with the coder in both seats: it reviews its own draft. 2 to 3 calls."""
    draft = await write(team.coder, task)
    review = await critique(team.coder, task, draft)
    return draft if review.approves else await fix(team.coder, task, draft, review)
