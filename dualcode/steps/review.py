"""The review: a judgement of a program against its specification; and the choice between two programs."""

from collections.abc import Sequence
from typing import Literal, Protocol, TypeVar

from dualcode import prompts
from dualcode.call import Message
from dualcode.record import Record
from dualcode.solution import Program
from dualcode.steps import schema
from dualcode.steps.conversation import system, user
from dualcode.steps.enrichment import Enrichment
from dualcode.task import Task
from dualcode.team import Seat

REASON_CHARACTERS = 300
CHOICE_TOKENS = 512
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
AnyReview = TypeVar("AnyReview", bound="_Judged")


class _Judged(Protocol):
    """A review of any form."""

    @property
    def verdict(self) -> str: ...
    @property
    def findings(self) -> Sequence[object]: ...


def review_schema() -> schema.Schema:
    """Return the JSON schema of a review, bounded so that a reply always fits into REVIEW_TOKENS."""
    return judgement_schema(dict.fromkeys(("where", "actual", "expected"), schema.text(FINDING_CHARACTERS)))


def judgement_schema(finding: schema.Schema) -> schema.Schema:
    """Return the JSON schema of a review of any form, by the schemas of a finding's fields."""

    def branch(verdict: str, least: int, most: int) -> schema.Schema:
        findings = schema.array(schema.record(finding), most, least)
        return schema.record({"verdict": {"const": verdict}, "findings": findings})

    return {"anyOf": [branch("approve", 0, 0), branch("revise", 1, MOST_FINDINGS)]}


def read_review(text: str | None) -> Review | None:
    """Return the review in a reply, or None where the reply is off the schema.

    What stands around the object is forgiven; a contradiction between verdict and findings is not.
    """
    return schema.read_object(text, lambda said: consistent(Review.model_validate(said)))


def consistent(review: AnyReview) -> AnyReview:
    """Return a review as it is; ValueError if its verdict and its findings contradict each other."""
    if (review.verdict == "approve") == bool(review.findings):
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


class Choice(Record):
    """Which of two programs a reviewer prefers."""

    reason: str
    better: Literal["A", "B"]


def choice_schema() -> schema.Schema:
    """Return the JSON schema of a choice: the reason first, so that it is thought of first."""
    return schema.record({"reason": schema.text(REASON_CHARACTERS), "better": {"enum": ["A", "B"]}})


def read_choice(text: str | None) -> Choice | None:
    """Return the choice in a reply; None off the schema."""
    return schema.read_object(text, Choice.model_validate)


async def choose(
    seat: Seat, task: Task, first: Program, second: Program, *, evidence: Sequence[str] = ()
) -> Program:
    """Ask which program meets the specification better (paper §3.3, 3), with thinking.

    Return that, or the first where no answer came. `evidence` says on which inputs the two were seen to
    differ.
    """
    choice = await seat.ask(
        "choose",
        [
            system("reviewer"),
            user("choose", task=task, first=first, second=second, evidence=evidence),
        ],
        read=read_choice,
        about=(first, second),
        schema=choice_schema(),
        repair=prompts.render("repair_choice"),
        thinking=True,
        answer_tokens=CHOICE_TOKENS,
    )
    return second if choice is not None and choice.better == "B" else first
