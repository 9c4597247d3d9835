"""`dualcode datasets`: what suites there are, and whether their data is here."""

import click

from dualcode.cli.options import json_option, print_below, print_columns, print_json, telling


@click.command("datasets")
@click.option("--check", metavar="NAME", help="Only say whether this one's data is here: exit code 0, or 2.")
@json_option
def datasets(check: str | None, as_json: bool) -> None:
    """List the suites that have a name, and whether their data is on this machine.

    `--dataset` takes a file or a folder of your own, too: see `dualcode suite`.

    \b
    Example:
      dualcode datasets --check humaneval
    """
    from dualcode.errors import SuiteError
    from dualcode.suites.registry import entries, find_entry

    if check is not None:
        ready, detail = find_entry(check).availability()
        if not ready:
            raise SuiteError(f"{check}: {detail}")
        return
    found = [(entry, *entry.availability()) for entry in entries(tell=telling(True))]
    if as_json:
        rows = [
            {
                "name": each.name,
                "tasks": each.size,
                "description": each.description,
                "ready": ready,
                "detail": detail,
            }
            for each, ready, detail in found
        ]
        print_json({"datasets": rows})
        return
    for entry, ready, detail in found:
        print_columns([(entry.name, f"{entry.size} tasks" if entry.size else "", entry.description)])
        print_below(" " * 20, f"{'ready: ' if ready else ''}{detail}")
