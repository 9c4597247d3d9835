"""`dualcode score`: a file of samples, graded."""

import sys
from pathlib import Path
from typing import Any

import click

from dualcode.cli.options import (
    COUNT,
    EXIT_ERRORED,
    PATH,
    dataset_options,
    json_option,
    load,
    print_json,
    unsafe_option,
)


@click.command("score")
@click.argument("samples", type=PATH)
@dataset_options
@click.option("--workers", type=COUNT, help="Programs at a time. Default: one a core.")
@click.option("--base-only", is_flag=True, help="Without the plus tests.")
@click.option(
    "--explain", "explained", multiple=True, metavar="TASK",
    help="Grade only this task's samples and say why they fail: input, expected, got, traceback, printed. "
    "May be repeated.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=PATH,
    help="Write the results to this file in EvalPlus's format (eval_results.json).",
)  # fmt: skip
@click.option(
    "--evalplus-compatible", is_flag=True,
    help="Compare as EvalPlus 0.3.1 does where that is wrong: nothing passes HumanEval/32.",
)  # fmt: skip
@unsafe_option
@json_option
def score(
    samples: Path,
    dataset: str,
    data: Path | None,
    explained: tuple[str, ...],
    output: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Grade samples in EvalPlus's formats.

    A file has task_id with solution or completion, a line each; a folder has HumanEval_0/0.py and so on.

    Programs run in a sandbox (`dualcode sandbox` says what it holds). With several samples a task, pass@1,
    pass@10 and pass@100 are the unbiased estimates. The first time, the benchmark's own solutions are run
    too; what they give is kept.

    \b
    Example:
      dualcode score runs/mini-raw-coder-1a2b3c4d/samples.jsonl --dataset mini --json
      dualcode score SAMPLES.jsonl --dataset humaneval --explain HumanEval/32
    """
    if explained and output is not None:
        raise click.UsageError("--explain grades some tasks and writes no results: leave out --output")
    from dualcode.sandbox.early import starting

    with starting(1 if explained else options["workers"]):  # while the rest is imported
        _score(samples, dataset, data, explained, output, as_json=as_json, options=options)


def _score(
    samples: Path,
    dataset: str,
    data: Path | None,
    explained: tuple[str, ...],
    output: Path | None,
    *,
    as_json: bool,
    options: dict[str, Any],
) -> None:
    from dualcode.cli.steps import Steps

    with Steps() as tell:
        tell("loading what grades")
        from dualcode.cli.scored import Bar, score_table
        from dualcode.cli.terminal import show
        from dualcode.grading import samples as files
        from dualcode.grading import scoring

    wanted = scoring.ScoreOptions.of(**options)
    if output is not None:
        files.check_output(output, samples)
    if explained:
        told = scoring.explain_samples(samples, load(dataset, data), explained, wanted)
        if as_json:
            print_json({"samples": [each.model_dump() for each in told]})
        else:
            click.echo("\n".join(line for each in told for line in each.lines()))
        return
    with Bar() as bar:
        suite, read, result = scoring.score_samples(samples, lambda: load(dataset, data), bar, wanted)
    if output is not None:
        files.write_results(output, suite, read, result.verdicts)
    if as_json:
        print_json(result.to_json())
    else:
        if result.caution:
            click.echo(result.caution)
        if notice := result.data.notice(result.dataset):
            show(notice, style="bold yellow")
        show(score_table(result))
    errored = [verdict for verdict in result.verdicts if verdict.errored]
    for verdict in errored[:5]:
        click.echo(f"errored: {verdict.task_id}: {verdict.base.reason}", err=True)
    if len(errored) > 5:
        click.echo(f"errored: {len(errored) - 5} more", err=True)
    if result.base.errored:
        sys.exit(EXIT_ERRORED)
