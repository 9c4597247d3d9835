"""`dualcode audit`: whether a hidden test reached a model in a run."""

import asyncio
import sys
from pathlib import Path

import click

from dualcode.cli.options import EXIT_LEAK, PATH, data_option, json_option, unsafe_option


@click.command("audit")
@click.argument("run", type=PATH)
@data_option("The benchmark's file that the run was made with.")
@unsafe_option
@json_option
def audit(run: Path, data: Path | None, unsafe: bool, as_json: bool) -> None:
    """Look for hidden tests in all that a run's models were sent, and seal the run.

    Every request is compared, whole, with the hidden tests and the reference of its task; so is what the
    pipeline ran and returned. What stands in the prompt, or in what a model said before, is no leak. It also
    says what it cannot see. Exit code 5 if it finds anything, 3 if a sealed file was changed: such a run is
    not sealed anew.

    \b
    Example:
      dualcode audit runs/mini-review-fix-1a2b3c4d
    """
    from dualcode.cli import printing
    from dualcode.runs.seal import broken, inspect, require_whole, seal
    from dualcode.runs.store import read_run
    from dualcode.suites.registry import suite_of

    made = read_run(run).manifest
    suite = suite_of(made.id, made.configuration.dataset, made.source, data)
    found = asyncio.run((inspect if broken(run) else seal)(run, suite, unsafe=unsafe))
    click.echo(found.model_dump_json() if as_json else printing.audited(found, every=True))
    require_whole(run)
    if not found.clean:
        sys.exit(EXIT_LEAK)
