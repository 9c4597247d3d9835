"""What the richness of specifications decides: Figure 3, what review gains by it, and the gate by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.runs import Run
from dualcode.analysis.statistics import Comparison, Curve, Gap, Step, gate_curve
from dualcode.figures.content import (
    PUBLISHED,
    Content,
    about,
    caveats,
    nothing,
    some_ids,
    spread_of,
    suite_name,
)
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import (
    BLACK,
    BLUE,
    DOUBLE,
    GREEN,
    GREY,
    HOLLOW,
    LABEL,
    SINGLE,
    VERMILLION,
    beside,
    diamond,
    rule,
    swatch,
    whisker,
    width_of,
)
from dualcode.published.published import Published
from dualcode.tables.cells import percent, points, points_interval
from dualcode.tables.selection import suite_title

PAPERS = ("review-fix", "enriched")
GROUP = 0.62
RAW, REVIEW, GATED = "raw-coder", "review-fix", "gated"
HEIGHT = 1.25


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
        return f"{points(self.delta)} {points_interval(self.low, self.high)}"

    def words(self) -> str:
        """Return it with what is published of it and the suite."""
        theirs = f", published {self.published:+.1f}" if self.published is not None else ""
        return f"{points(self.delta)} pp {points_interval(self.low, self.high)}{theirs} on {self.suite}"


@dataclass(frozen=True)
class Pair:
    """A pipeline on the rich and on the lean suite."""

    pipeline: str
    rich: Effect
    lean: Effect
    gap: str

    @property
    def published(self) -> bool:
        """Whether anything is published of it."""
        return self.rich.published is not None or self.lean.published is not None


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
        **about(
            analysis, runs, "Figure 3: review effectiveness by specification richness",
            f"Difference of pass@1 to {analysis.baseline} on a suite with rich and on one with lean "
            f"specifications, ours as bars with 95 % intervals. {'; '.join(said)}. Hollow diamonds: the "
            "paper's differences.",
            "gap: rich less lean, in percentage points (pp), with its 95 % interval; ratio: rich over lean. "
            f"p Holm: corrected for the {chosen[0].family} gaps of these runs; an interval is of one alone, "
            "so it can exclude 0 where p Holm claims nothing.",
            *caveats(analysis, runs, published=any(each.published for each in pairs), compared=True),
        ),
        pairs=pairs,
        baseline=analysis.baseline,
    )  # fmt: skip


def _effect(comparison: Comparison, run: Run, published: Published, baseline: str) -> Effect:
    return Effect(
        suite=suite_title([run]),
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
    difference = f"gap {points(gap.difference)} pp {points_interval(gap.low, gap.high)}, {p}"
    if gap.ratio is None:
        return f"{difference}; no ratio to claim"
    return f"{difference}; ratio {gap.ratio:.1f} [{gap.ratio_low:.1f}, {gap.ratio_high:.1f}]"


def draw_richness(data: Richness) -> Sheet:
    """Draw Figure 3, one column wide."""
    names = max(width_of(pair.pipeline) for pair in data.pairs) + 0.08
    values, head = 1.36, 0.2
    room = SINGLE - 2 * MARGIN - names - values
    height = GROUP * len(data.pairs)
    published = any(pair.published for pair in data.pairs)
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
    beside(axes, room, 0.86, -0.12, "ours, 95 %")
    if published:
        beside(axes, room, 1.35, -0.12, "publ.", style="italic")
    return sheet


def _draw_pair(axes: Any, number: int, pair: Pair, names: float, room: float) -> None:
    place = axes.get_yaxis_transform()
    axes.text(-names / room, number + 0.33, pair.pipeline, transform=place, va="center")
    for offset, effect, color, hatch in ((0.2, pair.rich, GREEN, ""), (0.47, pair.lean, GREY, "/////")):
        y, bar = number + offset, {"height": 0.22, "edgecolor": BLACK, "linewidth": 0.4}
        axes.barh(y, 100 * effect.delta, color=color, hatch=hatch, **bar)
        whisker(axes, y, (100 * effect.low, 100 * effect.high))
        beside(axes, room, 1.0, y, effect.text(), size=LABEL)
        if effect.published is not None:
            axes.plot([effect.published], [y], **HOLLOW)
            beside(axes, room, 1.35, y, f"{effect.published:+.1f}", size=LABEL, style="italic")
    box = {"fc": "white", "ec": "none", "pad": 0.6}
    beside(axes, room, 1.35, number + 0.76, pair.gap, size=LABEL - 0.5, bbox=box)
    if number:
        ends, line = [-names / room, 1 + 1.36 / room], {"color": "#cccccc", "lw": 0.5, "clip_on": False}
        axes.plot(ends, [number, number], transform=place, **line)


def limits(pairs: Sequence[Pair]) -> tuple[float, float]:
    """Return from where to where the axis goes: over zero, all intervals and all published differences."""
    values = [0.0]
    for effect in (each for pair in pairs for each in (pair.rich, pair.lean)):
        values += [100 * effect.low, 100 * effect.high, effect.published or 0.0]
    room = max(1.0, 0.06 * (max(values) - min(values)))
    return min(values) - room, max(values) + room


@dataclass(frozen=True)
class Panel:
    """One suite. `published` holds the paper's per cent by pipeline; `threshold` is that of gated."""

    title: str
    curve: Curve
    threshold: float
    published: tuple[tuple[str, float], ...]

    @property
    def ours(self) -> Step:
        """What our gate comes to."""
        return self.curve.at(self.threshold)

    def words(self) -> str:
        """Return the values as a sentence."""
        first, last, best = self.curve.steps[0], self.curve.steps[-1], self.curve.best
        return (
            f"{self.title}: everything reviewed {self._said(first)}, nothing {self._said(last)}, at our "
            f"threshold {self.threshold:g} {self._said(self.ours)}; the most that any threshold gives is "
            f"{self._said(best)}"
        )

    def _said(self, step: Step) -> str:
        share = percent(step.passed / self.curve.tasks)
        return f"{share} ({step.passed}/{self.curve.tasks}, {step.reviewed} reviewed)"


@dataclass(frozen=True, kw_only=True)
class Gate(Content):
    """A panel for each suite on which both ran."""

    panels: tuple[Panel, ...]


def gate(analysis: Analysis, published: Published) -> Gate:
    """Return the data of the gate's figure."""
    panels: list[Panel] = []
    runs: list[Run] = []
    for dataset in analysis.datasets:
        raw, review = analysis.run(dataset, RAW), analysis.run(dataset, REVIEW)
        curve = gate_curve(raw, review, analysis.richness) if raw and review else None
        if raw and review and curve:
            configured = (analysis.run(dataset, GATED) or review).made.team
            found = ((name, published.score(suite_name(review), name)) for name in (RAW, REVIEW, GATED))
            printed = tuple((name, score.percent) for name, score in found if score)
            threshold = float(configured.get("gate", {}).get("richness", 0.4))
            panels.append(Panel(suite_title([review]), curve, threshold, printed))
            runs += [raw, review]
    if not panels:
        nothing(
            f"no suite has runs of {RAW} and {REVIEW} and the richness of its tasks:"
            f" {some_ids(analysis.runs) or 'there is no run'}"
        )
    return Gate(
        **about(
            analysis, runs, "The gate: pass@1 over the richness from which on a task is reviewed",
            f"pass@1 of a gate at every threshold, from paired runs of {RAW} and {REVIEW} without a call: a "
            f"task at least as rich has the outcome of {REVIEW}, another that of {RAW}. "
            f"{'. '.join(each.words() for each in panels)}. Hollow diamonds: the paper's review of "
            "everything (left) and of nothing (right); dotted: its gated review, whose threshold it does not "
            "give.",
            "A threshold that is chosen by the curve is chosen by the hidden tests: it shows what a gate "
            "could do, not what one would.",
            *papers_gate(published),
            *caveats(analysis, runs, published=any(each.published for each in panels)),
        ),
        panels=tuple(panels),
    )  # fmt: skip


def papers_gate(published: Published) -> list[str]:
    """Say what the paper's gate must have done, as its totals have it."""
    said: list[str] = []
    for suite in ("HumanEval+", "MBPP+"):
        passed = [published.passed(suite, name) for name in (RAW, REVIEW, GATED)]
        raw, review, gated = (each if each is not None else -1 for each in passed)
        if min(raw, review, gated) >= 0:
            said.append(f"{suite}: a net gain of {gated - raw} let through and of {review - gated} kept out")
    if not said:
        return []
    return [
        f"What the paper's gate must have done, by its totals: {'; '.join(said)}. A gate that lets nearly "
        "all of HumanEval+ and nearly nothing of MBPP+ through cannot do both."
    ]


def draw_gate(data: Gate) -> Sheet:
    """Draw a panel for each suite, two beside each other."""
    across = min(2, len(data.panels))
    width = DOUBLE if across == 2 else SINGLE
    rows = -(-len(data.panels) // across)
    step = (width - 2 * MARGIN) / across
    sizes = " and ".join(dict.fromkeys(str(each.curve.tasks) for each in data.panels))
    legend: list[Any] = [rule(f"ours ({sizes} tasks)", color=BLUE), rule("our threshold", "--", VERMILLION)]
    if any(each.published for each in data.panels):
        legend += [diamond(f"all or nothing reviewed, {PUBLISHED}"), rule(f"gated, {PUBLISHED}", ":")]
    sheet = Sheet(data, width=width, body=rows * (HEIGHT + 0.62), legend=legend, columns=across)
    for number, panel in enumerate(data.panels):
        row, column = divmod(number, across)
        left, top = MARGIN + column * step, row * (HEIGHT + 0.62)
        sheet.text(left, sheet.top + top, panel.title, weight="bold")
        _draw_panel(sheet.axes(left + 0.42, top + 0.2, step - 0.62, HEIGHT), panel)
    return sheet


def _draw_panel(axes: Any, panel: Panel) -> None:
    steps, tasks = panel.curve.steps, panel.curve.tasks
    shares = [100 * each.passed / tasks for each in steps]
    # A gate reviews what is at least as rich: what holds at a threshold holds from just above the one before.
    edges = [0.0, *(min(each.threshold, 1.0) for each in steps[:-1]), 1.0]
    axes.stairs(shares, edges, color=BLUE, linewidth=1.1, baseline=None, zorder=4)
    printed = dict(panel.published)
    values = [*shares, *printed.values()]
    room = max(1.0, 0.08 * (max(values) - min(values)))
    axes.set(
        xlim=(-0.02, 1.02), ylim=(min(values) - room, max(values) + room),
        xlabel="threshold of richness", ylabel="pass@1, %",
    )  # fmt: skip
    axes.axvline(panel.threshold, color=VERMILLION, lw=0.8, ls="--", zorder=3)
    right = panel.threshold <= 0.6
    axes.text(  # above the axes, where no curve is
        panel.threshold + (-0.01 if right else 0.01), 1.01, f"{panel.ours.reviewed} of {tasks} reviewed",
        transform=axes.get_xaxis_transform(), size=LABEL, ha="left" if right else "right", va="bottom",
    )  # fmt: skip
    for name, x in ((REVIEW, 0.0), (RAW, 1.0)):
        if name in printed:
            axes.plot([x], [printed[name]], clip_on=False, **HOLLOW)
    if GATED in printed:
        axes.axhline(printed[GATED], color=BLACK, lw=0.8, ls=":")
