"""`dualcode gateway`: the pair as one model, for editors, agents and scripts."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dualcode.cli.options import COUNT, spelled, team_options, telling

if TYPE_CHECKING:
    from dualcode.config import TeamConfig

KEY = "DUALCODE_GATEWAY_KEY"


@click.command("gateway")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port; 0: any free one."
)
@click.option(
    "--pipelines", "names", default="all", show_default=True, metavar="NAME,…",
    help="Which pipelines can be asked for; a file's too: FILE.py:NAME.",
)  # fmt: skip
@click.option("--at-once", type=COUNT, help="Requests worked on at a time. Default: fill every server.")
@click.option(
    "--queue", "waiting", type=click.IntRange(min=0), default=64, show_default=True,
    help="Requests that may wait beside them; more are answered 503 with Retry-After.",
)  # fmt: skip
@click.option(
    "--max-bytes", "most_bytes", type=click.IntRange(min=1024), default=4 << 20, show_default=True,
    help="Largest body.",
)  # fmt: skip
@click.option(
    "--max-messages", "most_messages", type=COUNT, default=1000, show_default=True,
    help="Longest conversation.",
)  # fmt: skip
@click.option(
    "--cors", "origins", multiple=True, metavar="ORIGIN",
    help="A web page's origin that may ask; may be repeated.",
)  # fmt: skip
@click.option(
    "--api-key-env", "variable", default=KEY, show_default=True, metavar="NAME",
    help="The environment variable with the key that clients must send; unset: none.",
)  # fmt: skip
@click.option("--no-records", is_flag=True, help="Keep no record of the work; see `records`.")
@click.option("--keep-calls", is_flag=True, help="Keep what was said in the records, secrets taken out.")
@team_options
def gateway(
    host: str,
    port: int,
    names: str,
    variable: str,
    no_records: bool,
    team: "Path | TeamConfig | None",
    **settings: Any,
) -> None:
    """Serve the pair as one model: an OpenAI-compatible address for editors, agents and scripts.

    Each pipeline is a model, such as dualcode/review-fix; dualcode/review-fix:stream hands the draft over at
    once and amends it. Ctrl-C ends it.

    \b
    Example:
      dualcode gateway --port 8000
    """
    if no_records and settings["keep_calls"]:
        raise click.UsageError("give either --no-records or --keep-calls")
    click.echo("starting: loading what serves", err=True)
    from dualcode.gateway.service import Settings
    from dualcode.gateway.serving import LOCAL, bound, key_in, opened, require_key, serve
    from dualcode.journal import switched_on
    from dualcode.pipelines.find import find_pipelines
    from dualcode.serving.running import find_team

    key = key_in(variable)
    require_key(host, key, variable)
    decided = Settings(key=key, hosts=LOCAL if key is None else (), **settings)
    pipelines = find_pipelines(names)
    listening = bound(host, port)

    def announce(url: str) -> None:
        click.echo(f"the gateway answers at {url}")
        click.echo(f"records: {'kept; ' + spelled() + ' records' if keeps else 'none are kept'}", err=True)
        click.echo(f"key: {'asked for, $' + variable if key else 'none'}; Ctrl-C ends it", err=True)

    keeps = switched_on() and not no_records

    async def work() -> None:
        opening = opened(find_team(team), pipelines, decided, records=keeps, tell=telling(True))
        async with opening as made:
            for each in made.catalogue:
                takes = "any request" if each.alone or each.flow else "one Python function"
                click.echo(f"  {each.id:<36} {takes}", err=True)
            await serve(made, listening, announce)

    with listening:
        asyncio.run(work())
