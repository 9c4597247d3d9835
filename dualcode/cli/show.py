"""`dualcode show`: a run's result and tasks, or one task's transcript."""

from pathlib import Path

import click

from dualcode.cli.options import PATH, print_json


@click.command("show")
@click.argument("run", type=PATH)
@click.argument("task", required=False)
@click.option("--prompts", is_flag=True, help="The messages that were sent, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout; it has the messages.")
def show(run: Path, task: str | None, prompts: bool, as_json: bool) -> None:
    """Show a run's result and tasks, or the transcript of one task.

    \b
    Example:
      dualcode show runs/mini-review-fix-1a2b3c4d MiniRich/3
    """
    if prompts and task is None:
        raise click.UsageError("--prompts is of one task: give RUN and TASK")
    from dualcode.analysis.runs import Run, warn_of_changes
    from dualcode.cli import printing, terminal
    from dualcode.runs.store import read_run
    from dualcode.runs.summary import summarize

    records = read_run(run)
    own = Run(run, records)
    warn_of_changes([own])
    if records.damage:
        click.echo(f"damaged lines are left out\n  try: {own.mend_hint}", err=True)
    if as_json and task is not None:
        click.echo(printing.transcript(records, task, run).model_dump_json())
    elif as_json:
        found = {"run": records.manifest.id, "folder": str(run), "result": summarize(records).to_json()}
        print_json({**found, "tasks": list(printing.tasks(records))})
    elif task is not None:
        printing.print_transcript(terminal.console(), records, task, run, prompts=prompts)
    else:
        terminal.show(printing.task_list(records))
        printing.result(summarize(records), run)
