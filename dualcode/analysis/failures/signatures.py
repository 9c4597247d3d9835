"""Signature or name changed: the tests, or the program itself, call what is not there under that name."""

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from dualcode.analysis.failures import imports
from dualcode.analysis.failures.case import Case, Finding
from dualcode.analysis.failures.source import Source
from dualcode.extraction.source import Function

NEAR = 0.8
"""From this ratio on two names are two spellings of one."""


@dataclass(frozen=True)
class Signature:
    """How a function may be called."""

    names: tuple[str, ...]
    """Of the positional parameters."""
    required: int
    """How many of them have no default."""
    defaults: tuple[str, ...]
    """As source."""
    keywords: tuple[str, ...]
    """Keyword-only parameters."""
    variadic: bool
    is_async: bool

    @classmethod
    def of(cls, function: Function) -> "Signature":
        """Read a definition."""
        arguments = function.args
        names = tuple(each.arg for each in (*arguments.posonlyargs, *arguments.args))
        return cls(
            names=names,
            required=len(names) - len(arguments.defaults),
            defaults=tuple(ast.unparse(each) for each in arguments.defaults),
            keywords=tuple(each.arg for each in arguments.kwonlyargs),
            variadic=arguments.vararg is not None,
            is_async=isinstance(function, ast.AsyncFunctionDef),
        )

    def takes(self, count: int) -> bool:
        """Tell whether it can be called with that many positional arguments and nothing else."""
        return self.required <= count and (self.variadic or count <= len(self.names))


def findings(case: Case) -> Iterator[Finding]:
    """Yield what speaks for a changed name or signature, of the entry point or of the prompt's helpers."""
    if case.program.tree is None:
        return
    if found := other_name(case):
        evidence = f"{case.program.quote(found.lineno)} stands where {case.entry_point} was to be"
        yield _finding(evidence, explains=case.cause == "not_loaded")
    yield from _entry_point(case)
    yield from _helpers(case)
    yield from _missing_name(case)


def other_name(case: Case) -> Function | None:
    """Return the function that is the entry point under another name; None if there is none, or no need."""
    if case.entry_point in case.program.binds:
        return None
    own = [each for name, each in case.program.functions.items() if name not in case.prompt.functions]
    wanted = _specified(case)
    fitting = [each for each in own if wanted is None or Signature.of(each).takes(len(wanted.names))]
    helpers = {
        (each.name, node.func.id)
        for each in own
        for node in ast.walk(each)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    called = {name for caller, name in helpers if caller != name}
    roots = [each for each in fitting if each.name not in called]

    def likeness(function: Function) -> float:
        return difflib.SequenceMatcher(None, case.entry_point.lower(), function.name.lower()).ratio()

    return max(roots or fitting or own, key=likeness, default=None)


def _specified(case: Case) -> Signature | None:
    """Return the signature that the prompt shows, or else the baseline's."""
    shown, before = (source.functions.get(case.entry_point) for source in (case.prompt, case.baseline))
    function = shown or before
    return Signature.of(function) if function else None


def _entry_point(case: Case) -> Iterator[Finding]:
    function, wanted = case.function, _specified(case)
    if function is None or wanted is None:
        return
    own = Signature.of(function)
    given = len(arguments_of(case) or wanted.names)
    refused = case.wrongly_called == case.entry_point and not own.takes(given)
    where = case.program.quote(function.lineno)
    for what, explains in _differences(
        wanted, own, by_name=case.entry_point in case.prompt.functions, given=given
    ):
        answered = case.cause in ("wrong_output", "raised")
        yield _finding(f"{where}: {what}", explains=refused or (explains and answered))


def _differences(
    wanted: Signature, own: Signature, *, by_name: bool, given: int
) -> Iterator[tuple[str, bool]]:
    """Yield what differs, and whether that alone changes what a call with positional arguments returns.

    Names count only where the specification shows them: else they are anybody's choice.
    """
    if len(own.names) != len(wanted.names) or own.keywords != wanted.keywords:
        if not (own.variadic and not wanted.variadic and own.takes(given)):
            yield f"it takes {_shape(own)}, not {_shape(wanted)}", False
    elif own.names != wanted.names and set(own.names) == set(wanted.names):
        yield f"its parameters are ({', '.join(own.names)}), not ({', '.join(wanted.names)})", True
    elif by_name and own.names != wanted.names:
        changed = [
            f"{old} is now {new}" for old, new in zip(wanted.names, own.names, strict=True) if old != new
        ]
        yield f"parameter {', '.join(changed)}", False
    if own.defaults != wanted.defaults and len(own.names) == len(wanted.names) and by_name:
        shown = ", ".join(own.defaults) or "none"
        yield f"its defaults are {shown}, not {', '.join(wanted.defaults) or 'none'}", given < len(own.names)
    if own.is_async != wanted.is_async:
        yield "it is a coroutine" if own.is_async else "it is no coroutine", True


def _shape(signature: Signature) -> str:
    parts = [*signature.names, *(["*args"] if signature.variadic else [])]
    return f"({', '.join([*parts, *(f'*, {name}' for name in signature.keywords)])})"


def arguments_of(case: Case) -> list[ast.expr] | None:
    """Return the failing call's arguments as expressions; None where the verdict has none, or cut ones."""
    shown = case.outcome.failing_input if case.outcome else None
    tree = Source(f"call({shown})").tree if shown and not shown.endswith("…") else None
    call = tree.body[0] if tree and len(tree.body) == 1 else None
    return call.value.args if isinstance(call, ast.Expr) and isinstance(call.value, ast.Call) else None


def _helpers(case: Case) -> Iterator[Finding]:
    """Yield the other functions of the prompt whose parameters the program changed."""
    for name, shown in case.prompt.functions.items():
        own = case.program.functions.get(name)
        if name == case.entry_point or own is None:
            continue
        wanted, has = Signature.of(shown), Signature.of(own)
        if (wanted.names, wanted.keywords, wanted.required) == (has.names, has.keywords, has.required):
            continue
        evidence = f"{case.program.quote(own.lineno)}: {name} of the prompt takes {_shape(wanted)}"
        yield _finding(evidence, explains=case.wrongly_called == name)


def _missing_name(case: Case) -> Iterator[Finding]:
    """Yield a NameError that comes of two spellings: of a parameter, or of a function."""
    name = case.missing_name
    if name is None or any(found.explains for found in imports.findings(case)):
        return
    where = case.program.quote(case.program.first_use(name))
    wanted, own = _specified(case), Signature.of(case.function) if case.function else None
    if own and name not in own.names:
        if wanted and name in wanted.names and len(wanted.names) == len(own.names):
            now = [own.names[wanted.names.index(name)]]  # the parameter that has the name's place
        else:
            now = difflib.get_close_matches(name, own.names, n=1, cutoff=NEAR) if len(name) > 3 else []
        if now:
            yield _finding(f"{where} says {name}; the parameter is {now[0]}", explains=True)
            return
    own_functions = [each for each in case.program.functions if each not in case.prompt.functions]
    if near := difflib.get_close_matches(name, own_functions, n=1, cutoff=NEAR):
        yield _finding(f"{where} calls {name}; the program defines {near[0]}", explains=True)


def _finding(evidence: str, *, explains: bool) -> Finding:
    return Finding("signature or name changed", evidence, explains)
