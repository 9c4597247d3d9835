"""pass@1: Table 2 and the leaderboard (Table 4) beside what is published, and all pipelines on all suites."""

from dataclasses import dataclass, field
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.costs import Costs, Total
from dualcode.published.published import Published
from dualcode.tables import cells
from dualcode.tables.cells import NOTHING, decimal, known, money
from dualcode.tables.grid import Field, Grid, cited, left, right
from dualcode.tables.lines import Line, caveats, compared, line, recomputed, statistics
from dualcode.tables.selection import comparability, is_whole, models, runs_on, source, suite_title
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
        *compared(lambda each: each, lines, several=analysis.family > 1),
        cited("HumanEval (paper)", lambda each: each.printed("base")),
        cited("HumanEval+ (paper)", lambda each: each.printed("plus")) if has_plus else None,
        cited("Δ (paper)", lambda each: each.printed_delta("plus")) if has_plus else None,
    ]
    return Grid(lines, fields).table(
        "table-2",
        f"Table 2: pass@1 on {'HumanEval and ' if has_plus else ''}{suite_title(runs)}",
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


LEADERBOARD = {"humaneval": "HumanEval+", "mbpp": "MBPP+"}
"""The suites that the leaderboard is about, by dataset."""
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
        return known(self.lines.get(dataset), lambda own: own.score("plus"))

    def interval(self, dataset: str) -> str:
        """Return its Wilson interval, or the widened one if tasks are errored."""
        return known(
            self.lines.get(dataset),
            lambda own: own.errored() if own.run and own.run.errored else own.interval("plus"),
        )

    def printed(self, suite: str) -> str:
        """Return the published percentage."""
        return known(self.scores.get(suite), cells.printed)

    def values(self) -> dict[str, Any]:
        """Return ours and the published, apart, for JSON."""
        cited = [
            {"suite": suite, "percent": percent, "place": self.places[suite]}
            for suite, percent in self.scores.items()
        ]
        ours = [each.ours() for each in self.lines.values()]
        return {"model": self.name, "note": self.note, "ours": ours, "published": cited}


def leaderboard(analysis: Analysis, published: Published) -> Table | str:
    """Return Table 4, with ours only where a run covers the whole suite, or why there is none."""
    covering = [runs_on(analysis, dataset) for dataset in LEADERBOARD]
    if not any(covering):
        return "no run is over HumanEval+ or MBPP+, which the leaderboard is about"
    ours = _ours(analysis, published)
    lines = [each for entry in ours for each in entry.lines.values()]
    used = [each.run for each in lines if each.run]
    fields: list[Field[Entry]] = [left("Model", lambda entry: entry.name)]
    for dataset, title in LEADERBOARD.items():
        if any(dataset in entry.lines for entry in ours):
            fields.append(right(f"{title} (ours)", lambda entry, name=dataset: entry.ours(name)))
            fields.append(right(f"{title} (ours), 95 %", lambda entry, name=dataset: entry.interval(name)))
    partial = [[run for run in runs if not is_whole(run)] for runs in covering]
    columns: list[Field[Entry]] = [
        *fields,
        *(cited(f"{suite} (published)", lambda entry, name=suite: entry.printed(name)) for suite in SUITES),
        left("Note", lambda entry: entry.note or NOTHING),
    ]
    return Grid([*_published(published), *ours], columns).table(
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
            f"Ours is of {models(used)}." if used else "",
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
        lines = [line(analysis, published, dataset, name) for dataset in LEADERBOARD]
        whole = {each.dataset: each for each in lines if each.run and is_whole(each.run)}
        runs = [each.run for each in whole.values() if each.run]
        if runs:
            calls = sum(run.summary.calls for run in runs) / sum(len(run.tasks) for run in runs)
            tests = "; runs the prompt's tests" if any(run.facts.any_shown for run in runs) else ""
            entries.append(Entry(name, f"{calls:.1f} calls a task{tests}", lines=whole))
    return entries


@dataclass(frozen=True)
class Priced:
    """A pipeline on a dataset, with its costs."""

    suite: str
    line: Line
    costs: Costs | None

    @property
    def task(self) -> Total | None:
        """What a task took, as if the run were alone."""
        return self.costs and self.costs.per_task("alone")

    @property
    def solved(self) -> Total | None:
        """What a solved task took; None if none was solved."""
        return self.costs and self.costs.per_solved("alone")

    def calls(self) -> str:
        """Return the calls a task."""
        return decimal(self.costs.calls / self.costs.tasks, 2) if self.costs and self.costs.tasks else NOTHING

    def values(self) -> dict[str, Any]:
        """Return all of it, for JSON."""
        taken = {"costs": self.costs, "per_task": self.task, "per_solved": self.solved}
        dumped = {name: each and each.model_dump(mode="json") for name, each in taken.items()}
        return {**self.line.values(), **dumped}


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
        right("95 %", lambda row: row.line.interval()),
        *compared(lambda row: row.line, lines, several=analysis.family > 1),
        right("calls/task", Priced.calls),
        right("tokens/task", lambda row: known(row.task, _tokens)),
        right("busy s/task", lambda row: known(row.task, lambda task: decimal(task.busy_seconds))),
        right("wall s/task", lambda row: known(row.task, lambda task: decimal(task.wall_seconds))),
    ]
    if priced:
        fields.append(right("money/task", lambda row: known(row.task, _money)))
        fields.append(right("money/solved", lambda row: known(row.solved, _money)))
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
            "" if priced else "No endpoint has a price.",
        ],
        runs=[run.id for run in analysis.runs],
    )


def _tokens(total: Total) -> str:
    return decimal(total.prompt_tokens + total.completion_tokens, 0)


def _money(total: Total) -> str:
    return money(total.money)
