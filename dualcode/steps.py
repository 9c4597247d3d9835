"""The vocabulary of interaction: each step is one purposeful exchange with a model."""

import ast
import json
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import ValidationError

from dualcode import prompts
from dualcode.call import Message
from dualcode.extraction import extract
from dualcode.program import Program
from dualcode.record import Record
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


def review_schema() -> dict[str, Any]:
    """Return the JSON schema of a review, bounded so that a reply always fits into REVIEW_TOKENS."""
    text = {"type": "string", "minLength": 1, "maxLength": FINDING_CHARACTERS}
    finding = _object({"where": text, "actual": text, "expected": text})

    def branch(verdict: str, least: int, most: int) -> dict[str, Any]:
        findings = {"type": "array", "items": finding, "minItems": least, "maxItems": most}
        return _object({"verdict": {"const": verdict}, "findings": findings})

    return {"anyOf": [branch("approve", 0, 0), branch("revise", 1, MOST_FINDINGS)]}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def parse_review(text: str | None) -> dict[str, Any] | None:
    """Return the review in a reply as an object, or None where the reply is off the schema.

    A fence around the object is forgiven; a contradiction between verdict and findings is not.
    """
    if text is None:
        return None
    start, end = text.find("{"), text.rfind("}")
    try:
        review = Review.model_validate(json.loads(text[start : end + 1]))
    except (ValueError, ValidationError, RecursionError):
        return None
    consistent = review.approves == (not review.findings)
    return review.model_dump(mode="json") if consistent else None


async def write(seat: Seat, task: Task) -> Program:
    """Ask for a program that solves the task: the same request in every pipeline (paper §3.2, 1)."""
    reply = await seat.ask("write", _writing(task))
    return extract(reply.content, task)


async def critique(seat: Seat, task: Task, program: Program) -> Review:
    """Ask for a review of the program against the specification (paper §3.2, 2), with thinking.

    A reply that stays off the schema after one repair counts as an approval; its call says `off-schema`
    without `repaired`.
    """
    messages = [
        Message(role="system", content=prompts.render("reviewer")),
        Message(
            role="user",
            content=prompts.render("review", task=task, program=program, most_findings=MOST_FINDINGS),
        ),
    ]
    parsed = await seat.ask_object(
        "review",
        messages,
        schema=review_schema(),
        parse=parse_review,
        repair=prompts.render("repair"),
        thinking=True,
        answer_tokens=REVIEW_TOKENS,
    )
    return APPROVAL if parsed is None else Review.model_validate(parsed)


async def fix(seat: Seat, task: Task, draft: Program, review: Review) -> Program:
    """Ask the writer to correct its draft by the review's findings (paper §3.2, 3)."""
    conversation = [
        *_writing(task),
        Message(role="assistant", content=f"```python\n{draft.text.strip()}\n```"),
        Message(role="user", content=prompts.render("fix", task=task, review=review)),
    ]
    reply = await seat.ask("fix", conversation)
    return extract(reply.content, task)


def _writing(task: Task) -> list[Message]:
    variables = {"task": _View(task), "imports": imports_of(task.prompt)}
    return [
        Message(role="system", content=prompts.render("coder")),
        Message(role="user", content=prompts.render("write", **variables)),
    ]


class _View:
    """A task as the prompts see it."""

    def __init__(self, task: Task) -> None:
        self.prompt = task.prompt
        self.entry_point = task.entry_point
        self.completes = f"def {task.entry_point}" in task.prompt


def imports_of(prompt: str) -> Sequence[str]:
    """Return the import statements of a prompt, as the inventory of §3.2 lists them."""
    try:
        # A HumanEval prompt ends after the docstring, which is a complete function body.
        tree = ast.parse(prompt)
    except (SyntaxError, ValueError):
        return [line.strip() for line in prompt.splitlines() if line.startswith(("import ", "from "))]
    return [ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
