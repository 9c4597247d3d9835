"""`dualcode failures`: why a pipeline lost tasks that the baseline had solved."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dualcode.cli.options import PATH, json_option, print_json, spelled

if TYPE_CHECKING:
    from dualcode.analysis.failures.regression import Explained
    from dualcode.verdict import Part


@click.command()
@click.argument("run", type=PATH)
@click.option(
    "--baseline", type=PATH,
    help="The run to compare with. Default: the raw-coder run beside it, of the same data and tasks.",
)  # fmt: skip
@click.option(
    "--part", type=click.Choice(["base", "plus"]),
    help="Which tests decide. Default: plus where the suite has them, which takes both to pass.",
)  # fmt: skip
@click.option(
    "--explain", "task", metavar="TASK", help="Show one task: programs, change, failing input, why."
)
@json_option
def failures(run: Path, baseline: Path | None, part: "Part | None", task: str | None, as_json: bool) -> None:
    """Say why a run lost tasks that the raw coder had solved.

    Rules read both programs and the verdict; a task may show several classes, and the one that explains the
    verdict is its primary. Nothing is run.

    \b
    Example:
      dualcode failures runs/humaneval-plan-code-1a2b3c4d
      dualcode failures runs/humaneval-plan-code-1a2b3c4d --explain HumanEval/5
    """
    from dualcode.analysis.comparability import differences
    from dualcode.analysis.failures import regressions
    from dualcode.analysis.failures.regression import explain_task, find_baseline
    from dualcode.analysis.runs import load_run
    from dualcode.cli.terminal import show
    from dualcode.tables.regressions import classes, lost_tasks

    own = load_run(run)
    other = load_run(baseline) if baseline else find_baseline(own)
    tests = part or own.hardest
    if task is not None:
        told = explain_task(other, own, task, tests)
        click.echo(told.model_dump_json()) if as_json else _view(told)
        if not as_json and told.failing_input:
            samples = own.folder / "samples.jsonl"  # a verdict keeps no outputs: the program is graded again
            again = f"{spelled()} score {samples} --dataset {own.address} --explain {task}"
            click.echo(f"\nexpected and got: {again}")
        return
    found = regressions(other, own, tests)
    if as_json:
        counts = {"primary": found.counts(), "any": found.occurrences()}
        print_json({**found.model_dump(), "counts": counts})
        return
    for sentence in differences([other, own]):
        click.echo(f"note: {sentence}", err=True)
    passed = sum(other.passed(tests).values())
    show(
        f"{found.run}: {len(found.regressions)} of {passed} tasks lost that {found.baseline} passed ({tests})"
    )
    if found.regressions:
        for table in (classes(found), lost_tasks(found)):
            click.echo()
            show(table)
        click.echo(f"see {spelled()} failures {run} --explain {found.regressions[0].task_id}")


def _view(told: "Explained") -> None:
    """Print a task: what passed, what changed, on which input it fails, and why."""
    from dualcode.analysis.failures.source import one_line, printable
    from dualcode.cli.terminal import code, show

    show(f"{told.task_id}  {told.standing} ({told.part})\n", style="bold")
    if told.regression is None:
        show("This task is no regression, so it has no class.\n")
    show(code(printable(told.baseline_program), f"baseline's program ({told.baseline})"))
    if told.diff:
        show(code(printable(told.diff), f"change to the run's program ({told.run})", "diff"))
    else:
        show("The run's program is the baseline's, text for text.")
    for each in told.findings:
        where, actual, expected = (one_line(each[key], 200) for key in ("where", "actual", "expected"))
        show(f"review (call {one_line(each['call'])}): {where}: {actual} Expected: {expected}")
    if told.reason:
        where = f"\n  input: {printable(told.failing_input)}" if told.failing_input else ""
        show(f"verdict: {printable(told.reason)}{where}")
    for number, sign in enumerate(told.regression.signs if told.regression else ()):
        show(f"{'also ' if number else chr(10)}{sign.kind}: {printable(sign.evidence)}")
