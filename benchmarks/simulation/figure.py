"""The picture of where review wins: data first (`panel`), then drawn (`draw`).

The axes are the two products that decide review-fix, hit x repair and false alarm x damage: pass@1 is linear
in them, so every pipeline it competes with is a straight line, and the paper's result is a line of points.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from . import paper

ASSUMED_RESCUE = paper.rescued("HumanEval+").value
"""The share of wrong drafts that raw-retry makes right: what the paper's retries did after the review. It is
an assumption for raw drafts, and for MBPP+ altogether."""
BLUES = ("#deebf7", "#9ecae1", "#5fa2d0")
ORANGE = "#b34700"
LARGEST_LOSS = {"HumanEval+": 0.30, "MBPP+": 0.50}


@dataclass(frozen=True)
class Rival:
    """A pipeline to beat; `published` tells the paper's numbers from what is assumed."""

    name: str
    pass_at_1: float
    published: bool


@dataclass(frozen=True)
class Panel:
    """One suite: the rivals in ascending order of pass@1, and the points that reproduce the paper."""

    suite: str
    right: float
    rivals: tuple[Rival, ...]
    points: NDArray[np.float64]
    pass_at_1: float

    def loss(self, gain: NDArray[np.float64], rival: Rival) -> NDArray[np.float64]:
        """Return the share of right drafts that a review may break and still match the rival."""
        return (self.right + (1 - self.right) * gain - rival.pass_at_1) / self.right


def panel(suite: str) -> Panel:
    """Return the data of one panel."""
    total = paper.TASKS[suite]
    right = paper.passed(suite, "raw-coder") / total
    rivals = [Rival("raw-retry", right + (1 - right) * ASSUMED_RESCUE, published=False)]
    published = [name for name in ("plan-code", "raw-coder", "raw-planner") if name in paper.PUBLISHED[suite]]
    rivals += [Rival(name, paper.passed(suite, name) / total, published=True) for name in published]
    rivals.sort(key=lambda rival: rival.pass_at_1)
    review = paper.change(suite, "raw-coder", "review-fix")
    return Panel(suite, right, tuple(rivals), review.rates, review.after / total)


def draw(target: Path) -> None:
    """Write the figure, one column wide, in the format that the name ends in."""
    style: Any = {"font.size": 7.5, "svg.hashsalt": "simulator", "axes.linewidth": 0.6}
    with mpl.rc_context(style):  # pyright: ignore[reportUnknownMemberType]
        figure: Any = Figure(figsize=(3.5, 5.4), layout="constrained")
        for axes, suite in zip(figure.subplots(2, 1), LARGEST_LOSS, strict=True):
            _draw_panel(axes, panel(suite))
        metadata = {"Date": None} if target.suffix == ".svg" else {}
        figure.savefig(target, dpi=200, metadata=metadata)


def _draw_panel(axes: Any, data: Panel) -> None:
    top = LARGEST_LOSS[data.suite]
    gain = np.linspace(0, 1, 201)
    axes.set(xlim=(0, 1), ylim=(0, top))
    contenders = [rival for rival in data.rivals if rival.name != "plan-code"]
    for rival, blue in zip(contenders, BLUES, strict=False):
        axes.fill_between(gain, 0, data.loss(gain, rival).clip(0, top), color=blue, linewidth=0)
    for rival in data.rivals:
        axes.plot(gain, data.loss(gain, rival), color="black", lw=0.9, ls="-" if rival.published else "--")
        _name(axes, data, rival, top)
    axes.plot(*data.points.T, "o-", color=ORANGE, ms=2.4, lw=1.2, mec="white", mew=0.2, zorder=3)
    _label(axes, data)


def _name(axes: Any, data: Panel, rival: Rival, top: float) -> None:
    """Write the rival's name along its line, near its upper end: the best rival's below it, for room."""
    slope = (1 - data.right) / data.right
    start = (rival.pass_at_1 - data.right) / (1 - data.right)
    below = rival.name == "raw-planner"
    x = min(0.98, start + top / slope - 0.06)
    y = slope * (x - start) + top * (-0.02 if below else 0.01)
    label = f"{rival.name} {100 * rival.pass_at_1:.1f} %" + ("" if rival.published else "*")
    axes.text(
        x, y, label, rotation=np.degrees(np.arctan(slope)), transform_rotates_text=True,
        rotation_mode="anchor", ha="right", va="top" if below else "bottom", fontsize=6.5,
    )  # fmt: skip


def _label(axes: Any, data: Panel) -> None:
    white = {"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none"}
    axes.annotate(
        f"paper {100 * data.pass_at_1:.1f} %,\n{len(data.points)} feasible",
        data.points[int(len(data.points) * 0.55)], xytext=(0.975, 0.05), textcoords="axes fraction",
        ha="right", va="bottom", color=ORANGE, fontsize=7, bbox=white,
        arrowprops={"arrowstyle": "-", "color": ORANGE, "lw": 0.7},
    )  # fmt: skip
    reading = "below a line, review-fix\nbeats the pipeline it names\n* assumed, see text"
    axes.text(0.03, 0.96, reading, transform=axes.transAxes, va="top", fontsize=6.5)
    axes.set_title(f"{data.suite}: {100 * data.right:.1f} % of drafts are right", fontsize=8)
    axes.set_xlabel("wrong drafts made right (hit × repair)")
    axes.set_ylabel("right drafts broken\n(false alarm × damage)")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_percent)


def _percent(share: float, _: int) -> str:
    return f"{100 * share:.0f} %"
