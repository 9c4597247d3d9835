"""`dualcode costs`: what runs took, a table for all of them, or one each."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dualcode.cli.options import PATH, json_of_each_option, print_json

if TYPE_CHECKING:
    from dualcode.analysis.costs import Costs, Side


SIDES: "tuple[Side, ...]" = ("alone", "spent")


@click.command()
@click.argument("runs", nargs=-1, required=True, type=PATH, metavar="RUN…")
@click.option(
    "--details", is_flag=True, help="Of several runs, a table each, with every server and both sides."
)
@json_of_each_option
def costs(runs: tuple[Path, ...], details: bool, as_json: bool) -> None:
    """Show what runs took: tokens, seconds, GPU-hours, money, joules, by task and by solved task.

    As if alone: calls that the ledger replayed count as they were made. Really spent: what this run asked and
    paid for. A folder of runs stands for all of them.

    \b
    Example:
      dualcode costs runs/humaneval-review-fix-1a2b3c4d
      dualcode costs runs --details
    """
    from dualcode.cli.steps import Steps

    with Steps() as tell:
        tell("reading the runs")
        from dualcode.analysis.costs import costs_of
        from dualcode.analysis.runs import load_runs, warn_of_changes

        loaded = load_runs(runs)
        found = [(costs_of(run), run.title) for run in loaded]
    warn_of_changes(loaded)
    if as_json:
        for each, _ in found:
            print_json(to_json(each))
        return
    from dualcode.cli.terminal import show
    from dualcode.tables.costs import overview, run_costs

    if len(found) > 1:
        show(overview(found))
    for each, title in found if details or len(found) == 1 else ():
        click.echo()
        show(run_costs(each, title))


def to_json(costs: "Costs") -> dict[str, object]:
    """Return the object that `--json` prints: the costs, and their totals by side."""
    totals: dict[str, object] = {}
    for side in SIDES:
        task, solved = costs.per_task(side), costs.per_solved(side)
        totals[side] = {
            "total": costs.total(side).model_dump(),
            "per_task": task and task.model_dump(),
            "per_solved": solved and solved.model_dump(),
        }
    return {**costs.model_dump(), "totals": totals}
