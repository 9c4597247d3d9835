"""From two runs to their regressions."""

from dualcode.analysis.failures.case import Case
from dualcode.analysis.failures.rules import classify
from dualcode.analysis.failures.source import Source
from dualcode.analysis.failures.taxonomy import Regressions
from dualcode.analysis.runs import Run
from dualcode.errors import RunError, UnknownNameError
from dualcode.verdict import Outcome, Part, Verdict


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
