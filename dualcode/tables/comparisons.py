"""Runs against their baselines, and what a pipeline gains on two suites: `compare`'s tables, and Table 3."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.comparisons import Comparisons, SuiteComparisons
from dualcode.analysis.runs import Run, Score
from dualcode.analysis.statistics import Comparison, Gap
from dualcode.published.published import SUITES, Published
from dualcode.tables.cells import NOTHING, count, interval, known, percent, points, points_interval
from dualcode.tables.grid import Field, Grid, cited, left, right
from dualcode.tables.lines import (
    Line,
    any_errored,
    caveats,
    errored,
    line,
    recomputed,
    statistics,
    tested,
)
from dualcode.tables.selection import comparability, own_name, part_title, source, suite_title
from dualcode.tables.table import Table


@dataclass(frozen=True)
class Row:
    """A run, and how it compares; None for the baseline."""

    run: Run
    score: Score
    comparison: Comparison | None

    def rate(self) -> str:
        """Return pass@1 with its interval."""
        rate = self.score.rate
        return f"{percent(rate.value)} {interval(rate.low, rate.high)}"

    def delta(self) -> str:
        """Return the difference with its interval; of the baseline, that it is it."""
        made = self.comparison
        return within(made.delta, made.low, made.high) if made else "baseline"

    def changed(self) -> str:
        """Return the tasks gained and lost, as `8/1`."""
        return known(self.comparison, lambda made: f"{len(made.gained)}/{len(made.lost)}")

    def values(self) -> dict[str, Any]:
        """Return the numbers behind the texts."""
        made = self.comparison
        return {
            "score": self.score.model_dump(mode="json"),
            "comparison": made and made.model_dump(mode="json"),
        }


def suite_table(suite: SuiteComparisons, family: int) -> Table:
    """Return one suite's runs, the baseline first; `family`: how many comparisons are shown together."""
    made = {each.run: each for each in suite.comparisons}
    rows = [Row(run, suite.scores[run.id], made.get(run.id)) for run in (suite.baseline, *suite.others)]
    sizes = {each.tasks for each in suite.comparisons}
    names = [run.pipeline for run in suite.runs]
    twice = len(set(names)) < len(names)
    missing = any(row.score.errored for row in rows)
    fields: list[Field[Row] | None] = [
        left("pipeline", lambda row: row.run.pipeline),
        left("run", lambda row: own_name(row.run.id), drop=0 if twice else 3),
        right("pass@1", Row.rate),
        right("errored", lambda row: errored(row.score), drop=2) if missing else None,
        right("Δ (pp)", Row.delta),
        right("tasks", lambda row: known(row.comparison, lambda made: str(made.tasks)), drop=4)
        if len(sizes) > 1
        else None,
        right("gained/lost", Row.changed, short="gained/ lost"),
        *tested(lambda row: row.comparison, several=family > 1, drop=5),
        right("needed", lambda row: known(row.comparison and row.comparison.needed, count), drop=6),
    ]
    amount = f"{sizes.pop()} tasks in pairs" if len(sizes) == 1 else "tasks in pairs"
    return Grid(rows, fields).table(
        "comparisons",
        f"{suite.baseline.title}, {suite.part} tests, against {suite.baseline.pipeline}, {amount}",
        values=Row.values,
        runs=[row.run.id for row in rows],
    )


def gaps_table(found: Comparisons) -> Table:
    """Return what each pipeline gains on one suite, less on the other."""
    datasets = {run.id: run.dataset for suite in found.suites for run in suite.runs}
    fields: list[Field[Gap] | None] = [
        left("pipeline", lambda gap: gap.pipeline),
        left("suites", lambda gap: " − ".join(datasets[side.run] for side in (gap.rich, gap.lean)), drop=4),
        right("first Δ (pp)", lambda gap: points(gap.rich.delta), short="first Δ"),
        right("second Δ (pp)", lambda gap: points(gap.lean.delta), short="second Δ"),
        right("difference (pp)", lambda gap: within(gap.difference, gap.low, gap.high)),
        *tested(lambda gap: gap, several=len(found.gaps) > 1, drop=5),
        right("ratio", lambda gap: ratio(gap) or "none"),
    ]
    unclaimed = any(gap.ratio is None for gap in found.gaps)
    return Grid(found.gaps, fields).table(
        "gaps",
        "What a pipeline gains on one suite, less on the other",
        values=lambda gap: gap.model_dump(mode="json"),
        notes=["ratio none: the interval of one of the two Δ holds 0, so there is none to claim"] * unclaimed,
        runs=[each.run for gap in found.gaps for each in (gap.rich, gap.lean)],
    )


def within(difference: float, low: float, high: float) -> str:
    """Return a difference of shares with its interval."""
    return f"{points(difference)} {points_interval(low, high)}"


def ratio(gap: Gap) -> str | None:
    """Return the ratio of two deltas with its interval; None where none can be claimed."""
    return None if gap.ratio is None else f"{gap.ratio:.1f} [{gap.ratio_low:.1f}, {gap.ratio_high:.1f}]"


def reading(found: Comparisons) -> list[str]:
    """Return sentences that say what the numbers of both tables are."""
    family = sum(len(suite.comparisons) for suite in found.suites)
    lines = [
        "in brackets: 95 %, Wilson for pass@1, paired bootstrap for Δ. p: McNemar, exact, two-sided",
        "needed: tasks to show this Δ with p < 0.05 and a power of 80 %, at its rates of gain and loss",
    ]
    if family > 1:
        lines.append(
            f"p Holm: corrected for {family} comparisons at once, and what may be claimed; an interval is of"
            " one comparison alone, so it can exclude 0 where p Holm claims nothing"
        )
    if len(found.gaps) > 1:
        lines.append(f"p Holm of the differences between suites: corrected for {len(found.gaps)} of them")
    if any(score.errored for suite in found.suites for score in suite.scores.values()):
        lines.append(
            "errored: without a verdict; in brackets, pass@1's interval if they all had failed, or passed"
        )
    return lines


PLACES = ("Table 3", "section 4.2")
"""Where the paper compares pipelines on both suites."""


@dataclass(frozen=True)
class Pair:
    """A pipeline on both suites."""

    rich: Line
    lean: Line
    gap: Gap | None

    def values(self) -> dict[str, Any]:
        """Return ours and the published, apart, for JSON."""
        return {
            "pipeline": self.rich.pipeline,
            "ours": {
                "rich": self.rich.ours(),
                "lean": self.lean.ours(),
                "gap": self.gap and self.gap.model_dump(mode="json"),
            },
            "published": [*self.rich.cited(), *self.lean.cited()],
        }


def richness_gap(analysis: Analysis, published: Published) -> Table | str:
    """Return Table 3, review by richness of specifications, with every pipeline that ran on both suites.

    Or why there is none.
    """
    if not analysis.gaps:
        return (
            f"no pipeline ran on a rich and a lean suite, with {analysis.baseline} on both, such as "
            "HumanEval+ and MBPP+"
        )
    datasets = {run.id: run.dataset for run in analysis.runs}
    rich, lean = datasets[analysis.gaps[0].rich.run], datasets[analysis.gaps[0].lean.run]
    pairs = _pairs(analysis, published, rich, lean)
    lines = [each for pair in pairs for each in (pair.rich, pair.lean)]
    used = [each.run for each in lines if each.run]
    first, second = ([run for run in used if run.dataset == name] for name in (rich, lean))
    titles, paper = (part_title(first[0], "plus"), part_title(second[0], "plus")), {rich, lean} <= {*SUITES}
    family = len(analysis.gaps)
    holm = f", corrected for all {family} gaps (p Holm)" if family > 1 else ""
    fields = _fields(titles, paper=paper, missing=any_errored(lines), several=family > 1)
    return Grid(pairs, fields).table(
        "table-3",
        "Table 3: review by richness of specifications; "
        f"rich: {suite_title(first)}, lean: {suite_title(second)}",
        values=Pair.values,
        notes=[
            analysis.note,
            *(comparability(used, published) if paper else ()),
            *caveats(lines),
            statistics(analysis),
            "gap: Δ on the rich suite less Δ on the lean one, tasks of each drawn anew in pairs; p by "
            f"permutation{holm}. A ratio is given only where its interval holds neither zero nor a change of "
            "sign.",
            *(_claim(analysis.baseline, published, lines) if paper else ()),
        ],
        runs=[run.id for run in used],
    )


def _pairs(analysis: Analysis, published: Published, rich: str, lean: str) -> list[Pair]:
    """Return the baseline, the paper's pipelines in its order, then the others, all on both suites."""
    datasets = {run.id: run.dataset for run in analysis.runs}
    gaps = {
        gap.pipeline: gap
        for gap in analysis.gaps
        if (datasets[gap.rich.run], datasets[gap.lean.run]) == (rich, lean)
    }
    printed = [each.pipeline for each in published.scores if not {each.place, *each.also}.isdisjoint(PLACES)]
    names = dict.fromkeys([analysis.baseline, *(name for name in printed if name in gaps), *gaps])
    return [
        Pair(line(analysis, published, rich, name), line(analysis, published, lean, name), gaps.get(name))
        for name in names
    ]


def _claim(baseline: str, published: Published, lines: list[Line]) -> list[str]:
    """Return the notes on the paper's own gap, and on where its numbers stand."""
    gap = published.number("gap")
    places = [score.place for each in lines for score in each.published.values()]
    return [
        f"The paper calls the ratio of its Δ against raw-coder {gap.value:g}x ({gap.place}), without an "
        "interval.",
        *recomputed(baseline),
        source(published, *places),
    ]


def _fields(
    titles: tuple[str, str], *, paper: bool, missing: bool, several: bool
) -> list[Field[Pair] | None]:
    first, second = titles
    return [
        left("Configuration", lambda pair: pair.rich.pipeline),
        *_measured(first, lambda pair: pair.rich, missing=missing),
        *_measured(second, lambda pair: pair.lean, missing=missing),
        right("gap (pp)", lambda pair: known(pair.gap, lambda gap: points(gap.difference))),
        right("gap, 95 %", lambda pair: known(pair.gap, lambda gap: points_interval(gap.low, gap.high))),
        *tested(lambda pair: pair.gap, several=several),
        right("ratio", lambda pair: (pair.gap and ratio(pair.gap)) or NOTHING),
        *(_printed(first, lambda pair: pair.rich) if paper else ()),
        *(_printed(second, lambda pair: pair.lean) if paper else ()),
    ]


def _measured(title: str, side: Callable[[Pair], Line], *, missing: bool) -> list[Field[Pair] | None]:
    return [
        right(title, lambda pair: side(pair).score()),
        right(f"{title}, 95 %", lambda pair: side(pair).interval()),
        right(f"{title}, errored", lambda pair: side(pair).errored()) if missing else None,
        right(f"{title}, Δ (pp)", lambda pair: side(pair).delta()),
    ]


def _printed(title: str, side: Callable[[Pair], Line]) -> list[Field[Pair]]:
    return [
        cited(f"{title} (paper)", lambda pair: side(pair).printed()),
        cited(f"{title}, Δ (paper)", lambda pair: side(pair).printed_delta()),
    ]
