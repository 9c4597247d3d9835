"""The paper's own pattern: review beats planning."""

from dualcode.pipelines import pipeline
from dualcode.solution import Program
from dualcode.steps import critique, fix, write
from dualcode.task import Task
from dualcode.team import Team


@pipeline("review-fix", roles=["coder", "reviewer"], paper="§3.2", calls=(2, 3))
async def review_fix(task: Task, team: Team) -> Program:
    """The coder writes, the reviewer looks for bugs, the coder fixes what it found. 2 to 3 calls."""
    draft = await write(team.coder, task)
    review = await critique(team.reviewer, task, draft)
    return draft if review.approves else await fix(team.coder, task, draft, review)
