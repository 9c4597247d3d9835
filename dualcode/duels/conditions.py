"""The matrix: every arm with its models, and each on each issue in each trial."""

from collections.abc import Iterator, Mapping, Sequence

from dualcode.duels.config import DuelConfig
from dualcode.duels.records import JOIN, Arm, Condition, Key

EXPLORER, PLANNER, IMPLEMENTER, REVIEWER = "explorer", "planner", "implementer", "reviewer"
ROLES = (EXPLORER, PLANNER, IMPLEMENTER, REVIEWER)
"""The roles that a duel can bind. Who plans also explores; who implements reviews his own work."""


def conditions_of(config: DuelConfig, roles: Mapping[str, Sequence[str]]) -> tuple[Condition, ...]:
    """Return the conditions in the order of their arms; `roles` has those of each workflow by its name."""
    return tuple(made for arm in config.arms for made in _of_arm(arm, config, roles))


def _of_arm(arm: Arm, config: DuelConfig, roles: Mapping[str, Sequence[str]]) -> Iterator[Condition]:
    workflow = config.workflows.of(arm)

    def made(id: str, planner: str | None, implementer: str, reviewer: str) -> Condition:
        bound = {EXPLORER: planner or implementer, PLANNER: planner, IMPLEMENTER: implementer}
        bound[REVIEWER] = reviewer
        wanted = {role: bound[role] for role in ROLES if role in roles[workflow]}
        named = {role: model for role, model in wanted.items() if model is not None}
        return Condition(id=id, arm=arm, roles=named | {IMPLEMENTER: implementer}, workflow=workflow)

    if arm in ("pair", "solo"):
        for planner in config.planning:
            for implementer in config.implementing:
                if (planner == implementer) == (arm == "solo"):
                    yield made(f"{planner}->{implementer}", planner, implementer, implementer)
    elif arm == "no-plan":
        for implementer in config.implementing:
            yield made(f"no-plan:{implementer}", None, implementer, implementer)
    elif arm == "review":
        for reviewer in config.reviewing:
            for implementer in config.implementing:
                yield made(f"review:{implementer}{JOIN}{reviewer}", None, implementer, reviewer)
    else:
        all_of_them = JOIN.join(config.drawn)
        yield made(f"drawn:{all_of_them}", all_of_them, all_of_them, all_of_them)


def keys_of(conditions: Sequence[Condition], issues: Sequence[str], trials: int) -> list[Key]:
    """Return the cells in the order of work: whole trials first, so that what is done can be compared."""
    return [
        (condition.id, issue, trial)
        for trial in range(1, trials + 1)
        for issue in issues
        for condition in conditions
    ]
