"""The run that another is compared with."""

from pathlib import Path

from dualcode.analysis.runs import Run, load_run
from dualcode.errors import RunError

BASELINE = "raw-coder"


def find_baseline(run: Run) -> Run:
    """Return the newest raw-coder run beside a run, over the same data and tasks.

    Raises RunError, which names the run, if there is none, or if the run is itself such a run.
    """
    if run.pipeline == BASELINE:
        raise RunError(f"{run.folder} is itself a run of {BASELINE}", hint="another run, or --baseline RUN")
    wanted = run.records.manifest.configuration
    found: list[Run] = []
    for folder in _siblings(run):
        try:
            other = load_run(folder, tell=lambda _: None)
        except RunError:  # half-written, or not readable: it is not what was asked for
            continue
        own = other.records.manifest.configuration
        if own.pipeline == BASELINE and (own.dataset, own.data, own.tasks) == (
            wanted.dataset, wanted.data, wanted.tasks,
        ):  # fmt: skip
            found.append(other)
    if not found:
        raise RunError(
            f"beside {run.folder} there is no {BASELINE} run of {run.dataset} with its data and its"
            f" {len(run.tasks)} tasks",
            hint=f"dualcode eval --pipeline {BASELINE} --dataset {run.dataset} --run-dir {run.folder.parent},"
            " with its --limit or --tasks; or --baseline RUN",
        )
    return max(found, key=lambda each: each.records.manifest.created)


def _siblings(run: Run) -> list[Path]:
    files = run.folder.resolve().parent.glob("*/manifest.json")
    return sorted(file.parent for file in files if file.parent != run.folder.resolve())
