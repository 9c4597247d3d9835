"""`dualcode figures`: pictures of finished runs."""

import asyncio
from pathlib import Path

import click

from dualcode.cli.options import PATH

NAMES = (
    "figure-1", "figure-2", "figure-2-others", "figure-3", "figure-4", "figure-5",
    "gate", "reviewers", "changes", "efficiency", "servers",
)  # fmt: skip
"""The catalogue's names, here too because importing the catalogue takes a second."""


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN…", type=PATH)
@click.option(
    "--output", "-o", "folder", type=PATH, default=Path("figures"), show_default=True,
    help="Where the pictures go: NAME.svg, NAME.png and NAME.pdf each.",
)  # fmt: skip
@click.option(
    "--name", "names", multiple=True, metavar="NAME",
    help=f"Only this figure; may be given several times. One of {', '.join(NAMES)}.",
)  # fmt: skip
@click.option(
    "--baseline", metavar="PIPELINE",
    help="What the others are compared with. Default: raw-coder, or the first run's pipeline.",
)  # fmt: skip
@click.option(
    "--grade/--no-grade", default=True, show_default=True,
    help="Grade reviewed drafts that no run has a verdict of; the figure `reviewers` rests on them.",
)  # fmt: skip
@click.option("--note", metavar="TEXT", help="What a reader must know first; stands in every picture.")
def figures(
    runs: tuple[Path, ...],
    folder: Path,
    names: tuple[str, ...],
    baseline: str | None,
    grade: bool,
    note: str | None,
) -> None:
    """Draw the paper's five figures and ours from finished runs, the published numbers beside our own.

    RUN is a run's folder, or a folder of runs. A figure that has nothing to draw is named with the reason;
    asked for by --name, that is an error. What takes longer than a moment is named on stderr.

    \b
    Example:
      dualcode figures runs -o figures
      python -m dualcode.figures runs --name figure-2
    """
    from dualcode.cli.steps import Steps
    from dualcode.errors import UnknownNameError

    for name in names:
        if name not in NAMES:
            raise UnknownNameError("figure", name, NAMES, hint="dualcode figures --help")
    judged = not names or "reviewers" in names
    with Steps() as tell:
        tell("loading what reads and draws")
        from dualcode.analysis.gather import gather
        from dualcode.cli.terminal import print_drawn
        from dualcode.figures.drawing import draw
        from dualcode.published.published import load_published

        tell("reading and comparing the runs")
        analysis = asyncio.run(gather(runs, baseline=baseline, note=note or "", grade=judged and grade))
        drawn, missing = draw(analysis, load_published(), folder, names or None, tell)
    print_drawn(drawn, missing, names, hint="dualcode figures RUN… without --name")
