"""`dualcode review`: what a reviewer finds in code or in a diff, tried before it is told."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dualcode.cli.options import (
    ABOVE_ZERO,
    EXIT_ERRORED,
    EXIT_FOUND,
    PATH,
    quiet_option,
    team_options,
    telling,
    unsafe_option,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dualcode.reviews.review import Found
    from dualcode.reviews.sources import Piece
    from dualcode.reviews.work import FailOn


@click.command("review")
@click.argument("files", metavar="[FILES|-]", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--diff", metavar="REV", help="What the working tree has that REV has not.")
@click.option(
    "--spec", type=PATH,
    help="What the code ought to do: an issue's text, a design. Default: its own docstrings.",
)  # fmt: skip
@click.option("--fix", is_flag=True, help="Let the coder mend what is confirmed; needs --test-cmd.")
@click.option(
    "--test-cmd", "test_command", metavar="COMMAND",
    help="The project's tests. They run on a copy, confined; files are written only if they pass.",
)  # fmt: skip
@click.option(
    "--test-seconds", type=ABOVE_ZERO, default=600.0, show_default=True,
    help="Most seconds of one run of the tests.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "sarif", "github", "gitlab"]), default="text",
    show_default=True,
    help="For people, for scripts, for code scanning, or a CI's annotations.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("-o", "--output", type=PATH, help="Write there instead of on stdout.")
@click.option(
    "--fail-on", type=click.Choice(["confirmed", "any", "never"]), default="confirmed", show_default=True,
    help="Which findings end the command with exit code 5; any: untried ones, too.",
)  # fmt: skip
@click.option(
    "--most-characters", "most", type=click.IntRange(min=500), default=12_000, show_default=True,
    help="Code in one request; longer files are cut by function.",
)  # fmt: skip
@team_options
@unsafe_option
@quiet_option
def review(
    files: tuple[Path, ...],
    diff: str | None,
    fix: bool,
    test_command: str | None,
    form: str,
    as_json: bool,
    output: Path | None,
    fail_on: "FailOn",
    quiet: bool,
    **options: Any,
) -> None:
    """Review files, a diff, or what comes on stdin, and try what is found.

    The reviewer reads the code against its specification. A finding that names an input is run in the
    sandbox where the language is Python: confirmed, if the program does what was said; refuted, if it does
    not; untried otherwise. Refuted findings are only counted.

    \b
    Example:
      dualcode review src/money.py --spec issue.md
      dualcode review --diff origin/main --format sarif --output review.sarif
      git diff | dualcode review -
    """
    from dualcode.reviews.forms import FORMS, summary, to_json
    from dualcode.reviews.sources import MOST_BYTES
    from dualcode.reviews.work import ReviewOptions, do_review, failing

    stdin = files == (Path("-"),)
    if (bool(files) + (diff is not None)) != 1 or (Path("-") in files and not stdin):
        raise click.UsageError("give FILES, or --diff REV, or - for stdin")
    if as_json and form not in ("text", "json"):
        raise click.UsageError(f"give either --json, or --format {form}")
    if test_command and not fix:
        raise click.UsageError("--test-cmd tries fixes: give --fix, too")
    if fix and not test_command:
        raise click.UsageError("--fix needs --test-cmd: a fix is written only if the project's tests pass")
    if fix and stdin:
        raise click.UsageError("--fix writes files, and stdin is none; give FILES or --diff REV")
    asked = ReviewOptions(
        files=() if stdin else files,
        diff=diff,
        stdin=sys.stdin.buffer.read(MOST_BYTES + 1) if stdin else None,
        test_command=test_command,
        **options,
    )

    tell = telling(not quiet)

    def heard(piece: "Piece", found: "Sequence[Found] | str") -> None:
        tell(f"{piece.place}: {found if isinstance(found, str) else f'{len(found)} findings'}")

    reviewed, mends = asyncio.run(do_review(asked, tell=tell, heard=heard))
    left = failing(reviewed, mends, fail_on)
    if as_json or form == "json":
        text = to_json(reviewed, mends, {"failing": left, "fail_on": fail_on})
    else:
        text = FORMS[form](reviewed, mends)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
    if form not in ("text", "json") or output is not None:
        for line in summary(reviewed):
            tell(line)
    if left:
        sys.exit(EXIT_FOUND)
    if reviewed.errored or reviewed.unread:
        sys.exit(EXIT_ERRORED)
