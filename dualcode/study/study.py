"""A study: which pipelines run over which suites, what they are compared with, and what is drawn of it."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from dualcode import resources
from dualcode.config import explain
from dualcode.errors import ConfigError, UnknownNameError
from dualcode.record import Record
from dualcode.suites.registry import SuiteEntry, find_entry

ROOM = "eval"
"""Where studies lie: `eval/NAME.toml`."""


class SuiteChoice(Record):
    """One `[[suites]]` table."""

    dataset: str | tuple[str, ...]
    """A dataset; of several, the first whose data is on this machine, or the last."""
    limit: int | None = Field(default=None, ge=1)
    """Only the first so many tasks."""

    @property
    def names(self) -> tuple[str, ...]:
        """The datasets that will do, the one that is meant first."""
        return (self.dataset,) if isinstance(self.dataset, str) else self.dataset

    def entry(self) -> SuiteEntry:
        """Return the dataset that this machine can run; an UnknownNameError for a name without one."""
        entries = [find_entry(name) for name in self.names]
        return next((entry for entry in entries if entry.availability().ready), entries[-1])

    @property
    def preferred(self) -> str:
        """The dataset that is meant, whatever this machine has."""
        return self.names[0]


class Study(Record):
    """A study's TOML."""

    title: str
    note: str = ""
    """What readers must know before the first number."""
    baseline: str = "raw-coder"
    """The pipeline that the others are compared with; it is one of `pipelines`."""
    pipelines: tuple[str, ...] | Literal["all"]
    """By name, or FILE.py:NAME; `all` for every pipeline that dualcode finds."""
    suites: tuple[SuiteChoice, ...] = Field(min_length=1)
    tables: tuple[str, ...] | None = None
    """By name; every table that has something to show where this is left out."""
    figures: tuple[str, ...] | None = None

    @property
    def asked(self) -> str:
        """The pipelines as `--pipeline` takes them."""
        return self.pipelines if isinstance(self.pipelines, str) else ",".join(self.pipelines)

    def limited(self, limit: int | None) -> "Study":
        """Return the study with at most `limit` tasks of each suite."""
        if limit is None:
            return self
        suites = [each.model_copy(update={"limit": min(limit, each.limit or limit)}) for each in self.suites]
        return self.model_copy(update={"suites": tuple(suites)})


def load_study(name: str) -> Study:
    """Read the study `eval/NAME.toml`, or a file by its path.

    Raises UnknownNameError for a name that is neither, ConfigError that names file, key and value.
    """
    known = studies()
    if name not in known and Path(name).suffix != ".toml" and "/" not in name:
        raise UnknownNameError("study", name, known, hint="--study FILE.toml, or one of those")
    path = known.get(name, Path(name))
    try:
        study = Study.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConfigError(f"there is no study file {path}", hint="--study quick, or see eval/") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as TOML: {error}", hint="see eval/quick.toml") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error, Study)}", hint="see eval/quick.toml") from None
    if study.pipelines != "all" and study.baseline not in study.pipelines:
        raise ConfigError(
            f"{path}: baseline {study.baseline!r} is none of the pipelines {', '.join(study.pipelines)}",
            hint="add it to pipelines: without its runs there is nothing to compare with",
        )
    return study


def studies() -> dict[str, Path]:
    """Return the studies that are found by name, each with its file."""
    found: dict[str, Path] = {}
    for room in resources.rooms(ROOM):
        for path in sorted(room.glob("*.toml")):
            found.setdefault(path.stem, path)
    return found
