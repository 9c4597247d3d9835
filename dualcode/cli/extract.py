"""`dualcode extract`: models' raw replies -> samples."""

from pathlib import Path

import click

from dualcode.cli.options import dataset_options, load


@click.command("extract")
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
    from dualcode.grading.responses import extract_file

    tasks = {task.id: task for task in load(dataset, data).tasks}
    report = extract_file(responses, output, tasks)
    click.echo(
        f"{report.rows} replies: {report.compiled} programs compile, {report.defined} define their entry "
        f"point, {report.without_code} replies hold no code; written to {output}"
    )
