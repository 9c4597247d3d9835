"""The filter of arXiv 2603.00539: a fix is evidence only where running it makes a difference."""

from dualcode.bench.bench import returned
from dualcode.bench.visible.finding import known_results
from dualcode.pipelines import pipeline
from dualcode.pipelines.guard import guarded_fix
from dualcode.solution import Program
from dualcode.steps import Probe, critique, probe, write
from dualcode.steps.enrichment import normalized
from dualcode.task import Task
from dualcode.team import Team
from dualcode.together import together


@pipeline("review-fix-filtered", roles=["coder", "reviewer"], paper="ours", calls=(2, 5))
async def review_fix_filtered(task: Task, team: Team) -> Program:
    """A fix stands only where draft and fix differ on tests that the specification allows. 2 to 5 calls.

    "Are LLMs Reliable Code Reviewers?" (arXiv 2603.00539) takes the fix that a reviewer's verdict leads to
    for executable evidence of that verdict: both programs are run on the benchmark's tests and on tests made
    from the specification, and a rejection without a test that the draft fails and the fix passes is not
    believed. Here no hidden test is at hand: the tests that the prompt shows decide first, then calls with
    results that the reviewer reads out of the specification, without those that the prompt refutes. The fix
    must be right on more of the calls on which the two differ than the draft is.

    `review-fix-tests` writes its calls before the review, shows it what came of them, keeps a fix that
    nothing tells from its draft, and asks a model where something does. This one asks for calls only after a
    fix, keeps the *draft* where nothing tells the two apart, and asks no model to choose. So it loses what a
    right fix gains where the calls miss the bug, and breaks nothing where they miss the damage: it is for
    teams whose reviews are mostly false alarms.
    """
    draft = await write(team.coder, task)
    review = await critique(team.reviewer, task, draft)
    if review.approves:
        return draft
    fixed = await guarded_fix(task, team, draft, review)
    if fixed is draft:
        return draft
    was, now = await together(team.bench.examine(task, draft), team.bench.examine(task, fixed))
    if (now.ok and not was.ok) or was.worse_than(now):
        return fixed
    return fixed if await _is_better(team, task, draft, fixed) else draft


async def _is_better(team: Team, task: Task, draft: Program, fixed: Program) -> bool:
    """Whether the fix is right on more of the reviewer's calls than the draft, by the reviewer's results."""
    facts = {normalized(call): normalized(result) for call, result in known_results(task).items()}

    def allowed(each: Probe) -> bool:
        said = normalized(each.asserted)
        return facts.get(normalized(each.call), said) == said

    probes = [each for each in await probe(team.reviewer, task) if allowed(each)]
    calls = [each.call for each in probes]
    if not calls:
        return False
    seen = await together(team.bench.observe(task, draft, calls), team.bench.observe(task, fixed, calls))
    wanted = [returned(each.asserted) for each in probes]
    right = [sum(saw.outcome == want for saw, want in zip(each, wanted, strict=True)) for each in seen]
    return right[1] > right[0]
