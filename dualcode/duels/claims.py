"""What may be claimed of a duel, and what others published, as tables."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from dualcode.analysis.changes import LEVEL
from dualcode.duels.contests import QUESTIONS, Contest, Contested, Effect
from dualcode.duels.findings import Findings
from dualcode.duels.notes import general
from dualcode.duels.tables import UNKNOWN, ours
from dualcode.published.duels import Finding, PublishedDuels, PublishedPair
from dualcode.tables import cells
from dualcode.tables.cells import NOTHING
from dualcode.tables.grid import Field, Grid, cited, left, right, words
from dualcode.tables.table import Table

R = TypeVar("R", bound=Contested)


def contests(found: Findings) -> Table | str:
    """Return each condition against its controls."""
    if not found.contests:
        return "no condition has a control with which it shares a graded trial"
    fields: list[Field[Contest] | None] = [
        left("condition", lambda row: row.condition),
        left("less", lambda row: row.control),
        left("question", lambda row: QUESTIONS[row.question], wraps=True, drop=3),
        right("+/−", lambda row: f"{row.gained}/{row.lost}", drop=1),
        *_tested(),
    ]
    return Grid(found.contests, fields).table(
        "contests", f"{found.board.name}: conditions against their controls", values=ours,
        notes=[*general(found), *_claims(found.contests)], runs=[found.board.name],
    )  # fmt: skip


def effects(found: Findings) -> Table | str:
    """Return what each model does as planner and as implementer."""
    if not found.effects:
        return "no two models had the same role beside the same partner"
    currency = found.board.currency or ""
    fields: list[Field[Effect] | None] = [
        left("role", lambda row: row.seat),
        left("model", lambda row: row.model),
        *_tested(),
        right("quality", lambda row: NOTHING if row.quality is None else cells.signed(row.quality), drop=2),
        right("cost", lambda row: UNKNOWN if row.cost is None else _signed_money(currency, row.cost), drop=1),
    ]
    notes = [
        *general(found),
        "A model in a role less the others in it, beside the same partners, over pairs and solo.",
        *_claims(found.effects),
    ]
    return Grid(found.effects, fields).table(
        "effects", f"{found.board.name}: what a model does as planner and as implementer", values=ours,
        notes=notes, runs=[found.board.name],
    )  # fmt: skip


def _signed_money(currency: str, value: float) -> str:
    sign = "" if not value else cells.MINUS if value < 0 else "+"
    return f"{sign}{currency}{abs(value):.4g}"


def _tested() -> Iterable[Field[Contested]]:
    return (
        right("Δ (pp)", lambda row: cells.points(row.delta)),
        right("95 %", lambda row: cells.points_interval(row.low, row.high), drop=4),
        right("p", lambda row: cells.p_value(row.p_value), drop=5),
        right("p Holm", lambda row: cells.p_value(row.p_holm)),
    )


def _claims(tested: Sequence[Contested]) -> list[str]:
    most = max(each.issues for each in tested)
    least = min(each.least_p for each in tested)
    notes = [
        f"p: exact sign-flip test over the issues, {len(tested)} tests corrected together (Holm); Δ and its "
        "interval count each issue alike, whatever its trials."
    ]
    if least * len(tested) >= LEVEL:
        notes.append(
            f"With {most} {'issue' if most == 1 else 'issues'} and {len(tested)} tests no p Holm can be "
            f"below {cells.p_value(min(1.0, least * len(tested)))}: nothing here can be claimed."
        )
    return notes


def duobench(found: Findings, others: PublishedDuels) -> Table:
    """Return duobench's printed table; nothing in it was measured here, and nothing of `found` is in it."""
    del found
    data = others.duobench
    fields: list[Field[PublishedPair] | None] = [
        cited("condition (published)", lambda row: f"{row.planner} -> {row.implementer}", align="left"),
        cited("quality (published)", lambda row: f"{row.quality:.2f}"),
        cited("cost (published)", lambda row: f"${row.cost:.2f}"),
        cited("quality/$ (published)", lambda row: f"{row.efficiency:.1f}"),
    ]
    bias = (
        f"{each.judge} as a judge: {cells.MINUS if each.delta < 0 else '+'}{abs(each.delta):.2f} for its own "
        "model's work"
        for each in data.bias
    )
    return Grid(data.rows, fields).table(
        "duobench", "duobench's table, as published",
        values=lambda row: {"ours": None, "published": [row.model_dump(mode="json")]},
        notes=[
            f"{data.source}, {data.url}. Not measured here: {data.issue}, judged by {_all(data.judges)}.",
            data.caveat,
            f"Two of its nine cells are not in it: {_all(data.missing)}.",
            "; ".join(bias) + ".",
            *(f"It says “{each.says}”, but {each.but}." for each in data.contradictions),
        ],
    )  # fmt: skip


def archon(found: Findings, others: PublishedDuels) -> Table:
    """Return what Archon's benchmark is said to have found."""
    del found
    data = others.archon
    fields: list[Field[Finding] | None] = [
        (words("finding (published)", published=True, wraps=True), lambda row: row.words),
    ]
    return Grid(data.findings, fields).table(
        "archon", "Archon's mixed-provider benchmark, as published",
        values=lambda row: {"ours": None, "published": [row.model_dump(mode="json")]},
        notes=[
            f"{data.source}, {data.url}. Not measured here: {len(data.conditions)} conditions "
            f"({', '.join(data.conditions)}) on {data.issues} issues, {data.scale}.",
            data.caveat,
        ],
    )  # fmt: skip


def _all(names: Sequence[str]) -> str:
    return " and ".join(names)
