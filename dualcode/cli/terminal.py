"""How anything is printed: a table in its form for the terminal, a text in a box, a program in colours."""

import importlib.util
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.text import Text

from dualcode.errors import InputError
from dualcode.figures.drawn import Drawn
from dualcode.tables.forms import FORMS, to_terminal, to_text, write_tables
from dualcode.tables.table import Table

MOST_SHOWN = 20_000
"""Characters of a program or a diff that are shown."""
PLAIN_WIDTH = 120
"""Columns where the output is no terminal."""


def console(*, stderr: bool = False) -> Console:
    """Return a console that does not fold tables at 80 columns where the output goes into a file."""
    made = Console(stderr=stderr)
    return made if made.is_terminal else Console(stderr=stderr, width=PLAIN_WIDTH)


def show(what: RenderableType | Table, *, style: str = "", to: Console | None = None) -> None:
    """Print a table in its form for this terminal, or anything else that rich prints."""
    screen = to or console()
    if isinstance(what, Table):
        what = to_terminal(what, screen.width)
    screen.print(Text(what) if isinstance(what, str) else what, style=style)


def boxed(text: str, title: str) -> Panel:
    """Return a text that nobody overlooks."""
    return Panel(Text(text), title=title, border_style="red", title_align="left")


def code(text: str, title: str, language: str = "python") -> Panel:
    """Return a program, or a difference of two, cut where it is endless."""
    shown = text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}\n… ({len(text) - MOST_SHOWN:,} more)"
    body = Syntax(shown, language, word_wrap=True) if text.strip() else Text("(empty)")
    return Panel(body, title=Text(title), title_align="left")


def print_drawn(
    drawn: Sequence[Drawn], missing: Mapping[str, str], names: Collection[str], *, hint: str
) -> None:
    """Print which figures were drawn, and why others were not. Raises InputError for one that was named."""
    for each in drawn:
        click.echo(f"{each.svg.with_suffix('')}.svg, .png, .pdf  {each.title}")
    for name, reason in missing.items():
        if name in names:
            raise InputError(f"{name} has nothing to draw: {reason}", hint=hint)
        click.echo(f"{name}: nothing to draw: {reason}")


def drawn_if_possible(draw: Callable[[], Sequence[Drawn]]) -> Sequence[Drawn]:
    """Return a report's figures; none where matplotlib is missing, which is said."""
    if importlib.util.find_spec("matplotlib") is not None:
        return draw()
    hint = "pip install 'dualcode[figures]'"
    click.echo(f"the figures are left out: matplotlib is not installed\n  try: {hint}", err=True)
    return ()


def print_tables(
    made: Sequence[Table], absent: Mapping[str, str], form: str | None, output: Path | None, *,
    usual: str, hint: str,
) -> None:  # fmt: skip
    """Print tables in a form, else the `usual` one; or write them into a folder, in that form or in all.

    Which are left out, and why, goes to stderr. Raises InputError, with `hint`, if all of them are.
    """
    if not made:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in absent.items())
        raise InputError(f"nothing to show: {reasons}", hint=hint)
    for name, reason in absent.items():
        click.echo(f"left out: {name}: {reason}", err=True)
    if output is not None:
        if form == "terminal":
            raise click.UsageError("--format terminal is for the terminal alone: leave out --output")
        for path in write_tables(made, output, (form,) if form else tuple(FORMS)):
            click.echo(path)
    elif (form or usual) == "terminal":
        screen = console()
        for table in made:
            screen.print(to_terminal(table, screen.width, more="--format json"), "")
    else:
        click.echo(to_text(made, form or usual), nl=False)


def print_written(target: Path) -> None:
    """Print a file that was written, and its size."""
    click.echo(f"{target}  {target.stat().st_size / 1e6:.1f} MB")
