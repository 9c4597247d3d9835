"""pass@1 of pipelines as bars: Figure 2, pipeline configurations on each suite, and Figure 4, mitigations.

Both are made of panels, one for the runs of a suite.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Literal

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.runs import Run, Score
from dualcode.figures.content import (
    LEADERBOARD,
    PUBLISHED,
    Content,
    about,
    caveats,
    correction,
    main_dataset,
    nothing,
    ours,
    published_percent,
    some_ids,
    suite_name,
)
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import (
    BLACK,
    DOUBLE,
    GREEN,
    GREY,
    HOLLOW,
    LABEL,
    ORANGE,
    SINGLE,
    SKY,
    SMALL,
    VERMILLION,
    beside,
    diamond,
    rule,
    swatch,
    whisker,
    width_of,
)
from dualcode.published.published import Published
from dualcode.tables.cells import interval, plain_percent
from dualcode.tables.selection import suite_title

Standing = Literal["baseline", "better", "worse", "unclear", "alone"]
"""Against the baseline, by the p that is corrected for all comparisons; `alone`: there is no baseline run."""
REFERENCES = ("O1 Preview", "GPT-4o")
"""The proprietary models of the paper's Figure 2."""
UNCONDITIONAL, MITIGATIONS = "review-fix", ("gated", "enriched")

LOOKS: dict[Standing, tuple[str, str, str]] = {
    "baseline": (GREY, "", "baseline"),
    "better": (GREEN, "", "above it, p < 0.05 (Holm)"),
    "worse": (VERMILLION, "/////", "below it, p < 0.05 (Holm)"),
    "unclear": (SKY, "\\\\\\\\", "no clear difference"),
    "alone": (ORANGE, "xxxx", "no baseline run"),
}
ROW = 0.185
TITLE_ROW = 0.15
"""Inches: a bar, and the line of a panel's title."""


@dataclass(frozen=True)
class Bar:
    """One run."""

    pipeline: str
    score: Score
    standing: Standing
    published: float | None
    """Per cent, for the pipeline on the whole suite."""


@dataclass(frozen=True)
class Panel:
    """The runs on one suite."""

    title: str
    bars: tuple[Bar, ...]
    baseline: float | None
    """pass@1 of the baseline's run, as a share."""
    baseline_name: str
    references: tuple[tuple[str, float], ...]
    """Published models and their per cent on the suite."""

    @property
    def height(self) -> float:
        """Inches, the axis and its label included."""
        return TITLE_ROW + 0.02 + 0.14 * (len(self.references) + 1) + ROW * len(self.bars) + 0.36

    def words(self) -> str:
        """Return the values as a sentence's part."""
        return f"{self.title}: " + ", ".join(
            f"{bar.pipeline} {plain_percent(bar.score.rate.value)} %"
            f" {interval(bar.score.rate.low, bar.score.rate.high)}"
            + (f" (published {bar.published:.1f} %)" if bar.published is not None else "")
            for bar in self.bars
        )


def panel(analysis: Analysis, published: Published, runs: Sequence[Run]) -> Panel:
    """Return the panel of some runs on one dataset."""
    base = analysis.run(runs[0].dataset, analysis.baseline)
    bars: list[Bar] = []
    for run in runs:
        score, printed = analysis.scores[run.id][run.hardest], published_percent(published, run)
        bars.append(Bar(run.pipeline, score, standing(analysis, run), printed))
    return Panel(
        title=suite_title(runs[:1]),
        bars=tuple(bars),
        baseline=analysis.scores[base.id][base.hardest].rate.value if base else None,
        baseline_name=analysis.baseline,
        references=references(published, suite_name(runs[0])),
    )


def standing(analysis: Analysis, run: Run) -> Standing:
    """Say how a run stands against the baseline's run on its dataset."""
    if run.pipeline == analysis.baseline:
        return "baseline"
    comparison = analysis.comparisons.get(run.id, {}).get(run.hardest)
    return "alone" if comparison is None else comparison.standing


def references(published: Published, suite: str) -> tuple[tuple[str, float], ...]:
    """Return the proprietary models that the paper draws as dotted lines, and their per cent."""
    known = {entry.model: entry.scores for entry in published.leaderboard}
    return tuple((name, known[name][suite]) for name in REFERENCES if suite in known.get(name, {}))


def draw_panel(
    sheet: Sheet, data: Panel, *, left: float, top: float, width: float, titled: bool = True
) -> None:
    """Draw a panel `width` inches wide: names, bars, and a column each for our and the published values.

    `titled`: with the suite's name above it, unless the figure's title has it.
    """
    names = max(width_of(bar.pipeline) for bar in data.bars) + 0.1
    own, theirs = 0.36, 0.78
    has_published = any(bar.published is not None for bar in data.bars)
    head = TITLE_ROW + 0.02 + 0.14 * (len(data.references) + 1)
    room = width - names - 0.42 * (2 if has_published else 1) - 0.06
    axes = sheet.axes(left + names, top + head, room, ROW * len(data.bars))
    axes.set(xlim=(0, 100), ylim=(len(data.bars) - 0.5, -0.5), xlabel="pass@1, % (whiskers: 95 % Wilson)")
    axes.set_yticks(range(len(data.bars)), [bar.pipeline for bar in data.bars])
    axes.tick_params(axis="y", length=0)
    axes.set_xticks(range(0, 101, 25))
    _draw_lines(axes, data)
    for y, bar in enumerate(data.bars):
        _draw_bar(axes, y, bar)
        errored = len(bar.score.errored)
        beside(axes, room, own, y - (0.2 if errored else 0), plain_percent(bar.score.rate.value))
        if errored:
            beside(axes, room, own, y + 0.28, f"{errored} err.", size=SMALL)
        if bar.published is not None:
            beside(axes, room, theirs, y, f"{bar.published:.1f}", style="italic")
    beside(axes, room, own, -0.85, "ours")
    if has_published:
        beside(axes, room, theirs, -0.85, "publ.", style="italic")
    if titled:
        sheet.text(left, sheet.top + top, data.title, weight="bold")


def _draw_bar(axes: Any, y: int, bar: Bar) -> None:
    color, hatch, _ = LOOKS[bar.standing]
    rate = bar.score.rate
    axes.barh(y, 100 * rate.value, height=0.62, color=color, hatch=hatch, edgecolor=BLACK, linewidth=0.4)
    if bar.score.errored:
        axes.hlines(y, 100 * bar.score.widened[0], 100 * bar.score.widened[1], color=BLACK, lw=0.7, ls=":")
    whisker(axes, y, (100 * rate.low, 100 * rate.high), clip_on=False)
    if bar.published is not None:
        axes.plot([bar.published], [y], **HOLLOW)


def _draw_lines(axes: Any, data: Panel) -> None:
    """Draw the baseline and the models, each with its name on a line of its own above the bars."""
    lines = [(name, value, ":") for name, value in data.references]
    if data.baseline is not None:
        lines.append((data.baseline_name, 100 * data.baseline, "--"))
    for number, (name, value, style) in enumerate(lines):
        level = -0.62 - 0.14 / ROW * (len(lines) - 1 - number)
        axes.plot([value, value], [len(data.bars) - 0.5, level], color=BLACK, lw=0.8, ls=style, clip_on=False)
        left = value > 50
        axes.text(
            value + (-1.5 if left else 1.5), level, f"{name} {value:.1f}", ha="right" if left else "left",
            va="center", size=LABEL, style="italic" if style == ":" else "normal",
        )  # fmt: skip


def legend(panels: Sequence[Panel]) -> list[Any]:
    """Return the entries of what the panels show."""
    bars = [bar for each in panels for bar in each.bars]
    baseline = panels[0].baseline_name
    entries: list[Any] = []
    for kind, (color, hatch, words) in LOOKS.items():
        chosen = [bar for bar in bars if bar.standing == kind]
        if chosen:
            name = words.replace("it,", f"{baseline},").replace("baseline", baseline, kind == "baseline")
            entries.append(swatch(color, f"{ours(bar.score for bar in chosen)}: {name}", hatch))
    if any(bar.published is not None for bar in bars):
        entries.append(diamond(PUBLISHED))
    if any(each.baseline is not None for each in panels):
        entries.append(rule(f"{baseline}, ours", "--"))
    if any(each.references for each in panels):
        entries.append(rule(LEADERBOARD, ":"))
    if any(bar.score.errored for bar in bars):
        entries.append(rule("if all errored tasks failed, or passed", ":", width=0.7))
    return entries


@dataclass(frozen=True, kw_only=True)
class Bars(Content):
    """A panel for each suite: one above the other in Figure 2, side by side in Figure 4."""

    panels: tuple[Panel, ...]


def configurations(analysis: Analysis, published: Published) -> Bars:
    """Return the data of Figure 2: every pipeline on HumanEval+, or on the first suite if it did not run."""
    return _configurations(analysis, published, [main_dataset(analysis)], "Figure 2")


def other_configurations(analysis: Analysis, published: Published) -> Bars:
    """Return the same for all suites that Figure 2 leaves out."""
    main = main_dataset(analysis)
    rest = [dataset for dataset in analysis.datasets if dataset != main]
    if not rest:
        nothing(f"all runs ({some_ids(analysis.runs)}) are on {main}, which figure-2 shows")
    return _configurations(analysis, published, rest, "Figure 2, other suites")


def _configurations(analysis: Analysis, published: Published, datasets: Sequence[str], number: str) -> Bars:
    groups = [[run for run in analysis.runs if run.dataset == dataset] for dataset in datasets]
    runs = [run for group in groups for run in group]
    panels = tuple(panel(analysis, published, group) for group in groups)
    suites = " and ".join(each.title for each in panels)
    compared = any(each.references or any(b.published is not None for b in each.bars) for each in panels)
    return Bars(
        **about(
            analysis, runs, f"{number}: pipeline configurations on {suites}",
            "pass@1 of each pipeline, ours as bars with 95 % Wilson intervals. "
            f"{'; '.join(each.words() for each in panels)}. Dashed line: our {analysis.baseline}. Hollow "
            "diamonds: the paper's numbers; dotted lines: proprietary models as published. A bar's colour "
            "and hatch say whether it differs from the baseline by McNemar's exact test at 5 %, "
            f"{correction(analysis)}.",
            *caveats(analysis, runs, published=compared, compared=True),
        ),
        panels=panels,
    )  # fmt: skip


def draw_configurations(data: Bars) -> Sheet:
    """Draw Figure 2 or its sibling, one column wide."""
    titled = len(data.panels) > 1
    tops = [*accumulate((each.height for each in data.panels), initial=0 if titled else -TITLE_ROW)]
    sheet = Sheet(data, width=SINGLE, body=tops[-1], legend=legend(data.panels), columns=1)
    for each, top in zip(data.panels, tops, strict=False):
        draw_panel(sheet, each, left=MARGIN, top=top, width=SINGLE - 2 * MARGIN, titled=titled)
    return sheet


def mitigations(analysis: Analysis, published: Published) -> Bars:
    """Return the data of Figure 4: the suites on which a mitigation ran, the paper's left one first."""
    first = main_dataset(analysis, MITIGATIONS)
    datasets = [first, *(name for name in analysis.datasets if name != first)]
    shown = [
        [run for name in (UNCONDITIONAL, *MITIGATIONS) if (run := analysis.run(dataset, name))]
        for dataset in datasets
    ]
    groups = [group for group in shown if any(run.pipeline in MITIGATIONS for run in group)]
    if not any(group[0].pipeline == UNCONDITIONAL for group in groups):
        nothing(f"no run of {UNCONDITIONAL} to set {some_ids([r for g in groups for r in g])} beside")
    runs = [run for group in groups for run in group]
    base = [found for group in groups if (found := analysis.run(group[0].dataset, analysis.baseline))]
    panels = tuple(panel(analysis, published, group) for group in groups)
    return Bars(
        **about(
            analysis, [*base, *runs],
            "Figure 4: mitigation attempts, gating and enriching beside unconditional review",
            "pass@1 of unconditional review (review-fix), spec-gated and spec-enriched review, ours as bars "
            f"with 95 % Wilson intervals. {'; '.join(each.words() for each in panels)}. Dashed line: our "
            f"{analysis.baseline}. Hollow diamonds: the paper's numbers. Colour and hatch: McNemar's exact "
            f"test at 5 %, {correction(analysis)}.",
            *caveats(analysis, runs, published=True, compared=True),
        ),
        panels=tuple(replace(each, references=()) for each in panels),
    )  # fmt: skip


def draw_mitigations(data: Bars) -> Sheet:
    """Draw Figure 4, a column of the page for each suite; more than two stand in rows."""
    across = min(2, len(data.panels))
    width = DOUBLE if across == 2 else SINGLE
    each_width = (width - 2 * MARGIN - 0.2 * (across - 1)) / across
    height = max(each.height for each in data.panels)
    rows = -(-len(data.panels) // across)
    sheet = Sheet(data, width=width, body=rows * height, legend=legend(data.panels), columns=across)
    for number, each in enumerate(data.panels):
        row, column = divmod(number, across)
        left = MARGIN + column * (each_width + 0.2)
        draw_panel(sheet, each, left=left, top=row * height, width=each_width)
    return sheet
