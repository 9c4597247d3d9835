"""A run as files that `evalplus.evaluate` scores: its programs, and the problems that they answer."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dualcode.analysis.runs import Run
from dualcode.errors import ConfigError, RunError
from dualcode.export.target import State, place
from dualcode.grading.samples import folder_of
from dualcode.suites.suite import Form, Suite

_DATASETS: Mapping[Form, tuple[str, str]] = {
    "humaneval": ("humaneval", "HUMANEVAL_OVERRIDE_PATH"),
    "inputs": ("humaneval", "HUMANEVAL_OVERRIDE_PATH"),
    "mbpp": ("mbpp", "MBPP_OVERRIDE_PATH"),
}
"""EvalPlus's name of the data's form, and the variable that names the file."""
_BY_WEIGHT: Sequence[State] = ("replaced", "written", "unchanged")
"""Of several files, the state that says most."""


class Exported(NamedTuple):
    """The files of a run."""

    samples: Path
    problems: Path
    state: State
    """Of the samples."""
    dataset: str
    """EvalPlus's name for the form of the data."""
    variable: str
    errored: tuple[str, ...]
    """Tasks that are in neither file: EvalPlus has no word for a program without a verdict of ours."""

    @property
    def command(self) -> str:
        """What scores the samples, as typed into a shell."""
        data = f"{self.variable}={self.problems}"
        return f"{data} evalplus.evaluate --dataset {self.dataset} --samples {self.samples}"


def write_samples(
    run: Run, suite: Suite, folder: Path, *, replace: bool = False, as_folder: bool = False
) -> Exported:
    """Write `FOLDER/RUN-ID/samples.jsonl` and `problems.jsonl`, a line for each graded task.

    With `as_folder`, the programs are files such as `FOLDER/RUN-ID/samples/HumanEval_0/0.py` instead.

    EvalPlus wants a sample for each problem of its data, so the problems are those of the run alone. If a
    file is replaced, EvalPlus's results of the old ones beside it are removed.

    Raises RunError if the run was made with other data or nothing was graded, ConfigError for a suite without
    EvalPlus's tests or a file that is there already and differs.
    """
    if run.records.manifest.configuration.data != suite.data.sha256:
        raise RunError(
            f"{run.folder} was made with other data than {suite.data.path}",
            hint="--data with the run's own file",
        )
    done = run.records.done
    graded = [task for task in run.tasks if task in done]
    if not graded:
        raise RunError(f"{run.folder} has no graded task", hint=run.resume_hint)
    known = _DATASETS.get(suite.hidden[graded[0]].form)
    if known is None:
        hint = f"dualcode score {run.folder / 'samples.jsonl'} --dataset {suite.address}"
        raise ConfigError(f"{suite.title} has none of EvalPlus's tests", hint=hint)
    programs = {task: run.records.samples[task].solution for task in graded}
    target = folder / Path(run.id).name
    problems = b"".join(suite.hidden[task].row.rstrip(b"\n") + b"\n" for task in graded)
    files, samples = _files(programs, target, as_folder=as_folder)
    about = _write(target / "problems.jsonl", problems, replace=replace)
    states: set[State] = {_write(path, content, replace=replace) for path, content in files.items()}
    state: State = next(each for each in _BY_WEIGHT if each in states)
    if "replaced" in (about, state):  # EvalPlus would print old results instead of scoring anew
        results = samples / "eval_results.json" if as_folder else target / "samples_eval_results.json"
        results.unlink(missing_ok=True)
    errored = tuple(task for task in run.tasks if task not in done)
    return Exported(samples, target / "problems.jsonl", state, *known, errored)


def _files(programs: Mapping[str, str], target: Path, *, as_folder: bool) -> tuple[dict[Path, bytes], Path]:
    """Return the files of a run's programs with their content, and what EvalPlus is given as its samples."""
    if as_folder:
        samples = target / "samples"
        return {samples / folder_of(task) / "0.py": text.encode() for task, text in programs.items()}, samples
    samples = target / "samples.jsonl"
    rows = ({"task_id": task, "solution": text} for task, text in programs.items())
    return {samples: "".join(f"{json.dumps(row)}\n" for row in rows).encode()}, samples


def _write(path: Path, content: bytes, *, replace: bool) -> State:
    return place(
        path,
        lambda fresh: fresh.write_bytes(content),
        lambda one, other: one.read_bytes() == other.read_bytes(),
        replace=replace,
    )
