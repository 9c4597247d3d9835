"""What runs took: pass@1 against calls, tokens and money a task, and how busy the servers were meanwhile."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from statistics import fmean
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.costs import Costs
from dualcode.analysis.facts import Requests
from dualcode.analysis.runs import Run, Score
from dualcode.figures.content import Content, about, errored_remarks, nothing, ours, some_ids
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import (
    BLACK,
    BLUE,
    DOUBLE,
    GREY,
    LABEL,
    ORANGE,
    SINGLE,
    rule,
    shorten,
    spread,
    swatch,
    width_of,
)
from dualcode.published.published import Published
from dualcode.runs.summary import union_seconds
from dualcode.tables.cells import duration, plain_percent
from dualcode.tables.selection import suite_title

NAME_ROW, HIGHEST, LOW = 0.115, 3.2, 1.7
"""Inches: a name, and a panel at most; in more than two rows of panels, so that they fit a page."""
ACROSS = 2
MARK: dict[str, Any] = {"markersize": 4, "markeredgecolor": BLACK, "markeredgewidth": 0.4}
LOOKS: dict[bool, dict[str, Any]] = {
    True: {"marker": "o", "color": BLUE},
    False: {"marker": "s", "color": GREY},
}
"""Of what is on the front, and of what is not."""
BINS = 160
PANEL, WORDS = 0.3, 0.13
"""Parts of a run's time, and inches: a server panel and the words above it."""


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


def efficiency(analysis: Analysis, _: Published) -> Efficiency:
    """Return the data of the Pareto figure. The paper publishes no costs by pipeline."""
    priced = [run for run in analysis.runs if run.id in analysis.costs and analysis.costs[run.id].tasks]
    if not priced:
        nothing(f"of no run it is known what it took: {some_ids(analysis.runs) or 'there is none'}")
    groups = [[run for run in priced if run.dataset == name] for name in analysis.datasets]
    panels = tuple(_panels(analysis, group) for group in groups if group)
    without = [run for run in priced if money(analysis.costs[run.id]) is None]
    return Efficiency(
        **about(
            analysis, priced, "What pass@1 costs, and the Pareto front",
            "pass@1 with 95 % Wilson intervals against calls, completion tokens and money a task, all ours. "
            f"{'; '.join(panel.words() for row in panels for panel in row)}.",
            "Calls, tokens and money as if each run were alone (nothing from the ledger); completion tokens "
            "are those of all servers, thoughts included: pipelines above each other are equal in them. The "
            "front follows the point estimates; where intervals overlap, its order may be chance.",
            *([f"No price, or prices in several currencies: {some_ids(without)}."] if without else []),
            *errored_remarks(priced),
        ),
        panels=panels,
    )  # fmt: skip


def money(costs: Costs) -> tuple[float, str] | None:
    """Return a run's money and its currency; None unless every server has a price in the same one."""
    amounts = [each.money for each in costs.alone if each.money is not None]
    currencies = {each.currency for each in costs.alone if each.currency}
    if not amounts or len(amounts) < len(costs.alone) or len(currencies) != 1:
        return None
    return sum(amounts), currencies.pop()


def _panels(analysis: Analysis, runs: Sequence[Run]) -> tuple[Panel, ...]:
    """Return the panels of one suite's runs: a price in money only if there is one, in its first currency."""
    costs = [analysis.costs[run.id] for run in runs]
    prices = [money(each) for each in costs]
    unit = next((price[1] for price in prices if price), None)
    measures: dict[str, list[float | None]] = {
        "calls a task": [each.calls / each.tasks for each in costs],
        "completion tokens a task": [
            sum(server.completion_tokens for server in each.alone) / each.tasks for each in costs
        ],
        f"{unit} a task": [
            price[0] / each.tasks if price and price[1] == unit else None
            for price, each in zip(prices, costs, strict=True)
        ],
    }
    names, scores = [run.pipeline for run in runs], [analysis.scores[run.id][run.hardest] for run in runs]
    found = {measure: front(names, amounts, scores) for measure, amounts in measures.items()}
    return tuple(Panel(suite_title(runs[:1]), measure, points) for measure, points in found.items() if points)


def front(names: Sequence[str], prices: Sequence[float | None], scores: Sequence[Score]) -> tuple[Point, ...]:
    """Return the points that have a price; each knows if it is on the front of low price and high pass@1."""
    every = zip(names, prices, scores, strict=True)
    priced = [(name, price, score) for name, price, score in every if price is not None]
    pairs = [(price, score.rate.value) for _, price, score in priced]
    beaten = [any(x <= px and y >= py and (x, y) != (px, py) for x, y in pairs) for px, py in pairs]
    return tuple(Point(*each, not lost) for each, lost in zip(priced, beaten, strict=True))


def draw_efficiency(data: Efficiency) -> Sheet:
    """Draw the panels two beside each other, each suite beginning a row of its own."""
    rows = [panels[at : at + ACROSS] for panels in data.panels for at in range(0, len(panels), ACROSS)]
    room = max(panel.room for row in rows for panel in row)
    plot = min(room, HIGHEST if len(rows) <= ACROSS else LOW)
    height = plot + 0.67
    points = [p for row in rows for panel in row for p in panel.points]
    legend = [rule(f"Pareto front, {ours(p.score for p in points)}", **MARK, **LOOKS[True])]
    if not all(p.front for p in points):
        legend.append(rule("beaten by another", "none", **MARK, **LOOKS[False]))
    sheet = Sheet(data, width=DOUBLE, body=height * len(rows), legend=legend, columns=3)
    step = (DOUBLE - 2 * MARGIN) / ACROSS
    names = max(width_of(_label(p), LABEL, bold=p.front) for p in points) + 0.14
    for number, row in enumerate(rows):
        for column, panel in enumerate(row):
            left = MARGIN + column * step
            axes = sheet.axes(left + 0.36, number * height + 0.24, step - 0.36 - names, plot)
            _draw_panel(axes, panel, plot)
            sheet.text(left, sheet.top + number * height, panel.suite, weight="bold")
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
        axes.plot([point.x], [100 * rate.value], zorder=5, clip_on=False, **MARK, **LOOKS[point.front])
    _name(axes, panel.points, plot, low, high)


def _name(axes: Any, points: Sequence[Point], plot: float, low: float, high: float) -> None:
    """Write the names in a column at the right, in the points' order, each with a line to its point."""
    scale = (high - low) / plot
    ordered = sorted(points, key=lambda p: (p.score.rate.value, -p.x))
    wanted = [100 * p.score.rate.value for p in ordered]
    placed = spread(wanted, NAME_ROW * scale, low + 0.03 * scale, high - 0.03 * scale)
    for point, y in zip(ordered, placed, strict=True):
        axes.annotate(
            _label(point), (point.x, 100 * point.score.rate.value), xytext=(1.0, y), xycoords="data",
            textcoords=("axes fraction", "data"), size=LABEL, va="center", annotation_clip=False,
            weight="bold" if point.front else "normal",
            arrowprops={"arrowstyle": "-", "color": "#c4c4c4", "lw": 0.45, "shrinkA": 0, "shrinkB": 2,
                        "relpos": (0, 0.5)},
        )  # fmt: skip


def _label(point: Point) -> str:
    return f"{point.pipeline} {plain_percent(point.score.rate.value)}"


@dataclass(frozen=True)
class Lane:
    """One server during one run."""

    endpoint: str
    levels: tuple[float, ...]
    """Mean number of requests in flight, in equal parts of the run's time."""
    busy: float
    """The share of the run's time with at least one request in flight."""
    running: tuple[float | None, ...]
    """Mean size of the server's batch by its own metrics, anybody's requests; None where it was not read."""


@dataclass(frozen=True)
class Timeline:
    """One run: the time between its sessions is left out."""

    pipeline: str
    dataset: str
    seconds: float
    requests: int
    """Made by the run itself, not replayed."""
    replayed: int
    lanes: tuple[Lane, ...]

    def said(self) -> str:
        """Return how long it took and how busy each server was."""
        busy = ", ".join(f"{lane.endpoint} busy {lane.busy:.0%}" for lane in self.lanes)
        return f"{self.pipeline} on {self.dataset}: {duration(self.seconds)}, {busy}"

    def words(self) -> str:
        """Return the same, and how many requests were made, as the text above its panel."""
        if not self.requests:
            return f"{duration(self.seconds)}: all {self.replayed} requests replayed from the ledger"
        busy = ", ".join(f"{lane.endpoint} {lane.busy:.0%}" for lane in self.lanes)
        requests = f"{self.requests} request{'' if self.requests == 1 else 's'}"
        replayed = f", {self.replayed} replayed" if self.replayed else ""
        return f"{duration(self.seconds)}; busy: {busy}; {requests}{replayed}"


@dataclass(frozen=True, kw_only=True)
class Utilisation(Content):
    """The runs, a column for each dataset."""

    timelines: tuple[Timeline, ...]
    titles: tuple[tuple[str, str], ...]
    """Dataset and how it is headed."""


def utilisation(analysis: Analysis, _: Published) -> Utilisation:
    """Return the data of the utilisation figure. The paper publishes none."""
    found = tuple(timeline(run) for run in analysis.runs)
    if not any(each.requests for each in found):
        nothing(f"no request was made: every call of {some_ids(analysis.runs) or 'no run'} is a replay")
    titles = {run.dataset: suite_title([run]) for run in reversed(analysis.runs)}
    return Utilisation(
        **about(
            analysis, analysis.runs, "Server utilisation: requests in flight over each run's time",
            "Requests in flight at each server over the time of each run, as the client saw them; what the "
            f"ledger replayed is left out. {'. '.join(each.said() for each in found)}.",
            "First server upwards, second downwards, one scale for all. Percentages: share of the run's time "
            "with a request in flight. Replays from the ledger and the time between sessions are left out.",
        ),
        timelines=found,
        titles=tuple((dataset, titles[dataset]) for dataset in analysis.datasets),
    )  # fmt: skip


def timeline(run: Run) -> Timeline:
    """Return what a run's servers did, from the attempts of its calls."""
    requests = run.facts.requests
    made = _made(requests)
    sessions = _sessions(run, made)
    seconds = sum(end - start for start, end in sessions)
    lanes: list[Lane] = []
    for name in run.made.served:
        spans = [
            (elapsed(start, sessions), elapsed(end, sessions))
            for server, start, end in made
            if server == requests.endpoints.get(name)
        ]
        seen = [
            (elapsed(each.at, sessions), each.running)
            for each in run.readings
            if name in each.endpoints and each.running is not None
        ]
        busy = union_seconds(spans) / seconds if seconds else 0.0
        lanes.append(Lane(name, in_flight(spans, seconds), busy, means(seen, seconds)))
    return Timeline(run.pipeline, run.dataset, seconds, len(made), sum(requests.from_ledger), tuple(lanes))


def _made(requests: Requests) -> list[tuple[int, float, float]]:
    """Return endpoint, start and end of each request that was really made, each once."""
    columns = requests.same, requests.endpoint, requests.started, requests.seconds, requests.from_ledger
    once = {
        same: (endpoint, started, started + seconds)
        for same, endpoint, started, seconds, replayed in zip(*columns, strict=True)
        if not replayed
    }
    return list(once.values())


def _sessions(run: Run, made: Sequence[tuple[int, float, float]]) -> list[tuple[float, float]]:
    """Return when processes worked on the run; one that was killed ended with its last request."""
    sessions = sorted(run.records.manifest.sessions, key=lambda each: each.started)
    found: list[tuple[float, float]] = []
    for each, following in zip(sessions, [*(each.started for each in sessions[1:]), inf], strict=False):
        last = max((end for _, began, end in made if each.started <= began < following), default=each.started)
        found.append((each.started, min(each.ended or last, following)))
    return found


def elapsed(moment: float, sessions: Iterable[tuple[float, float]]) -> float:
    """Return a moment on the run's own clock, which stands still between sessions."""
    return sum(min(max(0.0, moment - start), end - start) for start, end in sessions)


def means(seen: Iterable[tuple[float, float]], seconds: float, bins: int = BINS) -> tuple[float | None, ...]:
    """Return the mean of the (moment, value) pairs in each of `bins` equal parts of [0, seconds]."""
    values: list[list[float]] = [[] for _ in range(bins)]
    for moment, value in seen if seconds > 0 else ():
        values[min(bins - 1, int(moment / seconds * bins))].append(value)
    return tuple(fmean(each) if each else None for each in values)


def in_flight(
    intervals: Iterable[tuple[float, float]], seconds: float, bins: int = BINS
) -> tuple[float, ...]:
    """Return the mean number of intervals that are open in each of `bins` equal parts of [0, seconds]."""
    totals = [0.0] * bins
    if seconds <= 0:
        return tuple(totals)
    size = seconds / bins
    for start, end in intervals:
        for number in range(max(0, int(start / size)), min(bins, int(end / size) + 1)):
            totals[number] += max(0.0, min(end, (number + 1) * size) - max(start, number * size))
    return tuple(total / size for total in totals)


def draw_utilisation(data: Utilisation) -> Sheet:
    """Draw a small panel for each run: datasets across, pipelines down."""
    pipelines = list(dict.fromkeys(each.pipeline for each in data.timelines))
    across = len(data.titles)
    width = DOUBLE if across > 1 else SINGLE
    names = max(width_of(name) for name in pipelines) + 0.2
    step = (width - 2 * MARGIN - names) / across
    height = PANEL + WORDS + 0.02
    lanes = [lane for each in data.timelines for lane in each.lanes]
    endpoints = list(dict.fromkeys(lane.endpoint for lane in lanes))
    legend: list[Any] = [
        swatch((BLUE, ORANGE)[at % 2], f"ours, {name}, {('up', 'down')[at % 2]}wards: in flight", edge="none")
        for at, name in enumerate(endpoints)
    ]
    if any(level is not None for lane in lanes for level in lane.running):
        legend.append(rule("running, by the server's own metrics", width=0.6))
    sheet = Sheet(data, width=width, body=0.17 + height * len(pipelines) + 0.1, legend=legend)
    peak = max(level or 0 for lane in lanes for level in (*lane.levels, *lane.running)) or 1.0
    for column, (_, title) in enumerate(data.titles):
        left = MARGIN + names + column * step
        sheet.text(left, sheet.top, shorten(title, step * 0.93), weight="bold")
    for row, name in enumerate(pipelines):
        sheet.text(MARGIN, sheet.top + 0.17 + row * height + WORDS + PANEL / 2, name, va="center")
    for each in data.timelines:
        column = [dataset for dataset, _ in data.titles].index(each.dataset)
        left, top = MARGIN + names + column * step, 0.17 + pipelines.index(each.pipeline) * height
        words = shorten(each.words(), step - 0.12, LABEL - 0.5)
        sheet.text(left, sheet.top + top + 0.02, words, size=LABEL - 0.5)
        _draw_timeline(sheet.axes(left, top + WORDS, step - 0.12, PANEL), each, endpoints, peak, column == 0)
    return sheet


def _draw_timeline(axes: Any, each: Timeline, endpoints: Sequence[str], peak: float, scale: bool) -> None:
    axes.set(xlim=(0, BINS), ylim=(-peak, peak))
    axes.set_xticks([])
    axes.set_yticks([0, peak] if scale else [], ["0", f"{peak:.0f}"] if scale else [])
    axes.tick_params(axis="y", length=1.5, labelsize=5, pad=1)
    axes.spines["bottom"].set_visible(False)
    for lane in each.lanes:
        place = endpoints.index(lane.endpoint)
        sign, color = (1, BLUE) if place % 2 == 0 else (-1, ORANGE)
        values = [sign * level for level in lane.levels]
        axes.stairs(values, range(BINS + 1), fill=True, color=color, linewidth=0)
        read = [(x + 0.5, sign * level) for x, level in enumerate(lane.running) if level is not None]
        axes.plot([x for x, _ in read], [y for _, y in read], color=BLACK, lw=0.6, zorder=4)
    axes.axhline(0, color=BLACK, lw=0.5)
