"""From two runs to their regressions, and to one task of both with its programs and why it was lost."""

import ast
import contextlib
import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from dualcode.analysis.failures import guards, imports, signatures
from dualcode.analysis.failures.case import Case, Finding
from dualcode.analysis.failures.source import MOST_READ, Source, one_line
from dualcode.analysis.failures.taxonomy import FailureClass, Regression, Regressions, Sign
from dualcode.analysis.runs import BASELINE, Run, load_run
from dualcode.errors import RunError, UnknownNameError
from dualcode.extraction.source import Function, is_stub
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


Rule = Callable[[Case], Iterator[Finding]]

_CUT = ("length", "repetition")
_TIME = ("time_out", "total_time_out", "died")
"""A process that died counts here, as in EvalPlus: memory, a crash or `os._exit` ends it at no known line."""


def classify(case: Case) -> Regression:
    """Return the classes of a regression, the primary first.

    What explains the verdict comes before other flaws of the program, in the order of RULES; where nothing
    does, the program's result is wrong.
    """
    found: list[Finding] = []
    if case.verdict is None:
        ended = "no verdict: the run ended before this task was graded"
        found.append(Finding("infrastructure", ended, explains=True))
    elif case.verdict.errored:
        found.append(Finding("infrastructure", f"errored: {one_line(case.reason, 200)}", explains=True))
    else:
        for rule in RULES:
            # A program that none of the bounds foresaw: this rule is silent.
            with contextlib.suppress(RecursionError, MemoryError):
                found.extend(rule(case))
    if not any(each.explains for each in found):
        changed, fault = _first_change(case), case.program.fault
        where = f"; first change: {case.program.quote(changed)}" if changed else ""
        note = f"; the program is {fault.reason}" if fault and not fault.line else ""
        evidence = f"{one_line(case.reason or 'failed', 160)}{case.on_input}{where}{note}"
        found.append(Finding("wrong result", evidence, explains=True))
    ordered = sorted(found, key=lambda each: not each.explains)
    signs = {each.kind: Sign(kind=each.kind, evidence=each.evidence) for each in reversed(ordered)}
    kinds: list[FailureClass] = list(dict.fromkeys([each.kind for each in ordered]))
    return Regression(task_id=case.task_id, primary=kinds[0], signs=tuple(signs[kind] for kind in kinds))


def time_out(case: Case) -> Iterator[Finding]:
    """Yield what says that the program's time, or its process, ended, and the loop where the time may go."""
    if case.cause not in _TIME and not (case.cause is None and case.reason.startswith("time-out")):
        return
    endless = [node.lineno for node in case.program.nodes() if isinstance(node, ast.While)]
    loops = [node for node in case.program.nodes() if isinstance(node, ast.For | ast.comprehension)]
    lines = [node.lineno if isinstance(node, ast.For) else node.target.lineno for node in loops]
    line = min(endless, default=lines[-1] if lines else None)  # the first `while`, or an innermost loop
    where = f"; {case.program.quote(line)}" if line else ""
    yield Finding("time-out", f"{one_line(case.reason, 160)}{case.on_input}{where}", explains=True)


def lost_text(case: Case) -> Iterator[Finding]:
    """Yield what speaks for a program that is none, or that lost a part on the way from the reply."""
    reply = case.last_reply.reply if case.last_reply else None
    cut = f"; the reply ended by {reply.finish_reason}" if reply and reply.finish_reason in _CUT else ""
    fault, refused = case.program.fault, "does not compile" in case.reason
    if not case.program.text.strip():
        evidence = f"the program is empty (extraction: {case.how or 'none'})"
    elif refused or (fault and fault.line):
        quoted = f": {case.program.quote(fault.line)}" if fault and fault.line else ""
        evidence = f"{one_line(case.reason if refused or not fault else fault.reason, 160)}{quoted}"
    else:
        evidence = _without_entry_point(case) or _lost_helper(case)
    parts = case.how in ("salvage", "fragment") and case.cause in ("wrong_output", "raised")
    if evidence is None and parts and cut:
        evidence = f"kept of the reply: what parses (extraction: {case.how})"
    if evidence is not None:
        yield Finding("syntax or extraction", evidence + cut, explains=True)


def _without_entry_point(case: Case) -> str | None:
    """Return why nothing can be called, unless an import or another name is why."""
    function = case.function
    if function is not None and is_stub(function):
        return f"{case.program.quote(function.lineno)} has no body of its own"
    if case.program.tree and case.entry_point not in case.program.binds and not signatures.other_name(case):
        extraction = f" (extraction: {case.how})" if case.how else ""
        return f"the program does not define {case.entry_point}{extraction}"
    if case.cause != "not_loaded" or "cannot be loaded" not in case.reason:
        return None
    if any(found.explains for found in imports.findings(case)):
        return None
    # The last statement of the top level that does something: loading ended there or before it.
    loaded = Function | ast.ClassDef | ast.Import | ast.ImportFrom
    body = case.program.tree.body if case.program.tree else []
    doing = [node for node in body if not isinstance(node, loaded)]
    where = f": {case.program.quote(doing[-1].lineno)}" if doing else ""
    return f"{one_line(case.reason, 160)}{where}"


def _lost_helper(case: Case) -> str | None:
    name = case.missing_name
    if name is None or name in case.program.binds:
        return None
    if any(found.explains for found in signatures.findings(case)):
        return None  # it is there, spelt otherwise
    where = case.program.quote(case.program.first_use(name))
    if name in case.prompt.functions:
        return f"{where} calls {name} of the prompt, which the program lacks"
    reply = case.last_reply.reply if case.last_reply else None
    if reply and reply.content and re.search(rf"\bdef {re.escape(name)}\b", reply.content):
        return f"{where} calls {name}, which the reply defines and the program lacks"
    return None


RULES: tuple[Rule, ...] = (
    imports.findings,
    signatures.findings,
    lost_text,
    guards.findings,
    time_out,
)
"""In the order of precedence among what explains the verdict."""


def _first_change(case: Case) -> int | None:
    """Return the run's first line of code that the baseline lacks; None where there is none, or no tree.

    Docstrings, imports and signatures are no such lines: they are shown by rules of their own.
    """
    if case.program.tree is None or len(case.baseline.text) > MOST_READ:
        return None
    skipped = set[int]()
    for node in case.program.nodes():
        if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef):
            skipped.add(node.lineno)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    before = {line.strip() for line in case.baseline.text.split("\n")}
    own = enumerate(map(str.strip, case.program.text.split("\n")), start=1)
    new = (n for n, line in own if line and line not in before and not line.startswith("#"))
    return next((number for number in new if number not in skipped), None)


def diff(baseline: str, program: str, names: tuple[str, str]) -> str:
    """Return the unified diff of two programs; a sentence for texts too long to be compared."""
    if max(len(baseline), len(program)) > MOST_READ:
        return f"# too long to be compared: {len(baseline):,} and {len(program):,} characters\n"
    lines = difflib.unified_diff(
        baseline.splitlines(keepends=True), program.splitlines(keepends=True), *names, n=3
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
