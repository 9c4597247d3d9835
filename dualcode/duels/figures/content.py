"""What all figures of a duel say of it, and how its arms look."""

from typing import Any

from matplotlib.lines import Line2D

from dualcode.duels.findings import Findings
from dualcode.duels.notes import NO_RANK
from dualcode.duels.records import Arm
from dualcode.figures.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, VERMILLION

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
    served = duel.models.items()
    models = ", ".join(name if name == model else f"{name} ({model})" for name, model in served)
    return {
        "title": title,
        "caption": caption,
        "runs": (duel.name,),
        "remarks": tuple(said),
        "headline": duel.note,
        "models": models or "as the conditions name them",
    }


def entry(arm: Arm) -> Any:
    """Return the legend's entry of an arm."""
    color, marker, words = LOOKS[arm]
    return Line2D(
        [], [], color=color, marker=marker, linestyle="none", markersize=4.5, markeredgecolor=BLACK,
        markeredgewidth=0.4, label=words,
    )  # fmt: skip
