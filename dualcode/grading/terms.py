"""What a suite demands of programs beyond right results: time limits of its own, and allowed imports."""

import ast
from collections.abc import Iterator
from dataclasses import replace

from dualcode.extraction.bounds import too_large_to_parse
from dualcode.grading.outcome import failed
from dualcode.grading.rules import GRACE_CPU, WALL_FACTOR, WALL_GRACE
from dualcode.sandbox.job import Arguments, Limits
from dualcode.suites.suite import Terms
from dualcode.verdict import Outcome


def bounded(limits: Limits, terms: Terms) -> Limits:
    """Return the limits with those that the suite names in their place: they hold as they are, whatever the
    reference takes.
    """
    if terms.call_seconds is not None:
        limits = replace(limits, call_cpu=terms.call_seconds, slow_calls={})
    if terms.total_seconds is not None:
        total = terms.total_seconds + GRACE_CPU
        limits = replace(limits, total_cpu=total, wall=WALL_FACTOR * total + WALL_GRACE)
        limits = replace(limits, call_cpu=min(limits.call_cpu, terms.total_seconds))
    return limits


def forbidden(program: str, terms: Terms, calls: Arguments) -> Outcome | None:
    """Return the failure of a program that imports what its suite does not allow; None if it does not.

    The text is read, not run: what it imports only under a name made at run time is not seen. A program that
    cannot be read fails when it is loaded.
    """
    if terms.imports is None:
        return None
    for line, module in _imports(program):
        if module not in terms.imports:
            allowed = ", ".join(terms.imports) or "nothing"
            reason = f"line {line} imports {module}; the suite allows {allowed}"
            return failed("forbidden_import", reason, calls, None)
    return None


def _imports(program: str) -> Iterator[tuple[int, str]]:
    """Yield line and top-level module of each import."""
    if too_large_to_parse(program):
        yield 1, "what is too large to read"
        return
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError):
        return
    except (RecursionError, MemoryError):  # a jail that has more room may run it
        yield 1, "what is nested too deep to read"
        return
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name.split(".")[0]) for alias in names)
            case ast.ImportFrom(module=module) if module != "__future__":
                yield node.lineno, (module or ".").split(".")[0]
            case ast.Call(
                func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name.split(".")[0]
            case ast.Name(id="__import__"):
                yield node.lineno, "by __import__, so nobody knows what"
            case _:
                pass
