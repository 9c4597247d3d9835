"""`dualcode solve`: a specification in, a program out."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import click

from dualcode.cli.options import (
    EXIT_FOUND,
    PATH,
    json_option,
    print_json,
    quiet_option,
    team_options,
    telling,
    unsafe_option,
)
from dualcode.errors import InputError


@click.command("solve")
@click.argument("file", metavar="[FILE|-]", default="-")
@click.option(
    "--tests", type=PATH,
    help="Asserts, or functions test_…, that it must pass. The models see them; they run in the sandbox.",
)  # fmt: skip
@click.option(
    "--pipeline", default="review-fix-guarded", show_default=True, metavar="NAME",
    help="Who does what: see `dualcode pipelines`.",
)  # fmt: skip
@click.option("--entry-point", metavar="NAME", help="The function to write. Default: the file's last.")
@click.option("--write", type=PATH, help="Write the program there, not on stdout.")
@json_option
@team_options
@unsafe_option
@quiet_option
def solve(
    file: str,
    tests: Path | None,
    entry_point: str | None,
    write: Path | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Write the program that a specification asks for.

    FILE is a Python stub with its docstring, or text (.md, .txt); - reads stdin. Drafts, reviews and the
    tests that the specification shows are told on stderr as they happen; stdout has the program alone.
    Exit code 0 only if it passes every test that is there.

    \b
    Example:
      dualcode solve spec.md --tests test_spec.py --write spec.py
      cat spec.md | dualcode solve - > out.py
    """
    from dualcode.reviews.solving import SolveOptions, do_solve
    from dualcode.reviews.specification import read_specified, read_tests, read_text

    task = read_specified(file, entry_point)
    if not task.entry_point:
        raise InputError(f"{file} names no function", hint=f"dualcode solve {file} --entry-point NAME")
    if write is not None and write.is_dir():
        raise InputError(f"{write} is a folder", hint=f"--write {write / 'program.py'}")
    own = None if tests is None else read_tests(read_text(str(tests)), str(tests), task.entry_point)
    asked = SolveOptions(task=task, tests=own, **options)
    tell = telling(not quiet)
    written = asyncio.run(do_solve(asked, tell))
    text = f"{written.program.text.rstrip()}\n"
    if write is not None:
        write.write_text(text, encoding="utf-8")
        tell(f"written: {write}")
    if as_json:
        print_json(written.to_json())
    elif write is None:
        click.echo(text, nl=False)
    if not written.ok:
        tell(
            "it does not pass every test that is there" if written.program.compiles else "it does not compile"
        )
        sys.exit(EXIT_FOUND)
