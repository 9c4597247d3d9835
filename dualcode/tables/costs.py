"""What each server did for each run: as if the run were alone, and what was really spent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.costs import Costs, ServerCost, Side, Total
from dualcode.published.published import Published
from dualcode.tables.cells import NOTHING, count, decimal, energy, money
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
        return {
            "pipeline": self.costs.pipeline,
            "ours": {
                "run": self.costs.run,
                "dataset": self.costs.dataset,
                "tasks": self.costs.tasks,
                "solved": self.costs.solved,
                "alone": self.alone.model_dump(mode="json"),
                "spent": self.spent.model_dump(mode="json"),
            },
            "published": [],
        }


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
        right("money", lambda row: money(_money(row.alone))) if priced else None,
        right("spent: tokens in", lambda row: count(row.spent.prompt_tokens)),
        right("spent: out", lambda row: count(row.spent.completion_tokens)),
        right("spent: busy s", lambda row: decimal(row.spent.busy_seconds)),
        right("spent: metered s", lambda row: decimal(row.spent.metered_seconds)) if metered else None,
        right("spent: wall s", lambda row: decimal(row.spent.wall_seconds)),
        right("spent: money", lambda row: money(_money(row.spent))) if priced else None,
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
        total, by_task, by_solved = costs.total(side), costs.per_task(side), costs.per_solved(side)
        rows.append((name, *[""] * (len(heads) - 1)))
        rows += [(f"  {each.endpoint}", *_cells(each, 1, each.gpu_hours, _money(each))) for each in servers]
        rows.append(("  total", *_cells(total, 1, total.gpu_hours, total.money)))
        for label, share in (("  a task", by_task), ("  a solved task", by_solved)):
            cells = _cells(share, 2, share.gpu_hours, share.money) if share else [NOTHING] * (len(heads) - 1)
            rows.append((label, *cells))
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
    heads = (
        words("pipeline"), *([words("run")] if alike else []), words("suite", drop=0 if suites > 1 else 4),
        numbers("solved", drop=1), numbers("in/task", drop=5), numbers("out/task"),
        numbers("thought", drop=6), numbers("busy s", drop=3), numbers("wall s"), numbers("money/task"),
        numbers("money/solved", drop=2), numbers("spent: out", drop=7),
    )  # fmt: skip
    rows: list[tuple[str, ...]] = []
    for costs, title in found:
        task, solved = costs.per_task("alone"), costs.per_solved("alone")
        taken = [NOTHING] * 5 if task is None else [
            *(count(each) for each in (task.prompt_tokens, task.completion_tokens, task.reasoning_tokens)),
            decimal(task.busy_seconds, 2), decimal(task.wall_seconds, 2),
        ]  # fmt: skip
        amounts = [money(each.money) if each else NOTHING for each in (task, solved)]
        spent = count(costs.total("spent").completion_tokens)
        named = [own_name(costs.run)] if alike else []
        rows.append((costs.pipeline, *named, title, f"{costs.solved}/{costs.tasks}", *taken, *amounts, spent))
    notes = [
        "tokens and seconds of a task as if the run were alone; spent: what the run itself asked for",
        "each server, GPU-hours and energy: --details, or one run",
    ]
    return listed("costs-overview", f"{len(found)} runs: what a task took", heads, rows, notes=notes)


def _cells(
    of: ServerCost | Total, digits: int, hours: float | None, amounts: Mapping[str, float]
) -> list[str]:
    """Return the cells of a server (`digits` 1), of a total, or (2) of a task's share of it."""
    tokens = (of.prompt_tokens, of.completion_tokens, of.reasoning_tokens)
    seconds = (of.busy_seconds, of.metered_seconds, of.wall_seconds)
    return [
        *(count(amount, digits - 1) for amount in tokens),
        *(decimal(amount, digits) for amount in seconds),
        decimal(hours, 2 * digits + 1),
        money(amounts),
        energy(of.joules),
    ]


def _money(server: ServerCost) -> dict[str, float]:
    return {} if server.money is None else {server.currency or "": server.money}
