"""`dualcode doctor`: what is wrong on this machine and with the servers, and what to do."""

import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from dualcode.cli.options import json_option, print_json, run_dir_option, team_options

EXIT_FAILED = 3
_COLOURS = {"pass": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}


@click.command("doctor")
@team_options
@run_dir_option()
@click.option("--no-load", is_flag=True, help="Ask no server for a token: only what costs nothing.")
@json_option
def doctor(team: Any, run_dir: Path, no_load: bool, as_json: bool) -> None:
    """Look at the machine, the data and every server; say of each whether it is well, and what to do if not.

    GPUs, driver, disk, sandbox, suites' data, the servers' logs; and of each server what it can do, its
    prefix cache, its speed alone and full, whether a batch changes greedy replies, and known failures in its
    metrics. Exit code 3 if something fails.

    \b
    Example:
      dualcode doctor --no-load
    """
    found = asyncio.run(_examined(team, run_dir, load=not no_load, shown=not as_json))
    counts = Counter(each["status"] for each in found)
    if as_json:
        print_json({"checks": found, "counts": dict(counts)})
    else:
        words = {"pass": "well", "warn": "to know", "fail": "wrong", "skip": "not looked at"}
        click.echo(", ".join(f"{counts[status]} {word}" for status, word in words.items() if counts[status]))
    if counts["fail"]:
        sys.exit(EXIT_FAILED)


async def _examined(team: Any, run_dir: Path, *, load: bool, shown: bool) -> list[dict[str, Any]]:
    """Return all checks, each shown as soon as it is found."""
    from rich.text import Text

    from dualcode.cli.terminal import console
    from dualcode.operating.doctor import examine

    screen, found = console(), list[dict[str, Any]]()

    def say(line: str) -> None:
        if shown:
            click.secho(f"  … {line}", dim=True, err=True)

    async for each in examine(team, run_dir, load=load, say=say):
        found.append(each.model_dump())
        if shown:
            line = Text(f"{each.status:<5}", _COLOURS[each.status])
            line.append(f"{each.about}: ", "bold").append(each.found, "")
            screen.print(line, soft_wrap=not screen.is_terminal)
            if each.remedy:
                screen.print(Text(f"     try: {each.remedy}", "dim"), soft_wrap=not screen.is_terminal)
    return found
