"""Ours: what a reviewer says of the program is run before it is believed."""

from dualcode.pipelines import pipeline
from dualcode.solution import Program
from dualcode.steps import critique, fix, try_findings, write
from dualcode.task import Task
from dualcode.team import Team


@pipeline("review-fix-confirmed", roles=["coder", "reviewer"], paper="ours", calls=(2, 4))
async def review_fix_confirmed(task: Task, team: Team) -> Program:
    """review-fix, less the findings that running the program refutes. 2 to 4 calls.

    A false alarm has one of two roots: the reviewer misreads the specification, or it misreads the code. The
    second can be told without any test: a finding says what the program does for which input, and that is
    run. One whose claim about the present behaviour is false is dropped, and if none remains the draft
    stands. What the program ought to do stays an opinion that no run settles, and a finding that names no
    input stays, too.

    What it can gain: the right drafts that review-fix breaks by alarms that misread the code, p·f·m·d, where
    m is the share of false alarms that are refuted. What it can lose: the repairs by hits that found a true
    bug with a false description, (1 − p)·h·n·r. So it pays where n/m is below what review-fix loses for each
    task that it gains. It asks review-fix's own draft and review, and its own fix where nothing was refuted:
    the two differ by what was dropped alone.
    """
    draft = await write(team.coder, task)
    review = await critique(team.reviewer, task, draft)
    tried = await try_findings(team.reviewer, team.bench, task, draft, review) if review.findings else ()
    kept = tuple(each.finding for each in tried if each.status != "refuted")
    if not kept:
        return draft
    return await fix(team.coder, task, draft, review.model_copy(update={"findings": kept}))
