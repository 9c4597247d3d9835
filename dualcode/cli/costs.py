"""`dualcode costs`: what runs took, a table each."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dualcode.analysis.costs import Costs, Side


SIDES: "tuple[Side, ...]" = ("alone", "spent")


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN…")
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON object a run on stdout instead of tables."
)
def costs(runs: tuple[Path, ...], as_json: bool) -> None:
    """Show what runs took: tokens, seconds, GPU-hours, money, joules, by task and by solved task.

    As if alone: calls that the ledger replayed count as they were made. Really spent: what this run asked and
    paid for. A folder of runs stands for all of them.

    \b
    Example:
      dualcode costs runs/humaneval-review-fix-1a2b3c4d
    """
    from dualcode.analysis.costs import costs_of
    from dualcode.analysis.runs import load_runs
    from dualcode.cli.terminal import show
    from dualcode.tables.costs import run_costs

    for run in load_runs(runs):
        found = costs_of(run)
        if as_json:
            click.echo(json.dumps(to_json(found)))
            continue
        show(run_costs(found, run.title))
        click.echo()


def to_json(costs: "Costs") -> dict[str, object]:
    """Return the object that `--json` prints: the costs, and their totals by side."""
    totals = {side: _totals(costs, side) for side in SIDES}
    return {**costs.model_dump(), "totals": totals}


def _totals(costs: "Costs", side: "Side") -> dict[str, object]:
    task, solved = costs.per_task(side), costs.per_solved(side)
    return {
        "total": costs.total(side).model_dump(),
        "per_task": task and task.model_dump(),
        "per_solved": solved and solved.model_dump(),
    }
