"""From runs' folders to an Analysis, with what the runs themselves do not hold: truths and richness."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dualcode.analysis.analyse import Analysis, analyse
from dualcode.analysis.drafts import truths
from dualcode.analysis.runs import Run, load_runs
from dualcode.errors import DualcodeError
from dualcode.eval.suites import Suite, load_suite
from dualcode.richness import richness

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
    suites = {name: found for name in {run.dataset for run in runs} if (found := _suite(name, runs))}
    tasks = [task for suite in suites.values() for task in suite.tasks]
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


def _suite(name: str, runs: Sequence[Run]) -> Suite | None:
    """Return a suite whose data is on this machine and is the runs'; nothing is downloaded."""
    from dualcode.eval.suites import find_entry

    source = next(run.records.manifest.source for run in runs if run.dataset == name)
    try:
        if find_entry(name).availability().ready:
            found = load_suite(name)
            if found.data.sha256 == source.sha256:
                return found
        if source.path.is_file():
            return load_suite(name, data=source.path)
    except (DualcodeError, OSError):
        return None
    return None
