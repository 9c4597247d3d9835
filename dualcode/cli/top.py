"""`dualcode top`: what servers, GPUs and runs do at this moment."""

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dualcode.cli.options import print_json, run_dir_option, team_options

if TYPE_CHECKING:
    from dualcode.operating.top import Snapshot

FIRST = 1.0
"""Seconds between the two readings that a rate takes, at the start."""


@click.command("top")
@team_options
@run_dir_option()
@click.option(
    "--interval", type=click.FloatRange(min=0.2), default=2.0, show_default=True,
    help="Seconds from one reading to the next.",
)  # fmt: skip
@click.option("--once", is_flag=True, help="Show one reading and end.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a reading instead of tables.")
@click.option(
    "--prometheus", "port", type=click.IntRange(1, 65535), metavar="PORT",
    help="Show nothing; answer http://HOST:PORT/metrics with the readings.",
)  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, help="Where --prometheus listens.")
def top(once: bool, as_json: bool, port: int | None, **options: Any) -> None:
    """Show live what each server, GPU and run under work does: tokens a second, queue, cache, pass@1 so far.

    Where the output is no terminal it is a line for each, every reading. Ctrl-C ends it.

    \b
    Example:
      dualcode top --once
    """
    if port is not None and (once or as_json):
        raise click.UsageError("--prometheus shows nothing; give it without --once and --json")
    with contextlib.suppress(KeyboardInterrupt):  # the way in which one ends it
        asyncio.run(_watch(once=once, as_json=as_json, port=port, **options))


async def _watch(
    team: Any, run_dir: Path, interval: float, once: bool, as_json: bool, port: int | None, host: str
) -> None:
    from rich.console import Group
    from rich.live import Live

    from dualcode.cli.terminal import console
    from dualcode.operating.forms import expose, lines, tables
    from dualcode.operating.top import Watcher
    from dualcode.tables.forms import to_terminal

    screen, latest = console(), list["Snapshot"]()
    async with contextlib.AsyncExitStack() as parts:
        watcher = await parts.enter_async_context(Watcher(team, run_dir))
        if port is not None:
            latest.append(await watcher.take())
            parts.callback(expose(lambda: latest[-1], host, port))
            click.echo(f"metrics at http://{host}:{port}/metrics")
        live = None
        if port is None and not (as_json or once) and screen.is_terminal:
            live = parts.enter_context(Live(console=screen, auto_refresh=False))
        if (await watcher.take()).servers:
            await asyncio.sleep(min(FIRST, interval))
        while True:
            latest[:] = [await watcher.take()]
            shown = Group(*(to_terminal(each, screen.width) for each in tables(latest[0])))
            if as_json:
                print_json(latest[0].to_json())
            elif live is not None:
                live.update(shown, refresh=True)
            elif once:
                screen.print(shown)
            elif port is None:
                click.echo("\n".join(lines(latest[0])))
            if once:
                return
            await asyncio.sleep(interval)
