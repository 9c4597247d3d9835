"""`dualcode reviewer`: what the reviewer's verdicts and the fixes were worth."""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dualcode.cli.options import (
    COUNT,
    EXIT_ERRORED,
    PATH,
    WholeSummaries,
    data_option,
    json_of_each_option,
    json_option,
    limit_option,
    no_ledger_option,
    print_json,
    quiet_option,
    run_dir_option,
    split_names,
    team_options,
    telling,
    unsafe_option,
)
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
    "review-fix-confirmed",
    "review-fix-filtered",
)
"""The built-in pipelines that review drafts."""


class _JudgesByDefault(WholeSummaries):
    """A group whose command is `judge` where none is named: `dualcode reviewer RUN`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `judge` before what names no command."""
        named = args[:1] and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else ["judge", *args])


@click.group("reviewer", cls=_JudgesByDefault)
def reviewer() -> None:
    """Judge the reviewer: in runs that were made, or on programs whose truth is known.

    `dualcode reviewer RUN...` is `dualcode reviewer judge RUN...`.

    \b
    Example:
      dualcode reviewer runs --no-grade
      dualcode reviewer bench --suite mini
    """


@reviewer.command("judge")
@click.argument("paths", metavar="RUN...", nargs=-1, required=True, type=PATH)
@click.option(
    "--no-grade", is_flag=True, help="Leave drafts unknown that no given run graded; run no program."
)
@click.option(
    "--data", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The benchmark's file that the runs were made with, if it is not found.",
)  # fmt: skip
@click.option(
    "--details", is_flag=True, help="Of several runs, the tables of each, not their overview alone."
)
@json_of_each_option
def judge(paths: Sequence[Path], no_grade: bool, data: Path | None, details: bool, as_json: bool) -> None:
    """Judge the reviewer of runs: its verdicts against the truth of the drafts, and what the fixes did.

    RUN is a run's folder, or a folder of runs. Whether a draft is right is known from the run and from the
    others given (the baseline's samples usually are the drafts); what none of them graded is graded now, in
    the sandbox, and kept in the run's drafts.jsonl. The same follows by quartiles of specification richness.

    \b
    Example:
      dualcode reviewer runs/humaneval-review-fix-1a2b3c4d runs/humaneval-raw-coder-5e6f7a8b
      dualcode reviewer runs --no-grade --json
    """
    if no_grade and data is not None:
        raise click.UsageError("--data is for grading: leave out --no-grade")
    from dualcode.cli.steps import Steps

    with Steps() as tell:
        tell("reading the runs")
        from dualcode.analysis.runs import load_runs, warn_of_changes

        loaded = load_runs(paths)
        judged = reports_on(loaded, grade=not no_grade, data=data)
    warn_of_changes(loaded)
    if as_json:
        for _, report in judged:
            print_json(report.to_json())
        return
    if len(judged) > 1:
        from dualcode.cli.terminal import show
        from dualcode.tables.reviewers import overview

        show(overview(judged))
    for run, report in judged if details or len(judged) == 1 else ():
        _print(report, run)


@reviewer.command("bench")
@click.option(
    "--suite", required=True, metavar="SUITE",
    help="A name (see `dualcode datasets`), or the file or folder of a suite of your own.",
)  # fmt: skip
@data_option("The benchmark's own file.")
@limit_option
@click.option("--tasks", callback=split_names, metavar="ID,ID…", help="Only these tasks.")
@click.option("--mutants", type=COUNT, default=2, show_default=True, help="Wrong programs a task.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the mutants.")
@click.option(
    "--form", "forms", multiple=True, metavar="NAME|FOLDER",
    help="How a review is asked for: verdict, findings, values, or a folder of prompts. May be repeated. "
    "Default: all three.",
)  # fmt: skip
@click.option(
    "--thinking", type=click.Choice(["both", "on", "off"]), default="both", show_default=True,
    help="Of models that can be switched.",
)  # fmt: skip
@click.option(
    "--roles", callback=split_names, metavar="ROLE,…", default="reviewer", show_default=True,
    help="Whose models review.",
)  # fmt: skip
@team_options
@run_dir_option("Where the reviews are kept; the same command goes on there.")
@click.option("--concurrency", type=COUNT, help="Reviews at a time. Default: fill servers.")
@no_ledger_option
@unsafe_option
@json_option
@quiet_option
def bench(forms: tuple[str, ...], as_json: bool, quiet: bool, **options: Any) -> None:
    """Put a reviewer to the test on programs whose truth is known.

    They are a suite's own solutions, which are right, and mutants of them that its hidden tests fail, one
    change each. Recall, specificity, what the findings are worth when they are run, seconds, tokens and
    money a review: by form of the review, thinking on and off, and model.

    \b
    Example:
      dualcode reviewer bench --suite mini
      dualcode reviewer bench --suite humaneval --limit 40 --form verdict --form my-prompts/
    """
    from dualcode.cli.terminal import show
    from dualcode.reviews.prompt_sets import BUILT_IN
    from dualcode.reviews.trial import TrialOptions, try_reviewers
    from dualcode.tables.trial import trial_table

    asked = TrialOptions(forms=forms or BUILT_IN, **options)
    trial = asyncio.run(try_reviewers(asked, _throttled(quiet)))
    if as_json:
        print_json(trial.to_json())
    else:
        title = f"{trial.title}: reviews of {trial.right} right and {trial.wrong} wrong programs"
        notes = (
            [f"{len(trial.missing)} tasks have fewer programs: {trial.missing[0]}"] if trial.missing else []
        )
        show(trial_table(trial.standings, title, [*notes, f"every review: {trial.folder}"]))
    if errored := trial.wanted - len(trial.reviews):
        click.echo(
            f"errored: {errored} of {trial.wanted} reviews; the same command does them again", err=True
        )
        sys.exit(EXIT_ERRORED)


def _throttled(quiet: bool) -> Callable[[str], None]:
    """Return what tells progress on stderr, at most every two seconds."""
    last = [0.0]

    def tell(text: str) -> None:
        now = time.monotonic()
        if not quiet and now - last[0] >= 2:
            last[0] = now
            click.echo(text, err=True)

    return tell


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
    truth = asyncio.run(truths(runs, grade=grade, data=data, tell=telling(True)))
    reports = [(run, review_report(run, truth[run.id], run.richness)) for run in reviewing]
    return [(run, report) for run, report in reports if report is not None]
