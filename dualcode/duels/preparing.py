"""A duel before it begins: what its file names is found, what cannot be run is refused."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dualcode import __version__
from dualcode.agents.records import AgentLimits
from dualcode.clock import now
from dualcode.config import Price
from dualcode.duels.conditions import PLANNER, ROLES, conditions_of
from dualcode.duels.config import Setting, load_duel
from dualcode.duels.purse import cautions, refuse_unknown_prices
from dualcode.duels.records import Condition, Duel
from dualcode.errors import InputError
from dualcode.panel.rubric import find_rubric
from dualcode.workflows.find import find_workflow
from dualcode.workflows.loading import load_workflow
from dualcode.workflows.running import check_inputs, inputs_of
from dualcode.workflows.workflow import Workflow

_MAY_GROW = ("models", "planners", "implementers", "reviewers", "issues", "trials", "arms")
_MAY_CHANGE = ("name", "team", "archives", "judges", "rubric", "limits.concurrency", "limits.money")
_OF_SERVERS = {"base_url", "server", "api_key_env", "concurrency", "attempts", "silence_seconds"}
"""Keys of an endpoint that say where and how patiently it is asked, and change nothing of what it says."""


@dataclass(frozen=True)
class Prepared(Setting):
    """A duel that can begin."""

    workflows: Mapping[str, Workflow]
    conditions: tuple[Condition, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """The endpoints that are asked, judges included."""
        return tuple(dict.fromkeys((*self.config.contestants, *self.config.judges)))

    @property
    def prices(self) -> dict[str, Price | None]:
        """By endpoint."""
        return {name: self.team.endpoints[name].price for name in self.models}

    @property
    def agent_limits(self) -> AgentLimits:
        """What ends each agent."""
        own = self.config.limits.model_dump(include={"steps", "tokens", "seconds", "idle_seconds"})
        return AgentLimits.model_validate(own)

    @property
    def cautions(self) -> list[str]:
        """What a reader of its numbers must know before it begins, a line each."""
        config, found = self.config, list(cautions(self.prices))
        if contestants := [each for each in config.judges if each in config.contestants]:
            found.append(f"{', '.join(contestants)} may judge its own work: the report has own minus other")
        temperatures = (self.team.sampling.for_role(role).plain.temperature for role in ROLES)
        if config.trials > 1 and not any(temperatures):
            found.append("all models sample at temperature 0: trials differ by seed and by chance alone")
        return found


def prepare(path: Path) -> Prepared:
    """Read a duel's TOML with all that it names, and refuse what cannot be run. Raises as `load_duel`."""
    setting = load_duel(path)
    config, folder = setting.config, setting.path.parent
    workflows: dict[str, Workflow] = {}
    for arm in config.arms:
        name = config.workflows.of(arm)
        near = folder / name
        workflows[name] = load_workflow(near if near.is_file() else find_workflow(name))
        _check(workflows[name], setting, plans=arm in ("pair", "solo"))
    if config.judges:
        find_rubric(config.rubric)
    roles = {name: each.roles for name, each in workflows.items()}
    made = Prepared(**vars(setting), workflows=workflows, conditions=conditions_of(config, roles))
    refuse_unknown_prices(config.limits.money, made.prices, path)
    return made


def _check(workflow: Workflow, setting: Setting, *, plans: bool) -> None:
    for role in workflow.roles:
        if role not in ROLES:
            raise InputError(
                f"{workflow.path} needs the role {role!r}, and a duel binds: {', '.join(ROLES)}",
                hint=f"another workflow under [workflows] in {setting.path}, or one of these roles in it",
            )
    if plans and PLANNER not in workflow.roles:
        raise InputError(
            f"{workflow.path} has no role 'planner', and pairs of planner and implementer are to run it",
            hint=f"planned = WORKFLOW under [workflows] in {setting.path}, or arms without pair and solo",
        )
    for task in setting.tasks.values():
        check_inputs(workflow, inputs_of(workflow, task))


def manifest(prepared: Prepared, *, served: Mapping[str, Any], tier: str) -> Duel:
    """Return what is on record of a duel before its first cell."""
    config, team = prepared.config, prepared.team
    return Duel(
        name=prepared.name,
        conditions=prepared.conditions,
        issues=tuple(prepared.tasks),
        trials=config.trials,
        judges=config.judges,
        rubric=find_rubric(config.rubric).name if config.judges else config.rubric,
        seed=config.seed,
        created=now(),
        models={name: team.endpoints[name].model for name in prepared.models},
        prices={
            name: price.model_dump(mode="json") if price else None for name, price in prepared.prices.items()
        },
        tier=tier,
        note=team.note,
        settings={
            "config": config.model_dump(mode="json"),
            "team": {
                "endpoints": {
                    name: team.endpoints[name].model_dump(mode="json", exclude=_OF_SERVERS)
                    for name in prepared.models
                },
                "sampling": team.sampling.model_dump(mode="json"),
            },
            "workflows": {
                name: hashlib.sha256(each.path.read_bytes()).hexdigest()
                for name, each in prepared.workflows.items()
            },
            "served": dict(served),
            "dualcode": __version__,
        },
        issue_hashes={name: hash_of(task.folder) for name, task in prepared.tasks.items()},
    )


def hash_of(folder: Path) -> str:
    """Return the SHA-256 of all of a task but its solution, which changes no grade."""
    told = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and name.parts[0] != "solution" and "__pycache__" not in name.parts:
            told.update(f"{name.as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return told.hexdigest()


def differences(found: Duel, wanted: Duel) -> list[str]:
    """Return what keeps a duel on record from being gone on with, in words.

    It may grow: more models, arms, issues and trials are more cells. What its cells were made with may not
    change.
    """
    known = {each.id: each for each in wanted.conditions}
    told = [
        f"the condition {each.id} {'differs' if each.id in known else 'is gone'}"
        for each in found.conditions
        if known.get(each.id) != each
    ]
    for issue in found.issues:
        if issue not in wanted.issues:
            told.append(f"the issue {issue} is gone")
        elif found.issue_hashes[issue] != wanted.issue_hashes[issue]:
            told.append(f"the task {issue} was changed")
    if found.trials > wanted.trials:
        told.append(f"trials was {found.trials}, is {wanted.trials}")
    today = dict(_flat(wanted.settings))
    told += (
        f"{key} was {was!r}, is {today.get(key)!r}"
        for key, was in _flat(found.settings)
        if was != today.get(key) and not _is_free(key, found)
    )
    return told


def _is_free(key: str, duel: Duel) -> bool:
    """Whether a setting may be another one than the cells on record were made with."""
    judging = (each for each in duel.judges if each not in duel.contestants)
    free = [*(f"config.{each}" for each in (*_MAY_GROW, *_MAY_CHANGE))]
    free += (f"{table}.{each}" for each in judging for table in ("team.endpoints", "served"))
    return any(key == each or key.startswith(f"{each}.") for each in free)


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested tables by their keys with dots."""
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _flat(cast("dict[str, Any]", value), f"{above}{key}.")
        else:
            yield f"{above}{key}", list(cast("Sequence[Any]", value)) if isinstance(value, tuple) else value
