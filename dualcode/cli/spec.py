"""`dualcode spec`: how much a team's own specification says, and what would make it say more.

The scoring is imported where it is used, so that no other command pays for it.
"""

from typing import TYPE_CHECKING

import click

from dualcode.cli.options import json_option, print_below, print_json

if TYPE_CHECKING:
    from dualcode.bench.richness import Richness
    from dualcode.task import Task

_SHOWN_LACKS = 4


@click.command("spec")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--entry-point", metavar="NAME", help="The function that is specified. Default: the file's last."
)
@json_option
def spec(files: tuple[str, ...], entry_point: str | None, as_json: bool) -> None:
    """Score how much a specification says, and list what is missing, the most valuable first.

    FILE is a Python stub with its docstring, or text (.md, .txt); - reads stdin. Reviews gain more from
    rich specifications; the score counts examples, types, edge cases, constraints and words.

    \b
    Example:
      dualcode spec stub.py
      dualcode spec specs/*.md --json
    """
    from dualcode.bench.richness import PROPOSED_THRESHOLD, richness
    from dualcode.reviews.specification import read_specified

    tasks = [read_specified(file, entry_point) for file in files]
    scored = [(task, richness(task)) for task in tasks]
    if as_json:
        found = [
            {
                "file": task.id,
                "entry_point": task.entry_point,
                **each.model_dump(mode="json"),
                "missing": [{"name": part.name, "gain": round(part.gain, 3)} for part in each.missing],
                "threshold": PROPOSED_THRESHOLD,
            }
            for task, each in scored
        ]
        print_json({"specifications": found})
        return
    for task, each in scored:
        _print(task, each, PROPOSED_THRESHOLD)


def _print(task: "Task", result: "Richness", threshold: float) -> None:
    name = f"  {task.entry_point}" if task.entry_point else "  (names no function)"
    rich = "rich" if result.score >= threshold else "lean"
    click.echo(f"{task.id}{name}  {result.score:.2f} of 1, {rich} (from {threshold:.2f} on)")
    for component in result.components:
        points = f"{component.weight * component.score:.2f} of {component.weight:.2f}"
        found = ", ".join(component.found) or "none"
        if component.name == "examples":
            found = f"{len(component.found)} that can be run"
        click.echo(f"  {component.name:<12} {points}  {found}")
    if result.missing:
        click.echo("  what would raise the score most:")
    for component in result.missing:
        lacks = "; ".join(component.lacks[:_SHOWN_LACKS]) or "more of the same"
        advice = f"say something on {lacks}" if component.name in ("edge cases", "constraints") else lacks
        print_below(f"    +{component.gain:.2f}  ", f"{component.name}: {advice}")
