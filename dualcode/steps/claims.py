"""Claims: what a review says that the program does, put so that it can be run, and run."""

import ast
from collections.abc import Collection, Sequence

from dualcode import prompts
from dualcode.bench.bench import Bench
from dualcode.bench.claims import Status, is_call, judge
from dualcode.call import Message
from dualcode.extraction.bounds import read_tree
from dualcode.record import Record
from dualcode.solution import Program
from dualcode.steps import schema
from dualcode.steps.conversation import user
from dualcode.steps.review import MOST_FINDINGS, Finding, Review, reviewing
from dualcode.task import Task
from dualcode.team import Seat
from dualcode.together import together

CHARACTERS = 160
TOKENS = 1024
"""Of a reply: 8 claims of 3 texts each are some 1,000 at most."""
MOST_STATED = 8
"""Findings of one review that are put as claims; a review by the schema has no more than 3."""


class Claim(Record):
    """One finding as a call of the program."""

    finding: int
    """Which finding of the review it states, from 1."""
    call: str
    does: str
    """What the program does now, as the reviewer says: `returns 3`, `raises ValueError`, `does not end`."""
    ought: str = ""
    """What it should do, in the same words: an opinion."""


class Claims(Record):
    """The claims of one review."""

    claims: tuple[Claim, ...]


class Tried(Record):
    """A finding, what of it could be run, and what came of that."""

    finding: Finding
    claim: Claim | None
    """None: no call of the program shows it."""
    outcome: str
    """What the program did, in an observation's words; empty if nothing was run."""
    status: Status


def claims_schema() -> schema.Schema:
    """Return the JSON schema of a review's claims."""
    line = schema.text(CHARACTERS)
    number = {"type": "integer", "minimum": 1, "maximum": MOST_STATED}
    claim = schema.record({"finding": number, "call": line, "does": line, "ought": line})
    return schema.record({"claims": schema.array(claim, MOST_FINDINGS)})


async def state(
    seat: Seat,
    task: Task,
    program: Program,
    review: Review,
    *,
    asked_for_review: Sequence[Message] | None = None,
) -> tuple[Claim, ...]:
    """Ask a reviewer to put its findings as calls of the program, each with what it does and ought to do.

    The request goes on from the review's own, without its thought: from `asked_for_review`, or that of
    `critique`. A finding that no call shows has no claim; () if no reply was on the schema.
    """
    said = Message(role="assistant", content=review.model_dump_json())
    asked = user("claim", entry_point=task.entry_point)
    names = {task.entry_point} | defined(program.text)
    found = await seat.ask(
        "claim",
        [*(asked_for_review or reviewing(task, program)), said, asked],
        read=lambda text: read_claims(text, names, len(review.findings)),
        about=(program,),
        schema=claims_schema(),
        repair=prompts.render("repair_claims"),
        answer_tokens=TOKENS,
    )
    return () if found is None else found.claims


def read_claims(text: str | None, names: Collection[str], findings: int) -> Claims | None:
    """Return a reply's first runnable claim of each finding; None off the schema."""
    said = schema.read_object(text, Claims.model_validate)
    if said is None:
        return None
    first: dict[int, Claim] = {}
    for each in said.claims:
        if 1 <= each.finding <= findings and is_call(each.call, names):
            first.setdefault(each.finding, each)
    return Claims(claims=tuple(first[number] for number in sorted(first)))


async def try_claims(
    bench: Bench, task: Task, program: Program, findings: Sequence[Finding], claims: Sequence[Claim]
) -> tuple[Tried, ...]:
    """Run the claims and mark each finding. Raises SandboxError if the sandbox broke.

    Each call has a process of its own: one that ends it, or does not end, says nothing of the next.
    """
    stated = {each.finding: each for each in claims}

    async def one(number: int, finding: Finding) -> Tried:
        claim = stated.get(number)
        if claim is None:
            return Tried(finding=finding, claim=None, outcome="", status="untried")
        [seen] = await bench.observe(task, program, [claim.call])
        status = judge(claim.does, claim.ought, seen.outcome)
        return Tried(finding=finding, claim=claim, outcome=seen.outcome, status=status)

    return tuple(await together(*(one(number, each) for number, each in enumerate(findings, start=1))))


async def try_findings(
    seat: Seat, bench: Bench, task: Task, program: Program, review: Review
) -> tuple[Tried, ...]:
    """Let the reviewer state its findings as claims, run them, and mark each finding."""
    if not review.findings:
        return ()
    claims = await state(seat, task, program, review)
    return await try_claims(bench, task, program, review.findings, claims)


def defined(program: str) -> set[str]:
    """Return the names of the functions and classes that a program's top level defines."""
    tree = read_tree(program, longest=len(program))  # a file under review may be longer than a reply
    body = tree.body if isinstance(tree, ast.Module) else []
    return {
        node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
