"""`dualcode export`: a run for Inspect's viewer, or for EvalPlus."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dualcode.cli.options import FOLDER, PATH, data_option

if TYPE_CHECKING:
    from dualcode.analysis.runs import Run


@click.command("export")
@click.argument("runs", nargs=-1, required=True, type=PATH, metavar="RUN…")
@click.option(
    "--format", "kind", type=click.Choice(["inspect", "evalplus", "evalplus-folder"]), default="inspect",
    show_default=True,
    help="inspect: a log for `inspect view`. evalplus: samples and problems for `evalplus.evaluate`; "
    "evalplus-folder: the samples as files such as HumanEval_0/0.py.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=FOLDER, metavar="FOLDER",
    help="Where to write. Default: a folder named like the format, beside the run.",
)  # fmt: skip
@click.option(
    "--replace", is_flag=True,
    help="Replace files that are there and differ: the run has gone on, or they were edited.",
)  # fmt: skip
@data_option("The benchmark's file that the runs were made with (evalplus only).")
def export(runs: Sequence[Path], kind: str, output: Path | None, replace: bool, data: Path | None) -> None:
    """Write finished runs for other tools: Inspect's log viewer, or EvalPlus.

    RUN is a run's folder, or a folder that holds runs. The same run always gives the same files, so a second
    export changes nothing.

    \b
    Example:
      dualcode export runs/mini-review-fix-1a2b3c4d
      inspect view --log-dir runs/inspect
      dualcode export runs/mini-review-fix-1a2b3c4d --format evalplus
    """
    if kind == "inspect" and data is not None:
        raise click.UsageError("--data is for --format evalplus: Inspect's logs hold no tests")
    from dualcode.analysis.runs import load_runs, warn_of_changes

    loaded = load_runs(runs)
    warn_of_changes(loaded)
    if kind == "inspect":
        _to_inspect(loaded, output, replace=replace)
    else:
        from dualcode.export.evalplus import write_samples
        from dualcode.suites.registry import suite_of

        for run in loaded:
            suite = suite_of(run.id, run.dataset, run.records.manifest.source, data)
            folder = output or run.folder.parent / "evalplus"
            as_folder = kind == "evalplus-folder"
            done = write_samples(run, suite, folder, replace=replace, as_folder=as_folder)
            click.echo(f"{done.samples} ({done.state})")
            if done.errored:
                click.echo(f"left out, without a verdict: {', '.join(done.errored)}", err=True)
            click.echo(f"to score it: {done.command}", err=True)


def _to_inspect(runs: "Sequence[Run]", output: Path | None, *, replace: bool) -> None:
    from dualcode.errors import ConfigError

    try:
        from dualcode.export.inspect import write_log
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "inspect_ai":
            raise
        what = "--format inspect needs the package inspect-ai, which is not installed"
        raise ConfigError(what, hint="pip install 'dualcode[inspect]'") from None
    folders: dict[Path, None] = {}
    for run in runs:
        path, state = write_log(run, output or run.folder.parent / "inspect", replace=replace)
        folders[path.parent] = None
        click.echo(f"{path} ({state})")
    for folder in folders:
        click.echo(f"to see it: inspect view --log-dir {folder}", err=True)
