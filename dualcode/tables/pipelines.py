"""Table 2, pass@1 on HumanEval+ beside the published; and all pipelines on all suites, with what it took."""

from dataclasses import dataclass
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.costs import Costs, Total
from dualcode.published.published import Published
from dualcode.tables.cells import NOTHING, decimal, money
from dualcode.tables.grid import Field, Grid, cited, left, right
from dualcode.tables.lines import Line, any_errored, caveats, line, recomputed, statistics
from dualcode.tables.selection import comparability, runs_on, source, suite_title
from dualcode.tables.table import Table


def main_results(analysis: Analysis, published: Published) -> Table | str:
    """Return Table 2 with all pipelines that ran and all that the paper has, or why there is none."""
    dataset = next((name for name in ("humaneval", "humaneval-base") if runs_on(analysis, name)), None)
    if dataset is None:
        return "no run is over HumanEval or HumanEval+"
    runs = runs_on(analysis, dataset)
    printed = [each.pipeline for each in published.scores if each.place == "Table 2"]
    names = dict.fromkeys([*printed, *(run.pipeline for run in runs)])  # the paper's, in its order, then ours
    lines = [line(analysis, published, dataset, name) for name in names]
    has_plus = any("plus" in run.parts for run in runs)
    missing = [each.pipeline for each in lines if each.run is None]
    fields: list[Field[Line] | None] = [
        left("Configuration", lambda each: each.pipeline),
        right("HumanEval", lambda each: each.score("base")),
        right("HumanEval, 95 %", lambda each: each.interval("base")),
        right("HumanEval+", lambda each: each.score("plus")) if has_plus else None,
        right("HumanEval+, 95 %", lambda each: each.interval("plus")) if has_plus else None,
        right("errored", Line.errored) if any_errored(lines) else None,
        right("Δ (pp)", Line.delta),
        right("Δ, 95 %", Line.delta_interval),
        right("p", Line.p_value),
        right("p Holm", Line.p_holm) if analysis.family > 1 else None,
        cited("HumanEval (paper)", lambda each: each.printed("base")),
        cited("HumanEval+ (paper)", lambda each: each.printed("plus")) if has_plus else None,
        cited("Δ (paper)", lambda each: each.printed_delta("plus")) if has_plus else None,
    ]
    return Grid(lines, fields).table(
        "table-2",
        f"Table 2: pass@1 on HumanEval and {suite_title(runs)}"
        if has_plus
        else f"Table 2: pass@1 on {suite_title(runs)}",
        values=Line.values,
        notes=[
            analysis.note,
            *comparability(runs, published),
            *caveats(lines),
            f"Not run here: {', '.join(missing)}." if missing else "",
            statistics(analysis),
            *recomputed(analysis.baseline),
            source(published, *(score.place for each in lines for score in each.published.values())),
        ],
        runs=[run.id for run in runs],
    )


@dataclass(frozen=True)
class Priced:
    """A pipeline on a dataset, with its costs."""

    suite: str
    line: Line
    costs: Costs | None

    @property
    def task(self) -> Total | None:
        """What a task took, as if the run were alone."""
        return self.costs.per_task("alone") if self.costs else None

    @property
    def solved(self) -> Total | None:
        """What a solved task took; None if none was solved."""
        return self.costs.per_solved("alone") if self.costs else None

    def calls(self) -> str:
        """Return the calls a task."""
        return decimal(self.costs.calls / self.costs.tasks, 2) if self.costs and self.costs.tasks else NOTHING

    def tokens(self) -> str:
        """Return the tokens a task, read and written."""
        return decimal(self.task.prompt_tokens + self.task.completion_tokens, 0) if self.task else NOTHING

    def values(self) -> dict[str, Any]:
        """Return all of it, for JSON."""
        return {
            **self.line.values(),
            "costs": self.costs.model_dump(mode="json") if self.costs else None,
            "per_task": self.task.model_dump(mode="json") if self.task else None,
            "per_solved": self.solved.model_dump(mode="json") if self.solved else None,
        }


def pipelines(analysis: Analysis, published: Published) -> Table | str:
    """Return the table of all runs, or why there is none."""
    if not analysis.runs:
        return "there is no run"
    rows = [
        Priced(
            suite_title(runs_on(analysis, run.dataset)),
            line(analysis, published, run.dataset, run.pipeline),
            analysis.costs.get(run.id),
        )
        for run in analysis.runs
    ]
    lines = [row.line for row in rows]
    priced = any(row.task and row.task.money for row in rows)
    fields: list[Field[Priced] | None] = [
        left("Suite", lambda row: row.suite),
        left("Pipeline", lambda row: row.line.pipeline),
        right("pass@1, base", lambda row: row.line.score("base")),
        right("pass@1, plus", lambda row: row.line.score("plus")),
        right("95 %", lambda row: row.line.interval(row.line.part)),
        right("errored", lambda row: row.line.errored()) if any_errored(lines) else None,
        right("Δ (pp)", lambda row: row.line.delta()),
        right("Δ, 95 %", lambda row: row.line.delta_interval()),
        right("p", lambda row: row.line.p_value()),
        right("p Holm", lambda row: row.line.p_holm()) if analysis.family > 1 else None,
        right("calls/task", Priced.calls),
        right("tokens/task", Priced.tokens),
        right("busy s/task", lambda row: decimal(row.task.busy_seconds if row.task else None)),
        right("wall s/task", lambda row: decimal(row.task.wall_seconds if row.task else None)),
        right("money/task", lambda row: money(dict(row.task.money)) if row.task else NOTHING)
        if priced
        else None,
        right("money/solved", lambda row: money(dict(row.solved.money)) if row.solved else NOTHING)
        if priced
        else None,
    ]
    return Grid(rows, fields).table(
        "pipelines",
        "Pipelines: pass@1 and what it took",
        values=Priced.values,
        notes=[
            analysis.note,
            *caveats(lines),
            statistics(analysis),
            "95 %, Δ and p are of the last part: base and plus tests together where the suite has both.",
            "A task's calls, tokens (read and written), seconds and money are as if the run were alone: what "
            "the ledger replayed counts as it was paid for. wall: the run's duration over its tasks, many of "
            "which were worked on at a time; busy: of all servers added up.",
            *([] if priced else ["No endpoint has a price."]),
        ],
        runs=[run.id for run in analysis.runs],
    )
