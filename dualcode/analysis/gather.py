"""From runs' folders to an Analysis, with the truth of reviewed drafts, which may have to be graded."""

from collections.abc import Sequence
from pathlib import Path

from dualcode.analysis.analyse import Analysis, analyse
from dualcode.analysis.drafts import truths
from dualcode.analysis.runs import BASELINE, Run, Tell, load_runs, tell_stderr
from dualcode.bench.richness import richness


async def gather(
    paths: Sequence[Path],
    *,
    baseline: str | None = None,
    title: str = "",
    note: str = "",
    grade: bool = True,
    tell: Tell = tell_stderr,
) -> Analysis:
    """Read runs, or folders of runs (one of each pipeline and suite, see `load_runs`), and analyse them.

    Without `baseline` it is raw-coder, or the first run's pipeline where raw-coder did not run. With `grade`,
    reviewed drafts that no run has a verdict of are graded now, and kept; `tell` hears of it, by default
    stderr does. Raises any DualcodeError.
    """
    runs = load_runs(paths, one_each=True, tell=tell)
    notes = dict.fromkeys(filter(None, [note, *(run.records.manifest.note for run in runs)]))
    pipelines = [run.pipeline for run in runs]
    return analyse(
        runs,
        baseline=baseline or (BASELINE if BASELINE in pipelines else pipelines[0]),
        title=title or ", ".join(dict.fromkeys(run.title for run in runs)),
        note=" ".join(notes),
        truth=await truths(runs, grade=grade, tell=tell),
        richness=_richness(runs),
    )


def _richness(runs: Sequence[Run]) -> dict[str, float]:
    """Return how much the specification of each task says; where runs differ in it, the last one's counts."""
    last = {task: run.records.tasks for run in runs for task in run.records.tasks}
    return {task: richness(tasks[task]).score for task, tasks in last.items()}
