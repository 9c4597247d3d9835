"""Cost against quality, and against issues solved: which condition is worth its money."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dualcode.duels.amounts import single
from dualcode.duels.figures.content import LOOKS, about, entry
from dualcode.duels.findings import Findings
from dualcode.duels.notes import some
from dualcode.duels.records import Arm
from dualcode.figures.content import Content, nothing
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import BLACK, DOUBLE, GREY, LABEL, SMALL, TEXT, spread, width_of

NAME_ROW = 0.115
"""Inches: a name at the right."""
LEAST_PLOT, MOST_PLOT = 1.6, 4.6
ALONE = 4.6
"""Inches: how wide a single panel is."""
LINES = 4
"""Iso-efficiency lines at most."""


@dataclass(frozen=True)
class Point:
    """One condition."""

    name: str
    arm: Arm
    cost: float
    """Of a cell, on average."""
    value: float
    """Quality, or the solved rate in per cent."""
    low: float
    high: float


@dataclass(frozen=True)
class Panel:
    """One measure against cost."""

    label: str
    measure: str
    """The same in a title."""
    points: tuple[Point, ...]
    lines: tuple[float, ...]
    """Values for a unit of money that lines are drawn for."""

    @property
    def top(self) -> float:
        """Where the axis of cost ends."""
        return max(each.cost for each in self.points) * 1.08

    @property
    def reach(self) -> tuple[float, float]:
        """Where the other axis begins and ends."""
        low, high = min(each.low for each in self.points), max(each.high for each in self.points)
        room = max(0.06 * (high - low), 0.02 * (high or 1.0))
        return max(0.0, low - room), high + room


@dataclass(frozen=True, kw_only=True)
class Value(Content):
    """The panels, beside each other."""

    panels: tuple[Panel, ...]
    currency: str


def value(found: Findings) -> Value:
    """Return the data; a condition whose price is not known, or in another currency, is named, not drawn."""
    currency = found.board.currency
    priced = [
        (row, price[0])
        for row in found.standings
        if row.cost and (price := single(row.cost.total)) is not None
    ]
    if currency is None or not priced:
        nothing("no condition's cost is known in a currency that the others have, too")
    absent = [row.id for row in found.standings if row.id not in {each.id for each, _ in priced}]
    quality = [
        Point(row.id, row.condition.arm, price, row.quality.mean, row.quality.mean, row.quality.mean)
        for row, price in priced
        if row.quality
    ]
    solved = [
        Point(row.id, row.condition.arm, price, 100 * rate.value, 100 * rate.low, 100 * rate.high)
        for row, price in priced
        if (rate := row.solved)
    ]
    panels = tuple(
        Panel(label, measure, tuple(points), iso_lines(points))
        for label, measure, points in (
            ("quality (judges)", "quality", quality),
            ("solved, %", "issues solved", solved),
        )
        if points
    )
    said = "; ".join(
        f"{panel.label}: "
        + ", ".join(f"{p.name} {currency}{p.cost:.3g} for {p.value:.3g}" for p in panel.points)
        for panel in panels
    )
    return Value(
        **about(
            found, f"Cost against {' and '.join(panel.measure for panel in panels)}",
            f"Each condition by what a cell cost on average and what came of it, ours. {said}. Dashed lines "
            f"join what is worth the same for {currency}1.",
            "Up and to the left is better. Whiskers: 95 % intervals of the solved rate; trials of one issue "
            "are not independent. Quality is judges' opinion; tests decide what is solved.",
            *([f"Not drawn, as the cost of a cell is not known: {some(absent)}."] if absent else []),
        ),
        panels=panels,
        currency=currency,
    )  # fmt: skip


def iso_lines(points: Sequence[Point]) -> tuple[float, ...]:
    """Return round numbers of value for money between the worst and the best of the points, a few at most.

    They are 1, 2 or 5 times a power of ten, and where there are more than `LINES`, evenly thinned out. Where
    none lies between, the nearest below the best.
    """
    known = [each.value / each.cost for each in points if each.cost > 0 and each.value > 0]
    if not known:
        return ()
    low, high = min(known), max(known)
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    round_ones = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    inside = [each for each in round_ones if low <= each <= high]
    if not inside:
        inside = [max(each for each in round_ones if each <= high)]
    if len(inside) > LINES:
        inside = [inside[round(at * (len(inside) - 1) / (LINES - 1))] for at in range(LINES)]
    return tuple(inside)


def draw_value(data: Value) -> Sheet:
    """Draw the panels beside each other, each with its names in a column at the right."""
    most = max(len(panel.points) for panel in data.panels)
    plot = min(max(LEAST_PLOT, NAME_ROW * (most + 1)), MOST_PLOT)
    own = {p.arm for panel in data.panels for p in panel.points}
    legend = [entry(arm) for arm in LOOKS if arm in own]
    width = DOUBLE if len(data.panels) > 1 else ALONE
    sheet = Sheet(data, width=width, body=plot + 0.72, legend=legend, columns=3 if width == DOUBLE else 1)
    step = (width - 2 * MARGIN) / len(data.panels)
    names = max(width_of(p.name, LABEL) for panel in data.panels for p in panel.points) + 0.16
    for number, panel in enumerate(data.panels):
        left = MARGIN + number * step
        axes = sheet.axes(left + 0.36, 0.3, step - 0.4 - names, plot)
        _draw_panel(axes, panel, data.currency, plot)
        sheet.text(left, sheet.top + 0.01, panel.label, size=TEXT, weight="bold")
    return sheet


def _draw_panel(axes: Any, panel: Panel, currency: str, plot: float) -> None:
    low, high = panel.reach
    axes.set(xlim=(0, panel.top), ylim=(low, high), xlabel=f"cost of a cell, {currency}")
    axes.locator_params(axis="x", nbins=4)
    axes.xaxis.set_major_formatter("{x:.3g}")
    for line in panel.lines:
        axes.plot([0, panel.top], [0, line * panel.top], color=GREY, lw=0.7, ls="--", zorder=1)
        axes.set(xlim=(0, panel.top), ylim=(low, high))
        _name_line(axes, line, panel.top, low, high, currency)
    for point in panel.points:
        color, marker, _ = LOOKS[point.arm]
        if point.high > point.low:
            axes.vlines(point.cost, point.low, point.high, color="#b0b0b0", lw=0.8, zorder=2)
        axes.plot(
            [point.cost], [point.value], marker=marker, color=color, markersize=4.8, mec=BLACK, mew=0.4,
            zorder=5, clip_on=False,
        )  # fmt: skip
    ordered = sorted(panel.points, key=lambda each: (each.value, -each.cost))
    scale = (high - low) / plot
    placed = spread([each.value for each in ordered], NAME_ROW * scale, low, high)
    for point, y in zip(ordered, placed, strict=True):
        axes.annotate(
            point.name, (point.cost, point.value), xytext=(1.02, y), xycoords="data",
            textcoords=("axes fraction", "data"), size=LABEL, va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": "#c4c4c4", "lw": 0.45, "shrinkA": 0, "shrinkB": 2,
                        "relpos": (0, 0.5)},
        )  # fmt: skip


def worth(line: float, currency: str) -> str:
    """Return what a line stands for: `20/$`, `0.05/$`, `20,000/$`."""
    return f"{line:,.0f}/{currency}" if line >= 1 else f"{line:.3g}/{currency}"


def _name_line(axes: Any, line: float, top: float, low: float, high: float, currency: str) -> None:
    """Write what a line stands for where it leaves the panel: above it, or at its lower edge."""
    text = worth(line, currency)
    x, y = (high / line, high) if line * top > high else (top, line * top)
    if y < low:
        return
    above = y == high
    axes.annotate(
        text, (x, y), xytext=(0, 2) if above else (-2, 2), textcoords="offset points", size=SMALL,
        color="#555555", ha="center" if above else "right", va="bottom", annotation_clip=False,
    )  # fmt: skip
