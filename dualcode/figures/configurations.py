"""Figure 2, pipeline configurations on HumanEval+, and the same for the other suites."""

from collections.abc import Sequence
from dataclasses import dataclass

from dualcode.analysis.analyse import Analysis
from dualcode.figures.bars import TITLE_ROW, Panel, draw_panel, legend, panel
from dualcode.figures.content import (
    Content,
    correction,
    errored_remarks,
    headline,
    main_dataset,
    nothing,
    selection_remarks,
    some_ids,
    warning_remarks,
)
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import SINGLE
from dualcode.published.published import Published
from dualcode.tables.selection import models


@dataclass(frozen=True, kw_only=True)
class Configurations(Content):
    """A panel for each suite, one above the other."""

    panels: tuple[Panel, ...]


def configurations(analysis: Analysis, published: Published) -> Configurations:
    """Return the data of Figure 2: every pipeline on HumanEval+, or on the first suite if it did not run."""
    return _configurations(analysis, published, [main_dataset(analysis)], "Figure 2")


def other_configurations(analysis: Analysis, published: Published) -> Configurations:
    """Return the same for all suites that Figure 2 leaves out."""
    main = main_dataset(analysis)
    rest = [dataset for dataset in analysis.datasets if dataset != main]
    if not rest:
        nothing(f"all runs ({some_ids(analysis.runs)}) are on {main}, which figure-2 shows")
    return _configurations(analysis, published, rest, "Figure 2, other suites")


def _configurations(
    analysis: Analysis, published: Published, datasets: Sequence[str], number: str
) -> Configurations:
    groups = [[run for run in analysis.runs if run.dataset == dataset] for dataset in datasets]
    runs = [run for group in groups for run in group]
    panels = tuple(panel(analysis, published, group) for group in groups)
    suites = " and ".join(each.title for each in panels)
    compared = any(each.references or any(b.published is not None for b in each.bars) for each in panels)
    return Configurations(
        title=f"{number}: pipeline configurations on {suites}",
        caption=(
            "pass@1 of each pipeline, ours as bars with 95 % Wilson intervals. "
            f"{'; '.join(each.words() for each in panels)}. Dashed line: our {analysis.baseline}. Hollow "
            "diamonds: the paper's numbers; dotted lines: proprietary models as published. A bar's colour "
            "and hatch say whether it differs from the baseline by McNemar's exact test at 5 %, "
            f"{correction(analysis)}."
        ),
        runs=tuple(run.id for run in runs),
        remarks=(
            *selection_remarks(runs, published=compared),
            *errored_remarks(runs),
            *warning_remarks(analysis, runs),
        ),
        headline=headline(analysis),
        models=models(analysis.runs),
        panels=panels,
    )


def draw_configurations(data: Configurations) -> Sheet:
    """Draw Figure 2 or its sibling, one column wide."""
    heights = [each.height for each in data.panels]
    titled = len(data.panels) > 1
    sheet = Sheet(
        data,
        width=SINGLE,
        body=sum(heights) - (0 if titled else TITLE_ROW),
        legend=legend(data.panels),
        columns=1,
    )
    for number, each in enumerate(data.panels):
        draw_panel(
            sheet, each, left=MARGIN, top=sum(heights[:number]) - (0 if titled else TITLE_ROW),
            width=SINGLE - 2 * MARGIN, titled=titled,
        )  # fmt: skip
    return sheet
