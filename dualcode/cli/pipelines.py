"""`dualcode pipelines`: what pipelines there are."""

import click

from dualcode.cli.options import print_columns


@click.command("pipelines")
@click.option("--check", metavar="NAME,…", help="Only say whether these are there: exit code 0, or 2.")
def pipelines(check: str | None) -> None:
    """List the pipelines: the paper's, controls, our own, and those in `pipelines/`."""
    from dualcode.pipelines.find import find_pipelines
    from dualcode.pipelines.find import pipelines as all_pipelines

    if check is not None:
        find_pipelines(check)
        return
    rows = [(each.name, each.paper, each.summary) for each in all_pipelines().values()]
    print_columns(rows)
