"""Syntax or extraction: there is no program to judge, or not the whole of it."""

import ast
import re
from collections.abc import Iterator

from dualcode.analysis.failures import imports, signatures
from dualcode.analysis.failures.case import Case, Finding
from dualcode.analysis.failures.source import one_line
from dualcode.extraction.source import Function, is_stub

_CUT = ("length", "repetition")


def findings(case: Case) -> Iterator[Finding]:
    """Yield what speaks for a program that is none, or that lost a part on the way from the reply."""
    evidence = _evidence(case)
    if evidence is not None:
        yield Finding("syntax or extraction", evidence + _cut_off(case), explains=True)


def _evidence(case: Case) -> str | None:
    if not case.program.text.strip():
        return f"the program is empty (extraction: {case.how or 'none'})"
    return _unreadable(case) or _without_entry_point(case) or _lost_helper(case) or _cut_program(case)


def _unreadable(case: Case) -> str | None:
    fault = case.program.fault
    if "does not compile" in case.reason or (fault is not None and fault.line):
        quoted = f": {case.program.quote(fault.line)}" if fault and fault.line else ""
        reason = case.reason if "does not compile" in case.reason else f"{fault.reason if fault else ''}"
        return f"{one_line(reason, 160)}{quoted}"
    return None


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
    return f"{one_line(case.reason, 160)}{_loose_line(case)}"


def _loose_line(case: Case) -> str:
    """Quote the last statement of the top level that does something: loading ended there or before it."""
    body = case.program.tree.body if case.program.tree else []
    doing = [
        node for node in body if not isinstance(node, Function | ast.ClassDef | ast.Import | ast.ImportFrom)
    ]
    return f": {case.program.quote(doing[-1].lineno)}" if doing else ""


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


def _cut_program(case: Case) -> str | None:
    """Tell of a reply that was cut off, and of which only the parts that parse were kept."""
    return (
        f"kept of the reply: what parses (extraction: {case.how})"
        if _parts(case) and _cut_off(case)
        else None
    )


def _parts(case: Case) -> bool:
    return case.how in ("salvage", "fragment") and case.cause in ("wrong_output", "raised")


def _cut_off(case: Case) -> str:
    reply = case.last_reply.reply if case.last_reply else None
    return f"; the reply ended by {reply.finish_reason}" if reply and reply.finish_reason in _CUT else ""
