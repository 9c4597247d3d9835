"""`dualcode reviewer`: what the reviewer's verdicts and the fixes were worth."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dualcode.errors import InputError

if TYPE_CHECKING:
    from dualcode.analysis.reviewer import ReviewerReport
    from dualcode.analysis.runs import Run

REVIEWING = (
    "review-fix",
    "review-fix-retry",
    "adversarial",
    "enriched",
    "gated",
    "self-review",
    "swapped",
    "review-fix-guarded",
    "review-fix-tests",
)
"""The built-in pipelines that review drafts."""


@click.command("reviewer")
@click.argument("paths", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--no-grade", is_flag=True, help="Leave drafts unknown that no given run graded; run no program."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The benchmark's file that the runs were made with, if it is not found.",
)
@click.option(
    "--details", is_flag=True, help="Of several runs, the tables of each, not their overview alone."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON object a run on stdout instead of tables."
)
def reviewer(paths: Sequence[Path], no_grade: bool, data: Path | None, details: bool, as_json: bool) -> None:
    """Judge the reviewer: its verdicts against the hidden truth of the drafts, and what the fixes did.

    RUN is a run's folder, or a folder of runs. Whether a draft is right is known from the run and from the
    others given (the baseline's samples usually are the drafts); what none of them graded is graded now, in
    the sandbox, and kept in the run's drafts.jsonl. The same follows by quartiles of specification richness.

    \b
    Example:
      dualcode reviewer runs/humaneval-review-fix-1a2b3c4d runs/humaneval-raw-coder-5e6f7a8b
      dualcode reviewer runs --no-grade --json
    """
    from dualcode.cli.steps import Steps

    with Steps() as tell:
        tell("reading the runs")
        from dualcode.analysis.runs import load_runs, warn_of_changes

        loaded = load_runs(paths)
        judged = reports_on(loaded, grade=not no_grade, data=data)
    warn_of_changes(loaded)
    if as_json:
        for _, report in judged:
            click.echo(json.dumps(report.to_json()))
        return
    if len(judged) > 1:
        from dualcode.cli.terminal import show
        from dualcode.tables.reviewers import overview

        show(overview(judged))
    for run, report in judged if details or len(judged) == 1 else ():
        _print(report, run)


def _print(report: "ReviewerReport", run: "Run") -> None:
    from dualcode.cli.terminal import show
    from dualcode.runs.summary import unread_warning
    from dualcode.tables import reviewers as tables

    whole = report.overall
    tests = "base and plus tests" if run.hardest == "plus" else "base tests"
    show(f"{report.run}: {report.pipeline} on {run.title}", style="bold")
    if warning := unread_warning(whole.confusion.off_schema, whole.tasks):
        show(warning, style="bold yellow")
    show(f"{whole.tasks} of {len(run.tasks)} tasks reviewed; right and wrong as hidden {tests} say")
    if whole.confusion.ungraded:
        show(
            f"drafts not graded: {whole.confusion.ungraded}; they are unknown, and in no rate", style="yellow"
        )
        show(tables.BIASED, style="yellow")
    if whole.confusion.off_schema:
        show(
            f"unread reviews, whose replies held no verdict: {whole.confusion.off_schema}; their drafts stood"
            " unjudged, and are in no rate",
            style="yellow",
        )
    for table in (tables.matrix(whole.confusion), tables.rates(whole.confusion), tables.fixes(whole.fixes)):
        show(table)
        click.echo()
    if report.quartiles:
        show(tables.quartiles(report.quartiles))
        click.echo()


def reports_on(
    runs: "Sequence[Run]", *, grade: bool, data: Path | None = None
) -> "list[tuple[Run, ReviewerReport]]":
    """Return the report on each run with reviews; the others only tell what they know of the drafts.

    What stays unknown, and why, goes to stderr. Raises InputError if no run has a review.
    """
    from dualcode.analysis.drafts import first_reviews, truths
    from dualcode.analysis.reviewer import review_report

    reviewing = [run for run in runs if first_reviews(run)]
    if not reviewing:
        named = ", ".join(f"{run.id} ({run.pipeline})" for run in runs)
        raise InputError(f"no draft was reviewed in {named}", hint=f"a run of {', '.join(REVIEWING)}")
    truth = asyncio.run(
        truths(runs, grade=grade, data=data, tell=lambda message: click.echo(message, err=True))
    )
    reports = [(run, review_report(run, truth[run.id], run.richness)) for run in reviewing]
    return [(run, report) for run, report in reports if report is not None]
