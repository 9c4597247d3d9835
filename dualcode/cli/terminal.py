"""How anything is printed: a table in its form for the terminal, a text in a box, a program in colours."""

from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.text import Text

from dualcode.tables.forms import to_terminal
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
