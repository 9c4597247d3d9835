"""A duel as tables: who stands where, what it cost, how it ended, what judges said, what may be claimed.

What others published is beside it, in tables of their own.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from dualcode.analysis.changes import LEVEL
from dualcode.duels.contests import QUESTIONS, Contest, Contested, Effect
from dualcode.duels.findings import Findings
from dualcode.duels.notes import heading, of_costs, of_quality, of_solved
from dualcode.duels.scores import Spread
from dualcode.duels.standing import Standing
from dualcode.metrics import Rate
from dualcode.published.duels import Finding, PublishedDuels, PublishedPair
from dualcode.record import Record
from dualcode.tables import cells
from dualcode.tables.cells import NOTHING, count, decimal, duration, interval, percent
from dualcode.tables.grid import Field, Grid, cited, left, right, words
from dualcode.tables.table import Table

UNKNOWN = "unknown"
"""In a cell whose value exists, and which nobody told us; `–` stands where there is none."""


def amount(money: Mapping[str, float] | None) -> str:
    """Return money by currency; what is not known is said to be so, and never left out or zero."""
    return UNKNOWN if money is None else cells.money(money)


def within(known: Spread | None, digits: int = 2) -> str:
    """Return a mean with its standard deviation: `8.25 ± 0.43`, or the mean of a single cell alone."""
    if known is None:
        return NOTHING
    return f"{known.mean:.{digits}f}" + ("" if known.std is None else f" ± {known.std:.{digits}f}")


def counted(rate: Rate | None) -> str:
    """Return a rate with its counts: `83.3 % (5/6)`."""
    return cells.ratio(rate.passed, rate.total) if rate else NOTHING


def ours(row: Record) -> dict[str, Any]:
    """Return a row's values, for JSON."""
    return {"ours": row.model_dump(mode="json"), "published": []}


def leaderboard(found: Findings) -> Table | str:
    """Return the leaderboard: tests decide first, then quality for money."""
    rows, k = found.standings, found.records.duel.trials
    repeated = any(row.pass_k is not None for row in rows)
    judged = any(row.quality for row in rows)
    fields: list[Field[Standing] | None] = [
        right("rank", lambda row: NOTHING if row.rank is None else str(row.rank), short="#"),
        left("condition", lambda row: row.id),
        right("solved", lambda row: f"{row.solved.passed}/{row.solved.total}" if row.solved else NOTHING),
        right("pass@1", lambda row: _share(row.solved.value if row.solved else None), drop=5),
        right(
            "95 %", lambda row: interval(row.solved.low, row.solved.high) if row.solved else NOTHING, drop=2
        ),
        right(f"pass^{k}", lambda row: _share(row.pass_k), drop=6) if repeated else None,
        right("flips", lambda row: _share(row.flips), drop=7) if repeated else None,
        right("quality", lambda row: within(row.quality), drop=1) if judged else None,
        right("cost a cell", lambda row: amount(row.cost.total) if row.cost else NOTHING, short="cost"),
        right("$ a solved", _per_solved, short="a solved", drop=3)
        if found.board.currency == "$"
        else right("cost a solved", _per_solved, drop=3),
        right(f"quality/{found.board.currency or 'cost'}", lambda row: decimal(row.efficiency), drop=1)
        if judged
        else None,
        right("of solved", lambda row: decimal(row.efficiency_solved), drop=8) if judged else None,
    ]
    notes = (*of_solved(found), *of_quality(found), *of_costs(found))
    return Grid(rows, fields).table(
        "leaderboard", **heading(found, "conditions by issues solved", *notes), values=ours,
        tones=lambda row: "bold" if row.rank == 1 else "",
    )  # fmt: skip


def _share(value: float | None) -> str:
    return NOTHING if value is None else percent(value)


def _per_solved(row: Standing) -> str:
    if row.cost is None or (row.solved and not row.solved.passed):
        return NOTHING
    return amount(row.cost.per_solved)


def costs(found: Findings) -> Table | str:
    """Return where the money goes, and where its numbers are from."""
    rows = [row for row in found.standings if row.cost]
    if not rows:
        return "no cell is graded"

    def part(kind: str, row: Standing) -> str:
        own = row.cost.of(kind) if row.cost else {}
        return amount(own)

    fields: list[Field[Standing] | None] = [
        left("condition", lambda row: row.id),
        *(right(kind, partial(part, kind)) for kind in ("plan", "implement", "review")),
        right("total", partial(part, "total")),
        right("±", lambda row: decimal(row.cost.std if row.cost else None, 4), drop=4),
        left("source", lambda row: ", ".join(sorted(row.cost.sources)) if row.cost else "", drop=3),
        right("tokens in", lambda row: count(row.effort.prompt_tokens) if row.effort else NOTHING, drop=2),
        right("cached", lambda row: _share(row.effort.cached_share) if row.effort else NOTHING, drop=1),
        right("out", lambda row: count(row.effort.completion_tokens) if row.effort else NOTHING, drop=2),
    ]
    shown = heading(found, "what a cell cost", *of_costs(found))
    return Grid(rows, fields).table("costs", **shown, values=ours)


def work(found: Findings) -> Table | str:
    """Return how cells ended, and what they took."""
    statuses = [
        each
        for each in ("complete", "timeout", "stalled", "stopped", "errored")
        if each in ("complete", "errored") or any(row.statuses.get(each) for row in found.standings)
    ]
    fields: list[Field[Standing] | None] = [
        left("condition", lambda row: row.id),
        *(right(name, lambda row, name=name: str(row.statuses.get(name, 0))) for name in statuses),
        right("undone", lambda row: str(row.undone)) if any(row.undone for row in found.standings) else None,
        right("steps", lambda row: decimal(row.effort.steps if row.effort else None)),
        right("failed edits", lambda row: decimal(row.effort.failed_edits if row.effort else None), drop=1),
        right("time", lambda row: duration(row.effort.seconds) if row.effort else NOTHING),
        right("off scope", lambda row: f"{row.out_of_scope}/{row.cells}", drop=3),
        right("scope", lambda row: decimal(row.scope.mean if row.scope else None), drop=2),
        right("dropped", lambda row: f"{row.dropped}/{row.cells}", drop=4),
        right("forged", lambda row: f"{row.tampered}/{row.cells}", drop=5),
    ]
    shown = heading(
        found,
        "how cells ended",
        "Steps, failed edits and time are means of the graded cells. off scope: cells that changed a file "
        "which the task does not name; scope: 10, less a point for each such file; dropped: cells of "
        "whose change something did not count, such as test machinery; forged: cells whose tests were made "
        "to pass.",
    )
    return Grid(found.standings, fields).table("work", **shown, values=ours)


def dimensions(found: Findings) -> Table | str:
    """Return what the judges said, dimension by dimension."""
    rows = [row for row in found.standings if row.quality]
    if not rows:
        return "nothing was judged"
    names = found.dimensions
    fields: list[Field[Standing] | None] = [
        left("condition", lambda row: row.id),
        *(
            right(name.replace("_", " "), lambda row, name=name: within(row.dimensions.get(name)), drop=at)
            for at, name in enumerate(names)
        ),
        right("quality", lambda row: within(row.quality)),
        right("cells", lambda row: str(row.quality.cells) if row.quality else NOTHING, drop=len(names)),
    ]
    title = "scores by dimension, mean ± standard deviation over cells"
    shown = heading(found, title, *of_quality(found))
    return Grid(rows, fields).table("dimensions", **shown, values=ours)


def issues(found: Findings) -> Table | str:
    """Return what became of each issue under each condition: solved trials of graded ones."""
    if not found.records.cells:
        return "no cell is done"

    def text(row: Standing, issue: str) -> str:
        own = [each for each in found.cells(row.id) if each.issue == issue]
        known = [each.solved for each in own if each.solved is not None]
        lost = f" +{len(own) - len(known)} err" if len(own) > len(known) else ""
        return f"{sum(known)}/{len(known)}{lost}" if own else NOTHING

    fields: list[Field[Standing] | None] = [
        left("condition", lambda row: row.id),
        right("solved", lambda row: counted(row.solved)),
        *(right(each, lambda row, each=each: text(row, each)) for each in found.records.duel.issues),
    ]
    note = "Solved trials of graded ones; err: errored, in no rate."
    return Grid(found.standings, fields).table(
        "issues", **heading(found, "issues by condition", note),
        values=lambda row: {"ours": {
            "condition": row.id,
            "issues": {each: text(row, each) for each in found.records.duel.issues},
        }, "published": []},
    )  # fmt: skip


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
    shown = heading(found, "conditions against their controls", *_claims(found.contests))
    return Grid(found.contests, fields).table("contests", **shown, values=ours)


def effects(found: Findings) -> Table | str:
    """Return what each model does as planner and as implementer."""
    if not found.effects:
        return "no two models had the same role beside the same partner"

    def cost(row: Effect) -> str:
        if row.cost is None:
            return UNKNOWN
        sign = "" if not row.cost else cells.MINUS if row.cost < 0 else "+"
        return f"{sign}{found.board.currency or ''}{abs(row.cost):.4g}"

    fields: list[Field[Effect] | None] = [
        left("role", lambda row: row.seat),
        left("model", lambda row: row.model),
        *_tested(),
        right("quality", lambda row: NOTHING if row.quality is None else cells.signed(row.quality), drop=2),
        right("cost", cost, drop=1),
    ]
    note = "A model in a role less the others in it, beside the same partners, over pairs and solo."
    shown = heading(found, "what a model does as planner and as implementer", note, *_claims(found.effects))
    return Grid(found.effects, fields).table("effects", **shown, values=ours)


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
            f"{data.source}, {data.url}. Not measured here: {data.issue}, judged by "
            f"{' and '.join(data.judges)}.",
            data.caveat,
            f"Two of its nine cells are not in it: {' and '.join(data.missing)}.",
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
