"""Missing import: a name that stands for a module or its member, and that nothing imports."""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache

from dualcode.analysis.failures.case import Case, Finding
from dualcode.analysis.failures.source import Source, one_line

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
_CALL_THEIR_FIRST = frozenset({"map", "filter", "reduce", "starmap", "defaultdict"})
_QUOTED = re.compile(r"'([\w.]+)'")
_NO_MODULE = re.compile(r"(?:ModuleNotFoundError|ImportError): (.*)")


def findings(case: Case) -> Iterator[Finding]:
    """Yield what speaks for a missing import."""
    if absent := _NO_MODULE.search(case.reason):
        where = _import_line(case.program, absent[1])
        yield Finding("missing import", f"{one_line(absent[1])}: {where}", explains=True)
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
    if name in _parameters(case):
        return None  # a parameter of that name was renamed
    uses = list(_uses(case.program, name))
    if name in ALIASES and any(use == "." or use.startswith(".") for use in uses):
        return f"the usual name of {ALIASES[name]}"
    attributes = {use[1:] for use in uses if use.startswith(".")}
    if name in MODULES and attributes & _members(name):
        return "a module of the standard library"
    if name in _CONSTANTS:
        return f"{_CONSTANTS[name]}.{name}"
    owner = _owner(name)
    return f"{owner}.{name}" if owner and any(use != "" for use in uses) else None


def _parameters(case: Case) -> set[str]:
    functions = (source.functions.get(case.entry_point) for source in (case.prompt, case.baseline))
    return {
        node.arg for each in functions if each for node in ast.walk(each.args) if isinstance(node, ast.arg)
    }


def _uses(program: Source, name: str) -> Iterator[str]:
    """Yield how a name is read: `.attribute`, `()` called, `[]` subscripted, `:` an annotation, or ``."""
    for node in program.nodes():
        for use, child in _roles(node):
            if isinstance(child, ast.Name) and child.id == name:
                yield use


def _roles(node: ast.AST) -> Iterator[tuple[str, ast.AST | None]]:
    if isinstance(node, ast.Attribute):
        yield f".{node.attr}", node.value
    elif isinstance(node, ast.Call):
        yield "()", node.func
        if isinstance(node.func, ast.Name) and node.func.id in _CALL_THEIR_FIRST:
            yield from (("()", argument) for argument in node.args[:1])
    elif isinstance(node, ast.Subscript):
        yield "[]", node.value
    elif isinstance(node, ast.arg | ast.AnnAssign):
        yield ":", node.annotation
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield ":", node.returns
        yield from (("()", each) for each in node.decorator_list)


@cache
def _members(module: str) -> frozenset[str]:
    return frozenset(name for name in dir(importlib.import_module(module)) if not name.startswith("_"))


@cache
def _owner(name: str) -> str | None:
    if name in _ANYBODYS or name.startswith("_"):
        return None
    return next((module for module in MEMBERS_OF if name in _exported(module)), None)


@cache
def _exported(module: str) -> frozenset[str]:
    """Return what the module offers: `collections` has `sys` in it, too, which it does not mean to give."""
    loaded = importlib.import_module(module)
    return frozenset(getattr(loaded, "__all__", ())) or _members(module)


def _import_line(program: Source, message: str) -> str:
    """Quote the import that the message is about."""
    absent = {name.partition(".")[0] for name in _QUOTED.findall(message)}
    for node in program.nodes():
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name.partition(".")[0] for alias in node.names}
            names.add((getattr(node, "module", None) or "").partition(".")[0])
            if names & absent:
                return program.quote(node.lineno)
    return program.quote(None)
