"""`dualcode pipelines`: what pipelines there are."""

import click

from dualcode.cli.options import print_columns
from dualcode.errors import PipelineError


@click.command("pipelines")
@click.option("--check", metavar="NAME,…", help="Only say whether these are there: exit code 0, or 2.")
def pipelines(check: str | None) -> None:
    """List the pipelines: the paper's, controls, our own, and those in `pipelines/`.

    What cannot be loaded is left out, and named on stderr.
    """
    from dualcode.pipelines.find import find_pipelines
    from dualcode.pipelines.find import pipelines as all_pipelines

    if check is not None:
        find_pipelines(check)
        return
    rows = [(each.name, each.paper, each.summary) for each in all_pipelines(_left_out).values()]
    print_columns(rows)


def _left_out(error: PipelineError) -> None:
    click.echo(f"left out: {error}", err=True)
