"""Analyses of synthetic runs: their numbers say nothing about any model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dualcode.analysis.analyse import Analysis, analyse
from dualcode.analysis.runs import Run, load_run
from dualcode.published.published import Published, load_published
from dualcode.tables.table import Table
from tests.made import Story, write_run

PAPER: Published = load_published()
IDS = {"humaneval": "HumanEval/{}", "mbpp": "Mbpp/{}", "mini": "MiniRich/{}"}
WHOLE = {"humaneval": 164, "mbpp": 378}


def outcomes(dataset: str, passed: int, total: int, errored: int = 0) -> dict[str, Story]:
    """Return stories of which the first pass, the next fail and the last are errored."""
    names = [IDS[dataset].format(number) for number in range(total)]
    states = [True] * passed + [False] * (total - passed - errored) + [None] * errored
    return {name: Story(state) for name, state in zip(names, states, strict=True)}


def run(folder: Path, pipeline: str, dataset: str, stories: Mapping[str, Story], **more: Any) -> Run:
    """Write a run and read it."""
    return load_run(write_run(folder, pipeline, stories, dataset=dataset, **more))


def simple(folder: Path, passed: Mapping[tuple[str, str], int], total: int = 10) -> Analysis:
    """Return an analysis of runs by (dataset, pipeline) that pass so many of the first `total` tasks."""
    return analyse(
        [
            run(folder, name, dataset, outcomes(dataset, count, total))
            for (dataset, name), count in passed.items()
        ]
    )


def whole(folder: Path, passed: Mapping[tuple[str, str], int]) -> Analysis:
    """Return an analysis of runs over all tasks of their suites."""
    return analyse(
        [
            run(folder, name, dataset, outcomes(dataset, count, WHOLE[dataset]))
            for (dataset, name), count in passed.items()
        ]
    )


def only(tables: Sequence[Table]) -> Table:
    """Return the one table."""
    (table,) = tables
    return table


def cell(table: Table, row: str, column: str) -> str:
    """Return a cell by its row's first cell and its column's name."""
    names = [each.name for each in table.columns]
    (found,) = [cells for cells in table.rows if cells[0] == row]
    return found[names.index(column)]


def value(table: Table, pipeline: str) -> dict[str, Any]:
    """Return the unrounded row of a pipeline."""
    (found,) = [each for each in table.values if each["pipeline"] == pipeline]
    return found
