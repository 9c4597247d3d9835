"""`dualcode serve`: start, stop, status, logs, build."""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dualcode.cli.options import WholeSummaries, spelled

if TYPE_CHECKING:
    pass

Function = TypeVar("Function", bound=Callable[..., Any])
NOT_HEALTHY = 3


class DefaultToStart(WholeSummaries):
    """A group in which a line without a subcommand means `start`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `start` in front of arguments that name no subcommand."""
        bare = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        if bare and not ctx.resilient_parsing:  # which a shell's completion asks for
            args = ["start", *args]
        return super().parse_args(ctx, args)


def state_option(function: Function) -> Function:
    """Add `--state` to a command."""
    return click.option(
        "--state",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder for pids and logs. Default: $DUALCODE_STATE_DIR or the user's state folder.",
    )(function)


def profile_options(function: Function) -> Function:
    """Add `--profile` and `--bf16` to a command."""
    bf16 = click.option(
        "--bf16", is_flag=True, help="Serve the small model in bf16 where the profile says AWQ."
    )
    named = click.option(
        "--profile",
        default="a10g",
        show_default=True,
        metavar="NAME|PATH",
        help="What to serve: a folder under serving/, or a path to one.",
    )
    return named(bf16(function))


@click.group(cls=DefaultToStart)
def serve() -> None:
    """Start, stop and look at the two vLLM servers (without a subcommand: start)."""


@serve.command()
@profile_options
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port-free", is_flag=True, help="Take any free ports instead of the profile's.")
@state_option
def start(profile: str, bf16: bool, host: str, port_free: bool, state: Path | None) -> None:
    """Start the servers of a profile and wait until they answer."""
    from dualcode.serving import pair, profiles

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)  # so that an ended `start` ends its servers, too
    loaded = profiles.load(profile)
    pair.start(
        loaded.in_bf16() if bf16 else loaded, host=host, ports="free" if port_free else None, state=state
    )


@serve.command()
@state_option
def stop(state: Path | None) -> None:
    """Stop the servers and everything that they started."""
    from dualcode.serving import pair

    stopped = pair.stop(state)
    click.echo(f"stopped {', '.join(stopped)}" if stopped else "nothing is running")


@serve.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@state_option
def status(as_json: bool, state: Path | None) -> None:
    """Show the servers. Exit code 0 if all are healthy, 3 if not or if none runs."""
    from dualcode.serving import pair

    found = pair.status(state)
    if as_json:
        click.echo(json.dumps([server.model_dump(mode="json") for server in found]))
    elif found:
        from dualcode.cli.terminal import show
        from dualcode.tables.grid import listed, numbers, words

        heads = (
            words("server"), numbers("pid", drop=3), numbers("port"), words("model", drop=1), words("health"),
            numbers("max_model_len", drop=2), numbers("uptime", drop=2),
        )  # fmt: skip
        rows: list[tuple[str, ...]] = []
        for each in found:
            minutes, seconds = divmod(int(each.uptime), 60)
            length = "" if each.max_model_len is None else str(each.max_model_len)
            up = f"{minutes}:{seconds:02}"
            rows.append((each.name, str(each.pid), str(each.port), each.model, each.health, length, up))
        show(listed("servers", "", heads, rows))
    else:
        click.echo(f"nothing is running\n  try: {spelled()} serve start")
    healthy = bool(found) and all(server.health == "healthy" for server in found)
    sys.exit(0 if healthy else NOT_HEALTHY)


@serve.command()
@click.argument("server", required=False)
@click.option("--lines", "-n", default=40, show_default=True, help="How many lines of each log.")
@click.option("--follow", "-f", is_flag=True, help="Go on as lines are written.")
@state_option
def logs(server: str | None, lines: int, follow: bool, state: Path | None) -> None:
    """Print the logs of the servers, or of one SERVER."""
    from dualcode.serving import pair

    for name, line in pair.logs(state, server, lines=lines):
        click.echo(line if server else f"{name}: {line}")
    if follow:
        for name, line in pair.follow(state, server):
            click.echo(line if server else f"{name}: {line}")


@serve.command()
@profile_options
def build(profile: str, bf16: bool) -> None:
    """Build the small models of a profile, without starting anything, and print their folders."""
    from dualcode.serving import checkpoints, interpreter, pair, profiles

    loaded = profiles.load(profile)
    loaded = loaded.in_bf16() if bf16 else loaded
    wanted = list(dict.fromkeys(server.spec.make for server in loaded.servers if server.spec.make))
    found = checkpoints.ensure(wanted, interpreter.find(), say=pair.to_stderr) if wanted else {}
    for model, folder in found.items():
        click.echo(f"{model} {folder}")
