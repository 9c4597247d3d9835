"""Missing import: a name that stands for a module or its member, and that nothing imports."""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache

from dualcode.analysis.failures.case import Case, Finding
from dualcode.analysis.failures.source import one_line

MODULES = (
    "array", "ast", "bisect", "calendar", "cmath", "collections", "copy", "dataclasses", "datetime",
    "decimal", "enum", "fractions", "functools", "hashlib", "heapq", "io", "itertools", "json", "math",
    "numbers", "operator", "os", "queue", "random", "re", "statistics", "string", "struct", "sys", "textwrap",
    "time", "types", "typing", "unicodedata", "urllib", "zlib",
)  # fmt: skip
"""The standard library's modules that solutions use. The base of an attribute is one of them only if the
module has that attribute: `string.upper()` is a variable that is missing, `string.digits` an import."""

ALIASES = {"np": "numpy", "numpy": "numpy", "pd": "pandas", "sp": "scipy", "sympy": "sympy", "nx": "networkx"}

MEMBERS_OF = (
    "bisect", "collections", "copy", "dataclasses", "datetime", "decimal", "enum", "fractions", "functools",
    "heapq", "itertools", "math", "statistics", "typing",
)  # fmt: skip
"""Modules whose members are called by their bare name. Others have names that anybody gives a variable."""

_ANYBODYS = frozenset({"count", "copy", "date", "dist", "e", "error", "mode", "modf", "repeat", "time"})
_CONSTANTS = {
    **dict.fromkeys(("pi", "inf", "nan"), "math"),
    **dict.fromkeys(("ascii_lowercase", "ascii_uppercase", "ascii_letters", "punctuation"), "string"),
    "maxsize": "sys",
}
_QUOTED = re.compile(r"'([\w.]+)'")
_NO_MODULE = re.compile(r"(?:ModuleNotFoundError|ImportError): (.*)")


def findings(case: Case) -> Iterator[Finding]:
    """Yield what speaks for a missing import."""
    if refused := _NO_MODULE.search(case.reason):
        absent = {name.partition(".")[0] for name in _QUOTED.findall(refused[1])}
        line = None
        for node in case.program.nodes():
            if line is None and isinstance(node, ast.Import | ast.ImportFrom):
                names = (getattr(node, "module", None) or "", *(alias.name for alias in node.names))
                line = node.lineno if absent & {name.partition(".")[0] for name in names} else None
        where = case.program.quote(line)
        yield Finding("missing import", f"{one_line(refused[1])}: {where}", explains=True)
    names = set(case.program.unbound)
    if case.missing_name in case.program.imports:  # bound, but where nothing had run yet
        names.add(case.missing_name or "")
    for name in sorted(names, key=lambda name: (name != case.missing_name, name)):
        if origin := _origin(case, name):
            where = case.program.quote(case.program.first_use(name))
            evidence = f"{where} uses {name}, which nothing imports ({origin})"
            yield Finding("missing import", evidence, explains=name == case.missing_name)


def _origin(case: Case, name: str) -> str | None:
    """Return what the name stands for, or None where it is no import that is missing."""
    for what, source in (("the baseline", case.baseline), ("the prompt", case.prompt), ("", case.program)):
        if line := source.imports.get(name):
            return f"{what or 'the program'} has it in {source.quote(line)}"
    if name in case.arguments:
        return None  # a parameter of that name was renamed
    uses = case.program.uses.get(name, ())
    attributes = {use[1:] for use in uses if use.startswith(".")}
    if name in ALIASES and attributes:
        return f"the usual name of {ALIASES[name]}"
    if name in MODULES and attributes & _members(name):
        return "a module of the standard library"
    if name in _CONSTANTS:
        return f"{_CONSTANTS[name]}.{name}"
    if not uses or name in _ANYBODYS or name.startswith("_"):
        return None
    module = _offered().get(name)
    return f"{module}.{name}" if module else None


@cache
def _offered() -> dict[str, str]:
    """Return the module of each bare name, the first of MEMBERS_OF that offers it."""
    found: dict[str, str] = {}
    for module in MEMBERS_OF:
        # `collections` has `sys` in it, too, which it does not mean to give.
        for name in getattr(importlib.import_module(module), "__all__", _members(module)):
            found.setdefault(name, module)
    return found


@cache
def _members(module: str) -> frozenset[str]:
    return frozenset(name for name in dir(importlib.import_module(module)) if not name.startswith("_"))
