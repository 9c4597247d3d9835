"""Runs of any suites against their baselines, and what they gain on two suites: what `compare` shows."""

from dataclasses import dataclass
from typing import Any

from dualcode.analysis.comparisons import Comparisons, SuiteComparisons
from dualcode.analysis.runs import Run, Score
from dualcode.analysis.statistics import Comparison, Gap
from dualcode.tables.cells import NOTHING, count, interval, p_value, percent, points, points_interval
from dualcode.tables.grid import Field, Grid, left, right
from dualcode.tables.selection import own_name
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

    def errored(self) -> str:
        """Return the tasks without a verdict, and pass@1's interval if they count."""
        return f"{len(self.score.errored)}: {interval(*self.score.widened)}" if self.score.errored else "0"

    def delta(self) -> str:
        """Return the difference with its interval; of the baseline, that it is it."""
        known = self.comparison
        if known is None:
            return "baseline"
        return f"{points(known.delta)} {points_interval(known.low, known.high)}"

    def p(self) -> str:
        """Return McNemar's p of the comparison alone."""
        return p_value(self.comparison.p_value) if self.comparison else NOTHING

    def p_holm(self) -> str:
        """Return it corrected for all comparisons."""
        return p_value(self.comparison.p_holm) if self.comparison else NOTHING

    def needed(self) -> str:
        """Return how many tasks would show the difference."""
        known = self.comparison and self.comparison.needed
        return count(known) if known else NOTHING

    def changed(self) -> str:
        """Return the tasks gained and lost, as `8/1`."""
        return f"{len(self.comparison.gained)}/{len(self.comparison.lost)}" if self.comparison else NOTHING

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
    errored = any(row.score.errored for row in rows)
    fields: list[Field[Row] | None] = [
        left("pipeline", lambda row: row.run.pipeline),
        left("run", lambda row: own_name(row.run.id), drop=0 if twice else 3),
        right("pass@1", Row.rate),
        right("errored", Row.errored, drop=2) if errored else None,
        right("Δ (pp)", Row.delta),
        right("tasks", lambda row: str(row.comparison.tasks) if row.comparison else NOTHING, drop=4)
        if len(sizes) > 1
        else None,
        right("gained/lost", Row.changed, short="gained/ lost"),
        right("p", Row.p, drop=5 * (family > 1)),
        right("p Holm", Row.p_holm) if family > 1 else None,
        right("needed", Row.needed, drop=6),
    ]  # fmt: skip
    amount = f"{sizes.pop()} tasks in pairs" if len(sizes) == 1 else "tasks in pairs"
    return Grid(rows, fields).table(
        "comparisons",
        f"{suite.baseline.title}, {suite.part} tests, against {suite.baseline.pipeline}, {amount}",
        values=Row.values,
        runs=[row.run.id for row in rows],
    )


def gaps_table(found: Comparisons) -> Table:
    """Return what each pipeline gains on one suite, less on the other."""
    several = len(found.gaps) > 1
    fields: list[Field[Gap] | None] = [
        left("pipeline", lambda gap: gap.pipeline),
        left("suites", lambda gap: " − ".join(datasets[side.run] for side in (gap.rich, gap.lean)), drop=4),
        right("first Δ (pp)", lambda gap: points(gap.rich.delta), short="first Δ"),
        right("second Δ (pp)", lambda gap: points(gap.lean.delta), short="second Δ"),
        right("difference (pp)", difference),
        right("p", lambda gap: p_value(gap.p_value), drop=5 * several),
        right("p Holm", lambda gap: p_value(gap.p_holm)) if several else None,
        right("ratio", ratio),
    ]  # fmt: skip
    datasets = {run.id: run.dataset for suite in found.suites for run in suite.runs}
    unclaimed = any(gap.ratio is None for gap in found.gaps)
    return Grid(found.gaps, fields).table(
        "gaps",
        "What a pipeline gains on one suite, less on the other",
        values=lambda gap: gap.model_dump(mode="json"),
        notes=["ratio none: the interval of one of the two Δ holds 0, so there is none to claim"] * unclaimed,
        runs=[each.run for gap in found.gaps for each in (gap.rich, gap.lean)],
    )


def difference(gap: Gap) -> str:
    """Return the difference of two deltas with its interval."""
    return f"{points(gap.difference)} {points_interval(gap.low, gap.high)}"


def ratio(gap: Gap) -> str:
    """Return the ratio of two deltas with its interval, where one can be claimed."""
    return "none" if gap.ratio is None else f"{gap.ratio:.1f} [{gap.ratio_low:.1f}, {gap.ratio_high:.1f}]"


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
