"""The forms in which a review can be asked for: sets of prompts, the house's three and a team's own."""

import hashlib
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jinja2
from pydantic import BaseModel, ConfigDict, ValidationError

from dualcode import prompts
from dualcode.call import Message
from dualcode.config import explain
from dualcode.errors import InputError, UnknownNameError
from dualcode.record import Record
from dualcode.solution import Program
from dualcode.steps import schema, valued
from dualcode.steps.review import (
    MOST_FINDINGS,
    REVIEW_TOKENS,
    Review,
    read_review,
    review_schema,
)
from dualcode.task import Task

FORMS = prompts.FOLDER / "forms"
BUILT_IN = ("verdict", "findings", "values")
"""From the least that is asked for to the most."""
Answer = Literal["verdict", "findings", "values"]


class Opinion(Record):
    """A verdict without a reason."""

    verdict: Literal["approve", "revise"]


Said = Opinion | Review | valued.Review


class _Settings(BaseModel):
    """A set's `form.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answer: Answer = "findings"


@dataclass(frozen=True)
class Form:
    """A set of prompts: `review.md`, and `reviewer.md` and `repair.md` where the house's are not meant."""

    name: str
    folder: Path
    answer: Answer
    """What the reply is: `{"verdict": …}`, with findings, or with findings that have values."""
    checksum: str
    """Of the set's files: what was asked with other words is another form."""

    def messages(self, task: Task, program: Program) -> list[Message]:
        """Return the request for a review. Raises InputError for a template that cannot be filled in."""
        variables = {"task": task, "program": program, "most_findings": MOST_FINDINGS}
        variables |= {"enrichment": None, "evidence": ()}
        return [
            Message(role="system", content=self._render("reviewer", variables)),
            Message(role="user", content=self._render("review", variables)),
        ]

    @property
    def repair(self) -> str:
        """What a reply off the schema is answered with."""
        return self._render("repair", {"lines": False})

    @property
    def schema(self) -> schema.Schema:
        """The JSON schema of a reply."""
        if self.answer == "verdict":
            return schema.record({"verdict": {"enum": ["approve", "revise"]}})
        return review_schema() if self.answer == "findings" else valued.review_schema(lines=False)

    @property
    def tokens(self) -> int:
        """The most tokens of a reply, without the thought."""
        return {"verdict": 64, "findings": REVIEW_TOKENS, "values": valued.REVIEW_TOKENS}[self.answer]

    @property
    def read(self) -> Callable[[str | None], Said | None]:
        """Read a reply; None off the schema."""
        if self.answer == "verdict":
            return lambda text: schema.read_object(text, Opinion.model_validate)
        return read_review if self.answer == "findings" else valued.read_review

    def _render(self, name: str, variables: dict[str, Any]) -> str:
        try:
            return prompts.render_of(self.folder, name, **variables)
        except jinja2.TemplateError as error:
            raise InputError(
                f"{self.folder / name}.md cannot be filled in: {error}",
                hint="its variables are task, program and most_findings; see docs/reviewer.md",
            ) from None


def find_form(name: str) -> Form:
    """Return a built-in form by its name, or the one in a folder. Raises UnknownNameError or InputError."""
    folder = FORMS / name if name in BUILT_IN else Path(name)
    if not folder.is_dir():
        raise UnknownNameError("form of a review", name, BUILT_IN, hint="--form verdict; or a folder's path")
    if name not in BUILT_IN and not (folder / "review.md").is_file():
        raise InputError(f"{folder} has no review.md", hint="docs/reviewer.md says what a form holds")
    try:
        text = (folder / "form.toml").read_text(encoding="utf-8") if (folder / "form.toml").exists() else ""
        settings = _Settings.model_validate(tomllib.loads(text))
        files = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))}
    except ValidationError as error:
        raise InputError(f"{folder / 'form.toml'}: {explain(error, _Settings)}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{folder} cannot be read: {error}", hint='form.toml: answer = "findings"') from None
    if name == "findings":
        files["review.md"] = (prompts.FOLDER / "review.md").read_text(encoding="utf-8")
    marked = hashlib.sha256(repr((settings.answer, files)).encode()).hexdigest()
    return Form(name if name in BUILT_IN else folder.name, folder, settings.answer, marked)
