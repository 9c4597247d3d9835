"""The command line: parse, build, call, print. What takes time to import is imported where it is used."""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dualcode import __version__
from dualcode.analysis.compare_command import compare
from dualcode.analysis.costs_command import costs
from dualcode.analysis.failures_command import failures
from dualcode.analysis.reviewer_command import reviewer
from dualcode.errors import DualcodeError
from dualcode.export.command import export
from dualcode.figures.command import figures
from dualcode.ledger_command import ledger
from dualcode.options import EXIT_ERRORED, EXIT_LEAK, F, running_options, unsafe_option
from dualcode.report.command import report as report_command
from dualcode.sandbox.command import sandbox
from dualcode.serving.__main__ import serve
from dualcode.spec_command import spec
from dualcode.study.command import reproduce
from dualcode.tables.command import tables

if TYPE_CHECKING:
    from dualcode.eval.explain import Explanation
    from dualcode.eval.job import Result
    from dualcode.eval.suites import Suite
    from dualcode.verdict import Verdict

EXIT_INTERRUPTED = 130

EXIT_CODES = """\b
Exit codes:
  0    done
  1    a fault in dualcode itself
  2    a wrong option, file, name or configuration
  3    a server that is not there, died or was lost: the same command resumes a run; or a run that is none,
       damaged or unfinished
  4    done, but some tasks have no verdict (errored): the same command does them again
  5    done, but a hidden test reached a model: `audit` says where
  130  interrupted; the same command resumes a run"""


@click.group(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dualcode")
def cli() -> None:
    """Two local models write better code together: one writes, the other reviews."""


for command in (
    serve, ledger, spec, sandbox,
    reproduce, compare, reviewer, failures, costs, tables, figures, report_command, export,
):  # fmt: skip
    cli.add_command(command)


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
@click.option(
    "--pipeline",
    required=True,
    metavar="NAME,…",
    help="A name (see `dualcode pipelines`), several, `all`, or FILE.py:NAME.",
)
@click.option("--dataset", default="mini", show_default=True, metavar="NAME", help="See `dualcode datasets`.")
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
    asked = job.EvalOptions(tasks=wanted, **options)
    done = asyncio.run(job.evaluate(asked, report.console(stderr=True)))
    for each in done:
        if as_json:
            click.echo(json.dumps(each.to_json()))
        else:
            _print_result(each)
    if len(done) > 1 and not as_json:
        report.console().print(report.comparison([each.summary for each in done]))
    if not all(each.audit.clean for each in done):
        sys.exit(EXIT_LEAK)
    if not all(each.summary.complete for each in done):
        sys.exit(EXIT_ERRORED)


def _print_result(done: "Result") -> None:
    from dualcode.eval import report

    if done.resumed == done.summary.tasks:
        click.echo("this run was complete already; --fresh runs it anew", err=True)
    report.console().print(report.result(done.summary, done.folder))
    if done.sandbox is not None:
        click.echo(f"programs ran in: {done.sandbox.name} (dualcode sandbox says what holds there)")
    click.echo(report.audited(done.audit))


@cli.command()
@click.option("--check", metavar="NAME,…", help="Only say whether these are there: exit code 0, or 2.")
def pipelines(check: str | None) -> None:
    """List the pipelines: the paper's, controls, our own, and those in `pipelines/`."""
    from dualcode.dropins import find_pipelines
    from dualcode.dropins import pipelines as all_pipelines

    if check is not None:
        find_pipelines(check)
        return
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
        click.echo(f"{'':20}{'ready: ' if ready else ''}{detail}")


@cli.command()
@click.argument("samples", type=click.Path(path_type=Path))
@dataset_options
@click.option("--workers", type=click.IntRange(min=1), help="Programs at a time. Default: one a core.")
@click.option("--base-only", is_flag=True, help="Without the plus tests.")
@click.option(
    "--explain",
    "explained",
    multiple=True,
    metavar="TASK",
    help="Grade only this task's samples and say why they fail: input, expected, got, traceback, printed. "
    "May be repeated.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write the results to this file in EvalPlus's format (eval_results.json).",
)
@click.option(
    "--evalplus-compatible",
    is_flag=True,
    help="Compare as EvalPlus 0.3.1 does where that is wrong: nothing passes HumanEval/32.",
)
@unsafe_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout instead of a table.")
def score(
    samples: Path,
    dataset: str,
    data: Path | None,
    explained: tuple[str, ...],
    output: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Grade a file of samples in EvalPlus's format: task_id with solution or completion, a line each.

    Programs run in a sandbox (`dualcode sandbox` says what it holds). With several samples a task, pass@1,
    pass@10 and pass@100 are the unbiased estimates. The first time, the benchmark's own solutions are run
    too; what they give is kept.

    \b
    Example:
      dualcode score runs/mini-raw-coder-1a2b3c4d/samples.jsonl --dataset mini --json
      dualcode score SAMPLES.jsonl --dataset humaneval --explain HumanEval/32
    """
    from rich.console import Console

    from dualcode.eval import results, scoring

    wanted = scoring.ScoreOptions.of(**options)
    if output is not None:
        results.check_output(output, samples)
    if explained:
        told = scoring.explain_samples(samples, _suite(dataset, data), explained, wanted)
        click.echo(json.dumps([each.model_dump() for each in told]) if as_json else "\n".join(_text(told)))
        return
    error = Console(stderr=True)
    suite, read, result = scoring.score_samples(samples, lambda: _suite(dataset, data), error, wanted)
    if output is not None:
        results.write_results(output, suite, read, result.verdicts)
    if as_json:
        click.echo(json.dumps(result.to_json()))
    else:
        Console().print(result.table())
    _tell_errored(result.verdicts)
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
@click.option(
    "--data", type=click.Path(path_type=Path), help="The benchmark's file that the run was made with."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def audit(run: Path, data: Path | None, as_json: bool) -> None:
    """Prove that no hidden test reached a model in a run, and seal it.

    Every message is compared with every hidden test's arguments and result. What stands in the prompt, or in
    what a model said before, is no leak. Exit code 5 if there is one.

    \b
    Example:
      dualcode audit runs/mini-review-fix-1a2b3c4d
    """
    from dualcode.eval import report
    from dualcode.eval.seal import broken, seal
    from dualcode.eval.store import read_run

    if changed := broken(run):
        click.echo(f"changed since the run was sealed: {', '.join(changed)}", err=True)
    found = asyncio.run(seal(run, _suite(read_run(run).manifest.configuration.dataset, data)))
    click.echo(found.model_dump_json() if as_json else report.audited(found, every=True))
    if not found.clean:
        sys.exit(EXIT_LEAK)


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


def _text(explanations: "Sequence[Explanation]") -> Iterator[str]:
    for each in explanations:
        yield from each.lines()


def _tell_errored(verdicts: "Sequence[Verdict]") -> None:
    errored = [verdict for verdict in verdicts if verdict.errored]
    for verdict in errored[:5]:
        click.echo(f"errored: {verdict.task_id}: {verdict.base.reason}", err=True)
    if len(errored) > 5:
        click.echo(f"errored: {len(errored) - 5} more", err=True)


def _suite(dataset: str, data: Path | None) -> "Suite":
    from dualcode.eval.suites import load_suite

    return load_suite(dataset, data=data)


def _print_columns(rows: Sequence[tuple[str, str, str]]) -> None:
    for name, place, text in rows:
        click.echo(f"{name:<20}{place:<14}{text}")


def main(prefix: Sequence[str] = (), program: str = "dualcode") -> None:
    """Run the command line and end the process; every error of ours is printed, with what to try."""
    try:
        command = cli.commands[prefix[0]] if prefix else cli
        command.main([*prefix[1:], *sys.argv[1:]], prog_name=program, standalone_mode=False)
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
