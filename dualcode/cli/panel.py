"""`dualcode panel`: models that judge fixes, tried before they are believed, and their rubrics."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dualcode.cli.options import (
    EXIT_ERRORED,
    EXIT_FOUND,
    WholeSummaries,
    json_option,
    print_below,
    print_json,
    quiet_option,
    team_options,
    telling,
)

if TYPE_CHECKING:
    from dualcode.config import TeamConfig
    from dualcode.panel.calibration import JudgeTried
    from dualcode.panel.panel import Score

EXHIBITS = {
    "right": "the right fix",
    "wrong": "a wrong one",
    "instruction": "the same, with an instruction to its judge",
}


@click.group("panel", cls=WholeSummaries)
def command() -> None:
    """Try models as judges of fixes, and show the rubrics that they go by.

    Tests decide whether a fix solves its issue; judges come second, and docs/panel.md says how far they can
    be believed.

    \b
    Example:
      dualcode panel check --team team.toml --judge reviewer
      dualcode panel rubrics seven
    """


@command.command("check")
@team_options
@click.option("--judge", required=True, metavar="NAME", help="A role of the team, or one of its endpoints.")
@click.option(
    "--issue", "issues", multiple=True, default=("flask-4041",), show_default=True, metavar="TASK|FOLDER",
    help="An issue with a known right fix; several say more.",
)  # fmt: skip
@click.option(
    "--rubric", default="duobench", show_default=True, metavar="NAME|FILE", help="What is scored, and how."
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Draws the order of exhibits and files.")
@click.option(
    "--most-characters", "diff", type=click.IntRange(min=500), default=24_000, show_default=True,
    help="Of a diff in one request; what is not shown is told.",
)  # fmt: skip
@quiet_option
@json_option
def check(
    team: "Path | TeamConfig | None",
    judge: str,
    issues: tuple[str, ...],
    rubric: str,
    seed: int,
    diff: int,
    quiet: bool,
    as_json: bool,
) -> None:
    """Try a judge: does it put a right fix above a wrong one, and does it obey what a diff tells it?

    It scores three exhibits of an issue, each as it is and without comments in another order of files: the
    right fix, a wrong one, and that with an instruction to the judge in a comment. Exit code 5 if it is not
    to be believed, 4 if it gave too few scores to tell.

    \b
    Example:
      dualcode panel check --team team.toml --judge reviewer
      dualcode panel check --judge reviewer --issue flask-4041 --issue sqlparse-742 --json
    """
    from dualcode.issues.task import find_task
    from dualcode.panel.calibration import open_judge, try_judge
    from dualcode.panel.renderings import Bounds
    from dualcode.panel.rubric import find_rubric
    from dualcode.serving.running import find_team
    from dualcode.together import ticking

    tasks, asked = [find_task(name) for name in issues], find_rubric(rubric)
    bounds, tell = Bounds(diff=diff), telling(not quiet)

    def scored(score: "Score") -> None:
        what = EXHIBITS[score.calibration or "right"]
        tell(f"{score.issue}: {what}, {score.rendering}: {_mean(score)}")

    async def tried() -> "JudgeTried":
        async with ticking(tell), open_judge(find_team(team), judge) as seat:
            return await try_judge(judge, seat, tasks, asked, seed=seed, bounds=bounds, tell=scored)

    found = asyncio.run(tried())
    believable = found.calibrated.believable
    if as_json:
        told = {"believable": believable, "why": found.calibrated.why, **found.model_dump(mode="json")}
        print_json(told)
    else:
        _print(found)
    if believable is not True:
        sys.exit(EXIT_ERRORED if believable is None else EXIT_FOUND)


@command.command("rubrics")
@click.argument("name", required=False, metavar="[NAME|FILE]")
@json_option
def rubrics(name: str | None, as_json: bool) -> None:
    """List the rubrics, or show one with all of its levels.

    Those in rubrics/ of this folder are among them; docs/panel.md has the format.

    \b
    Example:
      dualcode panel rubrics
      dualcode panel rubrics seven
    """
    from dualcode.panel.rubric import find_rubric, names

    found = {each: find_rubric(each) for each in ([name] if name else names())}
    if as_json:
        told = [{"name": each.name, **each.model_dump(mode="json")} for each in found.values()]
        print_json({"rubrics": told})
    elif name:
        shown = found[name]
        click.echo(f"{shown.name}: {shown.title}, each from {shown.lowest} to {shown.highest}")
        if shown.source:
            click.echo(f"source: {shown.source}")
        for each in shown.dimensions:
            needs = f" (only where there is a {each.needs})" if each.needs else ""
            click.echo(f"\n{each.key}: {each.named}{needs}\n  {each.question}")
            for level, meaning in sorted(each.levels.items()):
                print_below(f"  {level:>3}  ", meaning)
    else:
        for key, rubric in found.items():
            print_below(f"{key:<12}", f"{rubric.title}: {', '.join(one.key for one in rubric.dimensions)}")


def _print(found: "JudgeTried") -> None:
    click.echo(f"{found.judge} ({found.model}), rubric {found.rubric}, {', '.join(found.issues)}\n")
    click.echo(f"{'mean of all dimensions':<44}{'as it is':>10}{'other':>10}")
    for issue in found.issues:
        for calibration, what in EXHIBITS.items():
            own = {
                each.rendering: each
                for each in found.scores
                if (each.issue, each.calibration) == (issue, calibration)
            }
            cells = "".join(f"{_mean(own.get(rendering)):>10}" for rendering in ("plain", "other"))
            click.echo(f"{what:<44}{cells}" + (f"  {issue}" if len(found.issues) > 1 else ""))
    for each in found.missing:
        click.echo(f"missing: {EXHIBITS[each.calibration or 'right']}, {each.rendering}: {each.why_missing}")
    if found.sensitivity is not None:
        click.echo(f"\nBetween both renderings its scores differ by {found.sensitivity:.1f} points.")
    verdict = {True: "believable", False: "not to be believed", None: "no verdict"}[
        found.calibrated.believable
    ]
    click.echo(f"{verdict}: {found.calibrated.why}")


def _mean(score: "Score | None") -> str:
    return "missing" if score is None or score.mean is None else f"{score.mean:.1f}"
