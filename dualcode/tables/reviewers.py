"""The reviewer judged: its verdicts against the truth of the drafts, and what became of its fixes."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.reviewer import Confusion, Fixes, Judged, ReviewerReport
from dualcode.analysis.runs import Run
from dualcode.metrics import Rate
from dualcode.published.published import Published
from dualcode.runs.summary import unread_warning
from dualcode.tables.cells import NOTHING, fraction, interval, known, percent, ratio
from dualcode.tables.grid import Field, Grid, left, listed, numbers, right, words
from dualcode.tables.selection import own_name, part_title
from dualcode.tables.table import Table


@dataclass(frozen=True)
class Row:
    """A reviewer over one set of tasks."""

    report: ReviewerReport
    judged: Judged
    suite: str

    def values(self) -> dict[str, Any]:
        """Return the counts, for JSON."""
        named = {"run": self.report.run, "dataset": self.report.dataset}
        ours = named | self.judged.model_dump(mode="json")
        return {"pipeline": self.report.pipeline, "ours": ours, "published": []}


def _count(head: str, path: str, *, drop: int = 0) -> Field[Row]:
    """Return the column of a count of what was judged."""
    return right(head, lambda row: str(attrgetter(path)(row.judged)), drop=drop)


def _share(rate: Rate | None) -> str:
    return known(rate, lambda rate: ratio(rate.passed, rate.total))


FIELDS: tuple[Field[Row], ...] = (
    left("Suite", lambda row: row.suite),
    left("Pipeline", lambda row: row.report.pipeline),
    left("Tasks", lambda row: row.judged.label),
    _count("reviewed", "tasks"),
    _count("wrong, found", "confusion.true_positive"),
    _count("wrong, approved", "confusion.false_negative"),
    _count("right, rejected", "confusion.false_positive"),
    _count("right, approved", "confusion.true_negative"),
    _count("unread", "confusion.off_schema"),
    _count("unknown", "confusion.ungraded"),
    right("precision", lambda row: _share(row.judged.confusion.precision)),
    right("recall", lambda row: _share(row.judged.confusion.recall)),
    _count("fixes that helped", "fixes.helped"),
    _count("broke", "fixes.broke"),
    _count("right stayed", "fixes.right_stayed"),
    _count("wrong stayed", "fixes.wrong_stayed"),
    _count("unknown fixes", "fixes.unknown"),
)


def reviewers(analysis: Analysis, published: Published) -> Table | str:
    """Return the table of all runs whose pipeline reviews drafts, or why there is none."""
    judging = [(run, analysis.reviewers[run.id]) for run in analysis.runs if run.id in analysis.reviewers]
    rows = [
        Row(report, judged, part_title(run, "plus"))
        for run, report in judging
        for judged in (report.overall, *report.quartiles)
    ]
    if not rows:
        return "no run has reviews of drafts"
    if not any(row.judged.confusion.judged for row in rows):
        return "it is not known of any reviewed draft whether it is right (dualcode tables --grade finds out)"
    split = any(report.quartiles for _, report in judging)
    return Grid(rows, FIELDS).table(
        "reviewers",
        "Reviewers: their verdicts against the truth of the drafts",
        values=Row.values,
        notes=[
            analysis.note,
            "Precision: wrong drafts among those found wrong. Recall: wrong drafts that were found wrong. "
            "unread: the review's reply held no verdict; unknown: the draft could not be graded; both are in "
            "no share.",
            *(_unread(report) for _, report in judging),
            "Fixes: helped, wrong before and right after; broke, right before and wrong after"
            + (
                "; the others stayed what they were. Q1 to Q4: quartiles of the specifications' richness, the"
                " leanest first."
                if split
                else "."
            ),
            f"The paper gives no such counts ({published.source}).",
        ],
        runs=[run.id for run, _ in judging],
    )


def _unread(report: ReviewerReport) -> str:
    """Return the note on replies without a verdict; empty where it is not worth one."""
    said = unread_warning(report.overall.confusion.off_schema, report.overall.tasks)
    return f"{report.pipeline} on {report.dataset}: {said}" if said else ""


BIASED = (
    "The rates are biased: a run knows the drafts that it kept, so unknown ones are mostly those that were"
    " revised. Give the run that the drafts are from as well, or let them be graded."
)


def matrix(each: Confusion) -> Table:
    """Return verdicts against the truth of the drafts."""
    rows = [
        ("revise: it has a bug", each.true_positive, each.false_positive),
        ("approve", each.false_negative, each.true_negative),
        ("together", each.true_positive + each.false_negative, each.false_positive + each.true_negative),
    ]
    heads = (words("the reviewer says"), *map(numbers, ("draft wrong", "draft right", "together")))
    texts = [(name, str(wrong), str(right_), str(wrong + right_)) for name, wrong, right_ in rows]
    if each.unknown:
        texts += [("unread", "", "", str(each.off_schema)), ("unknown draft", "", "", str(each.ungraded))]
    return listed("matrix", "", heads, texts)


def rates(each: Confusion) -> Table:
    """Return the rates that follow from the matrix, with their intervals."""
    known = (
        ("precision", each.precision, "of the drafts that it found wrong, those that are"),
        ("base rate", each.base_rate, "the precision of a reviewer that objects without reading"),
        ("recall", each.recall, "of the wrong drafts, those that it found wrong"),
        ("specificity", each.specificity, "of the right drafts, those that it approved"),
        ("accuracy", each.accuracy, "of all drafts, those on which it was right"),
    )
    rows = [
        (name, percent(rate.value), interval(rate.low, rate.high), f"{rate.passed}/{rate.total}", meaning)
        if rate
        else (name, NOTHING, NOTHING, "0", meaning)
        for name, rate, meaning in known
    ]
    heads = (
        words("rate"),
        numbers("value"),
        numbers("95 % interval", short="95 %"),
        numbers("of"),
        words("meaning", wraps=True),
    )
    return listed("rates", "", heads, rows)


def fixes(found: Fixes) -> Table:
    """Return what became of the drafts that were sent back."""
    stayed = f"{found.wrong_stayed} stayed wrong, {found.right_stayed} stayed right"
    rows = [
        ("helped", str(found.helped), "wrong → right"),
        ("did nothing", str(found.did_nothing), stayed),
        ("broke a right draft", str(found.broke), "right → wrong"),
    ]
    if found.unknown:
        rows.append(("unknown", str(found.unknown), "draft or final program not graded"))
    known = found.total - found.unknown
    note = (
        f"net {found.net:+d} tasks; the final program is the draft's text in {found.unchanged} of {known}"
        if found.total
        else "no fix was asked for"
    )
    heads = (words("asked to fix"), numbers("fixes"), words("draft → final program", wraps=True))
    return listed("fixes", "", heads, rows if found.total else (), notes=[note])


def overview(judged: Sequence[tuple[Run, ReviewerReport]]) -> Table:
    """Return a row for each run that reviews: what it found of the wrong drafts, and what its fixes did."""
    reports = [report for _, report in judged]
    unread, unknown = _unjudged([report.overall for report in reports])
    alike = len({(run.pipeline, run.title) for run, _ in judged}) < len(judged)
    suites = len({run.title for run, _ in judged})
    fields: list[Field[Row] | None] = [
        left("pipeline", lambda row: row.report.pipeline),
        left("run", lambda row: own_name(row.report.run)) if alike else None,
        left("suite", lambda row: row.suite, drop=0 if suites > 1 else 3),
        _count("reviewed", "tasks", drop=4),
        right("wrong found", lambda row: fraction(row.judged.confusion.recall)),
        right("right approved", lambda row: fraction(row.judged.confusion.specificity), short="right appr."),
        right("precision", lambda row: _precision(row.judged), drop=2),
        _count("helped", "fixes.helped"),
        _count("broke", "fixes.broke"),
        _count("unread", "confusion.off_schema", drop=1) if unread else None,
        _count("unknown", "confusion.ungraded", drop=1) if unknown else None,
    ]
    rows = [Row(report, report.overall, run.title) for run, report in judged]
    return Grid(rows, fields).table(
        "reviewers-overview",
        f"{len(judged)} runs: the reviewer judged",
        notes=[
            BIASED if unknown else "",
            *map(_unread, reports),
            "intervals, every rate and quartiles of richness: --details, or one run",
        ],
    )


def quartiles(judged: Sequence[Judged]) -> Table:
    """Return a row for each quartile of richness; counts as in the matrix, so that small numbers are seen."""
    unread, unknown = _unjudged(judged)
    fields: list[Field[Judged] | None] = [
        left("quartile", lambda each: each.label),
        right("tasks", lambda each: str(each.tasks)),
        right("wrong found", lambda each: fraction(each.confusion.recall)),
        right("right approved", lambda each: fraction(each.confusion.specificity)),
        right("precision", _precision),
        right("helped", lambda each: str(each.fixes.helped)),
        right("nothing", lambda each: str(each.fixes.did_nothing)),
        right("broke", lambda each: str(each.fixes.broke)),
        right("unread", lambda each: str(each.confusion.off_schema)) if unread else None,
        right("unknown", lambda each: str(each.confusion.ungraded)) if unknown else None,
    ]
    return Grid(judged, fields).table("quartiles", "by richness of the specification, leanest first")


def _unjudged(judged: Sequence[Judged]) -> tuple[bool, bool]:
    """Return whether there are unread reviews, and drafts of unknown truth."""
    seen = [each.confusion for each in judged]
    return any(each.off_schema for each in seen), any(each.ungraded for each in seen)


def _precision(judged: Judged) -> str:
    return known(judged.confusion.precision, lambda rate: percent(rate.value))
