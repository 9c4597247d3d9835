"""The task list: what became of each task in each pipeline, a letter each.

| letters | mean |
|---|---|
| outcome | `p` passed, `f` failed, `e` errored, `n` not done, `.` not in that run |
| base | the same, of the benchmark's own tests alone |
| change | `g` gained against the baseline, `l` lost, `.` neither |
| review | first: `k` right, `a` approved a wrong draft, `r` refused a right one, `n` unread, `u` unknown |
"""

from collections.abc import Callable, Mapping
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.drafts import first_reviews, known_truths
from dualcode.analysis.runs import Run
from dualcode.record import Record
from dualcode.task import Task


class Row(Record):
    """One task of one dataset; texts of letters have one for each pipeline, in the analysis's order."""

    dataset: str
    id: str
    entry: str
    """The entry point."""
    richness: float | None
    outcome: str
    base: str
    change: str
    review: str
    classes: dict[str, str]
    """Of the tasks lost against the baseline: pipeline to primary failure class."""


def rows(analysis: Analysis) -> list[Row]:
    """Return the tasks of all datasets, each in its suite's order."""
    found: list[Row] = []
    truths = {run.id: each for run, each in zip(analysis.runs, known_truths(analysis.runs), strict=True)}
    for dataset in analysis.datasets:
        runs = {run.pipeline: run for run in analysis.runs if run.dataset == dataset}
        marks = {name: _Marks(analysis, run, truths[run.id]) for name, run in runs.items()}
        tasks = {task.id: task for run in runs.values() for task in run.records.tasks.values()}
        found += [_row(analysis, dataset, task, marks) for task in tasks.values()]
    return found


class _Marks:
    """The letters of one run's tasks."""

    def __init__(self, analysis: Analysis, run: Run, truth: Mapping[str, bool]) -> None:
        self.run = run
        self._passed, self._base = run.passed(run.hardest), run.passed("base")
        compared = analysis.comparisons.get(run.id, {}).get(run.hardest)
        self._gained = frozenset(compared.gained if compared else ())
        self._lost = frozenset(compared.lost if compared else ())
        self._reviews, self._truth = first_reviews(run), truth
        lost = analysis.regressions.get(run.id)
        self.classes = {each.task_id: each.primary for each in lost.regressions} if lost else {}

    def outcome(self, task: str) -> str:
        return self._judged(self._passed, task)

    def base(self, task: str) -> str:
        return self._judged(self._base, task)

    def change(self, task: str) -> str:
        return "g" if task in self._gained else "l" if task in self._lost else "."

    def review(self, task: str) -> str:
        if task not in self._reviews:
            return "."
        verdict, right = self._reviews[task].verdict, self._truth.get(task)
        if verdict is None:
            return "n"
        if right is None:
            return "u"
        approved = verdict == "approve"
        return "k" if right == approved else "a" if approved else "r"

    def _judged(self, passed: Mapping[str, bool], task: str) -> str:
        if task in passed:
            return "p" if passed[task] else "f"
        if task in self.run.records.verdicts:
            return "e"
        return "n" if task in self.run.tasks else "."


def _row(analysis: Analysis, dataset: str, task: Task, marks: Mapping[str, _Marks]) -> Row:
    def letters(letter: Callable[[_Marks], str]) -> str:
        return "".join(letter(marks[name]) if name in marks else "." for name in analysis.pipelines)

    return Row(
        dataset=dataset,
        id=task.id,
        entry=task.entry_point,
        richness=analysis.richness.get(task.id),
        outcome=letters(lambda mark: mark.outcome(task.id)),
        base=letters(lambda mark: mark.base(task.id)),
        change=letters(lambda mark: mark.change(task.id)),
        review=letters(lambda mark: mark.review(task.id)),
        classes={name: mark.classes[task.id] for name, mark in marks.items() if task.id in mark.classes},
    )


def index(analysis: Analysis, found: list[Row]) -> dict[str, Any]:
    """Return what the page's scripts know of all tasks before any transcript is opened."""
    titles = {run.dataset: run.title for run in analysis.runs}
    return {
        "pipelines": list(analysis.pipelines),
        "baseline": analysis.baseline,
        "datasets": [{"name": name, "title": titles[name]} for name in analysis.datasets],
        "runs": [{"id": run.id, "pipeline": run.pipeline, "dataset": run.dataset} for run in analysis.runs],
        "tasks": [row.model_dump(mode="json") for row in found],
    }
