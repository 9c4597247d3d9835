"""Review against a specification that the reviewer itself made richer."""

from dualcode.bench.visible.finding import known_results
from dualcode.pipelines import pipeline
from dualcode.solution import Program
from dualcode.steps import critique, enrich, fix, write
from dualcode.task import Task
from dualcode.team import Team


@pipeline("enriched", roles=["coder", "reviewer"], paper="§4.2, §6", calls=(3, 4))
async def enriched(task: Task, team: Team) -> Program:
    """review-fix, with a review against a specification that the reviewer enriched. 3 to 4 calls.

    The coder never sees the enrichment, and examples that the prompt refutes are shown to nobody.
    """
    draft = await write(team.coder, task)
    enrichment = await enrich(team.reviewer, task, known_results(task))
    review = await critique(team.reviewer, task, draft, enrichment=enrichment)
    return draft if review.approves else await fix(team.coder, task, draft, review)
