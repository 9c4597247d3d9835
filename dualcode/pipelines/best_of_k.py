"""Control: the same calls spent on more drafts instead of on a review."""

from dualcode.pipelines import pipeline
from dualcode.solution import Program
from dualcode.steps import write
from dualcode.task import Task
from dualcode.team import Team
from dualcode.together import together

K = 3
"""As many calls as review-fix makes at most."""


@pipeline("best-of-k", roles=["coder"], paper="control", calls=(K, K))
async def best_of_k(task: Task, team: Team) -> Program:
    """The coder writes 3 drafts; the first that passes the most visible tests stands. 3 calls.

    The first draft is the baseline's own; the others are sampled.
    """
    drafts = await together(*(write(team.coder, task, draw=draw) for draw in range(K)))
    examinations = await together(*(team.bench.examine(task, draft) for draft in drafts))
    merits = [(examination.ok, len(examination.passed)) for examination in examinations]
    return drafts[merits.index(max(merits))]
