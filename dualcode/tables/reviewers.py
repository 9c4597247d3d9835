"""The reviewer judged: its verdicts against the truth of the drafts, and what became of its fixes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.reviewer import Confusion, Fixes, Judged, ReviewerReport
from dualcode.analysis.runs import Run
from dualcode.metrics import Rate
from dualcode.published.published import Published
from dualcode.runs.summary import unread_warning
from dualcode.tables.cells import NOTHING, interval, percent, ratio
from dualcode.tables.grid import Field, Grid, left, listed, numbers, right, words
from dualcode.tables.selection import own_name, part_title
from dualcode.tables.table import Table


@dataclass(frozen=True)
class Row:
    """A reviewer over one set of tasks."""

    report: ReviewerReport
    judged: Judged
    suite: str

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


FIELDS: tuple[Field[Row], ...] = (
    left("Suite", lambda row: row.suite),
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
)


def reviewers(analysis: Analysis, published: Published) -> Table | str:
    """Return the table of all runs whose pipeline reviews drafts, or why there is none."""
    runs = [run for run in analysis.runs if run.id in analysis.reviewers]
    reports = [analysis.reviewers[run.id] for run in runs]
    rows = [
        Row(report, judged, part_title(run, "plus"))
        for run, report in zip(runs, reports, strict=True)
        for judged in (report.overall, *report.quartiles)
    ]
    if not rows:
        return "no run has reviews of drafts"
    if not any(row.known for row in rows):
        return "it is not known of any reviewed draft whether it is right (dualcode tables --grade finds out)"
    return Grid(rows, FIELDS).table(
        "reviewers",
        "Reviewers: their verdicts against the truth of the drafts",
        values=Row.values,
        notes=[
            analysis.note,
            "Precision: wrong drafts among those found wrong. Recall: wrong drafts that were found wrong. "
            "unread: the review's reply held no verdict; unknown: the draft could not be graded; both are in "
            "no share.",
            *(
                f"{each.pipeline} on {each.dataset}: {said}"
                for each in reports
                if (said := unread_warning(each.overall.confusion.off_schema, each.overall.tasks))
            ),
            "Fixes: helped, wrong before and right after; broke, right before and wrong after; the others "
            "stayed what they were. Q1 to Q4: quartiles of the specifications' richness, the leanest first."
            if any(report.quartiles for report in reports)
            else "Fixes: helped, wrong before and right after; broke, right before and wrong after.",
            f"The paper gives no such counts ({published.source}).",
        ],
        runs=[report.run for report in reports],
    )


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
    unread = any(report.overall.confusion.off_schema for _, report in judged)
    unknown = any(report.overall.confusion.ungraded for _, report in judged)
    alike = len({(run.pipeline, run.title) for run, _ in judged}) < len(judged)
    suites = len({run.title for run, _ in judged})
    heads = (
        words("pipeline"), *([words("run")] if alike else []), words("suite", drop=0 if suites > 1 else 3),
        numbers("reviewed", drop=4), numbers("wrong found"),
        numbers("right approved", short="right appr."), numbers("precision", drop=2), numbers("helped"),
        numbers("broke"), *([numbers("unread", drop=1)] if unread else []),
        *([numbers("unknown", drop=1)] if unknown else []),
    )  # fmt: skip
    rows: list[tuple[str, ...]] = []
    notes: list[str] = [BIASED] if unknown else []
    for run, report in judged:
        whole = report.overall
        seen = whole.confusion
        rows.append(
            (
                report.pipeline, *([own_name(run.id)] if alike else []), run.title, str(whole.tasks),
                _of(seen.recall), _of(seen.specificity),
                NOTHING if seen.precision is None else percent(seen.precision.value),
                str(whole.fixes.helped), str(whole.fixes.broke),
                *([str(seen.off_schema)] if unread else []), *([str(seen.ungraded)] if unknown else []),
            )
        )  # fmt: skip
        if warning := unread_warning(seen.off_schema, whole.tasks):
            notes.append(f"{report.pipeline} on {report.dataset}: {warning}")
    notes.append("intervals, every rate and quartiles of richness: --details, or one run")
    return listed("reviewers-overview", f"{len(rows)} runs: the reviewer judged", heads, rows, notes=notes)


def quartiles(judged: Sequence[Judged]) -> Table:
    """Return a row for each quartile of richness; counts as in the matrix, so that small numbers are seen."""
    unread = any(each.confusion.off_schema for each in judged)
    unknown = any(each.confusion.ungraded for each in judged)
    rows = [
        (
            each.label, str(each.tasks), _of(each.confusion.recall), _of(each.confusion.specificity),
            NOTHING if each.confusion.precision is None else percent(each.confusion.precision.value),
            str(each.fixes.helped), str(each.fixes.did_nothing), str(each.fixes.broke),
            *([str(each.confusion.off_schema)] if unread else []),
            *([str(each.confusion.ungraded)] if unknown else []),
        )
        for each in judged
    ]  # fmt: skip
    heads = ["tasks", "wrong found", "right approved", "precision", "helped", "nothing", "broke"]
    heads += ["unread"] * unread + ["unknown"] * unknown
    columns = (words("quartile"), *map(numbers, heads))
    return listed("quartiles", "by richness of the specification, leanest first", columns, rows)


def _of(rate: Rate | None) -> str:
    return NOTHING if rate is None else f"{rate.passed}/{rate.total}"
