"""The command line's one group. A command's file is imported when it is named, or when all are listed."""

import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import cast

import click

from dualcode import __version__
from dualcode.cli.options import WholeSummaries, spelled
from dualcode.errors import DualcodeError

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
        from dualcode.cli.refusal import EXIT_REFUSED, hush, refusal

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
