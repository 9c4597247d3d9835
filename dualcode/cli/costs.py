"""`dualcode costs`: what runs took, a table each."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table

    from dualcode.analysis.costs import Costs, ServerCost, Side, Total
    from dualcode.analysis.runs import Run


SIDES: "tuple[Side, ...]" = ("alone", "spent")
COLUMNS = ("", "tokens in", "out", "thought", "busy s", "metered s", "wall s", "GPU-h", "money", "energy")


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
    from dualcode.cli import printing

    console = printing.console()
    for run in load_runs(runs):
        found = costs_of(run)
        if as_json:
            click.echo(json.dumps(to_json(found)))
            continue
        console.print(table(found, run))
        for note in notes(found):
            click.echo(f"  {note}")
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


def notes(costs: "Costs") -> Iterator[str]:
    """Yield what stands under the table: why something is `–`."""
    yield from costs.notes
    if not costs.solved:
        yield "no cost per solved task: none was solved"


def table(costs: "Costs", run: "Run") -> "Table":
    """Return a run's table: each side with its servers, their total, and that by task and by solved task."""
    from rich import box
    from rich.table import Table

    title = (
        f"{costs.run}: {costs.pipeline} on {run.title}, "
        f"{costs.solved} of {costs.tasks} tasks solved, {costs.calls} calls"
    )
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", title_style="bold")
    for name in COLUMNS:
        drawn.add_column(name, justify="right" if name else "left", overflow="fold")
    drawn.add_row("as if alone", style="bold")
    _add(drawn, costs, "alone", costs.alone)
    drawn.add_section()
    drawn.add_row("really spent", style="bold")
    _add(drawn, costs, "spent", costs.spent)
    return drawn


def _add(drawn: "Table", costs: "Costs", side: "Side", servers: "Sequence[ServerCost]") -> None:
    for server in servers:
        drawn.add_row(f"  {server.endpoint}", *_server(server))
    drawn.add_row("  total", *_total(costs.total(side), whole=True))
    for name, share in (("a task", costs.per_task(side)), ("a solved task", costs.per_solved(side))):
        cells = _total(share, whole=False) if share else ["–"] * (len(COLUMNS) - 1)
        drawn.add_row(f"  {name}", *cells)


def _server(server: "ServerCost") -> list[str]:
    hours = None if server.gpus is None else len(server.gpus) * server.wall_seconds / 3600
    money = {} if server.money is None else {server.currency or "": server.money}
    tokens = (server.prompt_tokens, server.completion_tokens, server.reasoning_tokens)
    seconds = (server.busy_seconds, server.metered_seconds, server.wall_seconds)
    return _cells(tokens, seconds, hours, money, server.joules, whole=True)


def _total(total: "Total", *, whole: bool) -> list[str]:
    tokens = (total.prompt_tokens, total.completion_tokens, total.reasoning_tokens)
    seconds = (total.busy_seconds, total.metered_seconds, total.wall_seconds)
    return _cells(tokens, seconds, total.gpu_hours, total.money, total.joules, whole=whole)


def _cells(
    tokens: Sequence[float],
    seconds: Sequence[float | None],
    gpu_hours: float | None,
    money: Mapping[str, float],
    joules: float | None,
    *,
    whole: bool,
) -> list[str]:
    return [
        *(f"{amount:,.{0 if whole else 1}f}" for amount in tokens),
        *(_number(amount, 1 if whole else 2) for amount in seconds),
        _number(gpu_hours, 3 if whole else 5),
        " + ".join(f"{currency}{amount:.4f}" for currency, amount in money.items()) or "–",
        _energy(joules),
    ]


def _number(amount: float | None, digits: int) -> str:
    if amount is None:
        return "–"
    return f"{amount:,.{digits}f}" if amount else "0"


def _energy(joules: float | None) -> str:
    if joules is None:
        return "–"
    return f"{joules:,.1f} J" if joules < 10_000 else f"{joules / 1000:,.1f} kJ"
