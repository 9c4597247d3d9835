"""The calls that hidden tests make, read off their text: for tasks without a reference to record them with.

Only tests whose course does not depend on what the calls return can be read so: asserts with literal
arguments, one after the other. Everything else needs a reference, and the error names the line.
"""

import ast
import builtins
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from dualcode.extraction.source import names_bound
from dualcode.suites.source import Flaw


class LiteralCall(NamedTuple):
    """One call, in the order in which the tests make it."""

    arguments: list[Any]
    wanted: str
    """What it has to return, as Python writes it, where an assert compares it with a literal; else empty."""


class NeedsReferenceError(Exception):
    """The calls cannot be read off the text."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.what)
        self.flaw = flaw


def literal_calls(tree: ast.Module, entry_point: str) -> list[LiteralCall]:
    """Return the calls of the entry point in a `tests.py`: those at its margin, then those of its functions.

    Raises NeedsReferenceError for tests of which they cannot be read off.
    """
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    for node in functions:
        if node.name == "check":
            raise NeedsReferenceError(
                Flaw(node.lineno, "check(candidate) needs a reference to record its calls")
            )
        if not node.name.startswith("test"):
            _refuse_use(node, entry_point, f"{node.name}() uses {entry_point}")
    _refuse_unknown(tree, {entry_point, "raises", *dir(builtins)})
    rest = [node for node in tree.body if node not in functions]
    tests = [each for node in functions if node.name.startswith("test") for each in node.body]
    return [call for node in [*rest, *tests] for call in _of_statement(node, entry_point)]


def _of_statement(node: ast.stmt, name: str) -> Iterator[LiteralCall]:
    match node:
        case ast.Assert(test=test):
            yield from _of_expression(test, name, _wanted(test, name))
        case ast.Expr(value=value) | ast.Assign(value=value):
            yield from _of_expression(value, name, "")
        case ast.With(items=items, body=body):
            for item in items:
                _refuse_use(item, name, f"a with statement uses {name}")
            yield from (call for each in body for call in _of_statement(each, name))
        case _:
            _refuse_use(node, name, f"{name} is used in a statement whose course is not fixed")


def _of_expression(node: ast.AST, name: str, wanted: str) -> Iterator[LiteralCall]:
    """Yield the calls in an expression, in the order of evaluation."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
        try:
            yield LiteralCall([ast.literal_eval(each) for each in node.args], wanted)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            raise _needs(node, f"an argument of {name} is no literal") from None
        return
    later: Sequence[ast.AST] = ()
    match node:
        case ast.Compare(left=left, comparators=comparators):
            later = comparators[1:]
            parts: list[ast.AST] = [left, comparators[0]]
        case ast.BoolOp(values=values):
            parts, later = [values[0]], values[1:]
        case (
            ast.IfExp() | ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp()
        ):
            parts, later = [], [node]
        case ast.Name(id=used) if used == name:
            raise _needs(node, f"{name} is passed on")
        case _:
            parts = list(ast.iter_child_nodes(node))
    for each in later:
        _refuse_use(each, name, f"whether {name} is called is not fixed")
    for each in parts:
        yield from _of_expression(each, name, wanted)


def _wanted(test: ast.expr, name: str) -> str:
    """Return the literal that a whole assert compares one call with."""
    match test:
        case ast.Compare(
            left=ast.Call(func=ast.Name(id=called)), ops=[ast.Eq() | ast.Is()], comparators=[right]
        ):
            try:
                return repr(ast.literal_eval(right)) if called == name else ""
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                return ""
        case _:
            return ""


def _refuse_use(node: ast.AST, name: str, what: str) -> None:
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and each.id == name:
            raise _needs(each, what)


def _refuse_unknown(tree: ast.Module, known: set[str]) -> None:
    """Refuse names that only a reference could have defined: without one, no program would ever pass."""
    used: list[ast.Name] = []
    for node in ast.walk(tree):
        known.update(names_bound(node))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            used.append(node)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            known.add(node.name)
    unknown = next((node for node in used if node.id not in known), None)
    if unknown is not None and "*" not in known:
        raise _needs(unknown, f"{unknown.id} is defined nowhere")


def _needs(node: ast.expr, what: str) -> NeedsReferenceError:
    return NeedsReferenceError(Flaw(node.lineno, f"without a reference this test cannot be run: {what}"))
