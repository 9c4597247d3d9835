"""What pass@1 costs: calls, tokens and money a task, and the pipelines that nothing beats at their price."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.costs import Costs
from dualcode.analysis.runs import Run, Score
from dualcode.figures.content import Content, errored_remarks, headline, nothing, ours, some_ids, suite_title
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import BLACK, BLUE, DOUBLE, GREY, LABEL, TEXT, rule, spread, width_of
from dualcode.published.published import Published
from dualcode.tables.cells import plain_percent
from dualcode.tables.selection import models

NAME_ROW, HIGHEST, LOW = 0.115, 3.2, 1.7
"""Inches: a name, and a panel at most; in more than two rows of panels, so that they fit a page."""
ACROSS = 2


@dataclass(frozen=True)
class Point:
    """One run: `x` is calls, completion tokens or money a task."""

    pipeline: str
    x: float
    score: Score
    front: bool
    """Whether no other run is at least as good for at most its price, and better in one of the two."""


@dataclass(frozen=True)
class Panel:
    """One suite and one price."""

    suite: str
    unit: str
    points: tuple[Point, ...]

    def words(self) -> str:
        """Return every point's price and pass@1."""
        said = (
            f"{p.pipeline} {p.x:.3g} for {plain_percent(p.score.rate.value)} %{' (front)' if p.front else ''}"
            for p in self.points
        )
        return f"{self.suite}, {self.unit}: {', '.join(said)}"

    @property
    def room(self) -> float:
        """How high it must be, in inches, for names to stand at their values, as far as a page allows."""
        rates = [p.score.rate for p in self.points]
        values = [rate.value for rate in rates]
        whole = max(rate.high for rate in rates) - min(rate.low for rate in rates) + 0.06
        share = (max(values) - min(values)) / whole
        rows = NAME_ROW * (len(values) + 1)
        return min(max(1.3, rows / share if share else 0, rows), HIGHEST)


@dataclass(frozen=True, kw_only=True)
class Efficiency(Content):
    """The panels, a suite a row."""

    panels: tuple[tuple[Panel, ...], ...]


def efficiency(analysis: Analysis, published: Published) -> Efficiency:
    """Return the data of the Pareto figure. The paper publishes no costs by pipeline."""
    del published
    priced = [run for run in analysis.runs if run.id in analysis.costs and analysis.costs[run.id].tasks]
    if not priced:
        nothing(f"of no run it is known what it took: {some_ids(analysis.runs) or 'there is none'}")
    groups = [[run for run in priced if run.dataset == name] for name in analysis.datasets]
    panels = tuple(_panels(analysis, group) for group in groups if group)
    without = [run for run in priced if money(analysis.costs[run.id]) is None]
    return Efficiency(
        title="What pass@1 costs, and the Pareto front",
        caption=(
            "pass@1 with 95 % Wilson intervals against calls, completion tokens and money a task, all ours. "
            f"{'; '.join(panel.words() for row in panels for panel in row)}."
        ),
        runs=tuple(run.id for run in priced),
        remarks=(
            "Calls, tokens and money as if each run were alone (nothing from the ledger); completion tokens "
            "are those of all servers, thoughts included: pipelines above each other are equal in them. The "
            "front follows the point estimates; where intervals overlap, its order may be chance.",
            *([f"No price, or prices in several currencies: {some_ids(without)}."] if without else []),
            *errored_remarks(priced),
        ),
        headline=headline(analysis),
        models=models(analysis.runs),
        panels=panels,
    )


def money(costs: Costs) -> tuple[float, str] | None:
    """Return a run's money and its currency; None unless every server has a price in the same one."""
    amounts = [each.money for each in costs.alone if each.money is not None]
    currencies = {each.currency for each in costs.alone if each.currency}
    if not amounts or len(amounts) < len(costs.alone) or len(currencies) != 1:
        return None
    return sum(amounts), currencies.pop()


def tokens(costs: Costs) -> float:
    """Return the completion tokens a task, thoughts included, of all servers, as if the run were alone."""
    return sum(each.completion_tokens for each in costs.alone) / costs.tasks


def _panels(analysis: Analysis, runs: Sequence[Run]) -> tuple[Panel, ...]:
    """Return the panels of one suite's runs: a price in money only if there is one, in its first currency."""
    suite, costs = suite_title(runs[0]), [analysis.costs[run.id] for run in runs]
    names, scores = [run.pipeline for run in runs], [analysis.scores[run.id][run.hardest] for run in runs]
    calls = [each.calls / each.tasks for each in costs]
    found = [
        Panel(suite, "calls a task", front(names, calls, scores)),
        Panel(suite, "completion tokens a task", front(names, [tokens(each) for each in costs], scores)),
    ]
    prices = [money(each) for each in costs]
    unit = next((price[1] for price in prices if price is not None), None)
    if unit is not None:
        same = [at for at, price in enumerate(prices) if price is not None and price[1] == unit]
        amounts = [price[0] / costs[at].tasks for at in same if (price := prices[at]) is not None]
        chosen = front([names[at] for at in same], amounts, [scores[at] for at in same])
        found.append(Panel(suite, f"{unit} a task", chosen))
    return tuple(found)


def front(names: Sequence[str], prices: Sequence[float], scores: Sequence[Score]) -> tuple[Point, ...]:
    """Return the points, each knowing whether it is on the Pareto front of low price and high pass@1."""
    values = [score.rate.value for score in scores]
    pairs = list(zip(prices, values, strict=True))
    beaten = [any((x <= px and y >= py) and (x < px or y > py) for x, y in pairs) for px, py in pairs]
    return tuple(
        Point(name, price, score, not lost)
        for name, price, score, lost in zip(names, prices, scores, beaten, strict=True)
    )


def draw_efficiency(data: Efficiency) -> Sheet:
    """Draw the panels two beside each other, each suite beginning a row of its own."""
    rows = [panels[at : at + ACROSS] for panels in data.panels for at in range(0, len(panels), ACROSS)]
    highest = HIGHEST if len(rows) <= ACROSS else LOW
    plot = min(highest, max(panel.room for row in rows for panel in row))
    height = plot + 0.67
    points = [p for row in rows for panel in row for p in panel.points]
    front_line = rule(f"Pareto front, {ours(p.score for p in points)}", color=BLUE)
    front_line.set(marker="o", markersize=4, markeredgecolor=BLACK, markeredgewidth=0.4)
    beaten = rule("beaten by another", "none", GREY)
    beaten.set(marker="s", markersize=4, markeredgecolor=BLACK, markeredgewidth=0.4)
    legend = [front_line] if all(p.front for p in points) else [front_line, beaten]
    sheet = Sheet(data, width=DOUBLE, body=height * len(rows), legend=legend, columns=3)
    step = (DOUBLE - 2 * MARGIN) / ACROSS
    names = max(width_of(_label(p), LABEL, bold=p.front) for p in points) + 0.14
    for number, row in enumerate(rows):
        for column, panel in enumerate(row):
            left = MARGIN + column * step
            axes = sheet.axes(left + 0.36, number * height + 0.24, step - 0.36 - names, plot)
            _draw_panel(axes, panel, plot)
            sheet.text(left, sheet.top + number * height, panel.suite, size=TEXT, weight="bold")
    return sheet


def _draw_panel(axes: Any, panel: Panel, plot: float) -> None:
    lows = min(p.score.rate.low for p in panel.points)
    highs = max(p.score.rate.high for p in panel.points)
    low, high = max(0.0, 100 * lows - 3), min(100.0, 100 * highs + 3)
    top = max(p.x for p in panel.points) * 1.06 or 1.0
    axes.set(xlim=(0, top), ylim=(low, high), xlabel=panel.unit)
    axes.set_ylabel("pass@1, %", labelpad=1.5)
    axes.locator_params(axis="x", nbins=4)
    axes.xaxis.set_major_formatter("{x:.3g}")
    # The front as steps: what is reached for at most a price.
    chosen = sorted((p.x, 100 * p.score.rate.value) for p in panel.points if p.front)
    xs, ys = [x for x, _ in chosen] + [top], [y for _, y in chosen] + [chosen[-1][1]]
    axes.plot(xs, ys, drawstyle="steps-post", color=BLUE, lw=0.9, zorder=3)
    for point in panel.points:
        rate = point.score.rate
        axes.vlines(point.x, 100 * rate.low, 100 * rate.high, color="#b0b0b0", lw=0.8, zorder=2)
        look = {"marker": "o", "color": BLUE} if point.front else {"marker": "s", "color": GREY}
        axes.plot(
            [point.x], [100 * rate.value], markersize=4, mec=BLACK, mew=0.4, zorder=5, clip_on=False, **look
        )
    _name(axes, panel.points, plot, low, high, top)


def _name(axes: Any, points: Sequence[Point], plot: float, low: float, high: float, top: float) -> None:
    """Write the names in a column at the right, in the points' order, each with a line to its point."""
    scale = (high - low) / plot
    ordered = sorted(points, key=lambda p: (p.score.rate.value, -p.x))
    wanted = [100 * p.score.rate.value for p in ordered]
    edge = 0.03 * scale
    placed = spread(wanted, NAME_ROW * scale, low + edge, high - edge)
    for point, y in zip(ordered, placed, strict=True):
        axes.annotate(
            _label(point), (point.x, 100 * point.score.rate.value), xytext=(1.0, y), xycoords="data",
            textcoords=("axes fraction", "data"), size=LABEL, va="center", annotation_clip=False,
            weight="bold" if point.front else "normal",
            arrowprops={"arrowstyle": "-", "color": "#c4c4c4", "lw": 0.45, "shrinkA": 0, "shrinkB": 2,
                        "relpos": (0, 0.5)},
        )  # fmt: skip
    axes.set_xlim(0, top)


def _label(point: Point) -> str:
    return f"{point.pipeline} {plain_percent(point.score.rate.value)}"
