"""`dualcode tables`: the paper's tables with our numbers, and ours, of any runs."""

import asyncio
from pathlib import Path

import click

from dualcode.cli.options import FOLDER, PATH

FORMS = ("md", "csv", "tex", "json")


@click.command("tables")
@click.argument("runs", nargs=-1, required=True, type=PATH, metavar="RUN…")
@click.option(
    "--name", "names", multiple=True, metavar="NAME",
    help="table-1 to table-4, pipelines, reviewers, regressions or costs; may be repeated. Default: all.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(FORMS), help="Default: md on stdout, all four with --output."
)
@click.option("--output", "-o", type=FOLDER, help="Write files into this folder.")
@click.option(
    "--baseline", metavar="PIPELINE", help="What others are compared with. Default: raw-coder, if it ran."
)
@click.option(
    "--grade", is_flag=True, help="Grade reviewed drafts that no run has a verdict of, and keep that."
)
def tables(
    runs: tuple[Path, ...],
    names: tuple[str, ...],
    form: str | None,
    output: Path | None,
    baseline: str | None,
    grade: bool,
) -> None:
    """Set runs and the paper's published numbers side by side, in columns that are never mixed.

    A folder stands for its runs, one of each pipeline. A table with nothing to show is left
    out, and stderr says why.

    \b
    Example:
      dualcode tables runs
      dualcode tables runs --name table-2 --format tex
      dualcode tables runs -o tables
    """
    from dualcode.cli.steps import Steps

    with Steps() as tell:
        tell("reading and comparing the runs")
        from dualcode.analysis.gather import gather
        from dualcode.cli.terminal import print_tables
        from dualcode.published.published import load_published
        from dualcode.tables.catalogue import build

        analysis = asyncio.run(gather(runs, baseline=baseline, grade=grade))
        made, absent = build(analysis, load_published(), names or None)
    print_tables(
        made, absent, form, output, usual="md", hint="dualcode tables RUN…, with other runs or --name"
    )
