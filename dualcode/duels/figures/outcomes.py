"""What conditions came to: issues solved, what a cell cost in its parts, and which is worth its money."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dualcode.duels.amounts import single
from dualcode.duels.figures.content import about, entries, mark, rows, write_right
from dualcode.duels.findings import Findings
from dualcode.duels.notes import some
from dualcode.duels.records import Arm
from dualcode.duels.standing import Standing
from dualcode.figures.content import Content, nothing
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import (
    BLACK,
    DOUBLE,
    GREEN,
    GREY,
    LABEL,
    ORANGE,
    SKY,
    SMALL,
    TEXT,
    spread,
    swatch,
    width_of,
)  # fmt: skip
from dualcode.metrics import Rate
from dualcode.tables.cells import plain_percent

PARTS: dict[str, tuple[str, str, str]] = {
    "plan": (SKY, "", "plan: all before the first change"),
    "implement": (ORANGE, "////", "implement"),
    "review": (GREEN, "....", "review"),
}
"""The parts of a cost: colour, hatch and words."""
NAME_ROW = 0.115
"""Inches: a name at the right."""
LEAST_PLOT, MOST_PLOT = 1.6, 4.6
ALONE = 4.6
"""Inches: how wide a single panel is."""
LINES = 4
"""Iso-efficiency lines at most."""


@dataclass(frozen=True, kw_only=True)
class SolvedRates(Content):
    """The conditions of which something is graded, the best first, with their rates."""

    bars: tuple[tuple[Standing, Rate], ...]


@dataclass(frozen=True)
class Bill:
    """One condition's cost of a cell."""

    name: str
    parts: dict[str, float] | None
    """By kind; None: not known."""

    @property
    def total(self) -> float | None:
        """The whole bar."""
        return None if self.parts is None else sum(self.parts.values())


@dataclass(frozen=True, kw_only=True)
class Bills(Content):
    """The conditions in the leaderboard's order."""

    bars: tuple[Bill, ...]
    currency: str


def solved(found: Findings) -> SolvedRates:
    """Return the data of the solved rates."""
    bars = tuple((row, row.solved) for row in found.standings if row.solved)
    if not bars:
        nothing("no cell is graded")
    trials = found.records.duel.trials
    said = ", ".join(
        f"{row.id} {plain_percent(rate.value)} % ({rate.passed}/{rate.total})"
        f" [{plain_percent(rate.low)}, {plain_percent(rate.high)}]"
        for row, rate in bars
    )
    return SolvedRates(
        **about(
            found, "Issues solved, by hidden tests",
            f"Solved rate of each condition with 95 % intervals, ours: {said}.",
            "Whiskers: Wilson's interval for as many trials as those of one issue are worth."
            + (f" Rings: pass^{trials}, issues that every trial solves." if trials > 1 else ""),
        ),
        bars=bars,
    )  # fmt: skip


def costs(found: Findings) -> Bills:
    """Return the data of the costs: a condition whose cost is not known has a word in place of a bar."""
    currency = found.board.currency
    if currency is None:
        nothing("no condition's cost is known, or they are in several currencies")
    bars: list[Bill] = []
    for row in found.standings:
        if row.cost is None:
            continue
        known = row.cost.total is not None
        parts = {kind: price[0] for kind in PARTS if (price := single(row.cost.of(kind)))}
        bars.append(Bill(row.id, parts if known else None))
    unknown = [bar.name for bar in bars if bar.parts is None]
    said = "; ".join(
        f"{bar.name} " + ", ".join(f"{kind} {currency}{part:.3g}" for kind, part in (bar.parts or {}).items())
        if bar.parts is not None
        else f"{bar.name} unknown"
        for bar in bars
    )
    return Bills(
        **about(
            found, "Where the money goes",
            f"Mean cost of a cell by condition, planning and implementing stacked, ours: {said}.",
            "As if each cell were alone: a plan that cells share counts in full in each.",
            *([f"Not known: {some(unknown)}."] if unknown else []),
        ),
        bars=tuple(bars),
        currency=currency,
    )  # fmt: skip


def draw_solved(data: SolvedRates) -> Sheet:
    """Draw the rates, one column wide."""
    legend = entries(row.condition.arm for row, _ in data.bars)
    sheet, axes = rows(data, [row.id for row, _ in data.bars], legend, room=0.42)
    axes.set(xlim=(-4, 104), xlabel="solved, % of graded trials (whiskers: 95 %)")
    axes.set_xticks(range(0, 101, 25))
    for y, (row, rate) in enumerate(data.bars):
        ends = [100 * rate.low, 100 * rate.high]
        axes.hlines(y, *ends, color=BLACK, lw=0.9, zorder=3)
        axes.plot(ends, [y, y], "|", color=BLACK, markersize=3.5, mew=0.9, zorder=3, clip_on=False)
        mark(axes, 100 * rate.value, y, row.condition.arm, size=5)
        if row.pass_k is not None:
            axes.plot(
                [100 * row.pass_k], [y], marker="o", markersize=8, mfc="none", mec="#555555", mew=0.7,
                zorder=4, clip_on=False,
            )  # fmt: skip
        write_right(axes, y, f"{rate.passed}/{rate.total}")
    return sheet


def draw_costs(data: Bills) -> Sheet:
    """Draw the bills, one column wide."""
    shown = [kind for kind in PARTS if any(kind in (bar.parts or {}) for bar in data.bars)]
    legend = [swatch(PARTS[kind][0], PARTS[kind][2], PARTS[kind][1]) for kind in shown]
    sheet, axes = rows(data, [bar.name for bar in data.bars], legend, room=0.52)
    most = max((bar.total for bar in data.bars if bar.total), default=1.0)
    axes.set(xlim=(0, 1.02 * most), xlabel=f"mean cost of a cell, {data.currency}")
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter("{x:.3g}")
    for y, bar in enumerate(data.bars):
        left = 0.0
        for kind, part in (bar.parts or {}).items():
            color, hatch, _ = PARTS[kind]
            axes.barh(
                y, part, left=left, height=0.62, color=color, hatch=hatch, edgecolor=BLACK, linewidth=0.4
            )
            left += part
        write_right(axes, y, "unknown" if bar.total is None else f"{data.currency}{bar.total:.3g}")
    return sheet


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
    legend = entries(p.arm for panel in data.panels for p in panel.points)
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
        if point.high > point.low:
            axes.vlines(point.cost, point.low, point.high, color="#b0b0b0", lw=0.8, zorder=2)
        mark(axes, point.cost, point.value, point.arm, size=4.8)
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
