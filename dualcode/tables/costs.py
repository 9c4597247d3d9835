"""What each server did for each run: as if the run were alone, and what was really spent."""

from dataclasses import dataclass
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.costs import Costs, ServerCost
from dualcode.published.published import Published
from dualcode.tables.cells import decimal, money
from dualcode.tables.grid import Field, Grid, left, right
from dualcode.tables.selection import part_title
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


def _amount(server: ServerCost) -> str:
    return money({} if server.money is None else {server.currency or "": server.money})


def _fields(rows: list[Row]) -> list[Field[Row] | None]:
    priced = any(row.alone.money is not None for row in rows)
    metered = any(row.spent.metered_seconds is not None for row in rows)
    powered = any(row.spent.joules is not None for row in rows)
    return [
        left("Suite", lambda row: row.suite),
        left("Pipeline", lambda row: row.costs.pipeline),
        left("Server", lambda row: row.alone.endpoint),
        right("alone: tokens in", lambda row: str(row.alone.prompt_tokens)),
        right("out", lambda row: str(row.alone.completion_tokens)),
        right("thought", lambda row: str(row.alone.reasoning_tokens)),
        right("busy s", lambda row: decimal(row.alone.busy_seconds)),
        right("wall s", lambda row: decimal(row.alone.wall_seconds)),
        right("money", lambda row: _amount(row.alone)) if priced else None,
        right("spent: tokens in", lambda row: str(row.spent.prompt_tokens)),
        right("spent: out", lambda row: str(row.spent.completion_tokens)),
        right("spent: busy s", lambda row: decimal(row.spent.busy_seconds)),
        right("spent: metered s", lambda row: decimal(row.spent.metered_seconds)) if metered else None,
        right("spent: wall s", lambda row: decimal(row.spent.wall_seconds)),
        right("spent: money", lambda row: _amount(row.spent)) if priced else None,
        right("spent: joules", lambda row: decimal(row.spent.joules, 0)) if powered else None,
    ]
