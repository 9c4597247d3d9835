"""`dualcode datasets`: what suites there are, and whether their data is here."""

import click

from dualcode.cli.options import print_columns


@click.command("datasets")
@click.option("--check", metavar="NAME", help="Only say whether this one's data is here: exit code 0, or 2.")
def datasets(check: str | None) -> None:
    """List the suites that have a name, and whether their data is on this machine.

    `--dataset` takes a file or a folder of your own, too: see `dualcode suite`.
    """
    from dualcode.errors import SuiteError
    from dualcode.suites.registry import entries, find_entry

    if check is not None:
        ready, detail = find_entry(check).availability()
        if not ready:
            raise SuiteError(f"{check}: {detail}")
        return
    for entry in entries():
        ready, detail = entry.availability()
        print_columns([(entry.name, f"{entry.size} tasks" if entry.size else "", entry.description)])
        click.echo(f"{'':20}{'ready: ' if ready else ''}{detail}")
