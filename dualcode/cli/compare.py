"""`dualcode compare`: runs task by task against a baseline, with what chance alone could have done."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dualcode.verdict import Part


@click.command("compare")
@click.argument("paths", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--baseline",
    metavar="RUN|PIPELINE",
    help="What the others are compared with, on every suite. Default: raw-coder, else the first run.",
)
@click.option("--part", type=click.Choice(["base", "plus"]), help="Which tests. Default: plus where it is.")
@click.option("--tasks", is_flag=True, help="Every task gained and lost, not the first few.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def compare(
    paths: Sequence[Path], baseline: str | None, part: "Part | None", tasks: bool, as_json: bool
) -> None:
    """Compare runs task by task: what was gained and lost, and whether chance could have done it.

    RUN is a run's folder, or a folder of runs. Rates have Wilson intervals, differences a paired bootstrap
    and McNemar's exact test, and the number of tasks that would show them. Runs of two suites: also whether
    a pipeline gains more on one than on the other. Runs of other data or tasks are compared on what they
    share, and that is said first.

    \b
    Example:
      dualcode compare runs/mini-raw-coder-1a2b3c4d runs/mini-review-fix-5e6f7a8b
      dualcode compare runs --baseline review-fix --tasks
    """
    from dualcode.analysis import comparison_tables
    from dualcode.analysis.comparisons import compare_runs
    from dualcode.analysis.runs import load_runs
    from dualcode.cli.printing import console

    found = compare_runs(load_runs(paths), baseline, part)
    if as_json:
        click.echo(json.dumps(found.to_json()))
        return
    console().print(comparison_tables.page(found, every_task=tasks))
