"""Table 3: what review gains on a rich and on a lean suite, and whether the difference is more than noise."""

from dataclasses import dataclass
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.runs import Run
from dualcode.analysis.statistics import Gap
from dualcode.published.published import SUITES, Published
from dualcode.tables.cells import NOTHING, p_value, points, points_interval
from dualcode.tables.grid import Field, Grid, cited, left, right
from dualcode.tables.lines import Line, any_errored, caveats, line, recomputed, statistics
from dualcode.tables.selection import comparability, part_title, source, suite_title
from dualcode.tables.table import Table

PLACES = ("Table 3", "section 4.2")
"""Where the paper compares pipelines on both suites."""


@dataclass(frozen=True)
class Pair:
    """A pipeline on both suites."""

    rich: Line
    lean: Line
    gap: Gap | None

    @property
    def pipeline(self) -> str:
        """The pipeline's name."""
        return self.rich.pipeline

    def difference(self) -> str:
        """Return the rich suite's delta less the lean one's."""
        return NOTHING if self.gap is None else points(self.gap.difference)

    def difference_interval(self) -> str:
        """Return its 95 % interval."""
        return NOTHING if self.gap is None else points_interval(self.gap.low, self.gap.high)

    def p_value(self) -> str:
        """Return p of no difference."""
        return NOTHING if self.gap is None else p_value(self.gap.p_value)

    def p_holm(self) -> str:
        """Return it corrected for all gaps of the analysis."""
        return NOTHING if self.gap is None else p_value(self.gap.p_holm)

    def ratio(self) -> str:
        """Return the ratio of the deltas, with its interval if a ratio can be claimed."""
        gap = self.gap
        if gap is None or gap.ratio is None:
            return NOTHING
        return f"{gap.ratio:.1f} [{gap.ratio_low:.1f}, {gap.ratio_high:.1f}]"

    def values(self) -> dict[str, Any]:
        """Return ours and the published, apart, for JSON."""
        return {
            "pipeline": self.pipeline,
            "ours": {
                "rich": self.rich.ours(),
                "lean": self.lean.ours(),
                "gap": self.gap.model_dump(mode="json") if self.gap else None,
            },
            "published": [*self.rich.cited(), *self.lean.cited()],
        }


def richness_gap(analysis: Analysis, published: Published) -> Table | str:
    """Return Table 3 with every pipeline that ran on both suites, or why there is none."""
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
    first, second = (next(run for run in used if run.dataset == name) for name in (rich, lean))
    titles, paper = (part_title(first, "plus"), part_title(second, "plus")), rich in SUITES and lean in SUITES
    family = len(analysis.gaps)
    holm = f", corrected for all {family} gaps (p Holm)" if family > 1 else ""
    fields = _fields(titles, paper=paper, errored=any_errored(lines), several=family > 1)
    return Grid(pairs, fields).table(
        "table-3",
        "Table 3: review by richness of specifications; "
        f"rich: {_title(used, rich)}, lean: {_title(used, lean)}",
        values=Pair.values,
        notes=[
            analysis.note,
            *(comparability(used, published) if paper else ()),
            *caveats(lines),
            statistics(analysis),
            "gap: Δ on the rich suite less Δ on the lean one, tasks of each drawn anew in pairs; p by "
            f"permutation{holm}. A ratio is given only where its interval holds neither zero nor a change of "
            "sign.",
            *(_claim(analysis.baseline, published, pairs) if paper else ()),
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


def _title(runs: list[Run], dataset: str) -> str:
    return suite_title([run for run in runs if run.dataset == dataset])


def _claim(baseline: str, published: Published, pairs: list[Pair]) -> list[str]:
    """Return the notes on the paper's own gap, and on where its numbers stand."""
    gap = published.number("gap")
    places = [each["place"] for pair in pairs for each in pair.values()["published"]]
    return [
        f"The paper calls the ratio of its Δ against raw-coder {gap.value:g}x ({gap.place}), without an "
        "interval.",
        *recomputed(baseline),
        source(published, *places),
    ]


def _fields(
    titles: tuple[str, str], *, paper: bool, errored: bool, several: bool
) -> list[Field[Pair] | None]:
    first, second = titles
    return [
        left("Configuration", lambda pair: pair.pipeline),
        right(first, lambda pair: pair.rich.score(pair.rich.part)),
        right(f"{first}, 95 %", lambda pair: pair.rich.interval(pair.rich.part)),
        right(f"{first}, errored", lambda pair: pair.rich.errored()) if errored else None,
        right(f"{first}, Δ (pp)", lambda pair: pair.rich.delta()),
        right(second, lambda pair: pair.lean.score(pair.lean.part)),
        right(f"{second}, 95 %", lambda pair: pair.lean.interval(pair.lean.part)),
        right(f"{second}, errored", lambda pair: pair.lean.errored()) if errored else None,
        right(f"{second}, Δ (pp)", lambda pair: pair.lean.delta()),
        right("gap (pp)", Pair.difference),
        right("gap, 95 %", Pair.difference_interval),
        right("p", Pair.p_value),
        right("p Holm", Pair.p_holm) if several else None,
        right("ratio", Pair.ratio),
        cited(f"{first} (paper)", lambda pair: pair.rich.printed(pair.rich.part)) if paper else None,
        cited(f"{first}, Δ (paper)", lambda pair: pair.rich.printed_delta(pair.rich.part)) if paper else None,
        cited(f"{second} (paper)", lambda pair: pair.lean.printed(pair.lean.part)) if paper else None,
        cited(f"{second}, Δ (paper)", lambda pair: pair.lean.printed_delta(pair.lean.part))
        if paper
        else None,
    ]
