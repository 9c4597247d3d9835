"""The command line: parse, build, call, print. What takes time to import is imported where it is used."""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dualcode import __version__
from dualcode.errors import DualcodeError
from dualcode.serving.__main__ import serve

if TYPE_CHECKING:
    from dualcode.eval.suites import Suite

EXIT_ERRORED = 4
EXIT_INTERRUPTED = 130

EXIT_CODES = """\b
Exit codes:
  0    done
  1    a fault in dualcode itself
  2    a wrong option, file, name or configuration
  3    a server that is not there, died or was lost; the same command resumes a run
  4    done, but some tasks have no verdict (errored): the same command does them again
  130  interrupted; the same command resumes a run"""

F = TypeVar("F", bound=Callable[..., Any])


@click.group(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dualcode")
def cli() -> None:
    """Two local models write better code together: one writes, the other reviews."""


cli.add_command(serve)


def dataset_options(command: F) -> F:
    """Add --dataset and --data."""
    command = click.option(
        "--data",
        type=click.Path(path_type=Path),
        help="The benchmark's own file (.jsonl or .jsonl.gz), instead of EvalPlus's cache or download.",
    )(command)
    return click.option(
        "--dataset",
        required=True,
        metavar="NAME",
        help="mini, humaneval, mbpp or humaneval-base; see `datasets`.",
    )(command)


@cli.command("eval")
@click.option("--pipeline", required=True, metavar="NAME", help="See `dualcode pipelines`.")
@click.option("--dataset", default="mini", show_default=True, metavar="NAME", help="See `dualcode datasets`.")
@click.option(
    "--data", type=click.Path(path_type=Path), help="The benchmark's own file, .jsonl or .jsonl.gz."
)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N tasks.")
@click.option("--tasks", metavar="ID,ID…", help="Only these tasks, such as HumanEval/0,HumanEval/7.")
@click.option(
    "--team", type=click.Path(path_type=Path), help="The team's TOML. Default: the started servers."
)
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Where runs lie.",
)
@click.option(
    "--concurrency", type=click.IntRange(min=1), help="Tasks at a time. Default: fill every server."
)
@click.option("--fresh", is_flag=True, help="Begin a new run, even if this one is there to be resumed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout instead of tables.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def eval_command(tasks: str | None, as_json: bool, **options: Any) -> None:
    """Run a pipeline over a benchmark, grade it, and print pass@1 with its interval and its price.

    A run lies in RUN-DIR/ID, with the transcript of every call. If it is killed, the same command resumes
    it; a changed configuration starts another run.

    \b
    Example:
      scripts/serve.sh start --profile cpu
      dualcode eval --pipeline review-fix --dataset mini --limit 8
    """
    from dualcode.eval import job, report

    wanted = tuple(part.strip() for part in tasks.split(",") if part.strip()) if tasks else ()
    done = asyncio.run(job.evaluate(job.EvalOptions(tasks=wanted, **options), report.console(stderr=True)))
    if as_json:
        click.echo(json.dumps(done.summary.to_json() | {"folder": str(done.folder), "resumed": done.resumed}))
    else:
        if done.resumed == done.summary.tasks:
            click.echo("this run was complete already; --fresh runs it anew", err=True)
        report.console().print(report.result(done.summary, done.folder))
    if not done.summary.complete:
        sys.exit(EXIT_ERRORED)


@cli.command()
def pipelines() -> None:
    """List the pipelines."""
    from dualcode.dropins import pipelines as all_pipelines

    rows = [(each.name, each.paper, each.summary) for each in all_pipelines().values()]
    _print_columns(rows)


@cli.command()
@click.option("--check", metavar="NAME", help="Only say whether this one's data is here: exit code 0, or 2.")
def datasets(check: str | None) -> None:
    """List the benchmarks, and whether their data is on this machine."""
    from dualcode.errors import SuiteError
    from dualcode.eval.suites import SUITES, find_entry

    if check is not None:
        ready, detail = find_entry(check).availability()
        if not ready:
            raise SuiteError(f"{check}: {detail}")
        return
    for entry in SUITES:
        ready, detail = entry.availability()
        _print_columns([(entry.name, f"{entry.size} tasks", entry.description)])
        click.echo(f"{'':18}{'ready: ' if ready else ''}{detail}")


@cli.command()
@click.argument("samples", type=click.Path(path_type=Path))
@dataset_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout instead of a table.")
def score(samples: Path, dataset: str, data: Path | None, as_json: bool) -> None:
    """Grade a file of samples in EvalPlus's format: task_id with solution or completion, a line each.

    \b
    Example:
      dualcode score runs/mini-raw-coder-1a2b3c4d/samples.jsonl --dataset mini --json
    """
    from dualcode.eval.report import console
    from dualcode.eval.score import score_samples

    suite = _suite(dataset, data)
    result = score_samples(samples, suite, console(stderr=True))
    click.echo(json.dumps(result.to_json())) if as_json else console().print(result.table())
    if result.base.errored:
        sys.exit(EXIT_ERRORED)


@cli.command()
@click.argument("responses", type=click.Path(path_type=Path))
@dataset_options
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The samples file to write."
)
def extract(responses: Path, dataset: str, data: Path | None, output: Path) -> None:
    """Turn models' raw replies (task_id, response a line) into samples in EvalPlus's format.

    \b
    Example:
      dualcode extract --dataset humaneval RESPONSES.jsonl -o SAMPLES.jsonl
      dualcode score SAMPLES.jsonl --dataset humaneval
    """
    from dualcode.responses import extract_file

    tasks = {task.id: task for task in _suite(dataset, data).tasks}
    report = extract_file(responses, output, tasks)
    click.echo(
        f"{report.rows} replies: {report.compiled} programs compile, {report.defined} define their entry "
        f"point, {report.without_code} replies hold no code; written to {output}"
    )


@cli.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("task", required=False)
@click.option("--prompts", is_flag=True, help="The messages that were sent, too.")
def show(run: Path, task: str | None, prompts: bool) -> None:
    """Show a run's result and tasks, or the transcript of one task.

    \b
    Example:
      dualcode show runs/mini-review-fix-1a2b3c4d MiniRich/3
    """
    from dualcode.eval import report
    from dualcode.eval.store import read_run
    from dualcode.eval.summary import summarize

    records, console = read_run(run), report.console()
    if task is not None:
        report.print_transcript(console, records, task, prompts=prompts)
        return
    console.print(report.task_list(records))
    console.print(report.result(summarize(records), run))


def _suite(dataset: str, data: Path | None) -> "Suite":
    from dualcode.eval.suites import load_suite

    return load_suite(dataset, data=data)


def _print_columns(rows: Sequence[tuple[str, str, str]]) -> None:
    for name, place, text in rows:
        click.echo(f"{name:<18}{place:<11}{text}")


def main(prefix: Sequence[str] = (), program: str = "dualcode") -> None:
    """Run the command line and end the process; every error of ours is printed, with what to try."""
    try:
        cli.main([*prefix, *sys.argv[1:]], prog_name=program, standalone_mode=False)
    except DualcodeError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; the same command resumes a run", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
