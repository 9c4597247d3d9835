"""A duel's TOML: who plans, implements and judges, on what issues, how often, and within what limits."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from dualcode.config import TeamConfig, explain, load_team
from dualcode.duels.records import Arm
from dualcode.errors import InputError, UnknownNameError
from dualcode.issues.task import IssueTask, find_task
from dualcode.record import Record

HINT = "docs/duels.md has the table of keys"
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,59}")
Names = tuple[str, ...]


class Limits(Record):
    """`[limits]`: what ends an agent, what a duel may cost, and how much goes on side by side."""

    concurrency: Annotated[int, Field(ge=1, le=256)] = 4
    """Cells, and plans, at a time. How many requests a server gets at a time is its endpoint's."""
    money: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict[str, float])
    """Most money by currency, such as `"$" = 5.0`; then no further request is made."""
    steps: Annotated[int, Field(ge=1)] = 60
    """Replies of one agent."""
    tokens: Annotated[int, Field(ge=1)] = 100_000
    """Completion tokens of one agent."""
    seconds: Annotated[float, Field(gt=0)] = 3600.0
    """Of one agent's calls and commands."""
    idle_seconds: Annotated[float, Field(gt=0)] = 600.0
    """In which nothing comes from a model's server."""


class Workflows(Record):
    """`[workflows]`: the workflow of each arm, by name or file."""

    planned: str = "plan-implement"
    """Of pairs, solos and drawn models."""
    unplanned: str = "implement"
    """Of the arm `no-plan`."""
    reviewed: str = "implement-review-fix"
    """Of the arm `review`."""

    def of(self, arm: Arm) -> str:
        """Return an arm's."""
        return {"no-plan": self.unplanned, "review": self.reviewed}.get(arm, self.planned)


class DuelConfig(Record):
    """A duel as its TOML has it."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,60}$")] | None = None
    """Of its folder; left out: the file's own."""
    team: str = "team.toml"
    """The team's TOML, from this file's folder; its endpoints are the models."""
    models: Names = ()
    """Endpoints that plan and implement, each with each."""
    planners: Names = ()
    """Instead of `models`."""
    implementers: Names = ()
    """Instead of `models`."""
    reviewers: Names = ()
    """Of the arm `review`; left out: the planners."""
    issues: Annotated[Names, Field(min_length=1)]
    """Issue tasks by name, or their folders, from this file's folder."""
    trials: Annotated[int, Field(ge=1, le=1000)] = 1
    """How often each condition works on each issue."""
    arms: Annotated[tuple[Arm, ...], Field(min_length=1)] = ("pair", "solo")
    judges: Names = ()
    """Endpoints that score each fix; none: tests alone decide."""
    rubric: str = "duobench"
    """What judges go by."""
    seed: int = 0
    """Of what is drawn: a trial's sampling, the drawn models, the order before judges."""
    archives: Names = ()
    """Folders that may hold the issues' archives, from this file's folder."""
    workflows: Workflows = Workflows()
    limits: Limits = Limits()

    @field_validator("models", "planners", "implementers", "reviewers", "issues", "arms", "judges")
    @classmethod
    def _once(cls, value: Names) -> Names:
        if twice := next((each for each in value if value.count(each) > 1), None):
            raise ValueError(f"{twice!r} stands there twice")
        return value

    @field_validator("models", "planners", "implementers", "reviewers")
    @classmethod
    def _nameable(cls, value: Names) -> Names:
        for each in value:
            if not _MODEL.fullmatch(each) or each.endswith(" "):
                raise ValueError(
                    f"{each!r} cannot name a model of a duel: letters, digits, blanks, . _ - only"
                )
        return value

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not self.implementing:
            raise ValueError("models, or implementers, names nobody who implements")
        if not self.planning and set(self.arms) & {"pair", "solo", "drawn"}:
            raise ValueError("models, or planners, names nobody who plans")
        if "solo" in self.arms and not set(self.planning) & set(self.implementing):
            raise ValueError("the arm 'solo' needs a model among the planners and the implementers")
        if "review" in self.arms and not self.reviewing:
            raise ValueError("the arm 'review' needs reviewers, or planners")
        if "drawn" in self.arms and len(self.drawn) < 2:
            raise ValueError("the arm 'drawn' draws between models, and there is one alone")
        return self

    @property
    def planning(self) -> Names:
        """The models that plan."""
        return self.planners or self.models

    @property
    def implementing(self) -> Names:
        """The models that implement."""
        return self.implementers or self.models

    @property
    def reviewing(self) -> Names:
        """The models that review in the arm `review`."""
        return self.reviewers or self.planning

    @property
    def drawn(self) -> Names:
        """The models that the arm `drawn` draws between."""
        return tuple(dict.fromkeys((*self.planning, *self.implementing)))

    @property
    def contestants(self) -> Names:
        """Every model whose work is measured."""
        reviewing = self.reviewing if "review" in self.arms else ()
        return tuple(dict.fromkeys((*self.planning, *self.implementing, *reviewing)))


@dataclass(frozen=True)
class Setting:
    """A duel's configuration with all that it names, read."""

    path: Path
    """The file."""
    name: str
    config: DuelConfig
    team: TeamConfig
    tasks: dict[str, IssueTask]
    """By name, in the file's order."""

    @property
    def near(self) -> tuple[Path, ...]:
        """Folders that may hold the issues' archives."""
        return tuple(self.path.parent / each for each in self.config.archives)


def load_duel(path: Path) -> Setting:
    """Read a duel's TOML, its team and its issues.

    Raises ConfigError or SuiteError, which name the file, the key, what was found and what is to be had.
    """
    config = _read(path)
    team_path = path.parent / config.team
    team = load_team(team_path)
    for key in ("models", "planners", "implementers", "reviewers", "judges"):
        for each in getattr(config, key):
            if each not in team.endpoints:
                hint = f"endpoints of {team_path}: {', '.join(team.endpoints)}"
                raise UnknownNameError(f"endpoint in {path}, {key},", each, team.endpoints, hint=hint)
    tasks: dict[str, IssueTask] = {}
    for each in config.issues:
        task = find_task(str(path.parent / each) if (path.parent / each).is_dir() else each)
        if task.name in tasks:
            told = f"{path}: issues: two folders hold a task {task.name!r}: {tasks[task.name].folder}"
            raise InputError(f"{told}, {task.folder}", hint=f"mv {task.folder} ANOTHER-NAME")
        tasks[task.name] = task
    name = config.name or re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-.")[:60] or "duel"
    return Setting(path=path, name=name, config=config, team=team, tasks=tasks)


def _read(path: Path) -> DuelConfig:
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"no duel's file {str(path)!r}", hint=HINT) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: cannot be read as TOML: {error}", hint=HINT) from None
    try:
        return DuelConfig.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{path}: {explain(error, DuelConfig)}", hint=HINT) from None
