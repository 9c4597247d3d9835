"""The rules together: which classes a case shows, and which of them is the primary one."""

import ast
import contextlib
import difflib
import re
from collections.abc import Callable, Iterator

from dualcode.analysis.failures import guards, imports, signatures
from dualcode.analysis.failures.case import Case, Finding
from dualcode.analysis.failures.source import MOST_READ, one_line
from dualcode.analysis.failures.taxonomy import FailureClass, Regression, Sign
from dualcode.extraction.source import Function, is_stub

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
