"""What all figures of a duel say of it, and how its arms look."""

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.lines import Line2D

from dualcode.duels.findings import Findings
from dualcode.duels.notes import NO_RANK, models_of
from dualcode.duels.records import Arm
from dualcode.figures.content import Content
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    LABEL,
    ORANGE,
    PURPLE,
    SINGLE,
    VERMILLION,
    width_of,
)  # fmt: skip

ROW = 0.185
"""Inches: a condition's row."""

LOOKS: dict[Arm, tuple[str, str, str]] = {
    "pair": (BLUE, "o", "pair: one plans, another implements"),
    "solo": (ORANGE, "s", "solo: one does both"),
    "no-plan": (VERMILLION, "v", "no plan"),
    "review": (GREEN, "^", "review instead of a plan"),
    "drawn": (PURPLE, "P", "a model drawn at each step"),
}
"""A colour, a mark that survives greyscale, and words; published values alone are hollow diamonds."""


def about(found: Findings, title: str, caption: str, *remarks: str) -> dict[str, Any]:
    """Return the fields that every figure's content shares."""
    duel = found.records.duel
    errored = sum(row.errored for row in found.standings)
    undone = sum(row.undone for row in found.standings)
    said = [*remarks]
    if not found.board.ranked:
        said.append(NO_RANK)
    if errored:
        said.append(f"Errored cells (no verdict, in no number): {errored}.")
    if undone:
        said.append(f"Cells not done yet: {undone}.")
    return {
        "title": title,
        "caption": caption,
        "runs": (duel.name,),
        "remarks": tuple(said),
        "headline": duel.note,
        "models": models_of(duel) or "as the conditions name them",
    }


def entries(arms: Iterable[Arm]) -> list[Any]:
    """Return the legend's entries of arms, each once."""
    edge: dict[str, Any] = {"linestyle": "none", "markersize": 4.5, "mec": BLACK, "mew": 0.4}
    shown = set(arms)
    return [
        Line2D([], [], color=color, marker=marker, label=words, **edge)
        for arm, (color, marker, words) in LOOKS.items()
        if arm in shown
    ]


def mark(axes: Any, x: float, y: float, arm: Arm, *, size: float = 4.5, above: int = 5) -> None:
    """Draw an arm's mark."""
    color, marker, _ = LOOKS[arm]
    axes.plot(
        [x], [y], marker=marker, color=color, markersize=size, mec=BLACK, mew=0.4, zorder=above, clip_on=False
    )


def names_at_left(axes: Any, names: Sequence[str]) -> None:
    """Make a panel's other axis rows from the top, each with its name."""
    axes.set(ylim=(len(names) - 0.5, -0.5))
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)


def rows(
    data: Content,
    names: Sequence[str],
    legend: Sequence[Any],
    *,
    room: float,
    row: float = ROW,
    columns: int = 1,
) -> tuple[Sheet, Any]:
    """Return a sheet of one column with one panel: a row a name, and room for a value at the right."""
    labels = max(width_of(name) for name in names) + 0.1
    height = row * len(names)
    sheet = Sheet(data, width=SINGLE, body=height + 0.5, legend=legend, columns=columns)
    axes = sheet.axes(MARGIN + labels, 0.06, SINGLE - 2 * MARGIN - labels - room, height)
    names_at_left(axes, names)
    return sheet, axes


def write_right(axes: Any, y: float, text: str, size: float = LABEL) -> None:
    """Write a row's value at the right of its panel."""
    axes.text(1.04, y, text, transform=axes.get_yaxis_transform(), ha="left", va="center", size=size)
