"""Figure 5: why plan-code lost tasks that the coder had solved alone."""

from dataclasses import dataclass
from typing import Any, get_args

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.failures import FailureClass
from dualcode.figures.content import (
    PUBLISHED,
    Content,
    errored_remarks,
    headline,
    main_dataset,
    nothing,
    selection_remarks,
    suite_title,
    warning_remarks,
)
from dualcode.figures.sheet import MARGIN, Sheet
from dualcode.figures.style import BLACK, HOLLOW, SINGLE, TEXT, VERMILLION, diamond, swatch, width_of
from dualcode.published.published import Published
from dualcode.tables.selection import models

PLAN = "plan-code"
CLASSES: tuple[FailureClass, ...] = get_args(FailureClass)
ROW = 0.2


@dataclass(frozen=True)
class ClassCount:
    """A class of failure: our regressions of that primary class, and the published ones."""

    kind: str
    count: int
    published: int | None


@dataclass(frozen=True, kw_only=True)
class Breakdown(Content):
    """Every class of the taxonomy, also those without a regression."""

    counts: tuple[ClassCount, ...]
    total: int
    published_total: int


def breakdown(analysis: Analysis, published: Published) -> Breakdown:
    """Return the data of Figure 5."""
    run = analysis.run(main_dataset(analysis, (PLAN,)), PLAN)
    found = analysis.regressions.get(run.id) if run else None
    if run is None or found is None:
        ran = f"{run.id} was" if run else "nothing was"
        nothing(f"{ran} compared with a run of {analysis.baseline}")
    if not found.regressions:
        nothing(f"{run.id} lost no task that {found.baseline} had solved: there are no regressions")
    theirs: dict[str, int] = {}
    for each in published.regressions:
        theirs[each.kind] = theirs.get(each.kind, 0) + each.count
    total = len(found.regressions)
    mine = found.counts()
    counts = tuple(ClassCount(kind, mine.get(kind, 0), theirs.get(kind)) for kind in CLASSES)
    base = [each for each in analysis.runs if each.id == found.baseline]
    gained = len(analysis.comparisons[run.id][run.hardest].gained) if run.id in analysis.comparisons else None
    said = ", ".join(f"{each.kind} {each.count}" for each in counts if each.count)
    printed = ", ".join(f"{each.kind} {each.published}" for each in counts if each.published)
    against = f", against {gained} gained" if gained is not None else ""
    # What dualcode takes the paper's count to mean, where it does not fit the paper's own tables.
    readings = [each for each in published.contradictions if each.name == "regressions"]
    return Breakdown(
        title=f"Figure 5: {_tasks(total)} that {analysis.baseline} solved and {PLAN} did not, "
        f"{suite_title(run)}",
        caption=(
            f"The {_tasks(total)} that {analysis.baseline} solved and {PLAN} did not{against}, by primary "
            f"class of failure. Ours: {said}."
            + (f" Published (hollow diamonds): {printed}." if theirs else "")
        ),
        runs=(found.baseline, run.id),
        remarks=(
            *(f"The paper's regressions: {each.reading}" for each in readings),
            *selection_remarks([run], published=bool(theirs)),
            *errored_remarks([*base, run]),
            *warning_remarks(analysis, [run]),
        ),
        headline=headline(analysis),
        models=models(analysis.runs),
        counts=counts,
        total=total,
        published_total=sum(theirs.values()),
    )


def _tasks(count: int) -> str:
    return f"{count} task{'' if count == 1 else 's'}"


def draw_breakdown(data: Breakdown) -> Sheet:
    """Draw Figure 5, one column wide."""
    names, columns, head = max(width_of(each.kind) for each in data.counts) + 0.13, 0.62, 0.18
    room = SINGLE - 2 * MARGIN - names - columns
    height = ROW * len(data.counts)
    legend: list[Any] = [swatch(VERMILLION, f"ours ({_tasks(data.total)} lost)", "/////")]
    if data.published_total:
        legend.append(diamond(f"{PUBLISHED} ({data.published_total} lost)"))
    sheet = Sheet(data, width=SINGLE, body=head + height + 0.36, legend=legend, columns=1)
    axes = sheet.axes(MARGIN + names, head, room, height)
    most = max(max(each.count, each.published or 0) for each in data.counts)
    axes.set(xlim=(0, most * 1.05), ylim=(len(data.counts) - 0.5, -0.5), xlabel="regressions")
    axes.set_yticks(range(len(data.counts)), [each.kind for each in data.counts])
    axes.tick_params(axis="y", length=0, pad=5)
    axes.xaxis.get_major_locator().set_params(integer=True)
    place = axes.get_yaxis_transform()
    for y, each in enumerate(data.counts):
        axes.barh(y, each.count, height=0.6, color=VERMILLION, hatch="/////", edgecolor=BLACK, linewidth=0.4)
        axes.text(1 + 0.24 / room, y, str(each.count), transform=place, ha="right", va="center", size=TEXT)
        if each.published is not None:
            axes.plot([each.published], [y], clip_on=False, **HOLLOW)
            theirs = {"transform": place, "ha": "right", "va": "center", "style": "italic"}
            axes.text(1 + 0.58 / room, y, str(each.published), **theirs)
    axes.text(1 + 0.26 / room, -0.85, "ours", transform=place, ha="right", va="center")
    if data.published_total:
        axes.text(1 + 0.62 / room, -0.85, "publ.", transform=place, ha="right", va="center", style="italic")
    return sheet
