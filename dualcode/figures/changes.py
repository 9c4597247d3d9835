"""Which tasks each pipeline gained and lost: a strip of all tasks for each run."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from matplotlib.patches import PathPatch
from matplotlib.path import Path as Shape

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.runs import Run
from dualcode.figures.content import (
    Content,
    errored_remarks,
    headline,
    nothing,
    some_ids,
    suite_title,
    warning_remarks,
)
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import BLACK, BLUE, DOUBLE, GREY, LABEL, PALE, TEXT, VERMILLION, swatch, width_of
from dualcode.published.published import Published
from dualcode.tables.selection import models

State = Literal["both", "neither", "gained", "lost", "errored", "absent"]
"""Of one task in two runs. `errored`: at least one of them has no verdict; `absent`: not selected in both."""
MOST_COLUMNS = 200
"""Tasks in one strip: more are broken into strips below each other, so that a task stays 0.7 mm wide."""
ROW, CELL = 0.125, 0.12
LOOKS: dict[State, tuple[str, float, float]] = {
    "both": (PALE, 0.1, 0.9),
    "neither": (GREY, 0.1, 0.9),
    "gained": (BLUE, 0.02, 0.5),
    "lost": (VERMILLION, 0.5, 0.98),
    "errored": (BLACK, 0.38, 0.62),
}
"""Colour, and from where to where in its row a cell reaches: gained above the middle, lost below it."""


@dataclass(frozen=True)
class Row:
    """One run against the baseline; or (`baseline`) that one itself: both is passed, neither failed."""

    pipeline: str
    states: tuple[State, ...]
    baseline: bool = False

    def count(self, state: State) -> int:
        """Return how many tasks are in a state."""
        return self.states.count(state)

    @property
    def words(self) -> str:
        """Return gained, lost and errored as a short text."""
        errored = f" ?{self.count('errored')}" if self.count("errored") else ""
        if self.baseline:
            return f"{self.count('both')} passed{errored}"
        return f"+{self.count('gained')} −{self.count('lost')}{errored}"


@dataclass(frozen=True)
class Strip:
    """All runs of one dataset over its tasks, in the suite's order."""

    title: str
    tasks: tuple[str, ...]
    rows: tuple[Row, ...]

    def words(self) -> str:
        """Return what each pipeline gained and lost."""
        return f"{self.title}: " + ", ".join(f"{row.pipeline} {row.words}" for row in self.rows)


@dataclass(frozen=True, kw_only=True)
class Changes(Content):
    """A strip for each dataset that has the baseline and something beside it."""

    strips: tuple[Strip, ...]
    baseline: str


def changes(analysis: Analysis, published: Published) -> Changes:
    """Return the data of the strip. The paper publishes no results by task."""
    del published
    groups: list[tuple[Run, list[Run]]] = []
    for dataset in analysis.datasets:
        base = analysis.run(dataset, analysis.baseline)
        others = [run for run in analysis.runs if run.dataset == dataset and run is not base]
        if base and others:
            groups.append((base, others))
    if not groups:
        nothing(
            f"no run stands beside one of {analysis.baseline}: {some_ids(analysis.runs) or 'there is none'}"
        )
    strips: list[Strip] = []
    for base, others in groups:
        tasks = tuple(dict.fromkeys(task for run in (base, *others) for task in run.tasks))
        rows = [Row(base.pipeline, states(base, base, tasks), baseline=True)]
        rows += [Row(run.pipeline, states(base, run, tasks)) for run in others]
        strips.append(Strip(suite_title(base), tasks, tuple(rows)))
    runs = [run for base, others in groups for run in (base, *others)]
    return Changes(
        title=f"Tasks gained and lost against {analysis.baseline}",
        caption=(
            "Every task (a column) for every pipeline (a row), in the suite's order: gained and lost against "
            f"{analysis.baseline}, solved by both or by neither, or without a verdict (errored). "
            f"{'; '.join(strip.words() for strip in strips)}."
        ),
        runs=tuple(run.id for run in runs),
        remarks=(
            "At the right: tasks gained (+) and lost (−), and without a verdict in one of the two runs (?).",
            *errored_remarks(runs),
            *warning_remarks(analysis, runs),
        ),
        headline=headline(analysis),
        models=models(analysis.runs),
        strips=tuple(strips),
        baseline=analysis.baseline,
    )


def states(base: Run, run: Run, tasks: Sequence[str]) -> tuple[State, ...]:
    """Return what became of each task, on the hardest part of both runs."""
    before, after = base.passed(base.hardest), run.passed(run.hardest)
    selected = set(base.tasks) & set(run.tasks)
    words: dict[tuple[bool, bool], State] = {
        (True, True): "both", (False, False): "neither", (False, True): "gained", (True, False): "lost",
    }  # fmt: skip

    def state(task: str) -> State:
        if task not in selected:
            return "absent"
        if task not in before or task not in after:
            return "errored"
        return words[before[task], after[task]]

    return tuple(state(task) for task in tasks)


def draw_changes(data: Changes) -> Sheet:
    """Draw the strips, two columns wide."""
    names = max(width_of(row.pipeline) for strip in data.strips for row in strip.rows) + 0.08
    totals = max(width_of(row.words, LABEL) for strip in data.strips for row in strip.rows) + 0.1
    room = DOUBLE - 2 * MARGIN - names - totals
    parts = [(strip, piece) for strip in data.strips for piece in pieces(len(strip.tasks))]
    cell = min(CELL, room / max(len(piece) for _, piece in parts))
    heights = [0.16 + ROW * len(strip.rows) + 0.24 for strip, _ in parts]
    legend = [
        swatch(BLUE, "gained (upper half)", edge="none"),
        swatch(VERMILLION, "lost (lower half)", edge="none"),
        swatch(PALE, f"both passed (in {data.baseline}'s row: passed)", edge="none"),
        swatch(GREY, "neither (failed)", edge="none"),
        swatch(BLACK, "errored", edge="none"),
    ]
    sheet = Sheet(data, width=DOUBLE, body=sum(heights) + 0.02, legend=legend, columns=5)
    for number, (strip, piece) in enumerate(parts):
        top = sum(heights[:number])
        axes = sheet.axes(MARGIN + names, top + 0.16, cell * len(piece), ROW * len(strip.rows))
        _draw_piece(axes, strip, piece, totals=piece[-1] == len(strip.tasks) - 1)
        part = "" if piece[0] == 0 else ", continued"
        sheet.text(MARGIN, sheet.top + top, strip.title + part, size=TEXT, weight="bold")
    return sheet


def pieces(tasks: int) -> list[range]:
    """Break so many columns into pieces of (nearly) equal length, each of at most MOST_COLUMNS."""
    count = -(-tasks // MOST_COLUMNS)
    size = -(-tasks // count)
    return [range(start, min(start + size, tasks)) for start in range(0, tasks, size)]


def _draw_piece(axes: Any, strip: Strip, piece: range, *, totals: bool) -> None:
    axes.set(xlim=(piece.start, piece.stop), ylim=(len(strip.rows), 0))
    axes.set_yticks([y + 0.5 for y in range(len(strip.rows))], [row.pipeline for row in strip.rows])
    axes.tick_params(axis="y", length=0)
    step = next(size for size in (5, 10, 20, 50) if len(piece) / size <= 11)
    ticks = range(-(-piece.start // step) * step, piece.stop, step)
    axes.set_xticks([tick + 0.5 for tick in ticks], [strip.tasks[tick].rpartition("/")[2] for tick in ticks])
    axes.tick_params(axis="x", length=2, labelsize=LABEL)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    for state, (color, high, low) in LOOKS.items():
        shape = _shape(strip.rows, piece, state, high, low)
        if shape is not None:
            axes.add_patch(PathPatch(shape, facecolor=color, edgecolor="none", linewidth=0))
    axes.axhline(1, color=BLACK, lw=0.5)
    place = axes.get_yaxis_transform()
    for y, row in enumerate(strip.rows if totals else ()):
        axes.text(1, y + 0.52, f"  {row.words}", transform=place, va="center", size=LABEL)


def _shape(rows: Sequence[Row], piece: range, state: State, high: float, low: float) -> Shape | None:
    """Return all cells of a state as one shape: neighbours are joined, so that a file stays small."""
    corners: list[tuple[float, float]] = []
    for y, row in enumerate(rows):
        right = piece.start
        for found, group in groupby(row.states[piece.start : piece.stop]):
            left, right = right, right + len(list(group))
            if found == state:
                upper, lower = y + high, y + low
                corners += [(left, upper), (right, upper), (right, lower), (left, lower), (left, upper)]
    if not corners:
        return None
    one = [Shape.MOVETO, Shape.LINETO, Shape.LINETO, Shape.LINETO, Shape.CLOSEPOLY]
    return Shape(corners, one * (len(corners) // 5))
