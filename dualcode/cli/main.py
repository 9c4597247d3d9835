"""The command line's one group, and how its errors end.

A command's file is imported when it is named, or when all are listed. What the machine refuses has one cause,
one exit code and one sentence, whichever command meets it.
"""

import contextlib
import errno
import os
import re
import resource
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import cast

import click

from dualcode import __version__
from dualcode.cli.options import WholeSummaries, spelled
from dualcode.errors import DualcodeError, SandboxError

EXIT_REFUSED = 6
EXIT_INTERRUPTED = 130

EXIT_CODES = """\b
Exit codes:
  0    done
  1    a fault in dualcode itself
  2    a wrong option, file, name or configuration; a suite with something to mend
  3    a server that is not there, died or was lost: the same command resumes a run; or a run that is none,
       damaged or unfinished; or no sandbox holds on this machine
  4    done, but some tasks have no verdict (errored): the same command does them again
  5    done, but something was found: by the audit a hidden test, or records that do not fit (`audit` says
       where); by a review what --fail-on names; of a program that was written, that it fails a test; of a
       judge, that it is not to be believed
  6    the machine refuses: a full disk, a folder that may not be written, an unusable HOME, few open files
  7    a duel's money limit is reached: the same command goes on once it is higher
  130  interrupted; the same command resumes a run"""

SECTIONS = {
    "Servers": ("serve", "doctor", "top", "quantize"),
    "At work": ("gateway", "solve", "review", "records"),
    "Measure": ("eval", "reproduce", "score", "extract", "pipelines", "datasets", "suite", "spec"),
    "Issues": ("issues", "workflow", "duel", "panel"),
    "Results": (
        "show", "compare", "reviewer", "failures", "costs", "tables", "figures", "report", "export", "audit",
    ),
    "This machine": ("sandbox", "ledger", "clean"),
}  # fmt: skip
"""The commands as the help lists them."""
COMMANDS = tuple(name for section in SECTIONS.values() for name in section)
"""Each stands in the file of its name."""


class LazyGroup(WholeSummaries):
    """A group whose commands are imported when they are wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        """Return the names, in the order in which a reader meets them."""
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, section by section."""
        for title, names in SECTIONS.items():
            self.write_commands(title, names, ctx, formatter)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        return command(cmd_name) if cmd_name in COMMANDS else None


def command(name: str) -> click.Command:
    """Return the command of this name."""
    found = import_module(f"dualcode.cli.{name}")
    return getattr(found, "command", None) or getattr(found, name)


@click.group(cls=LazyGroup, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dualcode")
def cli() -> None:
    """Two local models write better code together: one writes, the other reviews."""


def main(prefix: Sequence[str] = (), program: str = "dualcode") -> None:
    """Run the command line and end the process; every error of ours is printed, with what to try."""
    try:
        called = command(prefix[0]) if prefix else cli
        # What a command leaves with early click returns here; no command of ours returns anything.
        if code := called.main([*prefix[1:], *sys.argv[1:]], prog_name=program, standalone_mode=False):
            sys.exit(code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; the same command, without --fresh, resumes a run", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except Exception as error:
        if (refused := refusal(error)) is not None:
            hush()
            click.echo(f"error: {refused}", err=True)
            sys.exit(EXIT_REFUSED)
        first: BaseException = error
        while isinstance(first, BaseExceptionGroup):
            first = cast("BaseExceptionGroup[BaseException]", first).exceptions[0]
        if not isinstance(first, DualcodeError):
            raise  # a fault of dualcode's own
        # The README's way puts `dualcode` on PATH; where it is not, a hint says what works.
        typed = rf"(?<![\w./-])dualcode (?=(?:{'|'.join(COMMANDS)})\b)"
        text = re.sub(typed, lambda _: f"{spelled()} ", str(first))
        click.echo(f"error: {text}", err=True)
        sys.exit(first.exit_code)


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SHUT = (errno.EROFS, errno.EACCES, errno.EPERM)
_FEW = (errno.EMFILE, errno.ENFILE)
_DATABASE = {"SQLITE_FULL": _FULL[0], "SQLITE_READONLY": _SHUT[0], "SQLITE_CANTOPEN": _SHUT[1]}
"""The ledger's own names of the same causes."""


def refusal(error: BaseException) -> str | None:
    """Return what to tell of an error that the machine caused, with what to try; None for any other.

    A room that met it may have named the file, and may have said so in an error of its own: the cause counts.
    """
    causes = list(_causes(error))
    told = next((each.message for each in causes if isinstance(each, DualcodeError)), "")
    sandbox = any(isinstance(each, SandboxError) for each in causes)  # it says what the kernel refuses itself
    for each in causes:
        number, file = _DATABASE.get(getattr(each, "sqlite_errorname", "")), ""
        if isinstance(each, OSError):
            number, file = each.errno, str(each.filename or "")
        where = told or file or "what was being written"
        if number in _FULL:
            return f"the disk is full: {where}\n  try: free space there, then the same command again"
        if number in _FEW:
            most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            return (
                f"too few files may be open at a time ({most})\n  try: ulimit -n 4096, then the same command"
            )
        # Without a file it is a system call, or a port, and the room's own error says more.
        if number in _SHUT and not sandbox and (file or not isinstance(each, OSError)):
            look = f"ls -ld {file}" if file else "its rights"
            return f"this user may not read or write there: {where}\n  try: another folder, or {look}"
        if isinstance(each, NotADirectoryError) and not told:
            return f"this is no folder to write in: {where}\n  try: another folder; HOME is {_home()}"
        if isinstance(each, RuntimeError) and "home directory" in str(each):
            return f"there is no home to write in: HOME is {_home()}\n  try: export HOME=FOLDER"
    return None


def hush() -> None:
    """Drop what cannot be written to stdout any more, so that the end of the process does not fail on it."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _home() -> str:
    return os.environ.get("HOME") or "not set"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that led to it, or that stand in it as in a group, the outermost first."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        if isinstance(each, BaseExceptionGroup):
            waiting += cast("BaseExceptionGroup[BaseException]", each).exceptions
        waiting += [cause for cause in (each.__cause__, each.__context__) if cause is not None]
