"""A candidate -> a module that stands alone: what the entry point needs, and nothing that only uses it."""

import ast
import builtins
import typing
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from dualcode.extraction.prompt import Prompt
from dualcode.extraction.source import Function, Statement, annotation_names

_BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__"}
_TYPING = frozenset(name for name in dir(typing) if name[0].isupper())
# Settings of the interpreter that a program may depend on without naming them again.
_SETTINGS = {"setrecursionlimit", "set_int_max_str_digits", "seed", "seterr", "setcontext"}
_ATTRIBUTE_SETTERS = {"setattr", "delattr", "update_wrapper"}
"""What alters a function that is handed over; anything else that takes the entry point uses or tests it."""
_LENDABLE = ast.Import | ast.ImportFrom | Function | ast.ClassDef | ast.Assign | ast.AnnAssign


def assemble(
    candidate: Sequence[Statement], before: Sequence[Statement], after: Sequence[Statement], prompt: Prompt
) -> str:
    """Return the module's text.

    `before` and `after` are the statements of the reply's other blocks: they lend a definition or import
    that the candidate uses but does not have. What is still missing is taken from the prompt, whose
    helpers and imports are all there in the end, since tests may use them. Usage, tests and prints are
    dropped, as are definitions that nothing needs.
    """
    own = _meant(candidate, prompt)
    lent = [s for s in (*before, *after) if prompt.entry_point not in s.binds]
    kept = needed(own, [*lent, *prompt.context], prompt.entry_point)
    bound = {name for statement in kept for name in statement.binds}
    from_prompt = [s for s in prompt.context if id(s) in _ids(kept) or not s.binds <= bound]
    lent_after = _only(after, kept)
    imported = [s for s in lent_after if s.imports]  # a definition may need them at once
    others = [s for s in lent_after if not s.imports]
    statements = [*from_prompt, *_only(before, kept), *imported, *_only(own, kept), *others]
    named = {name for statement in statements for name in statement.binds}
    missing = sorted((annotation_names(statements) & _TYPING) - named - _BUILTINS)
    stars = (each.node for each in statements if _imports_all(each.node))
    if missing and not any(isinstance(node, ast.ImportFrom) and node.module == "typing" for node in stars):
        source = f"from typing import {', '.join(missing)}"
        statements.insert(0, Statement(source, ast.parse(source).body[0]))
    return join_statements(statements)


def join_statements(statements: Sequence[Statement]) -> str:
    """Join statements with the blank lines that PEP 8 asks for; `__future__` imports come first."""
    text = ""
    previous: ast.stmt | None = None
    for statement in sorted(statements, key=lambda s: not s.from_future):
        apart = any(isinstance(node, Function | ast.ClassDef) for node in (previous, statement.node))
        gap = "" if previous is None else "\n\n\n" if apart else "\n"
        text += gap + statement.source.strip("\n")
        previous = statement.node
    return f"{text}\n" if text else ""


def needed(own: Sequence[Statement], lenders: Sequence[Statement], name: str) -> list[Statement]:
    """Return the statements that the name's meaning depends on, of the lenders only what `own` lacks."""
    providers = _providers(own, name)
    lent: dict[str, Statement] = {}
    for statement in lenders:
        for bound in statement.binds if isinstance(statement.node, _LENDABLE) else ():
            lent.setdefault(bound, statement)
    kept: dict[int, Statement] = {}
    pending = [name]
    reached = {name}
    for statement in own:
        if _always_kept(statement, name):
            kept[id(statement)] = statement
            pending += statement.uses
    while pending:
        wanted = pending.pop()
        found = providers.get(wanted, [])
        if not found and wanted in lent and wanted not in _BUILTINS:
            found = [lent[wanted]]
        for statement in found:
            if id(statement) not in kept:
                kept[id(statement)] = statement
                pending += [used for used in statement.uses if used not in reached]
        reached.add(wanted)
    unknown = reached - providers.keys() - lent.keys() - _BUILTINS
    if unknown:
        kept |= {id(statement): statement for statement in lenders if _imports_all(statement.node)}
    return list(kept.values())


def _providers(statements: Sequence[Statement], entry_point: str) -> dict[str, list[Statement]]:
    """Return name -> the statements that make it what it is: what binds, alters or fills it."""
    imported = {n for statement in statements if statement.imports for n in statement.binds}
    aliases = {n: s.alias_of for s in statements if s.alias_of for n in s.binds - {entry_point}}
    fills = _filled_by_calls(statements, aliases, entry_point)
    providers: dict[str, list[Statement]] = defaultdict(list)
    for statement in statements:
        test = statement.node.test if isinstance(statement.node, ast.If) else None
        if test and any(isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(test)):
            continue  # what a module does when it is run itself
        set_up = statement.changes | statement.hands_over - {entry_point}
        for called in statement.calls | statement.decorators:
            set_up |= fills.get(called, frozenset())
            if called in _ATTRIBUTE_SETTERS:
                set_up |= statement.hands_over
        if entry_point not in statement.uses:
            set_up |= statement.decorators
            meant = {aliases[each] for each in (set_up | statement.calls) & aliases.keys()}
            set_up |= meant - {entry_point}
        # Of a module, only what is assigned to it counts: `unittest.main()` sets up nothing.
        assigned = statement.changes if not isinstance(statement.node, ast.Expr) else frozenset[str]()
        for name in statement.binds | (set_up - imported) | assigned:
            providers[name].append(statement)
    return providers


def _filled_by_calls(
    statements: Sequence[Statement], aliases: Mapping[str, str], entry_point: str
) -> dict[str, frozenset[str]]:
    """Return called function -> the module names that a call of it sets, itself or through others.

    A function that calls the entry point, or asks for input, uses the program and sets up nothing.
    """
    functions = {s.node.name: s for s in statements if isinstance(s.node, Function)}
    called = frozenset[str]().union(*(each.calls | each.decorators for each in statements))
    fills: dict[str, frozenset[str]] = {}
    for name in (functions.keys() | aliases.keys()) & called:
        own = name if name in functions else aliases[name]
        if own not in functions:
            continue
        reached, pending = {own}, [own]
        while pending:
            for used in functions[pending.pop()].uses & functions.keys() - reached:
                reached.add(used)
                pending.append(used)
        uses = frozenset[str]().union(*(functions[each].uses for each in reached))
        if entry_point not in uses | reached and "input" not in uses:
            fills[name] = frozenset[str]().union(*(functions[each].sets_globals for each in reached))
    return fills


def _meant(statements: Sequence[Statement], prompt: Prompt) -> list[Statement]:
    """Drop what would shadow the entry point's definition.

    That is a stub, an import from elsewhere, a definition cut short after a whole one, and one that cannot
    be called as the prompt says where another can.
    """
    name = prompt.entry_point
    meanings = [s for s in statements if s.defines(name)]
    meanings = [s for s in meanings if not s.cut_short] or meanings
    callable_ = [s for s in meanings if not isinstance(s.node, Function) or prompt.accepts(s.node)]
    meanings = callable_ or meanings
    if not meanings:
        return list(statements)
    ids = _ids(meanings)
    return [s for s in statements if name not in s.binds or id(s) in ids]


def _always_kept(statement: Statement, entry_point: str) -> bool:
    match statement.node:
        case ast.Expr() | ast.Assign() if statement.uses & {"exec", "globals"}:
            return entry_point not in statement.source and "input" not in statement.uses
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=called) | ast.Name(id=called))):
            return called in _SETTINGS
        case node:
            return statement.from_future or _imports_all(node)


def _imports_all(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.names[0].name == "*"


def _ids(statements: Iterable[Statement]) -> set[int]:
    return {id(statement) for statement in statements}


def _only(statements: Sequence[Statement], kept: Sequence[Statement]) -> list[Statement]:
    ids = _ids(kept)
    return [statement for statement in statements if id(statement) in ids]
