"""How busy the servers were: requests in flight over the time of each run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.facts import Requests
from dualcode.analysis.runs import Run
from dualcode.figures.content import Content, headline, nothing, some_ids, suite_title
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import (
    BLACK,
    BLUE,
    DOUBLE,
    LABEL,
    ORANGE,
    SINGLE,
    TEXT,
    rule,
    shorten,
    swatch,
    width_of,
)
from dualcode.published.published import Published
from dualcode.runs.summary import union_seconds
from dualcode.tables.cells import duration
from dualcode.tables.selection import models

BINS = 160
PANEL, WORDS = 0.3, 0.13


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


def utilisation(analysis: Analysis, published: Published) -> Utilisation:
    """Return the data of the utilisation figure. The paper publishes none."""
    del published
    found = [(run, timeline(run)) for run in analysis.runs]
    if not any(each.requests for _, each in found):
        nothing(f"no request was made: every call of {some_ids(analysis.runs) or 'no run'} is a replay")
    titles = {run.dataset: suite_title(run) for run in reversed(analysis.runs)}
    return Utilisation(
        title="Server utilisation: requests in flight over each run's time",
        caption=(
            "Requests in flight at each server over the time of each run, as the client saw them; what the "
            f"ledger replayed is left out. {'. '.join(each.said() for _, each in found)}."
        ),
        runs=tuple(run.id for run in analysis.runs),
        remarks=(
            "First server upwards, second downwards, one scale for all. Percentages: share of the run's time "
            "with a request in flight. Replays from the ledger and the time between sessions are left out.",
        ),
        headline=headline(analysis),
        models=models(analysis.runs),
        timelines=tuple(each for _, each in found),
        titles=tuple((dataset, titles[dataset]) for dataset in analysis.datasets),
    )


def timeline(run: Run) -> Timeline:
    """Return what a run's servers did, from the attempts of its calls."""
    requests = run.facts.requests
    made = _made(requests)
    sessions = _sessions(run, made)
    seconds = sum(end - start for start, end in sessions)
    readings = run.readings
    lanes: list[Lane] = []
    for name in run.made.served:
        spans = [
            (elapsed(start, sessions), elapsed(end, sessions))
            for server, start, end in made
            if server == requests.endpoints.get(name)
        ]
        seen = [
            (elapsed(each.at, sessions), each.running)
            for each in readings
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
    starts = sorted(each.started for each in run.records.manifest.sessions)
    ends = {each.started: each.ended for each in run.records.manifest.sessions}
    found: list[tuple[float, float]] = []
    for number, start in enumerate(starts):
        following = starts[number + 1] if number + 1 < len(starts) else float("inf")
        last = max((end for _, began, end in made if start <= began < following), default=start)
        found.append((start, min(ends[start] or last, following)))
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
    endpoints = list(dict.fromkeys(lane.endpoint for each in data.timelines for lane in each.lanes))
    legend: list[Any] = [
        swatch((BLUE, ORANGE)[at % 2], f"ours, {name}, {('up', 'down')[at % 2]}wards: in flight", edge="none")
        for at, name in enumerate(endpoints)
    ]
    if any(level is not None for each in data.timelines for lane in each.lanes for level in lane.running):
        legend.append(rule("running, by the server's own metrics", width=0.6))
    sheet = Sheet(
        data,
        width=width,
        body=0.17 + height * len(pipelines) + 0.1,
        legend=legend,
        columns=2,
    )
    lanes = [lane for each in data.timelines for lane in each.lanes]
    peak = max(level or 0 for lane in lanes for level in (*lane.levels, *lane.running)) or 1.0
    for column, (_, title) in enumerate(data.titles):
        left = MARGIN + names + column * step
        sheet.text(left, sheet.top, shorten(title, step * 0.93), size=TEXT, weight="bold")
    for each in data.timelines:
        row = pipelines.index(each.pipeline)
        column = [dataset for dataset, _ in data.titles].index(each.dataset)
        left, top = MARGIN + names + column * step, 0.17 + row * height
        if column == 0 or all(
            t.pipeline != each.pipeline or t.dataset != data.titles[0][0] for t in data.timelines
        ):
            sheet.text(MARGIN, sheet.top + top + WORDS + PANEL / 2, each.pipeline, va="center")
        words = shorten(each.words(), step - 0.12, LABEL - 0.5)
        sheet.text(left, sheet.top + top + 0.02, words, size=LABEL - 0.5)
        _draw_timeline(sheet.axes(left, top + WORDS, step - 0.12, PANEL), each, endpoints, peak, column == 0)
    return sheet


def _draw_timeline(axes: Any, each: Timeline, endpoints: Sequence[str], peak: float, scale: bool) -> None:
    axes.set(xlim=(0, BINS), ylim=(-peak, peak))
    axes.set_xticks([])
    whole = f"{peak:.0f}"
    axes.set_yticks([0, peak] if scale else [], ["0", whole] if scale else [])
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
