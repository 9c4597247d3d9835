"""`dualcode duel report`, `tables`, `figures` and `export`: what a duel came to."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dualcode.cli.options import FOLDER, PATH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dualcode.duels.findings import Findings
    from dualcode.figures.drawn import Drawn

TABLES = (
    "leaderboard", "contests", "effects", "costs", "work", "issues", "dimensions", "judges",
    "duobench", "archon",
)  # fmt: skip
FIGURES = ("value", "solved", "costs", "dimensions", "judges")
"""The catalogues' names, here too because importing them takes a second."""
FORMS = ("terminal", "md", "csv", "tex", "json")
_duel = click.argument("folder", metavar="FOLDER", type=PATH)


def _found(folder: Path) -> "Findings":
    from dualcode.duels.findings import find
    from dualcode.duels.store import read_duel

    return find(read_duel(folder))


@click.command("report")
@_duel
@click.option(
    "-o", "--output", type=PATH, metavar="FILE",
    help="The file to write. Default: report.html in the duel's folder.",
)  # fmt: skip
def report(folder: Path, output: Path | None) -> None:
    """Make one HTML file of a duel: results, figures, and every cell's plan, change, transcript and tests.

    FOLDER is a duel's folder, finished or not. The file needs no network and opens from the disk.

    \b
    Example:
      dualcode duel report duels/flask
    """
    import tempfile

    from dualcode.cli.steps import Steps
    from dualcode.errors import RunError

    target = output or folder / "report.html"
    if target.is_dir():
        raise RunError(f"{target} is a folder", hint=f"-o {target / 'report.html'}")
    with Steps() as tell, tempfile.TemporaryDirectory() as pictures:
        tell("reading the duel")
        from dualcode.cli.terminal import drawn_if_possible, print_written
        from dualcode.duels.page import write_duel

        found = _found(folder)

        def draw() -> "Sequence[Drawn]":
            from dualcode.duels.figures.catalogue import draw_duel

            return draw_duel(found, Path(pictures), tell=tell, forms=("svg",))[0]

        drawn = drawn_if_possible(draw)
        tell("writing the report")
        write_duel(found, drawn, target)
    print_written(target)


@click.command("tables")
@_duel
@click.option(
    "--name", "names", multiple=True, metavar="NAME",
    help=f"Only this table; may be repeated. One of {', '.join(TABLES)}. Default: all.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(FORMS),
    help="Default: terminal on stdout, all other four with --output.",
)  # fmt: skip
@click.option("-o", "--output", type=FOLDER, help="Write files into this folder.")
def tables(folder: Path, names: tuple[str, ...], form: str | None, output: Path | None) -> None:
    """Show a duel as tables: who solved what, for how much, and what can be claimed of it.

    What others published stands in tables of its own. A table with nothing to show is left out, and stderr
    says why.

    \b
    Example:
      dualcode duel tables duels/flask
      dualcode duel tables duels/flask --name leaderboard --format md
    """
    from dualcode.cli.terminal import print_tables
    from dualcode.duels.catalogue import build

    made, absent = build(_found(folder), names or None)
    hint = "dualcode duel tables FOLDER, without --name"
    print_tables(made, absent, form, output, usual="terminal", hint=hint)


@click.command("figures")
@_duel
@click.option(
    "-o", "--output", type=FOLDER, metavar="FOLDER",
    help="Where the pictures go: NAME.svg, NAME.png and NAME.pdf each. Default: `figures` there.",
)  # fmt: skip
@click.option(
    "--name", "names", multiple=True, metavar="NAME",
    help=f"Only this figure; may be repeated. One of {', '.join(FIGURES)}.",
)  # fmt: skip
def figures(folder: Path, output: Path | None, names: tuple[str, ...]) -> None:
    """Draw a duel: cost against quality and against issues solved, bills, dimensions, judges.

    A figure that has nothing to draw is named with the reason; asked for by --name, that is an error.

    \b
    Example:
      dualcode duel figures duels/flask -o figures
    """
    from dualcode.cli.steps import Steps
    from dualcode.cli.terminal import print_drawn
    from dualcode.errors import UnknownNameError

    for name in names:
        if name not in FIGURES:
            raise UnknownNameError("figure", name, FIGURES, hint="dualcode duel figures --help")
    with Steps() as tell:
        tell("reading the duel")
        found = _found(folder)
        from dualcode.duels.figures.catalogue import draw_duel

        drawn, missing = draw_duel(found, output or folder / "figures", names or None, tell)
    print_drawn(drawn, missing, names, hint="dualcode duel figures FOLDER, without --name")


@click.command("export")
@_duel
@click.option(
    "--format", "form", type=click.Choice(["duobench"]), default="duobench", show_default=True,
    help="duobench: results.json and its five CSV files, with our columns beside its own.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=FOLDER, metavar="FOLDER",
    help="Where to write. Default: a folder named like the format in the duel's folder.",
)  # fmt: skip
def export(folder: Path, form: str, output: Path | None) -> None:
    """Write a duel in another tool's form: duobench's columns, and ours.

    \b
    Example:
      dualcode duel export duels/flask --format duobench -o results
    """
    from dualcode.duels.exporting import export as write

    for path in write(_found(folder), output or folder / form):
        click.echo(path)


COMMANDS = (report, tables, figures, export)
"""What the group `duel` takes in: `for each in COMMANDS: duel.add_command(each)`."""
