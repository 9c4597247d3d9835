"""What a duel is and what came of it, as values: the manifest, its cells, its judgements."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from dualcode.agents.records import AgentRun, Step
from dualcode.call import Usage
from dualcode.issues.verdict import IssueVerdict
from dualcode.issues.worktrees import Dropped
from dualcode.panel.records import Judged, Key
from dualcode.pricing import CostSource
from dualcode.record import Record

Kind = Literal["plan", "implement", "review", "check"]
"""What a node's cost counts as: all before the first change is `plan`; `check` is a command alone."""
Arm = Literal["pair", "solo", "no-plan", "review", "drawn"]
"""`pair`: one model plans, another implements; `solo`: one does both; `no-plan`: one implements, without a
plan; `review`: one implements, another reviews, the first mends; `drawn`: a model drawn anew at each step."""


JOIN = "+"
"""Between models that share a role."""


class Condition(Record):
    """One arm with its models: a row of the leaderboard."""

    id: str
    """`A->B` for a pair, `A` alone for `A -> A` is `A->A`, `no-plan:A`, `review:A+B`, `drawn:A+B`."""
    arm: Arm
    roles: dict[str, str]
    """Role of the workflow -> model, an endpoint's name in the team; `drawn` has `A+B` for each role."""
    workflow: str
    """The name of the workflow that is run."""

    @property
    def planner(self) -> str | None:
        """The model that plans; None where nobody does."""
        return self.roles.get("planner")

    @property
    def plans_by(self) -> str | None:
        """The model whose plan is shared by all conditions that have it; None where there is no such plan."""
        return self.planner if self.arm in ("pair", "solo") else None

    @property
    def implementer(self) -> str:
        """The model that implements."""
        return self.roles["implementer"]

    @property
    def models(self) -> frozenset[str]:
        """All who have a part in it, those that are drawn included."""
        return frozenset(name for role in self.roles.values() for name in role.split(JOIN))


class Phase(Record):
    """One node of a cell, with its price."""

    name: str
    """The node's id: `explore`, `plan`, `implement`, `self-review`, `review`, `fix`, `validate`."""
    kind: Kind
    role: str | None = None
    model: str | None = None
    status: Literal["completed", "failed", "skipped", "cancelled"] = "completed"
    runs: tuple[AgentRun, ...] = ()
    calls: int = 0
    usage: Usage = Usage()
    seconds: float = 0.0
    money: dict[str, float] | None = None
    """By currency; None: unknown. A plan that cells share counts in full in each: what each costs alone."""
    source: CostSource = "unknown"
    shared: bool = False
    """Whether another cell of this duel paid for it, too."""


class Cell(Record):
    """One condition on one issue in one trial."""

    condition: str
    issue: str
    trial: int
    """From 1."""
    status: Literal["complete", "timeout", "stalled", "stopped", "errored"]
    """duobench's words, and `errored`: a fault of ours, done again on resume. `timeout`: a limit of time,
    steps or tokens; `stopped`: the model ended without its work, by its format or its own words."""
    reason: str = ""
    phases: tuple[Phase, ...] = ()
    plan: str | None = None
    diff: str = ""
    files: tuple[str, ...] = ()
    left_out: tuple[Dropped, ...] = ()
    verdict: IssueVerdict | None = None
    """None where nothing was graded: the cell errored."""
    started: float = 0.0
    """Seconds since the epoch."""
    seconds: float = 0.0

    @property
    def key(self) -> Key:
        """What it is, within its duel."""
        return self.condition, self.issue, self.trial

    @property
    def solved(self) -> bool | None:
        """Whether the hidden tests pass; None: not known."""
        return self.verdict.solved if self.verdict else None


class Judgement(Judged):
    """One judge's view of one fix in one rendering, with its price: a line of `judgements.jsonl`."""

    money: dict[str, float] | None = None
    source: CostSource = "unknown"
    by_rule: bool = False
    """Whether nobody was asked: the cell changed nothing, and has the lowest score in every dimension."""


class Duel(Record):
    """The manifest of a duel."""

    name: str
    conditions: tuple[Condition, ...]
    issues: tuple[str, ...]
    trials: int
    judges: tuple[str, ...] = ()
    rubric: str = "duobench"
    seed: int = 0
    created: float = 0.0
    """Seconds since the epoch."""
    models: dict[str, str] = Field(default_factory=dict[str, str])
    """Endpoint's name -> the model as its server names it."""
    prices: dict[str, dict[str, Any] | None] = Field(default_factory=dict[str, dict[str, Any] | None])
    tier: str = ""
    """The jail that held the commands."""
    note: str = ""
    """What readers must know of it: the team's note."""
    settings: dict[str, Any] = Field(default_factory=dict[str, Any])
    """The resolved configuration, whole."""
    issue_hashes: dict[str, str] = Field(default_factory=dict[str, str])

    @property
    def contestants(self) -> frozenset[str]:
        """The models whose work is measured."""
        return frozenset[str]().union(*(each.models for each in self.conditions))


@dataclass(frozen=True)
class DuelRecords:
    """All that is on record of a duel: what tables, figures and the report are made from."""

    duel: Duel
    cells: tuple[Cell, ...]
    """At most one per condition, issue and trial, in that order; those not done yet are missing."""
    judgements: tuple[Judgement, ...] = ()
    steps: Mapping[Key, tuple[Step, ...]] = field(default_factory=dict[Key, tuple[Step, ...]])
    """By a cell's key."""
