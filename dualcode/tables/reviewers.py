"""The reviewer judged: its verdicts against the truth of the drafts, and what became of its fixes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.reviewer import Judged, ReviewerReport
from dualcode.published.published import Published
from dualcode.runs.summary import unread_warning
from dualcode.tables.cells import ratio
from dualcode.tables.grid import Field, Grid, left, right
from dualcode.tables.selection import part_title
from dualcode.tables.table import Table


@dataclass(frozen=True)
class Row:
    """A reviewer over one set of tasks."""

    report: ReviewerReport
    judged: Judged

    @property
    def known(self) -> int:
        """How many reviews there is a truth for."""
        return self.judged.confusion.judged

    def precision(self) -> str:
        """Return the share of wrong drafts among those that it found wrong."""
        seen = self.judged.confusion
        return ratio(seen.true_positive, seen.true_positive + seen.false_positive)

    def recall(self) -> str:
        """Return the share of wrong drafts that it found wrong."""
        seen = self.judged.confusion
        return ratio(seen.true_positive, seen.true_positive + seen.false_negative)

    def values(self) -> dict[str, Any]:
        """Return the counts, for JSON."""
        return {
            "pipeline": self.report.pipeline,
            "ours": {
                "run": self.report.run,
                "dataset": self.report.dataset,
                **self.judged.model_dump(mode="json"),
            },
            "published": [],
        }


def reviewers(analysis: Analysis, published: Published) -> Table | str:
    """Return the table of all runs whose pipeline reviews drafts, or why there is none."""
    reports = [analysis.reviewers[run.id] for run in analysis.runs if run.id in analysis.reviewers]
    rows = [Row(report, judged) for report in reports for judged in (report.overall, *report.quartiles)]
    if not rows:
        return "no run has reviews of drafts"
    if not any(row.known for row in rows):
        return "it is not known of any reviewed draft whether it is right (dualcode tables --grade finds out)"
    return Grid(rows, _fields()).table(
        "reviewers",
        "Reviewers: their verdicts against the truth of the drafts",
        values=Row.values,
        notes=[
            analysis.note,
            "Precision: wrong drafts among those found wrong. Recall: wrong drafts that were found wrong. "
            "unread: the review's reply held no verdict; unknown: the draft could not be graded; both are in "
            "no share.",
            *_warnings(reports),
            "Fixes: helped, wrong before and right after; broke, right before and wrong after; the others "
            "stayed what they were. Q1 to Q4: quartiles of the specifications' richness, the leanest first."
            if any(report.quartiles for report in reports)
            else "Fixes: helped, wrong before and right after; broke, right before and wrong after.",
            f"The paper gives no such counts ({published.source}).",
        ],
        runs=[report.run for report in reports],
    )


def _warnings(reports: Sequence[ReviewerReport]) -> Iterator[str]:
    for report in reports:
        said = unread_warning(report.overall.confusion.off_schema, report.overall.tasks)
        if said:
            yield f"{report.pipeline} on {report.dataset}: {said}"


def _fields() -> list[Field[Row] | None]:
    return [
        left("Suite", lambda row: part_title(row.report.dataset, "plus")),
        left("Pipeline", lambda row: row.report.pipeline),
        left("Tasks", lambda row: row.judged.label),
        right("reviewed", lambda row: str(row.judged.tasks)),
        right("wrong, found", lambda row: str(row.judged.confusion.true_positive)),
        right("wrong, approved", lambda row: str(row.judged.confusion.false_negative)),
        right("right, rejected", lambda row: str(row.judged.confusion.false_positive)),
        right("right, approved", lambda row: str(row.judged.confusion.true_negative)),
        right("unread", lambda row: str(row.judged.confusion.off_schema)),
        right("unknown", lambda row: str(row.judged.confusion.ungraded)),
        right("precision", Row.precision),
        right("recall", Row.recall),
        right("fixes that helped", lambda row: str(row.judged.fixes.helped)),
        right("broke", lambda row: str(row.judged.fixes.broke)),
        right("right stayed", lambda row: str(row.judged.fixes.right_stayed)),
        right("wrong stayed", lambda row: str(row.judged.fixes.wrong_stayed)),
        right("unknown fixes", lambda row: str(row.judged.fixes.unknown)),
    ]
