"""Review only where the specification is rich enough to review against."""

from dualcode.bench.richness import richness
from dualcode.pipelines import pipeline
from dualcode.pipelines.review_fix import review_fix
from dualcode.solution import Program
from dualcode.steps import write
from dualcode.task import Task
from dualcode.team import Team


@pipeline("gated", roles=["coder", "reviewer"], paper="§4.2", calls=(1, 3))
async def gated(task: Task, team: Team) -> Program:
    """review-fix where the specification is rich enough, else the coder alone. 1 to 3 calls."""
    if richness(task).score < team.gate.richness:
        return await write(team.coder, task)
    return await review_fix(task, team)
