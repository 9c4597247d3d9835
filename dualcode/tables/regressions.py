"""What pipelines lost that the baseline had solved, by class, beside Figure 5's published counts."""

from dataclasses import dataclass
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.failures import CLASSES, FailureClass, Regression, Regressions
from dualcode.analysis.failures.source import printable
from dualcode.published.published import Published, PublishedRegressions
from dualcode.tables.cells import NOTHING
from dualcode.tables.grid import Field, Grid, cited, left, listed, numbers, right, words
from dualcode.tables.selection import comparability, part_title
from dualcode.tables.table import Table


@dataclass(frozen=True)
class Row:
    """A class, or all of them (None)."""

    kind: FailureClass | None
    lost: tuple[Regressions, ...]
    published: tuple[PublishedRegressions, ...]

    def count(self, index: int) -> int:
        """Return how many regressions of a run have it as their primary class."""
        counts = self.lost[index].counts()
        return sum(counts.values()) if self.kind is None else counts.get(self.kind, 0)

    def printed(self) -> str:
        """Return the published count; nothing where Figure 5 has no such class."""
        return str(sum(each.count for each in self.published)) if self.published else NOTHING

    def values(self) -> dict[str, Any]:
        """Return ours and the published, apart, for JSON."""
        ours = [
            {"run": each.run, "baseline": each.baseline, "part": each.part, "count": self.count(index)}
            | {"tasks": [one.task_id for one in each.regressions if self.kind in (None, one.primary)]}
            for index, each in enumerate(self.lost)
        ]
        cited = [each.model_dump(mode="json") for each in self.published]
        return {"class": self.kind or "all", "ours": ours, "published": cited}


def regressions(analysis: Analysis, published: Published) -> Table | str:
    """Return the table of classes by run, or why there is none."""
    found = [(run, analysis.regressions[run.id]) for run in analysis.runs if run.id in analysis.regressions]
    if not found:
        return f"no run was compared with one of {analysis.baseline}"
    losing = [(run, each) for run, each in found if each.regressions]
    if not losing:
        return f"no pipeline lost a task that {analysis.baseline} had solved"
    lost = tuple(each for _, each in losing)
    kept = len(found) - len(losing)
    rows = [
        Row(kind, lost, tuple(each for each in published.regressions if kind in (None, each.kind)))
        for kind in (*CLASSES, None)
    ]
    fields: list[Field[Row]] = [left("Class", lambda row: row.kind or "all")]
    for index, (run, _) in enumerate(losing):
        head = f"{run.pipeline}, {part_title(run, run.hardest)}"
        fields.append(right(head, lambda row, at=index: str(row.count(at))))
    return Grid(rows, [*fields, cited("plan-code (paper)", Row.printed)]).table(
        "regressions",
        f"Regressions: tasks that {analysis.baseline} solved and a pipeline did not",
        values=Row.values,
        notes=[
            analysis.note,
            *comparability([run for run, _ in losing], published),
            "A regression counts once, by its primary class.",
            f"The other {kept} runs lost no task." if kept else "",
            f"(paper): {published.source}, {published.regressions[0].place}: plan-code, "
            f"{sum(each.count for each in published.regressions)} of {published.suites['HumanEval']} tasks; "
            "its classes are set to the nearest of ours; not measured here.",
        ],
        runs=[run.id for run, _ in found],
    )


def classes(found: Regressions) -> Table:
    """Return one run's classes: how often each is the primary one, and how often it is there at all."""
    primary, any_ = found.counts(), found.occurrences()
    rows = [(kind, str(primary.get(kind, 0)), str(any_.get(kind, 0))) for kind in CLASSES]
    tones = ["" if kind in any_ else "dim" for kind in CLASSES]
    return listed("classes", "", (words("class"), numbers("primary"), numbers("any")), rows, tones=tones)


def lost_tasks(found: Regressions) -> Table:
    """Return a line for every task that one run lost."""
    fields: list[Field[Regression]] = [
        left("task", lambda each: each.task_id),
        left("primary", lambda each: each.primary),
        left("also", lambda each: ", ".join(sign.kind for sign in each.signs[1:]), wraps=True, drop=1),
        left("evidence", lambda each: printable(each.signs[0].evidence), wraps=True),
    ]
    return Grid(found.regressions, fields).table("tasks", "")
