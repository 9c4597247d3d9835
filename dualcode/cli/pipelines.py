"""`dualcode pipelines`: what pipelines there are."""

import click

from dualcode.cli.options import json_option, print_columns, print_json


@click.command("pipelines")
@click.option("--check", metavar="NAME,…", help="Only say whether these are there: exit code 0, or 2.")
@json_option
def pipelines(check: str | None, as_json: bool) -> None:
    """List the pipelines: the paper's, controls, our own, and those in `pipelines/`.

    What cannot be loaded is left out, and named on stderr.

    \b
    Example:
      dualcode pipelines --check review-fix,plan-code
    """
    from dualcode.pipelines.find import find_pipelines
    from dualcode.pipelines.find import pipelines as all_pipelines

    if check is not None:
        find_pipelines(check)
        return
    found = all_pipelines(lambda error: click.echo(f"left out: {error}", err=True)).values()
    if not as_json:
        print_columns([(each.name, each.paper, each.summary) for each in found])
        return
    rows = [
        {
            "name": each.name,
            "paper": each.paper,
            "summary": each.summary,
            "roles": each.roles,
            "calls": each.calls,
            "source": str(each.source),
        }
        for each in found
    ]
    print_json({"pipelines": rows})
