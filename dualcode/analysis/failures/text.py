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
