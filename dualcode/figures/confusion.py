"""The reviewers judged: one small confusion matrix for each run that reviews."""

from dataclasses import dataclass
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.reviewer import Confusion, Fixes
from dualcode.figures.content import Content, errored_remarks, headline, nothing, some_ids, suite_title
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import BLACK, DOUBLE, LABEL, SINGLE, TEXT, shorten
from dualcode.metrics import Rate
from dualcode.published.published import Published
from dualcode.runs.summary import unread_warning
from dualcode.tables.selection import models

ACROSS = {SINGLE: 2, DOUBLE: 4}
CELL_H, PANEL_H = 0.3, 1.42


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


def matrices(analysis: Analysis, published: Published) -> Matrices:
    """Return the data of the confusion matrices. The paper publishes none."""
    del published
    judged = [run for run in analysis.runs if run.id in analysis.reviewers]
    if not judged:
        nothing(f"no run reviews drafts: {some_ids(analysis.runs) or 'there is none'}")
    known = [run for run in judged if analysis.reviewers[run.id].overall.confusion.judged]
    if not known:
        nothing(f"of no draft that was reviewed in {some_ids(judged)} it is known whether it is right")
    reports = [(run, analysis.reviewers[run.id].overall) for run in known]
    found = tuple(Matrix(run.pipeline, suite_title(run), all_.confusion, all_.fixes) for run, all_ in reports)
    left_out = [run for run in judged if not analysis.reviewers[run.id].overall.confusion.judged]
    return Matrices(
        title="The reviewer judged: its verdicts against the hidden truth of the drafts",
        caption=(
            "Confusion matrix of each reviewer: rows, whether the draft was wrong or right by hidden tests; "
            f"columns, whether the review asked for a revision or approved. "
            f"{'. '.join(each.words() for each in found)}."
        ),
        runs=tuple(run.id for run in known),
        remarks=(
            "P: precision, of the drafts sent back those that were wrong; R: recall, of the wrong drafts "
            "those sent back; both in %, with 95 % Wilson intervals; base: the share of wrong drafts, the "
            "P of a reviewer that objects without reading. Shade: share of the row. Fixes: wrong drafts "
            "made right, right ones broken.",
            *filter(None, (unread_warning(each.confusion.off_schema, each.tasks) for _, each in reports)),
            *([f"Left out, as no draft's truth is known: {some_ids(left_out)}."] if left_out else []),
            *errored_remarks(known),
        ),
        headline=headline(analysis),
        models=models(analysis.runs),
        matrices=found,
    )


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
    sheet.text(left, sheet.top + top, shorten(matrix.pipeline, width * 0.93), weight="bold", size=TEXT)
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
    axes.text(
        x + 0.5, y + 0.5, str(count), ha="center", va="center", size=TEXT,
        color="white" if share > 0.55 else BLACK,
    )  # fmt: skip


def _rate(found: Rate | None) -> str:
    if found is None:
        return "– (none)"
    low, high = 100 * found.low, 100 * found.high
    return f"{100 * found.value:.0f} [{low:.0f}, {high:.0f}], {found.passed}/{found.total}"
