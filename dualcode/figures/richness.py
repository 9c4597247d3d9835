"""Figure 3: what review gains where specifications are rich, and where they are lean."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.runs import Run
from dualcode.analysis.statistics import Comparison, Gap
from dualcode.figures.content import (
    PUBLISHED,
    Content,
    errored_remarks,
    headline,
    nothing,
    selection_remarks,
    some_ids,
    spread_of,
    suite_name,
    suite_title,
    warning_remarks,
)
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import BLACK, GREEN, GREY, HOLLOW, LABEL, SINGLE, diamond, swatch, width_of
from dualcode.published.published import Published
from dualcode.tables.cells import points
from dualcode.tables.selection import models

PAPERS = ("review-fix", "enriched")
GROUP = 0.62


@dataclass(frozen=True)
class Effect:
    """A pipeline's difference to the baseline on one suite, as shares; `published` in percentage points."""

    suite: str
    delta: float
    low: float
    high: float
    tasks: int
    published: float | None

    def text(self) -> str:
        """Return the difference with its interval."""
        return f"{points(self.delta)} [{points(self.low)}, {points(self.high)}]"

    def words(self) -> str:
        """Return it with what is published of it and the suite."""
        theirs = f", published {self.published:+.1f}" if self.published is not None else ""
        return f"{points(self.delta)} pp [{points(self.low)}, {points(self.high)}]{theirs} on {self.suite}"


@dataclass(frozen=True)
class Pair:
    """A pipeline on the rich and on the lean suite."""

    pipeline: str
    rich: Effect
    lean: Effect
    gap: str


@dataclass(frozen=True, kw_only=True)
class Richness(Content):
    """The pipelines that review, the paper's first."""

    pairs: tuple[Pair, ...]
    baseline: str


def richness(analysis: Analysis, published: Published) -> Richness:
    """Return the data of Figure 3. It takes review pipelines that ran on a rich and on a lean suite."""
    chosen = [gap for gap in analysis.gaps if gap.pipeline in PAPERS or gap.rich.run in analysis.reviewers]
    if not chosen:
        nothing(
            f"no review pipeline ran, with {analysis.baseline}, on a rich and on a lean suite: "
            f"{some_ids(analysis.runs)} on {' and '.join(analysis.datasets)}"
            if analysis.runs
            else "there is no run"
        )
    chosen.sort(key=lambda gap: PAPERS.index(gap.pipeline) if gap.pipeline in PAPERS else len(PAPERS))
    known = {run.id: run for run in analysis.runs}
    ids = [each for gap in chosen for c in (gap.rich, gap.lean) for each in (c.baseline, c.run)]
    runs = [known[each] for each in dict.fromkeys(ids)]
    pairs = tuple(
        Pair(
            gap.pipeline,
            _effect(gap.rich, known[gap.rich.run], published, gap.baseline),
            _effect(gap.lean, known[gap.lean.run], published, gap.baseline),
            gap_text(gap),
        )
        for gap in chosen
    )
    said = (f"{each.pipeline} {each.rich.words()}, {each.lean.words()}, {each.gap}" for each in pairs)
    return Richness(
        title="Figure 3: review effectiveness by specification richness",
        caption=(
            f"Difference of pass@1 to {analysis.baseline} on a suite with rich and on one with lean "
            f"specifications, ours as bars with 95 % intervals. {'; '.join(said)}. Hollow diamonds: the "
            "paper's differences."
        ),
        runs=tuple(run.id for run in runs),
        remarks=(
            "gap: rich less lean, in percentage points (pp), with its 95 % interval; ratio: rich over lean. "
            f"p Holm: corrected for the {chosen[0].family} gaps of these runs; an interval is of one alone, "
            "so it can exclude 0 where p Holm claims nothing.",
            *selection_remarks(runs, published=any(_published(each) for each in pairs)),
            *errored_remarks(runs),
            *warning_remarks(analysis, runs),
        ),
        headline=headline(analysis),
        models=models(analysis.runs),
        pairs=pairs,
        baseline=analysis.baseline,
    )


def _published(pair: Pair) -> bool:
    return pair.rich.published is not None or pair.lean.published is not None


def _effect(comparison: Comparison, run: Run, published: Published, baseline: str) -> Effect:
    return Effect(
        suite=suite_title(run),
        delta=comparison.delta,
        low=comparison.low,
        high=comparison.high,
        tasks=comparison.tasks,
        published=published.delta(suite_name(run), run.pipeline, baseline),
    )


def gap_text(gap: Gap) -> str:
    """Return a gap with its corrected p, and its ratio where one can be claimed."""
    name = "p Holm" if gap.family > 1 else "p"
    p = f"{name} < 0.001" if gap.p_holm < 0.001 else f"{name} = {gap.p_holm:.2g}"
    difference = f"gap {points(gap.difference)} pp [{points(gap.low)}, {points(gap.high)}], {p}"
    if gap.ratio is None:
        return f"{difference}; no ratio to claim"
    return f"{difference}; ratio {gap.ratio:.1f} [{gap.ratio_low:.1f}, {gap.ratio_high:.1f}]"


def draw_richness(data: Richness) -> Sheet:
    """Draw Figure 3, one column wide."""
    names = max(width_of(pair.pipeline) for pair in data.pairs) + 0.08
    values, head = 1.36, 0.2
    room = SINGLE - 2 * MARGIN - names - values
    height = GROUP * len(data.pairs)
    published = any(_published(pair) for pair in data.pairs)
    first = data.pairs[0]
    rich = spread_of(pair.rich.tasks for pair in data.pairs)
    lean = spread_of(pair.lean.tasks for pair in data.pairs)
    legend: list[Any] = [
        swatch(GREEN, f"{first.rich.suite}, rich: ours ({rich} tasks)"),
        swatch(GREY, f"{first.lean.suite}, lean: ours ({lean} tasks)", "/////"),
    ]
    legend += [diamond(PUBLISHED)] if published else []
    sheet = Sheet(data, width=SINGLE, body=head + height + 0.4, legend=legend, columns=1)
    axes = sheet.axes(MARGIN + names, head, room, height)
    low, high = limits(data.pairs)
    axes.set(xlim=(low, high), ylim=(len(data.pairs), 0), xlabel=f"Δ pass@1 to {data.baseline}, pp")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.axvline(0, color=BLACK, lw=0.8, ls="--")
    for number, pair in enumerate(data.pairs):
        _draw_pair(axes, number, pair, names, room)
    place = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center"}
    axes.text(1 + 0.86 / room, -0.12, "ours, 95 %", **place)
    if published:
        axes.text(1 + 1.35 / room, -0.12, "publ.", style="italic", **place)
    return sheet


def _draw_pair(axes: Any, number: int, pair: Pair, names: float, room: float) -> None:
    place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center"}
    right = {**place, "ha": "right"}
    axes.text(-names / room, number + 0.33, pair.pipeline, **place)
    for offset, effect, color, hatch in ((0.2, pair.rich, GREEN, ""), (0.47, pair.lean, GREY, "/////")):
        y, ends = number + offset, [100 * effect.low, 100 * effect.high]
        bar = {"height": 0.22, "color": color, "hatch": hatch, "edgecolor": BLACK, "linewidth": 0.4}
        axes.barh(y, 100 * effect.delta, **bar)
        axes.hlines(y, *ends, color=BLACK, lw=0.9, zorder=4)
        axes.plot(ends, [y, y], "|", color=BLACK, markersize=3.5, markeredgewidth=0.9, zorder=4)
        axes.text(1 + 1.0 / room, y, effect.text(), size=LABEL, **right)
        if effect.published is not None:
            axes.plot([effect.published], [y], **HOLLOW)
            axes.text(1 + 1.35 / room, y, f"{effect.published:+.1f}", size=LABEL, style="italic", **right)
    box = {"fc": "white", "ec": "none", "pad": 0.6}
    axes.text(1 + 1.35 / room, number + 0.76, pair.gap, size=LABEL - 0.5, bbox=box, **right)
    if number:
        ends = [-names / room, 1 + 1.36 / room]
        line = {"color": "#cccccc", "lw": 0.5, "clip_on": False}
        axes.plot(ends, [number, number], transform=place["transform"], **line)


def limits(pairs: Sequence[Pair]) -> tuple[float, float]:
    """Return from where to where the axis goes: over zero, all intervals and all published differences."""
    values = [0.0]
    for effect in (each for pair in pairs for each in (pair.rich, pair.lean)):
        values += [100 * effect.low, 100 * effect.high, effect.published or 0.0]
    room = max(1.0, 0.06 * (max(values) - min(values)))
    return min(values) - room, max(values) + room
