"""`dualcode audit`: whether a hidden test reached a model in a run."""

import asyncio
import sys
from pathlib import Path

import click

from dualcode.cli.options import EXIT_LEAK


@click.command("audit")
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
    from dualcode.cli import printing
    from dualcode.runs.seal import broken, seal
    from dualcode.runs.store import read_run
    from dualcode.suites.registry import suite_of

    if changed := broken(run):
        click.echo(f"changed since the run was sealed: {', '.join(changed)}", err=True)
    made = read_run(run).manifest
    found = asyncio.run(seal(run, suite_of(made.id, made.configuration.dataset, made.source, data)))
    click.echo(found.model_dump_json() if as_json else printing.audited(found, every=True))
    if not found.clean:
        sys.exit(EXIT_LEAK)
