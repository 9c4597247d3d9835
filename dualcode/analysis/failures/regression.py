"""From two runs to their regressions, and to one task of both with its programs and why it was lost."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from dualcode.analysis.failures.case import Case
from dualcode.analysis.failures.rules import classify, diff
from dualcode.analysis.failures.source import Source
from dualcode.analysis.failures.taxonomy import Regression, Regressions
from dualcode.analysis.runs import BASELINE, Run, load_run
from dualcode.errors import RunError, UnknownNameError
from dualcode.record import Record
from dualcode.runs.manifest import Manifest
from dualcode.verdict import Outcome, Part, Verdict


class Explained(Record):
    """One task of two runs."""

    task_id: str
    run: str
    baseline: str
    part: Part
    regression: Regression | None
    """None if the task is no regression; `standing` then says what it is."""
    standing: str
    """What became of the task in the two runs, in words."""
    reason: str | None
    failing_input: str | None
    baseline_program: str
    program: str
    diff: str
    """From the baseline's program to the run's, unified; empty if they are the same."""
    findings: tuple[Mapping[str, str], ...]
    """What the run's reviews reported, each with `call`, `where`, `actual` and `expected`."""


def regressions(baseline: Run, run: Run, part: Part) -> Regressions:
    """Return the tasks that the baseline passed on a part and the run did not, each with its classes.

    Errored tasks of the run, and those that it never came to, count as infrastructure. Tasks outside its
    selection do not count.

    Raises RunError, which names the run, for runs of different datasets, or without the part.
    """
    check_comparable(baseline, run, part)
    passed, own = baseline.passed(part), run.passed(part)
    lost = [task for task in run.tasks if passed.get(task) and not own.get(task)]
    return Regressions(
        run=run.id,
        baseline=baseline.id,
        part=part,
        regressions=tuple(classify(case_of(baseline, run, task, part)) for task in lost),
    )


def check_comparable(baseline: Run, run: Run, part: Part) -> None:
    """Raise RunError for runs of different datasets, or one without the part."""
    if baseline.dataset != run.dataset:
        raise RunError(
            f"{run.folder} is a run of {run.dataset}, its baseline {baseline.folder} of {baseline.dataset}",
            hint=f"--baseline with a run of {run.dataset}",
        )
    for each in (baseline, run):
        if part not in each.parts:
            raise RunError(f"{each.folder} has no {part} tests", hint="--part base")


def case_of(baseline: Run, run: Run, task_id: str, part: Part) -> Case:
    """Return what is known of one task. Raises UnknownNameError for a task that one of the runs lacks."""
    for each in (baseline, run):
        if task_id not in each.tasks:
            raise UnknownNameError("task", task_id, each.tasks, hint=f"dualcode show {each.folder}")
    task = run.records.tasks[task_id]
    samples = [each.records.samples.get(task_id) for each in (baseline, run)]
    verdict = run.records.verdicts.get(task_id)
    return Case(
        task_id=task_id,
        entry_point=task.entry_point,
        prompt=Source(task.prompt),
        baseline=Source(samples[0].solution if samples[0] else ""),
        program=Source(samples[1].solution if samples[1] else ""),
        how=samples[1].extraction if samples[1] else "",
        verdict=verdict,
        outcome=outcome_of(verdict, part),
        calls=run.calls.get(task_id, ()),
    )


def outcome_of(verdict: Verdict | None, part: Part) -> Outcome | None:
    """Return the outcome that decides on a part: the base tests' where they failed, since plus needs both."""
    if verdict is None or part == "base" or verdict.base.status != "passed":
        return verdict.base if verdict else None
    return verdict.plus


def explain_task(baseline: Run, run: Run, task_id: str, part: Part) -> Explained:
    """Tell what became of a task. Raises UnknownNameError if a run lacks it; RunError as `regressions`."""
    check_comparable(baseline, run, part)
    case = case_of(baseline, run, task_id, part)
    passed, own = baseline.passed(part).get(task_id), run.passed(part).get(task_id)
    lost = bool(passed) and not own
    return Explained(
        task_id=task_id,
        run=run.id,
        baseline=baseline.id,
        part=part,
        regression=classify(case) if lost else None,
        standing=f"{_standing(passed)} in the baseline, {_standing(own)} in the run",
        reason=case.reason or None,
        failing_input=case.outcome.failing_input if case.outcome else None,
        baseline_program=case.baseline.text,
        program=case.program.text,
        diff=diff(case.baseline.text, case.program.text, ("baseline", "run")),
        findings=tuple(
            {"call": f"{call.number} {call.step}", **each} for call in case.calls for each in call.findings
        ),
    )


def _standing(passed: bool | None) -> str:
    return "no verdict" if passed is None else "passed" if passed else "failed"


def find_baseline(run: Run) -> Run:
    """Return the newest raw-coder run beside a run, over the same data and tasks.

    Raises RunError, which names the run, if there is none, or if the run is itself such a run.
    """
    if run.pipeline == BASELINE:
        raise RunError(f"{run.folder} is itself a run of {BASELINE}", hint="another run, or --baseline RUN")
    wanted = run.made
    found: list[tuple[float, Path]] = []
    for file in sorted(run.folder.resolve().parent.glob("*/manifest.json")):
        with contextlib.suppress(OSError, ValidationError):  # not readable: it is not what was asked for
            manifest = Manifest.model_validate_json(file.read_bytes())
            own = manifest.configuration
            if (own.pipeline, own.dataset, own.data, own.tasks) == (
                BASELINE, wanted.dataset, wanted.data, wanted.tasks,
            ) and file.parent != run.folder.resolve():  # fmt: skip
                found.append((manifest.created, file.parent))
    for _, folder in sorted(found, reverse=True):
        with contextlib.suppress(RunError):  # damaged, or without a verdict
            return load_run(folder, tell=lambda _: None)
    raise RunError(
        f"beside {run.folder} there is no {BASELINE} run of {run.dataset} with its data and its"
        f" {len(run.tasks)} tasks",
        hint=f"dualcode eval --pipeline {BASELINE} --dataset {run.dataset} --run-dir {run.folder.parent},"
        " with its --limit or --tasks; or --baseline RUN",
    )
