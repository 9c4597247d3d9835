"""Table 4: EvalPlus's leaderboard, with ours only where a run covers the whole suite."""

from dataclasses import dataclass, field
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.published.published import Published
from dualcode.tables.cells import NOTHING, printed
from dualcode.tables.grid import Field, Grid, cited, left, right
from dualcode.tables.lines import Line, caveats, line
from dualcode.tables.selection import is_whole, models, runs_on, suite_title
from dualcode.tables.table import Table

DATASETS = ("humaneval", "mbpp")
SUITES = ("HumanEval", "HumanEval+", "MBPP", "MBPP+")


@dataclass(frozen=True)
class Entry:
    """A published model, or a pipeline of ours on the suites that its runs cover."""

    name: str
    note: str
    scores: dict[str, float] = field(default_factory=dict[str, float])
    """Published, in per cent, by suite."""
    places: dict[str, str] = field(default_factory=dict[str, str])
    lines: dict[str, Line] = field(default_factory=dict[str, Line])
    """Ours, by dataset."""

    def ours(self, dataset: str) -> str:
        """Return our pass@1 on the hardest part."""
        return self.lines[dataset].score("plus") if dataset in self.lines else NOTHING

    def interval(self, dataset: str) -> str:
        """Return its Wilson interval, or the widened one if tasks are errored."""
        if dataset not in self.lines:
            return NOTHING
        own = self.lines[dataset]
        return own.errored() if own.run and own.run.errored else own.interval("plus")

    def printed(self, suite: str) -> str:
        """Return the published percentage."""
        return printed(self.scores[suite]) if suite in self.scores else NOTHING

    def values(self) -> dict[str, Any]:
        """Return ours and the published, apart, for JSON."""
        cited = [
            {"suite": suite, "percent": percent, "place": self.places[suite]}
            for suite, percent in self.scores.items()
        ]
        return {
            "model": self.name,
            "note": self.note,
            "ours": [each.ours() for each in self.lines.values()],
            "published": cited,
        }


def leaderboard(analysis: Analysis, published: Published) -> Table | str:
    """Return Table 4, or why there is none."""
    runs = [run for dataset in DATASETS for run in runs_on(analysis, dataset)]
    if not runs:
        return "no run is over HumanEval+ or MBPP+, which the leaderboard is about"
    ours = _ours(analysis, published)
    lines = [each for entry in ours for each in entry.lines.values()]
    used = [each.run for each in lines if each.run]
    fields: list[Field[Entry] | None] = [left("Model", lambda entry: entry.name)]
    for dataset, title in (("humaneval", "HumanEval+"), ("mbpp", "MBPP+")):
        if any(dataset in entry.lines for entry in ours):
            fields.append(right(f"{title} (ours)", lambda entry, name=dataset: entry.ours(name)))
            fields.append(right(f"{title} (ours), 95 %", lambda entry, name=dataset: entry.interval(name)))
    partial = [[run for run in runs_on(analysis, dataset) if not is_whole(run)] for dataset in DATASETS]
    fields = [
        *fields,
        *(cited(f"{suite} (published)", lambda entry, name=suite: entry.printed(name)) for suite in SUITES),
        left("Note", lambda entry: entry.note or NOTHING),
    ]
    return Grid([*_published(published), *ours], fields).table(
        "table-4",
        "Table 4: pass@1 of published models" + (" and of ours" if ours else ""),
        values=Entry.values,
        notes=[
            analysis.note,
            *(
                f"Not in it: {len(own)} runs of ours over {suite_title(own)}. "
                "A leaderboard's number is over all tasks."
                for own in partial
                if own
            ),
            *([f"Ours is of {models(used)}."] if used else []),
            "The leaderboard's models answer once and run nothing. A pipeline of several calls, and all the "
            "more one that runs the prompt's tests, is not like them."
            if ours
            else "",
            *caveats(lines),
            "(published): the EvalPlus leaderboard, as given by the project's owner, and the paper's Table 4"
            f" ({published.source}); not measured here.",
        ],
        runs=[run.id for run in used],
    )


def _published(published: Published) -> list[Entry]:
    """Return the leaderboard's models and the paper's own row, in the order of HumanEval+."""
    entries = [
        Entry(each.model, each.note, dict(each.scores), dict.fromkeys(each.scores, each.place))
        for each in published.leaderboard
    ]
    entries += [
        Entry(f"the paper's {each.pipeline}", each.note, {each.suite: each.percent}, {each.suite: "Table 4"})
        for each in published.scores
        if "Table 4" in each.also
    ]
    return sorted(entries, key=lambda entry: -entry.scores["HumanEval+"])


def _ours(analysis: Analysis, published: Published) -> list[Entry]:
    """Return our pipelines on whole suites, each with what it took that a single answer does not."""
    entries: list[Entry] = []
    for name in analysis.pipelines:
        known = [line(analysis, published, dataset, name) for dataset in DATASETS]
        whole = {each.dataset: each for each in known if each.run and is_whole(each.run)}
        runs = [each.run for each in whole.values() if each.run]
        if runs:
            calls = sum(run.summary.calls for run in runs) / sum(len(run.tasks) for run in runs)
            tests = "; runs the prompt's tests" if any(run.facts.any_shown for run in runs) else ""
            entries.append(Entry(name, f"{calls:.1f} calls a task{tests}", lines=whole))
    return entries
