"""Ours: the reviewer does not only read the draft, it sees it run."""

from dualcode.bench.bench import Bench, Observation, returned
from dualcode.pipelines import pipeline
from dualcode.pipelines.guard import guarded_fix
from dualcode.solution import Program
from dualcode.steps import Probe, choose, critique, probe, write
from dualcode.task import Task
from dualcode.team import Team
from dualcode.together import together


@pipeline("review-fix-tests", roles=["coder", "reviewer"], paper="ours", calls=(3, 6))
async def review_fix_tests(task: Task, team: Team) -> Program:
    """The reviewer also writes calls; what draft and fix make of them is evidence for it. 3 to 6 calls.

    A reviewer that reads code guesses what it does; one that sees it run knows. It writes calls with the
    results that it expects, the draft is run on them, and the review gets what came out beside what was
    expected. After a fix both programs are run on the same calls: where they differ, the reviewer chooses
    with the differences before it. An expected result that only a model asserted never decides anything by
    itself, and never overrules a test of the prompt: a fix that loses one is refused before.
    """
    draft, probes = await together(write(team.coder, task), probe(team.reviewer, task))
    seen = await _observe(team.bench, task, draft, probes)
    evidence = [
        f"`{each.call}` {saw.outcome}; expected by the reviewer: {each.asserted}"
        for each, saw in zip(probes, seen, strict=True)
        if saw.outcome != returned(each.asserted)
    ]
    review = await critique(team.reviewer, task, draft, evidence=evidence)
    if review.approves:
        return draft
    fixed = await guarded_fix(task, team, draft, review)
    if fixed is draft:
        return draft
    return await _better(task, team, draft, fixed, probes, seen)


async def _better(
    task: Task,
    team: Team,
    draft: Program,
    fixed: Program,
    probes: tuple[Probe, ...],
    seen: tuple[Observation, ...],
) -> Program:
    """Return the fix, unless it was seen to differ from the draft and the reviewer prefers the draft."""
    now = await _observe(team.bench, task, fixed, probes)
    differences = [
        f"`{was.call}`: A {was.outcome}; B {is_.outcome}"
        for was, is_ in zip(seen, now, strict=True)
        if was.outcome != is_.outcome
    ]
    return await choose(team.reviewer, task, draft, fixed, evidence=differences) if differences else fixed


async def _observe(
    bench: Bench, task: Task, program: Program, probes: tuple[Probe, ...]
) -> tuple[Observation, ...]:
    return await bench.observe(task, program, [each.call for each in probes]) if probes else ()
