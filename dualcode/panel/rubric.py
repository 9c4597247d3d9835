"""Rubrics: what judges are asked, as data: dimensions, each with a question and levels that mean something.

A file `rubrics/NAME.toml` of the working folder wins over the one of that name that dualcode carries; a path
ending in `.toml` is taken as it is. docs/panel.md has the format.
"""

import hashlib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from dualcode import resources
from dualcode.config import explain
from dualcode.errors import InputError, UnknownNameError
from dualcode.record import Record
from dualcode.steps import schema

ROOM = "rubrics"
FOLDER = Path(__file__).parent / ROOM
REASON_CHARACTERS = 400
HINT = "docs/panel.md has the format; dualcode panel rubrics duobench shows one"

Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Words = Annotated[str, Field(min_length=1, max_length=600)]


class Dimension(Record):
    """One thing that is scored apart from the others."""

    key: Key
    """Its name on record and in tables."""
    title: Words
    question: Words
    """What a judge is asked."""
    levels: dict[int, Words]
    """Score -> what it means. The lowest and the highest are among them; others lie between neighbours."""
    ours: bool = False
    """Whether dualcode chose it, where the rubric is otherwise another's: shown beside its title."""
    needs: Literal["plan"] | None = None
    """What an exhibit must have for it to be asked."""

    @property
    def named(self) -> str:
        """The title, marked where the dimension is ours."""
        return f"{self.title} (ours)" if self.ours else self.title


class Rubric(Record):
    """What a panel scores, and by which levels."""

    title: Words
    source: str = ""
    """Where its dimensions come from."""
    lowest: int = 1
    highest: int = 10
    dimensions: Annotated[tuple[Dimension, ...], Field(min_length=1, max_length=12)]
    name: str = Field(default="", exclude=True)
    """Its file's, without `.toml`."""

    @model_validator(mode="after")
    def _anchored(self) -> "Rubric":
        if not 0 <= self.lowest < self.highest <= 100:
            found = f"lowest and highest are {self.lowest} and {self.highest}"
            raise ValueError(f"{found}; expected 0 <= lowest < highest <= 100")
        seen = set[str]()
        for number, each in enumerate(self.dimensions):
            place = f"dimensions.{number} ({each.key})"
            if each.key in seen:
                raise ValueError(f"{place}.key: there is another {each.key!r}")
            seen.add(each.key)
            if missing := {self.lowest, self.highest} - each.levels.keys():
                raise ValueError(f"{place}.levels: level {min(missing)} is not told")
            if outside := [one for one in each.levels if not self.lowest <= one <= self.highest]:
                raise ValueError(f"{place}.levels: {outside[0]} lies outside {self.lowest} to {self.highest}")
        return self

    @property
    def checksum(self) -> str:
        """SHA-256 of all that it says: scores of another wording are other scores."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def asked(self, *, plan: bool) -> tuple[Dimension, ...]:
        """Return the dimensions that can be asked of an exhibit with, or without, a plan."""
        return tuple(each for each in self.dimensions if plan or each.needs != "plan")

    def reply_schema(self, dimensions: Sequence[Dimension]) -> schema.Schema:
        """Return the JSON schema of a judge's reply: by dimension the reason, then an integer."""
        score = {"type": "integer", "minimum": self.lowest, "maximum": self.highest}
        one = schema.record({"reason": schema.text(REASON_CHARACTERS), "score": score})
        return schema.record({each.key: one for each in dimensions})


def names() -> list[str]:
    """Return the names of the rubrics that can be had by name here."""
    return sorted({path.stem for folder in _folders() for path in folder.glob("*.toml")})


def find_rubric(name: str) -> Rubric:
    """Return a rubric by its name or its file's path. Raises UnknownNameError or InputError."""
    if name.endswith(".toml"):
        return load_rubric(Path(name))
    for folder in _folders():
        if "/" not in name and (path := folder / f"{name}.toml").is_file():
            return load_rubric(path)
    raise UnknownNameError(
        "rubric", name, names(), hint="dualcode panel rubrics; or a file's path, FILE.toml"
    )


def load_rubric(path: Path) -> Rubric:
    """Read a rubric's file. Raises InputError with the file, the key and what would be right."""
    try:
        found: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}", hint=HINT) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}", hint=HINT) from None
    if "name" in found:
        raise InputError(f"{path}: name: unknown key; a rubric is named by its file", hint=HINT)
    try:
        return Rubric.model_validate({**found, "name": path.stem})
    except ValidationError as error:
        raise InputError(f"{path}: {explain(error, Rubric)}", hint=HINT) from None


def _folders() -> list[Path]:
    return [*resources.rooms(ROOM), FOLDER]
