"""Table 2: pass@1 on HumanEval and HumanEval+, the published beside ours."""

from dualcode.analysis.analyse import Analysis
from dualcode.published.published import Published
from dualcode.tables.grid import Field, Grid, cited, left, right
from dualcode.tables.lines import Line, any_errored, caveats, line, recomputed, statistics
from dualcode.tables.selection import comparability, runs_on, source, suite_title
from dualcode.tables.table import Table

PLACE = "Table 2"


def main_results(analysis: Analysis, published: Published) -> Table | str:
    """Return Table 2 with all pipelines that ran and all that the paper has, or why there is none."""
    dataset = next((name for name in ("humaneval", "humaneval-base") if runs_on(analysis, name)), None)
    if dataset is None:
        return "no run is over HumanEval or HumanEval+"
    runs = runs_on(analysis, dataset)
    printed = [each.pipeline for each in published.scores if each.place == PLACE]
    names = dict.fromkeys([*printed, *(run.pipeline for run in runs)])  # the paper's, in its order, then ours
    lines = [line(analysis, published, dataset, name) for name in names]
    has_plus = any("plus" in run.parts for run in runs)
    missing = [each.pipeline for each in lines if each.run is None]
    return Grid(
        lines, _fields(has_plus=has_plus, errored=any_errored(lines), several=analysis.family > 1)
    ).table(
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


def _fields(*, has_plus: bool, errored: bool, several: bool) -> list[Field[Line] | None]:
    return [
        left("Configuration", lambda each: each.pipeline),
        right("HumanEval", lambda each: each.score("base")),
        right("HumanEval, 95 %", lambda each: each.interval("base")),
        right("HumanEval+", lambda each: each.score("plus")) if has_plus else None,
        right("HumanEval+, 95 %", lambda each: each.interval("plus")) if has_plus else None,
        right("errored", Line.errored) if errored else None,
        right("Δ (pp)", Line.delta),
        right("Δ, 95 %", Line.delta_interval),
        right("p", Line.p_value),
        right("p Holm", Line.p_holm) if several else None,
        cited("HumanEval (paper)", lambda each: each.printed("base")),
        cited("HumanEval+ (paper)", lambda each: each.printed("plus")) if has_plus else None,
        cited("Δ (paper)", lambda each: each.printed_delta("plus")) if has_plus else None,
    ]
