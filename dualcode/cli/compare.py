"""`dualcode compare`: runs task by task against a baseline, with what chance alone could have done."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dualcode.cli.options import PATH, json_option, print_json

if TYPE_CHECKING:
    from dualcode.analysis.statistics import Comparison
    from dualcode.verdict import Part

LISTED = 6
"""Tasks of a kind that are listed where not all are asked for."""
MOST_LISTS = 4
"""Comparisons whose tasks are listed without being asked for, and differences of one kind that are told."""


@click.command("compare")
@click.argument("paths", metavar="RUN...", nargs=-1, required=True, type=PATH)
@click.option(
    "--baseline", metavar="RUN|PIPELINE",
    help="What the others are compared with, on every suite. Default: raw-coder, else the first run.",
)  # fmt: skip
@click.option("--part", type=click.Choice(["base", "plus"]), help="Which tests. Default: plus where it is.")
@click.option("--tasks", is_flag=True, help="Every task gained and lost, not the first few.")
@json_option
def compare(
    paths: Sequence[Path], baseline: str | None, part: "Part | None", tasks: bool, as_json: bool
) -> None:
    """Compare runs task by task: what was gained and lost, and whether chance could have done it.

    RUN is a run's folder, or a folder of runs: of several of one pipeline the one with the most graded tasks,
    of equal ones the newest. Rates have Wilson intervals, differences a paired bootstrap
    and McNemar's exact test, and the number of tasks that would show them. Runs of two suites: also whether
    a pipeline gains more on one than on the other. Runs of other data or tasks are compared on what they
    share, and that is said first.

    \b
    Example:
      dualcode compare runs/mini-raw-coder-1a2b3c4d runs/mini-review-fix-5e6f7a8b
      dualcode compare runs --baseline review-fix --tasks
    """
    from dualcode.cli.steps import Steps

    with Steps() as tell:
        tell("reading and comparing the runs")
        from dualcode.analysis.comparisons import compare_runs
        from dualcode.analysis.runs import load_runs

        found = compare_runs(load_runs(paths, one_each=True), baseline, part)
    if as_json:
        print_json(found.to_json())
        return
    from dualcode.cli.terminal import boxed, show
    from dualcode.tables.comparisons import gaps_table, reading, suite_table

    loud = [each.text for each in found.differences if each.breaks]
    if loud:
        loud.append("Only the tasks that a run shares with its baseline are compared below.")
        show(boxed("\n".join(loud), "NOT THE SAME TASKS AND TESTS"))
    for kind in dict.fromkeys(each.kind for each in found.differences if not each.breaks):
        told = [each.text for each in found.differences if each.kind == kind]
        for text in told[:MOST_LISTS]:
            show(f"differs: {text}", style="yellow")
        if more := told[MOST_LISTS:]:
            show(f"differs: {len(more)} more like the last one (--json has them)", style="yellow")
    family = sum(len(suite.comparisons) for suite in found.suites)
    for suite in found.suites:
        show(suite_table(suite, family))
        for each in suite.comparisons if tasks or family <= MOST_LISTS else ():
            _tell_changes(each, tasks)
        click.echo()
    if found.gaps:
        show(gaps_table(found))
        click.echo()
    for line in reading(found):
        show(line, style="dim")
    if family > MOST_LISTS and not tasks:
        show("which tasks were gained and lost: --tasks", style="dim")


def _tell_changes(comparison: "Comparison", every: bool) -> None:
    """Print which tasks were gained and lost: the first few, or every one."""
    from dualcode.cli.terminal import show

    told: list[str] = []
    kinds = (("gained", comparison.gained), ("lost", comparison.lost), ("not in both", comparison.unpaired))
    for name, found in kinds:
        shown = found if every else found[:LISTED]
        more = f" and {len(found) - len(shown)} more" if len(shown) < len(found) else ""
        told += [f"{name} {len(found)}: {', '.join(shown)}{more}"] if found else []
    if told:
        show(f"{comparison.run}: {'; '.join(told)}")
