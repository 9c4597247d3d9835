"""`dualcode extract`: models' raw replies -> samples."""

from pathlib import Path

import click

from dualcode.cli.options import PATH, dataset_options, load


@click.command("extract")
@click.argument("responses", type=PATH)
@dataset_options
@click.option("-o", "--output", type=PATH, required=True, help="The samples file to write.")
@click.option(
    "--key", metavar="NAME", help="The reply's key in a line. Default: response, solution or completion."
)
def extract(responses: Path, dataset: str, data: Path | None, output: Path, key: str | None) -> None:
    """Turn models' raw replies into samples in EvalPlus's format.

    A line has a task_id and a reply. EvalPlus's own raw files (.raw.jsonl) are such files.

    \b
    Example:
      dualcode extract --dataset humaneval RESPONSES.jsonl -o SAMPLES.jsonl
      dualcode score SAMPLES.jsonl --dataset humaneval
    """
    from dualcode.grading.samples import extract_file

    tasks = {task.id: task for task in load(dataset, data).tasks}
    report = extract_file(responses, output, tasks, key=key)
    click.echo(
        f"{report.rows} replies: {report.compiled} programs compile, {report.defined} define their entry "
        f"point, {report.without_code} replies hold no code; written to {output}"
    )
