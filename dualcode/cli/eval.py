"""`dualcode eval`: pipelines over a suite, graded, with their price."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dualcode.cli.options import EXIT_ERRORED, EXIT_LEAK, running_options, unsafe_option

if TYPE_CHECKING:
    from dualcode.runs.evaluate import Result


@click.command("eval")
@click.option(
    "--pipeline",
    required=True,
    metavar="NAME,…",
    help="A name (see `dualcode pipelines`), several, `all`, or FILE.py:NAME.",
)
@click.option(
    "--dataset",
    default="mini",
    show_default=True,
    metavar="SUITE",
    help="A name (see `dualcode datasets`), or the file or folder of a suite of your own.",
)
@click.option(
    "--data", type=click.Path(path_type=Path), help="The benchmark's own file, .jsonl or .jsonl.gz."
)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N tasks.")
@click.option("--tasks", metavar="ID,ID…", help="Only these tasks, such as HumanEval/0,HumanEval/7.")
@running_options
@click.option("--no-ledger", is_flag=True, help="Ask every call anew; neither read nor fill RUN-DIR/ledger.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON object a run on stdout instead of tables."
)
@unsafe_option
def command(tasks: str | None, as_json: bool, **options: Any) -> None:
    """Run a pipeline over a benchmark, grade it, and print pass@1 with its interval and its price.

    A run lies in RUN-DIR/ID, with the transcript of every call. If it is killed, the same command resumes
    it; a changed configuration starts another run.

    \b
    Example:
      scripts/serve.sh start --profile cpu
      dualcode eval --pipeline review-fix --dataset mini --limit 8
    """
    from dualcode.cli import printing, terminal
    from dualcode.runs.evaluate import EvalOptions, evaluate

    wanted = tuple(part.strip() for part in tasks.split(",") if part.strip()) if tasks else ()
    asked = EvalOptions(tasks=wanted, **options)
    done = asyncio.run(evaluate(asked, terminal.console(stderr=True)))
    for each in done:
        if as_json:
            click.echo(json.dumps(each.to_json()))
        else:
            _print_result(each)
    if len(done) > 1 and not as_json:
        terminal.show(printing.comparison([each.summary for each in done]))
    if not all(each.audit.clean for each in done):
        sys.exit(EXIT_LEAK)
    if not all(each.summary.complete for each in done):
        sys.exit(EXIT_ERRORED)


def _print_result(done: "Result") -> None:
    from dualcode.cli import printing

    if done.resumed == done.summary.tasks:
        click.echo("this run was complete already; --fresh runs it anew", err=True)
    printing.result(done.summary, done.folder)
    if done.sandbox is not None:
        click.echo(f"programs ran in: {done.sandbox.name} (dualcode sandbox says what holds there)")
    click.echo(printing.audited(done.audit))
