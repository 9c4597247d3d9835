"""A judged reviewer for a terminal: the confusion matrix, its rates, the fixes, the quartiles of richness."""

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dualcode.analysis.reviewer import Confusion, Fixes, Judged, ReviewerReport
from dualcode.analysis.runs import Run
from dualcode.metrics import Rate
from dualcode.runs.summary import unread_warning

BIASED = (
    "The rates are biased: a run knows the drafts that it kept, so unknown ones are mostly those that were"
    " revised. Give the run that the drafts are from as well, or let them be graded."
)


def page(report: ReviewerReport, run: Run) -> RenderableType:
    """Return all that is said of one run's reviewer."""
    whole = report.overall
    parts: list[RenderableType] = [*_heading(report, run, whole), _matrix(whole.confusion)]
    parts += [_rates(whole.confusion), *_fixes(whole.fixes)]
    if report.quartiles:
        parts.append(_quartiles(report.quartiles))
    return Group(*parts)


def _heading(report: ReviewerReport, run: Run, whole: Judged) -> Iterator[RenderableType]:
    tests = "base and plus tests" if run.hardest == "plus" else "base tests"
    yield Text(f"{report.run}: {report.pipeline} on {run.title}", "bold")
    if warning := unread_warning(whole.confusion.off_schema, whole.tasks):
        yield Text(warning, "bold yellow")
    yield Text(f"{whole.tasks} of {len(run.tasks)} tasks reviewed; right and wrong as hidden {tests} say")
    yield from _open(whole.confusion)


def _open(confusion: Confusion) -> Iterator[Text]:
    """Yield what is in no rate."""
    if confusion.ungraded:
        yield Text(f"drafts not graded: {confusion.ungraded}; they are unknown, and in no rate", "yellow")
        yield Text(BIASED, "yellow")
    if confusion.off_schema:
        said = f"unread reviews, whose replies held no verdict: {confusion.off_schema}"
        yield Text(f"{said}; their drafts stood unjudged, and are in no rate", "yellow")


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _matrix(each: Confusion) -> Table:
    table = _table("", "the reviewer says", "draft wrong", "draft right", "together")
    wrong, right = each.true_positive + each.false_negative, each.false_positive + each.true_negative
    rows = (
        ("revise: it has a bug", each.true_positive, each.false_positive),
        ("approve", each.false_negative, each.true_negative),
        ("together", wrong, right),
    )
    for name, *counts in rows:
        table.add_row(name, *map(str, (*counts, sum(counts))), end_section=name == "approve")
    if each.unknown:
        table.add_row("unread", "", "", str(each.off_schema))
        table.add_row("unknown draft", "", "", str(each.ungraded))
    return table


def _rates(each: Confusion) -> Table:
    table = _table("", "rate %", "value", "95 % interval", "of", "")
    table.columns[-1].justify = "left"
    rows = (
        ("precision", each.precision, "of the drafts that it found wrong, those that are"),
        ("base rate", each.base_rate, "the precision of a reviewer that objects without reading"),
        ("recall", each.recall, "of the wrong drafts, those that it found wrong"),
        ("specificity", each.specificity, "of the right drafts, those that it approved"),
        ("accuracy", each.accuracy, "of all drafts, those on which it was right"),
    )
    for name, rate, meaning in rows:
        table.add_row(name, *_cells(rate), meaning)
    return table


def _cells(rate: Rate | None) -> list[str]:
    if rate is None:
        return ["–", "–", "0"]
    return [percent(rate.value), f"{percent(rate.low)} – {percent(rate.high)}", f"{rate.passed}/{rate.total}"]


def percent(share: float) -> str:
    """Return a share in percent, with one digit and no sign."""
    return f"{100 * share:.1f}"


def _fixes(fixes: Fixes) -> Iterator[RenderableType]:
    if not fixes.total:
        yield Text("\nno fix was asked for")
        return
    table = _table("", "asked to fix", "fixes", "draft → final program")
    table.columns[-1].justify = "left"
    stayed = f"{fixes.wrong_stayed} stayed wrong, {fixes.right_stayed} stayed right"
    table.add_row("helped", str(fixes.helped), "wrong → right")
    table.add_row("did nothing", str(fixes.did_nothing), stayed)
    table.add_row("broke a right draft", str(fixes.broke), "right → wrong")
    if fixes.unknown:
        table.add_row("unknown", str(fixes.unknown), "draft or final program not graded")
    yield table
    yield Text(f"net {fixes.net:+d} tasks; {_kept(fixes)}")


def _kept(fixes: Fixes) -> str:
    known = fixes.total - fixes.unknown
    return f"the final program is the draft's text in {fixes.unchanged} of {known}"


def _quartiles(quartiles: tuple[Judged, ...]) -> Table:
    """Return a row for each quartile; counts as in the matrix, so that small numbers are seen as such."""
    names = ["tasks", "wrong found", "right approved", "prec. %", "helped", "nothing", "broke"]
    unknown = any(each.confusion.ungraded for each in quartiles)
    unread = any(each.confusion.off_schema for each in quartiles)
    title = "\nby richness of the specification, leanest first"
    names += ["unread"] * unread + ["unknown"] * unknown
    table = _table(title, "quartile", *names)
    table.collapse_padding = True  # 80 columns are enough then
    for each in quartiles:
        matrix, fixes = each.confusion, each.fixes
        precision = "–" if matrix.precision is None else percent(matrix.precision.value)
        counts = [fixes.helped, fixes.did_nothing, fixes.broke]
        counts += [matrix.off_schema] * unread + [matrix.ungraded] * unknown
        cells = [_of(matrix.recall), _of(matrix.specificity), precision, *map(str, counts)]
        table.add_row(each.label, str(each.tasks), *cells)
    return table


def _of(rate: Rate | None) -> str:
    return "–" if rate is None else f"{rate.passed}/{rate.total}"
