"""Figure 1: the two interaction diagrams, with what each came to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.runs import Run, Score
from dualcode.figures.content import (
    PUBLISHED,
    Content,
    errored_remarks,
    headline,
    main_dataset,
    selection_remarks,
    suite_name,
    suite_title,
)
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import BLACK, BLUE, HOLLOW, LABEL, ORANGE, SINGLE, TEXT, shorten
from dualcode.published.published import Published
from dualcode.tables.cells import plain_percent
from dualcode.tables.selection import models as named

PLAN, REVIEW = "plan-code", "review-fix"
HEIGHT = 1.3


@dataclass(frozen=True)
class Diagram:
    """One pattern: `score` is None where its pipeline did not run."""

    pipeline: str
    title: str
    score: Score | None
    published: float | None

    def own(self) -> str:
        """Return our value with its interval and counts."""
        if self.score is None:
            return "not run by us"
        rate = self.score.rate
        bounds = f"[{plain_percent(rate.low)}, {plain_percent(rate.high)}]"
        return f"ours {plain_percent(rate.value)} % {bounds}, {rate.passed}/{rate.total}"

    def words(self) -> str:
        """Return both values, ours first."""
        theirs = f"; published {self.published:.1f} %" if self.published is not None else ""
        return f"{self.title}: {self.own()}{theirs}."


@dataclass(frozen=True, kw_only=True)
class Interactions(Content):
    """Both patterns on one suite."""

    suite: str
    seats: tuple[tuple[str, str], ...]
    """Role and model."""
    diagrams: tuple[Diagram, ...]


def interactions(analysis: Analysis, published: Published) -> Interactions:
    """Return the data of Figure 1."""
    dataset = main_dataset(analysis, (PLAN, REVIEW))
    runs = [run for name in (PLAN, REVIEW) if (run := analysis.run(dataset, name))]
    some = runs[0]
    titles = {PLAN: "(a) Plan-then-code", REVIEW: "(b) Review-then-fix"}
    diagrams: list[Diagram] = []
    for name, title in titles.items():
        run, printed = analysis.run(dataset, name), published.score(suite_name(some), name)
        score = analysis.scores[run.id][run.hardest] if run else None
        diagrams.append(Diagram(name, title, score, printed.percent if printed else None))
    return Interactions(
        title=f"Figure 1: two interaction patterns on {suite_title(some)}",
        caption=(
            "Two ways for two models to interact. Plan-then-code: the reviewer plans from the task, the "
            "coder implements the plan. Review-then-fix: the coder writes a draft, the reviewer reviews it, "
            "and the coder fixes it only if there are findings; an approved draft is the program. "
            f"{' '.join(each.words() for each in diagrams)}"
        ),
        runs=tuple(run.id for run in runs),
        remarks=(*selection_remarks(runs, published=True), *errored_remarks(runs)),
        headline=headline(analysis),
        models=named(analysis.runs),
        suite=suite_title(some),
        seats=seats(some),
        diagrams=tuple(diagrams),
    )


def seats(run: Run) -> tuple[tuple[str, str], ...]:
    """Return which model held each role of a run."""
    team = run.records.manifest.configuration.team
    return tuple((role, str(team["endpoints"][name]["model"])) for role, name in team["roles"].items())


def draw_interactions(data: Interactions) -> Sheet:
    """Draw Figure 1, one column wide, the patterns one above the other."""
    body = HEIGHT * 2 + 0.28
    sheet = Sheet(data, width=SINGLE, body=body)
    width = SINGLE - 2 * MARGIN
    for number, diagram in enumerate(data.diagrams):
        axes = sheet.axes(MARGIN, number * HEIGHT, width, HEIGHT)
        axes.set(xlim=(0, width), ylim=(HEIGHT, 0))
        axes.axis("off")
        axes.text(0, 0.1, diagram.title, size=TEXT, weight="bold", va="center")
        (_draw_plan if diagram.pipeline == PLAN else _draw_review)(axes)
        mark = {**HOLLOW, "marker": "s", "markerfacecolor": BLACK if diagram.score else "#bbbbbb"}
        axes.plot([0.05], [1.04], **mark)
        axes.text(0.14, 1.04, diagram.own(), va="center", size=TEXT, weight="bold")
        if diagram.published is not None:
            theirs = f"{diagram.published:.1f} %, {PUBLISHED}"
            axes.plot([0.05], [1.18], **HOLLOW)
            axes.text(0.14, 1.18, theirs, va="center", size=TEXT, style="italic")
    for number, (role, model) in enumerate(data.seats):
        text = shorten(f"{role}: {model}", width, LABEL)
        sheet.text(MARGIN, sheet.top + HEIGHT * 2 + 0.11 * number, text, size=LABEL)
    return sheet


@dataclass(frozen=True)
class Box:
    """A box of a diagram, in inches; the coder's edge is solid and the reviewer's dashed."""

    x: float
    text: str
    half: float
    actor: str = ""

    def draw(self, axes: Any) -> None:
        """Draw it at the height of all boxes."""
        color = {"coder": BLUE, "reviewer": ORANGE}.get(self.actor, BLACK)
        axes.add_patch(
            FancyBboxPatch(
                (self.x - self.half, 0.41), 2 * self.half, 0.3, boxstyle="round,pad=0,rounding_size=0.05",
                fc="white", ec=color, lw=1.5 if self.actor else 0.6,
                ls="--" if self.actor == "reviewer" else "-",
            )
        )  # fmt: skip
        axes.text(self.x, 0.565, self.text, ha="center", va="center", size=LABEL, linespacing=1.15)


def _draw_plan(axes: Any) -> None:
    task, plans = Box(0.2, "task", 0.18), Box(1.05, "reviewer\nplans", 0.3, "reviewer")
    codes, program = Box(2.14, "coder\nimplements", 0.34, "coder"), Box(3.1, "program", 0.24)
    _draw_chain(axes, (task, plans, codes, program), ("", "plan", ""))
    _bend(axes, task.x, codes.x, 0.78, "the same task")


def _draw_review(axes: Any) -> None:
    task, writes = Box(0.2, "task", 0.18), Box(0.82, "coder\nwrites", 0.24, "coder")
    reviews, fixes = (
        Box(1.64, "reviewer\nreviews", 0.28, "reviewer"),
        Box(2.46, "coder\nfixes", 0.22, "coder"),
    )
    program = Box(3.1, "program", 0.24)
    _draw_chain(axes, (task, writes, reviews, fixes, program), ("", "draft", "findings", ""))
    _bend(axes, reviews.x, program.x, 0.78, "no findings: the draft stands")


def _draw_chain(axes: Any, boxes: Sequence[Box], labels: Sequence[str]) -> None:
    for box in boxes:
        box.draw(axes)
    for before, after, label in zip(boxes, boxes[1:], labels, strict=False):
        start, end = before.x + before.half, after.x - after.half
        _point(axes, (start + 0.02, 0.56), (end, 0.56))
        axes.text((start + end) / 2, 0.33, label, ha="center", va="center", size=LABEL, style="italic")


def _point(axes: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=5, lw=0.8, color=BLACK, shrinkA=0, shrinkB=0
        )
    )


def _bend(axes: Any, start: float, end: float, low: float, label: str) -> None:
    """Draw an arrow that passes below the boxes between."""
    axes.plot([start, start, end], [0.71, low + 0.06, low + 0.06], color=BLACK, lw=0.8)
    _point(axes, (end, low + 0.065), (end, 0.71))
    axes.text((start + end) / 2, low + 0.125, label, ha="center", va="center", size=LABEL, style="italic")
