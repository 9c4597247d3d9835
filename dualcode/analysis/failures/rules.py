"""The rules together: which classes a case shows, and which of them is the primary one."""

import ast
import difflib
from collections.abc import Callable, Iterator, Sequence

from dualcode.analysis.failures import endings, guards, imports, signatures, text
from dualcode.analysis.failures.case import Case, Finding
from dualcode.analysis.failures.source import MOST_READ, one_line
from dualcode.analysis.failures.taxonomy import FailureClass, Regression, Sign

Rule = Callable[[Case], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    endings.infrastructure,
    imports.findings,
    signatures.findings,
    text.findings,
    guards.findings,
    endings.time_out,
)
"""In the order of precedence among what explains the verdict."""


def classify(case: Case) -> Regression:
    """Return the classes of a regression, the primary first.

    What explains the verdict comes before other flaws of the program, in the order of RULES; where nothing
    does, the program's result is wrong.
    """
    found = list(_findings(case))
    if not any(each.explains for each in found):
        found.append(_wrong_result(case))
    ordered = sorted(found, key=lambda each: not each.explains)
    signs = {each.kind: Sign(kind=each.kind, evidence=each.evidence) for each in reversed(ordered)}
    kinds: list[FailureClass] = list(dict.fromkeys([each.kind for each in ordered]))
    return Regression(task_id=case.task_id, primary=kinds[0], signs=tuple(signs[kind] for kind in kinds))


def _findings(case: Case) -> Iterator[Finding]:
    if case.verdict is None or case.verdict.errored:
        yield from endings.infrastructure(case)
        return
    for rule in RULES:
        try:
            yield from rule(case)
        except (
            RecursionError,
            MemoryError,
        ):  # a program that none of the bounds foresaw: this rule is silent
            continue


def _wrong_result(case: Case) -> Finding:
    reason = one_line(case.reason or "failed", 160)
    changed = _first_change(case)
    where = f"; first change: {case.program.quote(changed)}" if changed else ""
    fault = case.program.fault
    note = f"; the program is {fault.reason}" if fault and not fault.line else ""
    return Finding("wrong result", f"{reason}{case.on_input}{where}{note}", explains=True)


def _first_change(case: Case) -> int | None:
    """Return the run's first line of code that the baseline lacks; None where there is none, or no tree."""
    if case.program.tree is None or len(case.baseline.text) > MOST_READ:
        return None
    skipped = {line for node in case.program.nodes() for line in _no_code(node)}
    own = [line.strip() for line in case.program.text.split("\n")]
    before = {line.strip() for line in case.baseline.text.split("\n")}
    new = (number for number, line in enumerate(own, start=1) if line and line not in before)
    return next(
        (number for number in new if number not in skipped and not own[number - 1].startswith("#")), None
    )


def _no_code(node: ast.AST) -> Sequence[int]:
    """Return the lines of docstrings, imports and signatures: they are shown by rules of their own."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef):
        return [node.lineno]
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return range(node.lineno, (node.end_lineno or node.lineno) + 1)
    return []


def diff(baseline: str, program: str, names: tuple[str, str]) -> str:
    """Return the unified diff of two programs; a sentence for texts too long to be compared."""
    if max(len(baseline), len(program)) > MOST_READ:
        return f"# too long to be compared: {len(baseline):,} and {len(program):,} characters\n"
    lines = difflib.unified_diff(
        baseline.splitlines(keepends=True), program.splitlines(keepends=True), *names, n=3
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
