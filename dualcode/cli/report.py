"""`dualcode report`: finished runs as one file to look at."""

import tempfile
from pathlib import Path

import click

from dualcode.cli.options import PATH


@click.command()
@click.argument("runs", nargs=-1, metavar="RUN…", type=PATH)
@click.option("--records", is_flag=True, help="Draw the records of daily work instead of runs, day by day.")
@click.option(
    "-o", "--output", type=PATH, default=Path("report.html"), show_default=True, help="The file to write."
)
@click.option(
    "--baseline", metavar="PIPELINE",
    help="What the others are compared with. Default: raw-coder, or the first run's where that did not run.",
)  # fmt: skip
@click.option("--title", metavar="TEXT", help="What this is; stands above all else.")
@click.option("--note", metavar="TEXT", help="What a reader must know before the first number.")
@click.option(
    "--no-grade", is_flag=True,
    help="Judge reviewers only by drafts whose truth is known already; grade none for it.",
)  # fmt: skip
def report(
    runs: tuple[Path, ...],
    records: bool,
    output: Path,
    baseline: str | None,
    title: str | None,
    note: str | None,
    no_grade: bool,
) -> None:
    """Make one HTML file of finished runs: results, tables, figures, and every task's transcripts.

    RUN is a run's folder, or a folder of runs. The file needs no network and opens from the disk. Drafts that
    no run handed in are graded once, to judge their reviewers, unless --no-grade says not to. What takes
    longer than a moment is named on stderr.

    \b
    Example:
      dualcode report runs -o report.html
      dualcode report --records --output report.html
    """
    import asyncio

    from dualcode.cli.steps import Steps
    from dualcode.errors import RunError

    if records == bool(runs):
        raise click.UsageError("give either RUN…, or --records")
    if records and (baseline or note or no_grade):
        raise click.UsageError("--baseline, --note and --no-grade are of runs: leave them out with --records")
    if output.is_dir():
        raise RunError(f"{output} is a folder", hint=f"-o {output / 'report.html'}")
    from dualcode.cli.terminal import drawn_if_possible, print_written

    if records:
        from dualcode.journal import Journal, by_day
        from dualcode.report.records import write_records

        entries, damage = Journal().read()
        for each in damage:
            click.echo(f"warning: {each}", err=True)
        write_records(by_day(entries), output, title=title or "")
        print_written(output)
        return
    with Steps() as tell, tempfile.TemporaryDirectory() as folder:
        tell("loading what reads and draws")
        from dualcode.analysis.gather import gather
        from dualcode.figures.drawing import draw
        from dualcode.published.published import load_published
        from dualcode.report.page import write_report
        from dualcode.reviews.trial import read_trials
        from dualcode.tables.catalogue import tables
        from dualcode.tables.trial import trial_table

        tell("reading and comparing the runs")
        analysis = asyncio.run(
            gather(runs, baseline=baseline, title=title or "", note=note or "", grade=not no_grade)
        )
        published = load_published()
        drawn = drawn_if_possible(
            lambda: draw(analysis, published, Path(folder), tell=tell, forms=("svg",))[0]
        )
        tell("writing the report")
        tried = [trial_table(rows, title) for title, rows in read_trials(runs)]
        write_report(analysis, [*tables(analysis, published), *tried], drawn, output)
    print_written(output)
