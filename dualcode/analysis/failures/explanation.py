"""One task of two runs: its programs and their difference, what the reviews said, and why it was lost."""

from collections.abc import Iterator, Mapping

from dualcode.analysis.failures.case import Case
from dualcode.analysis.failures.regression import case_of, check_comparable
from dualcode.analysis.failures.rules import classify, diff
from dualcode.analysis.failures.taxonomy import Regression
from dualcode.analysis.runs import Run
from dualcode.record import Record
from dualcode.verdict import Part


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
        findings=tuple(_findings(case)),
    )


def _standing(passed: bool | None) -> str:
    return "no verdict" if passed is None else "passed" if passed else "failed"


def _findings(case: Case) -> Iterator[Mapping[str, str]]:
    for call in case.calls:
        for each in call.findings:
            yield {"call": f"{call.number} {call.step}", **each}
