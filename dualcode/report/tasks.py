"""The task list: what became of each task in each pipeline, a letter each.

| letters | mean |
|---|---|
| outcome | `p` passed, `f` failed, `e` errored, `n` not done, `.` not in that run |
| base | the same, of the benchmark's own tests alone |
| change | `g` gained against the baseline, `l` lost, `.` neither |
| review | first: `k` right, `a` approved a wrong draft, `r` refused a right one, `n` unread, `u` unknown |
"""

import heapq
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.drafts import known_truths
from dualcode.analysis.runs import Run
from dualcode.record import Record
from dualcode.verdict import Part

MOST_TASKS = 2000
"""That a report lists and shows in full. All of its numbers are over all tasks, however many."""


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


class Rows(NamedTuple):
    """The tasks that a report shows, of all datasets, each in its suite's order."""

    shown: list[Row]
    total: int
    """With those that are left out."""


def rows(analysis: Analysis, most: int = MOST_TASKS) -> Rows:
    """Return the tasks to show: all, or, of more than `most`, those that were lost or gained first.

    After these come the ones that some pipeline did not pass, and then those of the highest places.
    """
    truths = {run.id: each for run, each in zip(analysis.runs, known_truths(analysis.runs), strict=True)}
    marks: dict[str, dict[str, _Marks]] = {}
    known: list[tuple[str, str]] = []
    for dataset in analysis.datasets:
        runs = {run.pipeline: run for run in analysis.runs if run.dataset == dataset}
        marks[dataset] = {name: _Marks(analysis, run, truths[run.id]) for name, run in runs.items()}
        known += dict.fromkeys((dataset, task) for run in runs.values() for task in run.records.tasks)

    def rank(place: int) -> tuple[int, int]:
        dataset, task = known[place]
        own = marks[dataset].values()
        if any(mark.change(task) != "." for mark in own):
            return 0, place
        return (2 if all(mark.outcome(task) in "p." for mark in own) else 1), place

    chosen = [known[place] for place in sorted(heapq.nsmallest(most, range(len(known)), key=rank))]
    return Rows([_row(analysis, dataset, task, marks[dataset]) for dataset, task in chosen], len(known))


class _Marks:
    """The letters of one run's tasks."""

    def __init__(self, analysis: Analysis, run: Run, truth: Mapping[str, bool]) -> None:
        self.run, self._facts, self._errored = run, run.facts.tasks, frozenset(run.errored)
        compared = analysis.comparisons.get(run.id, {}).get(run.hardest)
        self._gained = frozenset(compared.gained if compared else ())
        self._lost = frozenset(compared.lost if compared else ())
        self._truth = truth
        lost = analysis.regressions.get(run.id)
        self.classes = {each.task_id: each.primary for each in lost.regressions} if lost else {}

    def change(self, task: str) -> str:
        return "g" if task in self._gained else "l" if task in self._lost else "."

    def review(self, task: str) -> str:
        review = self._facts[task].review if task in self._facts else None
        if review is None:
            return "."
        verdict, right = review.verdict, self._truth.get(task)
        if verdict is None:
            return "n"
        if right is None:
            return "u"
        approved = verdict == "approve"
        return "k" if right == approved else "a" if approved else "r"

    def outcome(self, task: str, part: Part | None = None) -> str:
        facts = self._facts.get(task)
        if facts is None:
            return "."
        if facts.passed is not None:
            return "p" if (part or self.run.hardest) in facts.passed else "f"
        if facts.has_verdict:
            return "e"
        return "n" if task in self._errored else "."


def _row(analysis: Analysis, dataset: str, task: str, marks: Mapping[str, _Marks]) -> Row:
    def letters(letter: Callable[[_Marks], str]) -> str:
        return "".join(letter(marks[name]) if name in marks else "." for name in analysis.pipelines)

    # Where runs differ in the entry point, the last one's counts.
    run = [mark.run for mark in marks.values() if task in mark.run.records.tasks][-1]
    return Row(
        dataset=dataset,
        id=task,
        entry=run.records.tasks[task].entry_point,
        richness=analysis.richness.get(task),
        outcome=letters(lambda mark: mark.outcome(task)),
        base=letters(lambda mark: mark.outcome(task, "base")),
        change=letters(lambda mark: mark.change(task)),
        review=letters(lambda mark: mark.review(task)),
        classes={name: mark.classes[task] for name, mark in marks.items() if task in mark.classes},
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
