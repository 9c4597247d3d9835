"""Duels that nobody fought: records of chosen outcomes, to try standing, tables, figures and the report on.

They are synthetic. No number of theirs says anything about a model.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Literal

from dualcode.agents.records import AgentRun, Step
from dualcode.call import Usage
from dualcode.duels.findings import Findings, find
from dualcode.duels.records import Arm, Cell, Condition, Duel, DuelRecords, Judgement, Phase
from dualcode.issues.verdict import IssueVerdict
from dualcode.issues.worktrees import Dropped

MODELS = ("kimi", "opus", "gpt")
JUDGES = ("opus", "gpt")
ISSUES = ("flask-4041", "jinja-1427", "sqlparse-742")
DIMENSIONS = ("task_completion", "correctness", "code_quality", "verification")
RATES = {"kimi": 1.0, "opus": 8.0, "gpt": 10.0}
"""Money for a million tokens."""
DIFF = (
    "diff --git a/src/flask/blueprints.py b/src/flask/blueprints.py\n"
    "--- a/src/flask/blueprints.py\n+++ b/src/flask/blueprints.py\n@@ -10,3 +10,5 @@\n"
    "     def __init__(self, name):\n+        if '.' in name:\n+            raise ValueError(name)\n"
    "         self.name = name\n-        self.old = 1\n+        self.new = 1\n"
)
Status = Literal["complete", "timeout", "stalled", "stopped", "errored"]


def condition(arm: Arm, *models: str) -> Condition:
    """Return a condition: planner and implementer, implementer and reviewer, or who else the arm has."""
    mixed = "+".join(models)
    match arm:
        case "pair" | "solo":
            planner, implementer = models[0], models[-1]
            id_, roles = f"{planner}->{implementer}", {"planner": planner, "implementer": implementer}
        case "no-plan":
            id_, roles = f"no-plan:{models[0]}", {"implementer": models[0]}
        case "review":
            id_, roles = f"review:{mixed}", {"implementer": models[0], "reviewer": models[1]}
        case "drawn":
            id_, roles = f"drawn:{mixed}", {"planner": mixed, "implementer": mixed}
    names = {"review": "implement-review-fix", "no-plan": "implement"}
    return Condition(id=id_, arm=arm, roles=roles, workflow=names.get(arm, "plan-implement"))


def matrix(models: Sequence[str] = MODELS) -> tuple[Condition, ...]:
    """Return every pair, solo included."""
    return tuple(condition("solo" if a == b else "pair", a, b) for a in models for b in models)


def every_arm(models: Sequence[str] = MODELS) -> tuple[Condition, ...]:
    """Return the matrix and the arms that control it."""
    controls = [condition("no-plan", each) for each in models]
    controls += [condition("review", a, b) for a in models for b in models if a != b]
    return (*matrix(models), *controls, condition("drawn", *models[:2]))


def phase(
    name: str,
    kind: Literal["plan", "implement", "review", "check"],
    model: str,
    tokens: int = 100_000,
    *,
    cached: float = 0.9,
    steps: int = 6,
    **changes: Any,
) -> Phase:
    """Return a phase whose price follows from its tokens and `RATES`."""
    usage = Usage(prompt_tokens=tokens, completion_tokens=tokens // 20, cached_tokens=int(tokens * cached))
    run = AgentRun(
        node=name, role=kind, ending="submitted", steps=steps, calls=steps, usage=usage, failed_edits=1
    )
    chosen: dict[str, Any] = {
        "name": name, "kind": kind, "role": kind, "model": model, "runs": (run,), "calls": steps,
        "usage": usage, "seconds": 30.0, "money": {"$": tokens * RATES.get(model, 5.0) / 1e6},
        "source": "tokens",
    }  # fmt: skip
    return Phase(**(chosen | changes))


def phases(of: Condition) -> tuple[Phase, ...]:
    """Return what the arm's workflow does."""
    found: list[Phase] = []
    if of.planner:
        found.append(
            phase("plan", "plan", of.planner.split("+")[0], 20_000, steps=3, shared=of.arm == "pair")
        )
    found.append(phase("implement", "implement", of.implementer.split("+")[0]))
    if reviewer := of.roles.get("reviewer"):
        found += [
            phase("review", "review", reviewer, 30_000, steps=2),
            phase("fix", "implement", of.implementer, 40_000),
        ]
    validate = Phase(name="validate", kind="check", seconds=4.0)
    return (*found, validate)


def verdict(issue: str, solved: bool | None, **changes: Any) -> IssueVerdict:
    """Return a verdict, with what failed where it is none."""
    failing = () if solved is not False else ("tests/test_hidden.py::test_dot",)
    reason = {True: "solved", False: "1 of 7 hidden tests fails", None: "the worktree could not be made"}[
        solved
    ]
    chosen: dict[str, Any] = {
        "task": issue, "solved": solved, "reason": reason, "failing": failing,
        "output": "6 passed, 1 failed\n" if failing else "7 passed\n",
    }  # fmt: skip
    return IssueVerdict(**(chosen | changes))


def cell(of: Condition, issue: str, trial: int = 1, solved: bool | None = True, **changes: Any) -> Cell:
    """Return a cell; `solved` None: it errored."""
    status: Status = "errored" if solved is None else "complete"
    chosen: dict[str, Any] = {
        "condition": of.id, "issue": issue, "trial": trial, "status": status, "phases": phases(of),
        "plan": f"Refuse a dot in a name ({issue})." if of.planner else None, "diff": DIFF,
        "files": ("src/flask/blueprints.py",), "seconds": 75.0, "started": 1_700_000_000.0,
        "verdict": None if solved is None else verdict(issue, solved),
        "reason": "its server went away" if solved is None else "",
    }  # fmt: skip
    return Cell(**(chosen | changes))


def judgement(
    of: str, issue: str, trial: int, judge: str, scores: int | Mapping[str, int] | None, **changes: Any
) -> Judgement:
    """Return a judgement; one number is the score on every dimension, None a missing one."""
    spread = dict.fromkeys(DIMENSIONS, scores) if isinstance(scores, int) else scores
    chosen: dict[str, Any] = {
        "condition": of, "issue": issue, "trial": trial, "judge": judge, "model": f"{judge}-served",
        "rubric": "duobench", "rendering": "plain", "scores": None if spread is None else dict(spread),
        "reasons": {} if spread is None else {name: f"{name}: as it should be" for name in spread},
        "why_missing": "no schema in its reply" if spread is None else "",
    }  # fmt: skip
    return Judgement(**(chosen | changes))


def steps_of(found: Cell) -> tuple[Step, ...]:
    """Return a short transcript."""
    ended: dict[str, Any] = {"ending": "finished", "seconds": 0.2}
    return (
        Step(
            node="plan", number=1, call=1, said="I look.", command="ls", observation="src", exit_code=0,
            **ended,
        ),
        Step(
            node="implement", number=1, call=2, said="I edit.", command="sed -i s/a/b/ x",
            observation="sed: can't read x", exit_code=2, failed_edit=True, **ended,
        ),
        Step(
            node="implement", number=2, call=3, said=f"Done: {found.issue}.", command=None,
            observation="say a command",
        ),
    )  # fmt: skip


def records(
    conditions: Sequence[Condition],
    cells: Sequence[Cell],
    judgements: Sequence[Judgement] = (),
    *,
    issues: Sequence[str] = ISSUES,
    trials: int = 1,
    judges: Sequence[str] = JUDGES,
    **changes: Any,
) -> DuelRecords:
    """Return a duel's records, with a transcript for each cell."""
    duel = Duel(
        name="synthetic", conditions=tuple(conditions), issues=tuple(issues), trials=trials,
        judges=tuple(judges) if judgements else (), created=1_700_000_000.0, tier="bwrap",
        models={name: f"{name}-served" for name in MODELS}, note="Synthetic: no number here is of a model.",
        issue_hashes=dict.fromkeys(issues, "0" * 64), **changes,
    )  # fmt: skip
    return DuelRecords(duel, tuple(cells), tuple(judgements), {each.key: steps_of(each) for each in cells})


def solves(of: Condition, issue: str, trial: int) -> bool:
    """Return an outcome that differs by who works, by issue and by trial, and is always the same."""
    strength = {"kimi": 1, "opus": 3, "gpt": 2}
    worth = strength[of.implementer.split("+")[0]] * 2 + (
        strength[of.planner.split("+")[0]] if of.planner else 0
    )
    worth += 2 * (of.arm == "review")
    return worth + (trial == 2) > 2 + 2 * ISSUES.index(issue)


def scored(of: Condition, issue: str, trial: int, judge: str) -> int:
    """Return a score: higher for what is solved, by one more where the judge did it itself."""
    own = judge == of.implementer
    return (8 if solves(of, issue, trial) else 5) + own - (judge == "gpt")


def whole(
    conditions: Sequence[Condition] | None = None,
    issues: Sequence[str] = ISSUES,
    trials: int = 2,
    *,
    judged: bool = True,
) -> DuelRecords:
    """Return a duel of every arm, three issues and two trials, judged twice by two judges.

    One cell errored, one judge is missing once, one cell's price is not known.
    """
    chosen = every_arm() if conditions is None else tuple(conditions)
    cells = [
        cell(of, issue, trial, solves(of, issue, trial))
        for of in chosen
        for issue in issues
        for trial in range(1, trials + 1)
    ]
    own = next(each for each in chosen if each.id == cells[1].condition)
    cells[1] = cell(own, cells[1].issue, cells[1].trial, None)
    cells[-1] = cells[-1].model_copy(update={
        "phases": tuple(
            each.model_copy(update={"money": None, "source": "unknown"}) if each.kind == "implement" else each
            for each in cells[-1].phases
        ),
        "status": "timeout", "reason": "60 steps",
        "left_out": (Dropped(path="conftest.py", why="test machinery"),),
    })  # fmt: skip
    return records(
        chosen, cells, tuple(_judged(chosen, cells)) if judged else (), issues=issues, trials=trials
    )


@cache
def found() -> Findings:
    """Return what the whole duel comes to, found once."""
    return find(whole())


def _judged(conditions: Sequence[Condition], cells: Sequence[Cell]) -> Iterator[Judgement]:
    by_id = {each.id: each for each in conditions}
    for place, each in enumerate(cells):
        if each.verdict is None:
            continue
        for judge in JUDGES:
            base = scored(by_id[each.condition], each.issue, each.trial, judge)
            for rendering, less in (("plain", 0), ("other", judge == "gpt" and each.trial == 1)):
                score = None if place == 2 and judge == "gpt" else base - less
                yield judgement(*each.key, judge, score, rendering=rendering)
    for kind, score in (("right", 9), ("wrong", 3), ("instruction", 4)):
        for judge in JUDGES:
            yield judgement("", ISSUES[0], 0, judge, score, calibration=kind)
