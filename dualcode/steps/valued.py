"""The review with values: each finding also says which call shows it, what that does, and what it should."""

import json
from typing import Any, Literal

from pydantic import field_validator

from dualcode.record import Record
from dualcode.steps import schema
from dualcode.steps.claims import Claim
from dualcode.steps.review import FINDING_CHARACTERS, Finding, consistent, judgement_schema

VALUE_CHARACTERS = 160
REVIEW_TOKENS = 1536
"""Enough for the longest review that the schema allows."""


class ValuedFinding(Finding):
    """A bug with the input that shows it; `call`, `does` and `ought` are empty where no call does."""

    line: int = 0
    """The line of the file, where lines were numbered; 0: not asked for."""
    call: str = ""
    does: str = ""
    """What the program does now, as the reviewer says: `returns 3`, `raises ValueError`, `does not end`."""
    ought: str = ""

    @field_validator("call", "does", "ought")
    @classmethod
    def _empty(cls, said: str) -> str:
        return "" if said.strip().lower() in ("", "-", "none", "n/a") else said


class Review(Record):
    """A judgement with such findings; on record as any other review is."""

    verdict: Literal["approve", "revise"]
    findings: tuple[ValuedFinding, ...]
    """Empty if and only if the verdict is `approve`."""

    @property
    def approves(self) -> bool:
        """Whether the program stands as it is."""
        return self.verdict == "approve"

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What of the findings can be run, numbered from 1 as the findings are."""
        numbered = enumerate(self.findings, start=1)
        return tuple(
            Claim(finding=number, call=each.call, does=each.does, ought=each.ought)
            for number, each in numbered
            if each.call and each.does
        )


def review_schema(*, lines: bool) -> schema.Schema:
    """Return the JSON schema of such a review; `lines`: whether a finding names its line."""
    texts: dict[str, Any] = {"line": {"type": "integer", "minimum": 1}} if lines else {}
    texts |= dict.fromkeys(("where", "actual", "expected"), schema.text(FINDING_CHARACTERS))
    texts |= {key: {"type": "string", "maxLength": VALUE_CHARACTERS} for key in ("call", "does", "ought")}
    return judgement_schema(texts)


def read_review(text: str | None) -> Review | None:
    """Return the review in a reply, or None where the reply is off the schema."""
    return schema.read_object(text, lambda said: consistent(Review.model_validate_json(json.dumps(said))))
