"""Figure 4: gated and enriched against unconditional review, on both suites."""

from dataclasses import dataclass, replace

from dualcode.analysis.analyse import Analysis
from dualcode.figures.bars import Panel, draw_panel, legend, panel
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
from dualcode.figures.style import DOUBLE, SINGLE
from dualcode.published.published import Published
from dualcode.tables.selection import models

UNCONDITIONAL, MITIGATIONS = "review-fix", ("gated", "enriched")


@dataclass(frozen=True, kw_only=True)
class Mitigations(Content):
    """A panel for each suite, side by side: the paper's left one, HumanEval+, first."""

    panels: tuple[Panel, ...]


def mitigations(analysis: Analysis, published: Published) -> Mitigations:
    """Return the data of Figure 4: the suites on which a mitigation ran."""
    first = main_dataset(analysis, MITIGATIONS)
    datasets = [first, *(name for name in analysis.datasets if name != first)]
    shown = [
        [run for name in (UNCONDITIONAL, *MITIGATIONS) if (run := analysis.run(dataset, name))]
        for dataset in datasets
    ]
    groups = [group for group in shown if any(run.pipeline in MITIGATIONS for run in group)]
    if not any(group[0].pipeline == UNCONDITIONAL for group in groups):
        nothing(f"no run of {UNCONDITIONAL} to set {some_ids([r for g in groups for r in g])} beside")
    runs = [run for group in groups for run in group]
    base = [found for group in groups if (found := analysis.run(group[0].dataset, analysis.baseline))]
    panels = tuple(panel(analysis, published, group) for group in groups)
    return Mitigations(
        title="Figure 4: mitigation attempts, gating and enriching beside unconditional review",
        caption=(
            "pass@1 of unconditional review (review-fix), spec-gated and spec-enriched review, ours as bars "
            f"with 95 % Wilson intervals. {'; '.join(each.words() for each in panels)}. Dashed line: our "
            f"{analysis.baseline}. Hollow diamonds: the paper's numbers. Colour and hatch: McNemar's exact "
            f"test at 5 %, {correction(analysis)}."
        ),
        runs=tuple(dict.fromkeys(run.id for run in [*base, *runs])),
        remarks=(
            *selection_remarks(runs, published=True),
            *errored_remarks(runs),
            *warning_remarks(analysis, runs),
        ),
        headline=headline(analysis),
        models=models(analysis.runs),
        panels=tuple(replace(each, references=()) for each in panels),
    )


def draw_mitigations(data: Mitigations) -> Sheet:
    """Draw Figure 4, a column of the page for each suite; more than two stand in rows."""
    across = min(2, len(data.panels))
    width = DOUBLE if across == 2 else SINGLE
    each_width = (width - 2 * MARGIN - 0.2 * (across - 1)) / across
    height = max(each.height for each in data.panels)
    rows = -(-len(data.panels) // across)
    sheet = Sheet(data, width=width, body=rows * height, legend=legend(data.panels), columns=across)
    for number, each in enumerate(data.panels):
        row, column = divmod(number, across)
        left = MARGIN + column * (each_width + 0.2)
        draw_panel(sheet, each, left=left, top=row * height, width=each_width)
    return sheet
