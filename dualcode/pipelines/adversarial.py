"""Two independent drafts, cross-validated and, where both fail, synthesized."""

from dualcode.pipelines import pipeline
from dualcode.solution import Program
from dualcode.steps import Failed, choose, critique, synthesize, write
from dualcode.task import Task
from dualcode.team import Team
from dualcode.together import together


@pipeline("adversarial", roles=["coder", "reviewer"], paper="§3.3", calls=(2, 5))
async def adversarial(task: Task, team: Team) -> Program:
    """Both write; visible tests decide, else the reviewer chooses or the coder synthesizes. 2 to 5 calls.

    If exactly one draft passes the tests that the prompt shows, it wins. If both pass, the reviewer chooses.
    If neither does, the reviewer reviews both and the coder writes a third. Where the prompt shows no tests,
    a draft that loads counts as passing: there is nothing that could tell the two apart but the reviewer.
    Drafts that are the same text need no choice.
    """
    ours, theirs = await together(write(team.coder, task), write(team.reviewer, task))
    first, second = await together(team.bench.examine(task, ours), team.bench.examine(task, theirs))
    if first.ok != second.ok:
        return ours if first.ok else theirs
    if first.failure is None or second.failure is None:
        return ours if ours.text == theirs.text else await choose(team.reviewer, task, ours, theirs)
    reviews = await together(critique(team.reviewer, task, ours), critique(team.reviewer, task, theirs))
    attempts = [
        Failed(program=ours, failure=first.failure, review=reviews[0]),
        Failed(program=theirs, failure=second.failure, review=reviews[1]),
    ]
    return await synthesize(team.coder, task, attempts)
