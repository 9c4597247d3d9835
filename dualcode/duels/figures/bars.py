"""A row a condition: the solved rate with its interval, and the cost of a cell in its parts."""

from dataclasses import dataclass
from typing import Any

from dualcode.duels.amounts import single
from dualcode.duels.figures.content import LOOKS, about, entry
from dualcode.duels.findings import Findings
from dualcode.duels.notes import some
from dualcode.duels.records import Arm
from dualcode.figures.content import Content, nothing
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import (
    BLACK,
    GREEN,
    LABEL,
    ORANGE,
    SINGLE,
    SKY,
    swatch,
    width_of,
)
from dualcode.metrics import Rate
from dualcode.tables.cells import plain_percent

ROW = 0.185
"""Inches: a condition."""
PARTS: dict[str, tuple[str, str, str]] = {
    "plan": (SKY, "", "plan: all before the first change"),
    "implement": (ORANGE, "////", "implement"),
    "review": (GREEN, "....", "review"),
}
"""The parts of a cost: colour, hatch and words."""


@dataclass(frozen=True)
class Solved:
    """One condition's rate."""

    name: str
    arm: Arm
    rate: Rate
    pass_k: float | None


@dataclass(frozen=True, kw_only=True)
class SolvedRates(Content):
    """The conditions, the best first."""

    bars: tuple[Solved, ...]
    trials: int


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
    bars = [
        Solved(row.id, row.condition.arm, row.solved, row.pass_k) for row in found.standings if row.solved
    ]
    if not bars:
        nothing("no cell is graded")
    trials = found.records.duel.trials
    said = ", ".join(
        f"{bar.name} {plain_percent(bar.rate.value)} % ({bar.rate.passed}/{bar.rate.total})"
        f" [{plain_percent(bar.rate.low)}, {plain_percent(bar.rate.high)}]"
        for bar in bars
    )
    return SolvedRates(
        **about(
            found, "Issues solved, by hidden tests",
            f"Solved rate of each condition with 95 % intervals, ours: {said}.",
            "Whiskers: Wilson's interval for as many trials as those of one issue are worth."
            + (f" Rings: pass^{trials}, issues that every trial solves." if trials > 1 else ""),
        ),
        bars=tuple(bars),
        trials=trials,
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
    own = {bar.arm for bar in data.bars}
    legend = [entry(arm) for arm in LOOKS if arm in own]
    sheet, axes = _rows(data, [bar.name for bar in data.bars], 0.42, legend)
    axes.set(xlim=(-4, 104), xlabel="solved, % of graded trials (whiskers: 95 %)")
    axes.set_xticks(range(0, 101, 25))
    for y, bar in enumerate(data.bars):
        color, marker, _ = LOOKS[bar.arm]
        ends = [100 * bar.rate.low, 100 * bar.rate.high]
        axes.hlines(y, *ends, color=BLACK, lw=0.9, zorder=3)
        axes.plot(ends, [y, y], "|", color=BLACK, markersize=3.5, mew=0.9, zorder=3, clip_on=False)
        axes.plot(
            [100 * bar.rate.value], [y], marker=marker, color=color, markersize=5, mec=BLACK, mew=0.4,
            zorder=5, clip_on=False,
        )  # fmt: skip
        if bar.pass_k is not None:
            axes.plot(
                [100 * bar.pass_k], [y], marker="o", markersize=8, mfc="none", mec="#555555", mew=0.7,
                zorder=4, clip_on=False,
            )  # fmt: skip
        _write(axes, y, f"{bar.rate.passed}/{bar.rate.total}")
    return sheet


def draw_costs(data: Bills) -> Sheet:
    """Draw the bills, one column wide."""
    shown = [kind for kind in PARTS if any(kind in (bar.parts or {}) for bar in data.bars)]
    legend = [swatch(PARTS[kind][0], PARTS[kind][2], PARTS[kind][1]) for kind in shown]
    sheet, axes = _rows(data, [bar.name for bar in data.bars], 0.52, legend)
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
        _write(axes, y, "unknown" if bar.total is None else f"{data.currency}{bar.total:.3g}")
    return sheet


def _rows(data: Content, names: list[str], room: float, legend: list[Any]) -> tuple[Sheet, Any]:
    """Return a sheet with one panel: a row a name at the left, and room for a value at the right."""
    labels = max(width_of(name) for name in names) + 0.1
    height = ROW * len(names)
    sheet = Sheet(data, width=SINGLE, body=height + 0.5, legend=legend, columns=1)
    axes = sheet.axes(MARGIN + labels, 0.06, SINGLE - 2 * MARGIN - labels - room, height)
    axes.set(ylim=(len(names) - 0.5, -0.5))
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    return sheet, axes


def _write(axes: Any, y: float, text: str) -> None:
    axes.text(
        1.04, y, text, transform=axes.get_yaxis_transform(), ha="left", va="center", size=LABEL
    )  # fmt: skip
