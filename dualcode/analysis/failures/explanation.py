"""Regressions for people: the classes in a table, and one task with its programs and their difference."""

from collections.abc import Iterator, Mapping

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from dualcode.analysis.failures.case import Case
from dualcode.analysis.failures.regression import case_of, check_comparable
from dualcode.analysis.failures.rules import classify, diff
from dualcode.analysis.failures.source import one_line, printable
from dualcode.analysis.failures.taxonomy import CLASSES, Regression, Regressions
from dualcode.analysis.runs import Run
from dualcode.record import Record
from dualcode.verdict import Part

MOST_SHOWN = 20_000
"""Characters of a program or a diff that are shown."""


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


def overview(found: Regressions, passed: int) -> RenderableType:
    """Return the classes with their counts, and a line for every regression.

    `passed` is how many tasks the baseline passed.
    """
    head = Text(f"{found.run}: {len(found.regressions)} of {passed} tasks lost that {found.baseline} passed")
    head.append(f" ({found.part})\n", "dim")
    return Group(head, _classes(found), _tasks(found)) if found.regressions else head


def _classes(found: Regressions) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("class")
    table.add_column("primary", justify="right")
    table.add_column("any", justify="right")
    primary, any_ = found.counts(), found.occurrences()
    for kind in CLASSES:
        table.add_row(
            kind, str(primary.get(kind, 0)), str(any_.get(kind, 0)), style="" if kind in any_ else "dim"
        )
    return table


def _tasks(found: Regressions) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("task", "primary", "also", "evidence"):
        table.add_column(name, no_wrap=name == "task", overflow="fold")
    for each in found.regressions:
        also = ", ".join(sign.kind for sign in each.signs[1:])
        table.add_row(each.task_id, each.primary, also, Text(printable(each.signs[0].evidence)))
    return table


def view(told: Explained) -> RenderableType:
    """Return a task for the terminal: what passed, what changed, on which input it fails, and why."""
    parts: list[RenderableType] = [
        Text.assemble((told.task_id, "bold"), f"  {told.standing} ({told.part})\n")
    ]
    if told.regression is None:
        parts.append(Text("This task is no regression, so it has no class.\n"))
    parts += [_code(told.baseline_program, f"baseline's program ({told.baseline})"), _change(told)]
    parts += _reviewed(told)
    if told.reason:
        where = f"\n  input: {printable(told.failing_input)}" if told.failing_input else ""
        parts.append(Text(f"verdict: {printable(told.reason)}{where}"))
    if told.regression:
        parts += [
            _sign(sign.kind, sign.evidence, number) for number, sign in enumerate(told.regression.signs)
        ]
    return Group(*parts)


def _code(text: str, title: str, language: str = "python") -> Panel:
    shown = text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}\n… ({len(text) - MOST_SHOWN:,} more)"
    body = Syntax(printable(shown), language, word_wrap=True) if text.strip() else Text("(empty)")
    return Panel(body, title=Text(title), title_align="left")


def _change(told: Explained) -> RenderableType:
    if not told.diff:
        return Text("The run's program is the baseline's, text for text.")
    return _code(told.diff, f"change to the run's program ({told.run})", "diff")


def _reviewed(told: Explained) -> list[RenderableType]:
    return [
        Text(
            f"review (call {one_line(each['call'])}): {one_line(each['where'], 200)}: "
            f"{one_line(each['actual'], 200)} Expected: {one_line(each['expected'], 200)}"
        )
        for each in told.findings
    ]


def _sign(kind: str, evidence: str, number: int) -> Text:
    return Text.assemble("\n" if number == 0 else "also ", (kind, "bold"), f": {printable(evidence)}")
