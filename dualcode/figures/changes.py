"""Tasks gained and lost: a strip of all tasks for each run, and Figure 5, why plan-code lost its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from matplotlib.patches import PathPatch
from matplotlib.path import Path as Shape

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.failures.taxonomy import CLASSES
from dualcode.analysis.runs import Run
from dualcode.figures.content import (
    PUBLISHED,
    Content,
    about,
    caveats,
    errored_remarks,
    main_dataset,
    nothing,
    selection_remarks,
    some_ids,
    warning_remarks,
)
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import (
    BLACK,
    BLUE,
    DOUBLE,
    GREY,
    HOLLOW,
    LABEL,
    PALE,
    SINGLE,
    VERMILLION,
    beside,
    diamond,
    swatch,
    width_of,
)
from dualcode.published.published import Published
from dualcode.tables.selection import suite_title

State = Literal["both", "neither", "gained", "lost", "errored", "absent"]
"""Of one task in two runs. `errored`: at least one of them has no verdict; `absent`: not selected in both."""
MOST_COLUMNS = 200
"""Tasks in one strip: more are broken into strips below each other, so that a task stays 0.7 mm wide."""
ROW, CELL = 0.125, 0.12
PLAN = "plan-code"
CLASS_ROW = 0.2
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


def changes(analysis: Analysis, _: Published) -> Changes:
    """Return the data of the strip. The paper publishes no results by task."""
    strips: list[Strip] = []
    runs: list[Run] = []
    for dataset in analysis.datasets:
        base = analysis.run(dataset, analysis.baseline)
        others = [run for run in analysis.runs if run.dataset == dataset and run is not base]
        if not base or not others:
            continue
        own = [base, *others]
        tasks = tuple(dict.fromkeys(task for run in own for task in run.tasks))
        rows = [Row(run.pipeline, states(base, run, tasks), baseline=run is base) for run in own]
        runs += own
        strips.append(Strip(suite_title([base]), tasks, tuple(rows)))
    if not strips:
        nothing(
            f"no run stands beside one of {analysis.baseline}: {some_ids(analysis.runs) or 'there is none'}"
        )
    return Changes(
        **about(
            analysis, runs, f"Tasks gained and lost against {analysis.baseline}",
            "Every task (a column) for every pipeline (a row), in the suite's order: gained and lost against "
            f"{analysis.baseline}, solved by both or by neither, or without a verdict (errored). "
            f"{'; '.join(strip.words() for strip in strips)}.",
            "At the right: tasks gained (+) and lost (−), and without a verdict in one of the two runs (?).",
            *caveats(analysis, runs, compared=True),
        ),
        strips=tuple(strips),
        baseline=analysis.baseline,
    )  # fmt: skip


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
        sheet.text(MARGIN, sheet.top + top, strip.title + part, weight="bold")
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


@dataclass(frozen=True)
class ClassCount:
    """A class of failure: our regressions of that primary class, and the published ones."""

    kind: str
    count: int
    published: int | None


@dataclass(frozen=True, kw_only=True)
class Breakdown(Content):
    """Every class of the taxonomy, also those without a regression."""

    counts: tuple[ClassCount, ...]
    total: int
    published_total: int


def breakdown(analysis: Analysis, published: Published) -> Breakdown:
    """Return the data of Figure 5."""
    run = analysis.run(main_dataset(analysis, (PLAN,)), PLAN)
    found = analysis.regressions.get(run.id) if run else None
    if run is None or found is None:
        ran = f"{run.id} was" if run else "nothing was"
        nothing(f"{ran} compared with a run of {analysis.baseline}")
    if not found.regressions:
        nothing(f"{run.id} lost no task that {found.baseline} had solved: there are no regressions")
    theirs: dict[str, int] = {}
    for each in published.regressions:
        theirs[each.kind] = theirs.get(each.kind, 0) + each.count
    total = len(found.regressions)
    mine = found.counts()
    counts = tuple(ClassCount(kind, mine.get(kind, 0), theirs.get(kind)) for kind in CLASSES)
    base = [each for each in analysis.runs if each.id == found.baseline]
    gained = len(analysis.comparisons[run.id][run.hardest].gained) if run.id in analysis.comparisons else None
    said = ", ".join(f"{each.kind} {each.count}" for each in counts if each.count)
    printed = ", ".join(f"{each.kind} {each.published}" for each in counts if each.published)
    against = f", against {gained} gained" if gained is not None else ""
    # What dualcode takes the paper's count to mean, where it does not fit the paper's own tables.
    readings = [each for each in published.contradictions if each.name == "regressions"]
    return Breakdown(
        **about(
            analysis, [*base, run],
            f"Figure 5: {_tasks(total)} that {analysis.baseline} solved and {PLAN} did not, "
            f"{suite_title([run])}",
            f"The {_tasks(total)} that {analysis.baseline} solved and {PLAN} did not{against}, by primary "
            f"class of failure. Ours: {said}."
            + (f" Published (hollow diamonds): {printed}." if theirs else ""),
            *(f"The paper's regressions: {each.reading}" for each in readings),
            *selection_remarks([run], published=bool(theirs)),
            *errored_remarks([*base, run]),
            *warning_remarks(analysis, [run]),
        ),
        counts=counts,
        total=total,
        published_total=sum(theirs.values()),
    )  # fmt: skip


def _tasks(count: int) -> str:
    return f"{count} task{'' if count == 1 else 's'}"


def draw_breakdown(data: Breakdown) -> Sheet:
    """Draw Figure 5, one column wide."""
    names, columns, head = max(width_of(each.kind) for each in data.counts) + 0.13, 0.62, 0.18
    room = SINGLE - 2 * MARGIN - names - columns
    height = CLASS_ROW * len(data.counts)
    legend: list[Any] = [swatch(VERMILLION, f"ours ({_tasks(data.total)} lost)", "/////")]
    if data.published_total:
        legend.append(diamond(f"{PUBLISHED} ({data.published_total} lost)"))
    sheet = Sheet(data, width=SINGLE, body=head + height + 0.36, legend=legend, columns=1)
    axes = sheet.axes(MARGIN + names, head, room, height)
    most = max(max(each.count, each.published or 0) for each in data.counts)
    axes.set(xlim=(0, most * 1.05), ylim=(len(data.counts) - 0.5, -0.5), xlabel="regressions")
    axes.set_yticks(range(len(data.counts)), [each.kind for each in data.counts])
    axes.tick_params(axis="y", length=0, pad=5)
    axes.xaxis.get_major_locator().set_params(integer=True)
    for y, each in enumerate(data.counts):
        axes.barh(y, each.count, height=0.6, color=VERMILLION, hatch="/////", edgecolor=BLACK, linewidth=0.4)
        beside(axes, room, 0.24, y, str(each.count))
        if each.published is not None:
            axes.plot([each.published], [y], clip_on=False, **HOLLOW)
            beside(axes, room, 0.58, y, str(each.published), style="italic")
    beside(axes, room, 0.26, -0.85, "ours")
    if data.published_total:
        beside(axes, room, 0.62, -0.85, "publ.", style="italic")
    return sheet
