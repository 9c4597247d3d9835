"""`dualcode duel`: planner against implementer on issues of repositories, at what price."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dualcode.cli.duel_report import COMMANDS
from dualcode.cli.options import (
    COUNT,
    EXIT_ERRORED,
    PATH,
    WholeSummaries,
    json_option,
    print_json,
    spelled,
    telling,
    unsafe_option,
)

if TYPE_CHECKING:
    from dualcode.duels.forecast import DuelForecast
    from dualcode.duels.preparing import Prepared
    from dualcode.duels.records import Cell, DuelRecords


class RunByDefault(WholeSummaries):
    """A group that takes what is no command of its own for the file that `run` is to run."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            args = ["run", *args]
        return super().resolve_command(ctx, args)


@click.group("duel", cls=RunByDefault)
def command() -> None:
    """Measure who should plan and who should implement: every pair on real issues, per unit of money.

    A duel is a TOML file: models, issues, trials, limits. Hidden tests decide what is solved; judges may
    score beside them. docs/duels.md has the table of keys.

    \b
    Example:
      dualcode duel forecast duel.toml
      dualcode duel duel.toml
      dualcode duel show duels/duel
    """


_root = click.option(
    "--duels", "root", type=PATH, default=Path("duels"), show_default=True, metavar="FOLDER",
    help="Where duels lie, each in a folder of its name.",
)  # fmt: skip
_config = click.argument("config", type=PATH, metavar="CONFIG.toml")


@command.command("run")
@_config
@_root
@click.option("--fresh", is_flag=True, help="Begin a duel beside the one that could be gone on with.")
@click.option("--concurrency", type=COUNT, help="Cells at a time, instead of the file's.")
@unsafe_option
@click.option("--quiet", "-q", is_flag=True, help="No forecast, and no progress.")
@json_option
def run(
    config: Path,
    root: Path,
    fresh: bool,
    concurrency: int | None,
    unsafe: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Fight a duel, or go on with it: whatever ended it, nothing is paid twice.

    `dualcode duel CONFIG.toml` is the same. The forecast is printed first. Cells that met a fault of ours are
    errored, and done again by the same command. Exit code 4 if there are any, 7 at the money limit.

    \b
    Example:
      dualcode duel run duel.toml --concurrency 2
    """
    from dualcode.duels.duel import folder_of, forecast_of, run_duel
    from dualcode.duels.preparing import prepare

    prepared = prepare(config)
    folder = folder_of(prepared, root, fresh=fresh)
    if not quiet:
        _tell_forecast(prepared, forecast_of(prepared, folder), err=True)

    tell = telling(not quiet)
    tell(f"in {folder}")
    records = asyncio.run(run_duel(prepared, folder, concurrency=concurrency, unsafe=unsafe, tell=tell))
    _print(records, folder, as_json=as_json)
    if any(cell.status == "errored" for cell in records.cells):
        sys.exit(EXIT_ERRORED)


@command.command("forecast")
@_config
@_root
@json_option
def forecast_duel(config: Path, root: Path, as_json: bool) -> None:
    """Say what a duel will take, before anything is asked: cells, calls, tokens, money.

    What is on record of it is what its nodes took; the rest is assumed, and marked so.

    \b
    Example:
      dualcode duel forecast duel.toml --json
    """
    from dualcode.duels.duel import folder_of, forecast_of
    from dualcode.duels.preparing import prepare

    prepared = prepare(config)
    found = forecast_of(prepared, folder_of(prepared, root))
    if as_json:
        whole = {"money": {name: each.model_dump() for name, each in found.money.items()}}
        print_json({**found.model_dump(mode="json"), **whole, "cautions": prepared.cautions})
    else:
        _tell_forecast(prepared, found, err=False)


@command.command("show")
@click.argument("folder", type=PATH, metavar="FOLDER")
@click.option("--cell", metavar="CONDITION/ISSUE/TRIAL", help="One cell: its plan, diff, steps and tests.")
@json_option
def show(folder: Path, cell: str | None, as_json: bool) -> None:
    """Show how a duel stands, finished or not: cells done, solved, and what they cost.

    \b
    Example:
      dualcode duel show duels/duel
      dualcode duel show duels/duel --cell 'kimi->qwen/flask-4041/1'
    """
    from dualcode.duels.store import read_duel

    records = read_duel(folder)
    if cell is None:
        _print(records, folder, as_json=as_json)
    else:
        _print_cell(records, folder, cell, as_json=as_json)


def _tell_forecast(prepared: "Prepared", found: "DuelForecast", *, err: bool) -> None:
    from dualcode.tables.cells import NOTHING, count, money

    def say(line: str) -> None:
        click.echo(line, err=err)

    issues, judged = len(prepared.tasks), found.judgements
    say(
        f"{prepared.name}: {len(prepared.conditions)} conditions x {issues} issues x "
        f"{prepared.config.trials} trials; {found.cells} of {found.of} cells, {found.plans} plans"
        f"{f' and at most {judged} judgements' if judged else ''} are left"
    )
    rows: list[tuple[str, ...]] = [("model", "calls", "tokens in", "tokens out", "money", "")]
    for each in found.models:
        ranges = (each.calls, each.prompt_tokens, each.completion_tokens)
        cells = [f"{count(span.least)}-{count(span.most)}" for span in ranges]
        paid = NOTHING
        if each.money is not None and each.currency is not None:
            ends = (each.money.least, each.money.most)
            paid = " to ".join(money({each.currency: amount}) for amount in ends)
        basis = f"measured on {each.measured} nodes" if each.measured else "assumed"
        rows.append((each.model, *cells, paid, basis))
    if found.models:
        _columns(rows, err=err)
    for currency, span in found.money.items():
        least = "at least, for others are unknown" if found.unknown else "in all"
        say(f"{money({currency: span.least})} to {money({currency: span.most})} {least}")
    for line in prepared.cautions:
        say(f"warning: {line}")


def _print(records: "DuelRecords", folder: Path, *, as_json: bool) -> None:
    from dualcode.duels.assembling import cost_of
    from dualcode.tables.cells import NOTHING, money

    duel, total = records.duel, len(records.duel.issues) * records.duel.trials
    rows: list[tuple[str, ...]] = [("condition", "done", "solved", "errored", "cost")]
    objects: list[dict[str, object]] = []
    for condition in duel.conditions:
        own = [cell for cell in records.cells if cell.condition == condition.id]
        done = [cell for cell in own if cell.status != "errored"]
        solved = sum(bool(cell.solved) for cell in done)
        paid, unknown = cost_of(done)
        told = f"{money(paid)}{f' and {unknown} unknown' if unknown else ''}" if done else NOTHING
        rows.append(
            (condition.id, f"{len(done)}/{total}", f"{solved}/{len(done)}", str(len(own) - len(done)), told)
        )
        counts = {"cells": total, "done": len(done), "solved": solved, "errored": len(own) - len(done)}
        objects.append({"condition": condition.id, **counts, "cost": paid, "unknown_cost": unknown})
    if as_json:
        about = {"folder": str(folder), "judgements": len(records.judgements), "note": duel.note}
        print_json({"duel": duel.name, **about, "conditions": objects})
        return
    _columns(rows)
    if duel.note:
        click.echo(f"note: {duel.note}")
    for cell in records.cells:
        if cell.status == "errored":
            click.echo(f"errored: {_name(cell)}: {cell.reason}")
    if records.judgements:
        click.echo(f"{len(records.judgements)} judgements")


def _print_cell(records: "DuelRecords", folder: Path, name: str, *, as_json: bool) -> None:
    from dualcode.duels.store import cell_folder
    from dualcode.errors import UnknownNameError
    from dualcode.tables.cells import NOTHING, money
    from dualcode.workflows.store import TESTS, Place

    cells = {_name(cell): cell for cell in records.cells}
    if name not in cells:
        raise UnknownNameError("cell", name, cells, hint=f"{spelled()} duel show {folder}")
    cell = cells[name]
    steps = records.steps.get(cell.key, ())
    if as_json:
        whole = cell.model_dump(mode="json")
        print_json({**whole, "steps": [step.model_dump(mode="json") for step in steps]})
        return
    reason = cell.verdict.reason if cell.verdict else cell.reason
    click.echo(f"{name}: {cell.status}, {'solved' if cell.solved else f'not solved: {reason}'}")
    rows: list[tuple[str, ...]] = [("phase", "model", "status", "calls", "cost", "")]
    for phase in cell.phases:
        paid = NOTHING if phase.money is None else money(phase.money)
        shared = "shared" if phase.shared else ""
        rows.append((phase.name, phase.model or "", phase.status, str(phase.calls), paid, shared))
    _columns(rows)
    for title, text in (("plan", cell.plan), ("diff", cell.diff)):
        if text:
            click.echo(f"\n--- {title}\n{text}")
    for step in steps:
        click.echo(
            f"\n--- {step.node}, step {step.number}\n{step.said.strip()}\n> {step.observation.strip()}"
        )
    if tests := Place(cell_folder(folder, cell.key)).read(TESTS):
        click.echo(f"\n--- tests\n{tests.encode('utf-8', 'surrogateescape').decode('utf-8', 'replace')}")


def _name(cell: "Cell") -> str:
    return "/".join(map(str, cell.key))


def _columns(rows: list[tuple[str, ...]], *, err: bool = False) -> None:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        line = "  ".join(each.ljust(width) for each, width in zip(row, widths, strict=True))
        click.echo(line.rstrip(), err=err)


for each_command in COMMANDS:
    command.add_command(each_command)
