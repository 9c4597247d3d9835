"""A drop-in pipeline: two reviewers' eyes on every fix.

Run it: dualcode eval --pipeline third-opinion --dataset mini
"""

from dualcode.pipelines import pipeline
from dualcode.solution import Program
from dualcode.steps import choose, critique, fix, write
from dualcode.task import Task
from dualcode.team import Team


@pipeline("third-opinion", roles=["coder", "reviewer"], paper="example", calls=(2, 4))
async def third_opinion(task: Task, team: Team) -> Program:
    """review-fix, and then the reviewer chooses between draft and fix. 2 to 4 calls."""
    draft = await write(team.coder, task)
    review = await critique(team.reviewer, task, draft)
    if review.approves:
        return draft
    fixed = await fix(team.coder, task, draft, review)
    return draft if fixed.text == draft.text else await choose(team.reviewer, task, draft, fixed)
