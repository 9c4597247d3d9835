"""From runs' folders to an Analysis, with what the runs themselves do not hold: truths and richness."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dualcode.analysis.analyse import Analysis, analyse
from dualcode.analysis.drafts import find_suite, truths
from dualcode.analysis.runs import Run, load_runs
from dualcode.bench.richness import richness
from dualcode.errors import DualcodeError
from dualcode.suites.suite import Suite

DEFAULT_BASELINE = "raw-coder"


@dataclass(frozen=True)
class Gathered:
    """An analysis, and the specifications of its tasks."""

    analysis: Analysis
    prompts: dict[str, str]
    """Of the tasks whose suite is on this machine."""


async def gather(
    paths: Sequence[Path],
    *,
    baseline: str | None = None,
    title: str = "",
    note: str = "",
    grade: bool = True,
) -> Gathered:
    """Read runs, or folders of runs, and analyse them.

    Without `baseline` it is raw-coder, or the first run's pipeline where raw-coder did not run. With `grade`,
    reviewed drafts that no run has a verdict of are graded now, and kept. Raises any DualcodeError.
    """
    runs = load_runs(paths)
    firsts = {(run.dataset, run.records.manifest.source.sha256): run for run in reversed(runs)}
    suites = [suite for run in firsts.values() if (suite := _suite(run))]
    tasks = [task for suite in suites for task in suite.tasks]
    notes = dict.fromkeys(filter(None, [note, *(run.records.manifest.note for run in runs)]))
    pipelines = [run.pipeline for run in runs]
    analysis = analyse(
        runs,
        baseline=baseline or (DEFAULT_BASELINE if DEFAULT_BASELINE in pipelines else pipelines[0]),
        title=title or ", ".join(dict.fromkeys(run.title for run in runs)),
        note=" ".join(notes),
        truth=await truths(runs, grade=grade),
        richness={task.id: richness(task).score for task in tasks},
    )
    return Gathered(analysis, {task.id: task.prompt for task in tasks})


def _suite(run: Run) -> Suite | None:
    """Return the suite that a run was made with, if its data is on this machine; nothing is downloaded."""
    try:
        return find_suite(run)
    except DualcodeError:
        return None  # richness and prompts are then unknown, and nothing else is
