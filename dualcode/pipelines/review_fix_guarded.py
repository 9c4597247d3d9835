"""Ours: a fix has to earn its place."""

from dualcode.pipelines import pipeline
from dualcode.pipelines.guard import guarded_fix
from dualcode.solution import Program
from dualcode.steps import critique, write
from dualcode.task import Task
from dualcode.team import Team


@pipeline("review-fix-guarded", roles=["coder", "reviewer"], paper="ours", calls=(2, 4))
async def review_fix_guarded(task: Task, team: Team) -> Program:
    """review-fix, but a fix replaces the draft only if it loses nothing that the draft had. 2 to 4 calls.

    A review has false alarms, and a fix by a false alarm can only damage a right draft. Some of the damage
    shows without hidden tests: a fix that does not compile, changes the signature, or fails a visible test
    that the draft passed is refused; the coder hears why and tries once more; then the draft stays. The
    guard takes nothing from a repair that works, so it can only gain where the visible tests are right.
    """
    draft = await write(team.coder, task)
    review = await critique(team.reviewer, task, draft)
    return draft if review.approves else await guarded_fix(task, team, draft, review)
