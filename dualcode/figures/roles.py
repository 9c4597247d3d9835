"""Coder and reviewer: Figure 1, the two ways in which they interact, and how each reviewer judged drafts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.reviewer import Confusion, Fixes
from dualcode.analysis.runs import Run, Score
from dualcode.figures.content import (
    PUBLISHED,
    Content,
    about,
    caveats,
    errored_remarks,
    main_dataset,
    nothing,
    some_ids,
    suite_name,
)
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import BLACK, BLUE, DOUBLE, HOLLOW, LABEL, ORANGE, SINGLE, shorten
from dualcode.metrics import Rate
from dualcode.published.published import Published
from dualcode.runs.summary import unread_warning
from dualcode.tables.cells import interval, plain_percent
from dualcode.tables.selection import suite_title

PLAN, REVIEW = "plan-code", "review-fix"
HEIGHT = 1.3
ACROSS = {SINGLE: 2, DOUBLE: 4}
CELL_H, PANEL_H = 0.3, 1.42


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
        bounds = interval(rate.low, rate.high)
        return f"ours {plain_percent(rate.value)} % {bounds}, {rate.passed}/{rate.total}"

    def words(self) -> str:
        """Return both values, ours first."""
        theirs = f"; published {self.published:.1f} %" if self.published is not None else ""
        return f"{self.title}: {self.own()}{theirs}."


@dataclass(frozen=True, kw_only=True)
class Interactions(Content):
    """Both patterns on one suite."""

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
        **about(
            analysis, runs, f"Figure 1: two interaction patterns on {suite_title([some])}",
            "Two ways for two models to interact. Plan-then-code: the reviewer plans from the task, the "
            "coder implements the plan. Review-then-fix: the coder writes a draft, the reviewer reviews it, "
            "and the coder fixes it only if there are findings; an approved draft is the program. "
            f"{' '.join(each.words() for each in diagrams)}",
            *caveats(analysis, runs, published=True),
        ),
        seats=seats(some),
        diagrams=tuple(diagrams),
    )  # fmt: skip


def seats(run: Run) -> tuple[tuple[str, str], ...]:
    """Return which model held each role of a run."""
    team = run.made.team
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
        axes.text(0, 0.1, diagram.title, weight="bold", va="center")
        (_draw_plan if diagram.pipeline == PLAN else _draw_review)(axes)
        mark = {**HOLLOW, "marker": "s", "markerfacecolor": BLACK if diagram.score else "#bbbbbb"}
        axes.plot([0.05], [1.04], **mark)
        axes.text(0.14, 1.04, diagram.own(), va="center", weight="bold")
        if diagram.published is not None:
            axes.plot([0.05], [1.18], **HOLLOW)
            axes.text(0.14, 1.18, f"{diagram.published:.1f} %, {PUBLISHED}", va="center", style="italic")
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


@dataclass(frozen=True)
class Matrix:
    """One reviewer's verdicts against the truth of the drafts that it read."""

    pipeline: str
    suite: str
    confusion: Confusion
    fixes: Fixes

    def words(self) -> str:
        """Return the counts as a sentence."""
        each = self.confusion
        return (
            f"{self.pipeline} on {self.suite}: {each.true_positive} wrong and {each.false_positive} right "
            f"drafts sent back, {each.false_negative} wrong and {each.true_negative} right ones approved, "
            f"{each.off_schema} unread, {each.ungraded} unknown"
        )


@dataclass(frozen=True, kw_only=True)
class Matrices(Content):
    """All reviewers with at least one draft of known truth."""

    matrices: tuple[Matrix, ...]


def matrices(analysis: Analysis, _: Published) -> Matrices:
    """Return the data of the confusion matrices. The paper publishes none."""
    judged = [run for run in analysis.runs if run.id in analysis.reviewers]
    if not judged:
        nothing(f"no run reviews drafts: {some_ids(analysis.runs) or 'there is none'}")
    known = [run for run in judged if analysis.reviewers[run.id].overall.confusion.judged]
    if not known:
        nothing(f"of no draft that was reviewed in {some_ids(judged)} it is known whether it is right")
    reports = [(run, analysis.reviewers[run.id].overall) for run in known]
    found = tuple(Matrix(run.pipeline, suite_title([run]), own.confusion, own.fixes) for run, own in reports)
    left_out = [run for run in judged if not analysis.reviewers[run.id].overall.confusion.judged]
    return Matrices(
        **about(
            analysis, known, "The reviewer judged: its verdicts against the hidden truth of the drafts",
            "Confusion matrix of each reviewer: rows, whether the draft was wrong or right by hidden tests; "
            f"columns, whether the review asked for a revision or approved. "
            f"{'. '.join(each.words() for each in found)}.",
            "P: precision, of the drafts sent back those that were wrong; R: recall, of the wrong drafts "
            "those sent back; both in %, with 95 % Wilson intervals; base: the share of wrong drafts, the "
            "P of a reviewer that objects without reading. Shade: share of the row. Fixes: wrong drafts "
            "made right, right ones broken.",
            *filter(None, (unread_warning(each.confusion.off_schema, each.tasks) for _, each in reports)),
            *([f"Left out, as no draft's truth is known: {some_ids(left_out)}."] if left_out else []),
            *errored_remarks(known),
        ),
        matrices=found,
    )  # fmt: skip


def draw_matrices(data: Matrices) -> Sheet:
    """Draw the matrices in rows: one column wide for up to two, else two columns wide."""
    width = SINGLE if len(data.matrices) <= ACROSS[SINGLE] else DOUBLE
    across = ACROSS[width]
    rows = -(-len(data.matrices) // across)
    sheet = Sheet(data, width=width, body=rows * PANEL_H + 0.04)
    step = (width - 2 * MARGIN) / across
    for number, matrix in enumerate(data.matrices):
        row, column = divmod(number, across)
        _draw_matrix(sheet, matrix, MARGIN + column * step, row * PANEL_H, step - 0.1)
    return sheet


def _draw_matrix(sheet: Sheet, matrix: Matrix, left: float, top: float, width: float) -> None:
    sheet.text(left, sheet.top + top, shorten(matrix.pipeline, width * 0.93), weight="bold")
    sheet.text(left, sheet.top + top + 0.12, shorten(matrix.suite, width, LABEL), size=LABEL)
    names = 0.36
    axes = sheet.axes(left + names, top + 0.39, width - names, 2 * CELL_H)
    each = matrix.confusion
    rows = ((each.true_positive, each.false_negative), (each.false_positive, each.true_negative))
    axes.set(xlim=(0, 2), ylim=(2, 0))
    for y, counts in enumerate(rows):
        for x, count in enumerate(counts):
            _draw_cell(axes, x, y, count, count / sum(counts) if sum(counts) else 0.0)
    axes.xaxis.tick_top()
    axes.set_xticks([0.5, 1.5], ["revise", "approve"])
    axes.set_yticks([0.5, 1.5], ["wrong", "right"])
    axes.tick_params(length=0, pad=1.5, labelsize=LABEL)
    for side in axes.spines.values():
        side.set_visible(True)
    base = f"; base {100 * each.base_rate.value:.0f}" if each.base_rate else ""
    lines = (
        f"P {_rate(each.precision)}{base}",
        f"R {_rate(each.recall)}",
        f"fixes: {matrix.fixes.helped} helped, {matrix.fixes.broke} broke"
        + (f"; {each.off_schema} unread" if each.off_schema else "")
        + (f"; {each.ungraded} unknown" if each.ungraded else ""),
    )
    for number, text in enumerate(lines):
        sheet.text(left, sheet.top + top + 1.02 + 0.105 * number, text, size=LABEL - 0.5)


def _draw_cell(axes: Any, x: int, y: int, count: int, share: float) -> None:
    """Draw a cell; its shade goes from white to a blue that is dark in grey, too."""
    red, green, blue = (1 - share * (1 - full) for full in (0.0, 0.27, 0.50))
    axes.fill_between([x, x + 1], y, y + 1, color=(red, green, blue), linewidth=0)
    axes.plot([x, x], [y, y + 1], color=BLACK, lw=0.4)
    axes.plot([x, x + 1], [y, y], color=BLACK, lw=0.4)
    ink = "white" if share > 0.55 else BLACK
    axes.text(x + 0.5, y + 0.5, str(count), ha="center", va="center", color=ink)


def _rate(found: Rate | None) -> str:
    if found is None:
        return "– (none)"
    low, high = 100 * found.low, 100 * found.high
    return f"{100 * found.value:.0f} [{low:.0f}, {high:.0f}], {found.passed}/{found.total}"
