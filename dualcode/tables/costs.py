"""What each server did for each run: as if the run were alone, and what was really spent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.costs import Costs, ServerCost, Side, Total
from dualcode.published.published import Published
from dualcode.tables.cells import NOTHING, count, decimal, energy, known, money
from dualcode.tables.grid import Field, Grid, left, listed, numbers, right, words
from dualcode.tables.selection import own_name, part_title
from dualcode.tables.table import Table


@dataclass(frozen=True)
class Row:
    """A server's part in a run."""

    suite: str
    costs: Costs
    alone: ServerCost
    spent: ServerCost

    def values(self) -> dict[str, Any]:
        """Return both sides, for JSON."""
        run = self.costs.model_dump(mode="json", include={"run", "dataset", "tasks", "solved"})
        sides = {"alone": self.alone.model_dump(mode="json"), "spent": self.spent.model_dump(mode="json")}
        return {"pipeline": self.costs.pipeline, "ours": run | sides, "published": []}


def costs(analysis: Analysis, published: Published) -> Table | str:
    """Return the table of runs and their servers, or why there is none."""
    runs = [run for run in analysis.runs if run.id in analysis.costs]
    known = [analysis.costs[run.id] for run in runs]
    rows = [
        Row(part_title(run, "plus"), each, alone, spent)
        for run, each in zip(runs, known, strict=True)
        for alone, spent in zip(each.alone, each.spent, strict=True)
    ]
    if not rows:
        return "no run has costs"
    price = published.number("price")
    return Grid(rows, _fields(rows)).table(
        "costs",
        "Costs: tokens, seconds, money and energy of each server",
        values=Row.values,
        notes=[
            analysis.note,
            "Alone: as if the ledger had replayed nothing. Spent: what this run asked for and paid. busy: at "
            "least one request in flight; metered: by the server's own metrics; wall: the run's duration.",
            *(note for each in known for note in each.notes),
            f"The paper gives about ${price.value:g} an hour for both GPUs ({price.place}), and no tokens or "
            "seconds.",
        ],
        runs=[each.run for each in known],
    )


def _fields(rows: list[Row]) -> list[Field[Row] | None]:
    priced = any(row.alone.money is not None for row in rows)
    metered = any(row.spent.metered_seconds is not None for row in rows)
    powered = any(row.spent.joules is not None for row in rows)
    return [
        left("Suite", lambda row: row.suite),
        left("Pipeline", lambda row: row.costs.pipeline),
        left("Server", lambda row: row.alone.endpoint),
        right("alone: tokens in", lambda row: count(row.alone.prompt_tokens)),
        right("out", lambda row: count(row.alone.completion_tokens)),
        right("thought", lambda row: count(row.alone.reasoning_tokens)),
        right("busy s", lambda row: decimal(row.alone.busy_seconds)),
        right("wall s", lambda row: decimal(row.alone.wall_seconds)),
        right("money", lambda row: money(row.alone.paid)) if priced else None,
        right("spent: tokens in", lambda row: count(row.spent.prompt_tokens)),
        right("spent: out", lambda row: count(row.spent.completion_tokens)),
        right("spent: busy s", lambda row: decimal(row.spent.busy_seconds)),
        right("spent: metered s", lambda row: decimal(row.spent.metered_seconds)) if metered else None,
        right("spent: wall s", lambda row: decimal(row.spent.wall_seconds)),
        right("spent: money", lambda row: money(row.spent.paid)) if priced else None,
        right("spent: joules", lambda row: decimal(row.spent.joules, 0)) if powered else None,
    ]


def run_costs(costs: Costs, title: str) -> Table:
    """Return one run's costs: each side's servers, their total, and that by task and by solved task."""
    heads = (
        words(""), numbers("tokens in", short="in"), numbers("out"), numbers("thought", drop=5),
        numbers("busy s", drop=3), numbers("metered s", drop=6), numbers("wall s"), numbers("GPU-h", drop=2),
        numbers("money"), numbers("energy", drop=4),
    )  # fmt: skip
    rows: list[tuple[str, ...]] = []
    tones: list[str] = []
    sides: tuple[tuple[str, Side, tuple[ServerCost, ...]], ...] = (
        ("as if alone", "alone", costs.alone), ("really spent", "spent", costs.spent),
    )  # fmt: skip
    for name, side, servers in sides:
        shares = (("  a task", costs.per_task(side)), ("  a solved task", costs.per_solved(side)))
        rows.append((name, *[""] * (len(heads) - 1)))
        rows += [(f"  {each.endpoint}", *_cells(each, 1, each.paid)) for each in servers]
        rows.append(("  total", *_cells(total := costs.total(side), 1, total.money)))
        for label, share in shares:
            rows.append((label, *(_cells(share, 2, share.money) if share else [NOTHING] * (len(heads) - 1))))
        tones += ["bold"] + [""] * (len(servers) + 3)
    solved = [] if costs.solved else ["no cost per solved task: none was solved"]
    return listed(
        "run-costs",
        f"{costs.run}: {costs.pipeline} on {title}, {costs.solved} of {costs.tasks} tasks solved, "
        f"{costs.calls} calls",
        heads, rows, notes=[*costs.notes, *solved], tones=tones,
    )  # fmt: skip


def overview(found: Sequence[tuple[Costs, str]]) -> Table:
    """Return a row for each run with its suite's title: what a task took as if alone, and what was spent."""
    alike = len({(costs.pipeline, title) for costs, title in found}) < len(found)
    suites = len({title for _, title in found})
    fields: list[Field[tuple[Costs, str]] | None] = [
        left("pipeline", lambda row: row[0].pipeline),
        left("run", lambda row: own_name(row[0].run)) if alike else None,
        left("suite", lambda row: row[1], drop=0 if suites > 1 else 4),
        right("solved", lambda row: f"{row[0].solved}/{row[0].tasks}", drop=1),
        *(
            right(head, lambda row, at=name, digits=digits: _of_task(row[0], at, digits), drop=drop)
            for head, name, digits, drop in (
                ("in/task", "prompt_tokens", 0, 5), ("out/task", "completion_tokens", 0, 0),
                ("thought", "reasoning_tokens", 0, 6), ("busy s", "busy_seconds", 2, 3),
                ("wall s", "wall_seconds", 2, 0),
            )
        ),
        right("money/task", lambda row: known(row[0].per_task("alone"), _money)),
        right("money/solved", lambda row: known(row[0].per_solved("alone"), _money), drop=2),
        right("spent: out", lambda row: count(row[0].total("spent").completion_tokens), drop=7),
    ]  # fmt: skip
    notes = [
        "tokens and seconds of a task as if the run were alone; spent: what the run itself asked for",
        "each server, GPU-hours and energy: --details, or one run",
    ]
    return Grid(found, fields).table("costs-overview", f"{len(found)} runs: what a task took", notes=notes)


def _of_task(costs: Costs, name: str, digits: int) -> str:
    return known(costs.per_task("alone"), lambda task: decimal(getattr(task, name), digits))


def _money(total: Total) -> str:
    return money(total.money)


def _cells(of: ServerCost | Total, digits: int, paid: Mapping[str, float]) -> list[str]:
    """Return the cells of a server (`digits` 1), of a total, or (2) of a task's share of it."""
    tokens = (of.prompt_tokens, of.completion_tokens, of.reasoning_tokens)
    seconds = (of.busy_seconds, of.metered_seconds, of.wall_seconds)
    return [
        *(count(amount, digits - 1) for amount in tokens),
        *(decimal(amount, digits) for amount in seconds),
        decimal(of.gpu_hours, 2 * digits + 1),
        money(paid),
        energy(of.joules),
    ]
