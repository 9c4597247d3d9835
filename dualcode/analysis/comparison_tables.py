"""Comparisons for a terminal: a table for each suite, the tasks that changed, the gaps between suites."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dualcode.analysis.comparability import Difference
from dualcode.analysis.comparisons import Comparisons, SuiteComparisons
from dualcode.analysis.runs import Run, Score
from dualcode.analysis.statistics import Comparison, Gap

LISTED = 6
"""Tasks of a kind that are listed where not all are asked for."""


def page(found: Comparisons, *, every_task: bool = False) -> RenderableType:
    """Return all of it: what is not comparable first, then each suite, then the gaps."""
    parts: list[RenderableType] = [*_warnings(found.differences)]
    for suite in found.suites:
        parts += [_suite(suite, found), *_changes(suite, every_task), Text()]
    if found.gaps:
        parts += [_gaps(found), _reading(found.gaps)]
    parts.append(_foot(found))
    return Group(*parts)


def _warnings(differences: Sequence[Difference]) -> Iterator[RenderableType]:
    loud = [each.text for each in differences if each.breaks]
    if loud:
        lines = [*loud, "Only the tasks that a run shares with its baseline are compared below."]
        title = "NOT THE SAME TASKS AND TESTS"
        yield Panel(Text("\n".join(lines)), title=title, border_style="red", title_align="left")
    for each in differences:
        if not each.breaks:
            yield Text(f"differs: {each.text}", "yellow")


def _table(title: str, left: str, right: Sequence[str]) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column(left, overflow="fold")
    for name in right:
        table.add_column(name, justify="right", overflow="fold")
    return table


def _suite(suite: SuiteComparisons, found: Comparisons) -> Table:
    errored = any(score.errored for score in suite.scores.values())
    several = len(found.adjusted) > 1
    sizes = {each.tasks for each in suite.comparisons}
    amount = f"{sizes.pop()} tasks in pairs" if len(sizes) == 1 else "tasks in pairs"
    title = f"{suite.baseline.title}, {suite.part} tests, against {suite.baseline.pipeline}, {amount}"
    columns = ["pass@1 %", *(["errored (range)"] if errored else []), "Δ pp", *(["tasks"] if sizes else [])]
    table = _table(title, "run", [*columns, "gained/lost", "p", *(["p Holm"] if several else []), "needed"])
    comparisons = {each.run: each for each in suite.comparisons}
    for run in (suite.baseline, *suite.others):
        score = suite.scores[run.id]
        cells = [_rate(score), *([_errored(score)] if errored else [])]
        changed = _compared(comparisons[run.id], found, sizes=bool(sizes)) if run.id in comparisons else []
        table.add_row(run.id, *cells, *(changed or ["baseline"]))
    return table


def _rate(score: Score) -> str:
    return f"{_percent(score.rate.value)} {_range(score.rate.low, score.rate.high)}"


def _errored(score: Score) -> str:
    return f"{len(score.errored)} {_range(*score.widened)}" if score.errored else "0"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _range(low: float, high: float) -> str:
    return f"({_percent(low)} – {_percent(high)})"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−") if round(100 * share, 1) else "0.0"


def _points_range(low: float, high: float) -> str:
    return f"({_points(low)} to {_points(high)})"


def _compared(comparison: Comparison, found: Comparisons, *, sizes: bool) -> list[str]:
    return [
        f"{_points(comparison.delta)} {_points_range(comparison.low, comparison.high)}",
        *([str(comparison.tasks)] if sizes else []),
        f"{len(comparison.gained)}/{len(comparison.lost)}",
        _p(comparison.p_value),
        *([_p(found.adjusted[comparison.run])] if len(found.adjusted) > 1 else []),
        "–" if comparison.needed is None else f"{comparison.needed:,}",
    ]


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3g}"


def _changes(suite: SuiteComparisons, every: bool) -> Iterator[Text]:
    runs = {run.id: run for run in suite.runs}
    for each in suite.comparisons:
        kinds = (("gained", each.gained), ("lost", each.lost), ("not in both", each.unpaired))
        told = [f"{name} {len(tasks)}: {_listed(tasks, every)}" for name, tasks in kinds if tasks]
        if told:
            yield Text.assemble((f"{_short(runs[each.run])}: ", "bold"), "; ".join(told))


def _short(run: Run) -> str:
    return run.id.removeprefix(f"{run.dataset}-")


def _listed(tasks: Sequence[str], every: bool) -> str:
    shown = tasks if every else tasks[:LISTED]
    more = f" and {len(tasks) - len(shown)} more" if len(shown) < len(tasks) else ""
    return ", ".join(shown) + more


def _gaps(found: Comparisons) -> Table:
    several = len(found.gaps) > 1
    columns = ["first Δ pp", "second", "difference pp", "p", *(["p Holm"] if several else []), "ratio"]
    table = _table("What a pipeline gains on one suite, less on the other", "runs", columns)
    for each, adjusted in zip(found.gaps, found.adjusted_gaps, strict=True):
        table.add_row(
            f"{each.rich.run}\n{each.lean.run}",
            _points(each.rich.delta),
            _points(each.lean.delta),
            f"{_points(each.difference)} {_points_range(each.low, each.high)}",
            _p(each.p_value),
            *([_p(adjusted)] if several else []),
            _ratio(each),
        )
    return table


def _ratio(gap: Gap) -> str:
    if gap.ratio is None or gap.ratio_low is None or gap.ratio_high is None:
        return "none"
    return f"{gap.ratio:.1f} ({gap.ratio_low:.1f} to {gap.ratio_high:.1f})"


def _reading(gaps: Sequence[Gap]) -> Text:
    if all(each.ratio_low is not None for each in gaps):
        return Text()
    return Text("ratio none: the interval of one of the two Δ holds 0, so there is none to claim\n", "dim")


def _foot(found: Comparisons) -> Text:
    lines = [
        "in brackets: 95 %, Wilson for pass@1, paired bootstrap for Δ. p: McNemar, exact, two-sided",
        "needed: tasks to show this Δ with p < 0.05 and a power of 80 %, at its rates of gain and loss",
    ]
    if len(found.adjusted) > 1:
        lines.append(f"p Holm: adjusted for {len(found.adjusted)} comparisons at once")
    if any(score.errored for suite in found.suites for score in suite.scores.values()):
        lines.append(
            "errored: without a verdict; range: the interval of pass@1 if they all had failed, or passed"
        )
    return Text("\n".join(lines), "dim")
