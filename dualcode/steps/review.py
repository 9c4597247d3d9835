"""The review: a judgement of a program against its specification."""

from collections.abc import Sequence
from typing import Any, Literal

from dualcode import prompts
from dualcode.call import Message
from dualcode.record import Record
from dualcode.solution import Program
from dualcode.steps import schema
from dualcode.steps.conversation import system, user
from dualcode.steps.enrichment import Enrichment
from dualcode.task import Task
from dualcode.team import Seat

MOST_FINDINGS = 3
FINDING_CHARACTERS = 160
REVIEW_TOKENS = 1024
"""Enough for the longest review that the schema allows, so that a review never ends in the middle."""


class Finding(Record):
    """One bug that a review reports."""

    where: str
    """The line or expression."""
    actual: str
    """What it does, and for which input."""
    expected: str
    """What it should do."""


class Review(Record):
    """A reviewer's judgement of a program."""

    verdict: Literal["approve", "revise"]
    findings: tuple[Finding, ...]
    """Empty if and only if the verdict is `approve`."""

    @property
    def approves(self) -> bool:
        """Whether the program stands as it is."""
        return self.verdict == "approve"


APPROVAL = Review(verdict="approve", findings=())


def review_schema() -> schema.Schema:
    """Return the JSON schema of a review, bounded so that a reply always fits into REVIEW_TOKENS."""
    finding = schema.record(dict.fromkeys(("where", "actual", "expected"), schema.text(FINDING_CHARACTERS)))

    def branch(verdict: str, least: int, most: int) -> schema.Schema:
        return schema.record({"verdict": {"const": verdict}, "findings": schema.array(finding, most, least)})

    return {"anyOf": [branch("approve", 0, 0), branch("revise", 1, MOST_FINDINGS)]}


def read_review(text: str | None) -> Review | None:
    """Return the review in a reply, or None where the reply is off the schema.

    What stands around the object is forgiven; a contradiction between verdict and findings is not.
    """
    return schema.read_object(text, _consistent)


def _consistent(said: dict[str, Any]) -> Review:
    review = Review.model_validate(said)
    if review.approves != (not review.findings):
        raise ValueError("verdict and findings contradict each other")
    return review


def reviewing(
    task: Task, program: Program, *, enrichment: Enrichment | None = None, evidence: Sequence[str] = ()
) -> list[Message]:
    """Return the request for a review; see `critique`."""
    variables = {"task": task, "program": program, "most_findings": MOST_FINDINGS}
    return [system("reviewer"), user("review", **variables, enrichment=enrichment, evidence=evidence)]


async def critique(
    seat: Seat,
    task: Task,
    program: Program,
    *,
    enrichment: Enrichment | None = None,
    evidence: Sequence[str] = (),
) -> Review:
    """Ask for a review of the program against the specification (paper §3.2, 2), with thinking.

    `enrichment` is added to the specification (§6); `evidence` says what the program did when it was run.
    A reply that stays off the schema after one repair is unread: the program stands as if it were approved,
    but no count takes it for an approval. Its call says `off-schema` without `repaired`.
    """
    review = await seat.ask(
        "review",
        reviewing(task, program, enrichment=enrichment, evidence=evidence),
        read=read_review,
        about=(program,),
        schema=review_schema(),
        repair=prompts.render("repair"),
        thinking=True,
        answer_tokens=REVIEW_TOKENS,
    )
    return APPROVAL if review is None else review
