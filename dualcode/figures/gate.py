"""The gate: pass@1 over every threshold of richness, from paired runs of raw-coder and review-fix."""

from dataclasses import dataclass
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.runs import Run
from dualcode.analysis.statistics import Curve, Step, gate_curve
from dualcode.figures.content import (
    PUBLISHED,
    Content,
    errored_remarks,
    headline,
    nothing,
    selection_remarks,
    some_ids,
    suite_name,
    suite_title,
)
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import BLACK, BLUE, DOUBLE, HOLLOW, LABEL, SINGLE, TEXT, VERMILLION, diamond, rule
from dualcode.published.published import Published
from dualcode.tables.cells import percent
from dualcode.tables.selection import models

RAW, REVIEW, GATED = "raw-coder", "review-fix", "gated"
HEIGHT = 1.25


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
            configured = (analysis.run(dataset, GATED) or review).records.manifest.configuration.team
            found = ((name, published.score(suite_name(review), name)) for name in (RAW, REVIEW, GATED))
            printed = tuple((name, score.percent) for name, score in found if score)
            threshold = float(configured.get("gate", {}).get("richness", 0.4))
            panels.append(Panel(suite_title(review), curve, threshold, printed))
            runs += [raw, review]
    if not panels:
        nothing(
            f"no suite has runs of {RAW} and {REVIEW} and the richness of its tasks:"
            f" {some_ids(analysis.runs) or 'there is no run'}"
        )
    return Gate(
        title="The gate: pass@1 over the richness from which on a task is reviewed",
        caption=(
            f"pass@1 of a gate at every threshold, from paired runs of {RAW} and {REVIEW} without a call: a "
            f"task at least as rich has the outcome of {REVIEW}, another that of {RAW}. "
            f"{'. '.join(each.words() for each in panels)}. Hollow diamonds: the paper's review of "
            "everything (left) and of nothing (right); dotted: its gated review, whose threshold it does not "
            "give."
        ),
        runs=tuple(run.id for run in runs),
        remarks=(
            "A threshold that is chosen by the curve is chosen by the hidden tests: it shows what a gate "
            "could do, not what one would.",
            *papers_gate(published),
            *selection_remarks(runs, published=any(each.published for each in panels)),
            *errored_remarks(runs),
        ),
        headline=headline(analysis),
        models=models(analysis.runs),
        panels=tuple(panels),
    )


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
        sheet.text(left, sheet.top + top, panel.title, size=TEXT, weight="bold")
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
