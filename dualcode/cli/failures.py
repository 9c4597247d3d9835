"""`dualcode failures`: why a pipeline lost tasks that the baseline had solved."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dualcode.analysis.runs import Run
    from dualcode.verdict import Part


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    help="The run to compare with. Default: the raw-coder run beside it, of the same data and tasks.",
)
@click.option(
    "--part",
    type=click.Choice(["base", "plus"]),
    help="Which tests decide. Default: plus where the suite has them, which takes both to pass.",
)
@click.option(
    "--explain", "task", metavar="TASK", help="Show one task: programs, change, failing input, why."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def failures(run: Path, baseline: Path | None, part: "Part | None", task: str | None, as_json: bool) -> None:
    """Say why a run lost tasks that the raw coder had solved.

    Rules read both programs and the verdict; a task may show several classes, and the one that explains the
    verdict is its primary. Nothing is run.

    \b
    Example:
      dualcode failures runs/humaneval-plan-code-1a2b3c4d
      dualcode failures runs/humaneval-plan-code-1a2b3c4d --explain HumanEval/5
    """
    from dualcode.analysis.failures import regressions
    from dualcode.analysis.failures.baseline import find_baseline
    from dualcode.analysis.failures.explanation import explain_task, overview, view
    from dualcode.analysis.runs import load_run
    from dualcode.cli import printing

    own = load_run(run)
    other = load_run(baseline) if baseline else find_baseline(own)
    tests = part or own.hardest
    console = printing.console()
    if task is not None:
        told = explain_task(other, own, task, tests)
        click.echo(told.model_dump_json()) if as_json else console.print(view(told))
        if not as_json and told.failing_input:
            click.echo(_see(own, task))
        return
    found = regressions(other, own, tests)
    if as_json:
        counts = {"primary": found.counts(), "any": found.occurrences()}
        click.echo(json.dumps({**found.model_dump(), "counts": counts}))
        return
    _warn([other, own])
    console.print(overview(found, sum(other.passed(tests).values())))
    if found.regressions:
        click.echo(f"see dualcode failures {run} --explain {found.regressions[0].task_id}")


def _see(run: "Run", task: str) -> str:
    """Return the command that grades the program again: a verdict keeps no outputs."""
    samples = run.folder / "samples.jsonl"
    return f"\nexpected and got: dualcode score {samples} --dataset {run.dataset} --explain {task}"


def _warn(runs: "Sequence[Run]") -> None:
    from dualcode.analysis.comparability import differences

    for sentence in differences(runs):
        click.echo(f"note: {sentence}", err=True)
