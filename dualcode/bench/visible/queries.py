"""A test's expression split in two: calls for the program's process, and a check of what they return."""

import ast
import builtins
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from dualcode.bench.visible.evaluation import dotted, supports
from dualcode.bench.visible.wrappers import ITERATING

_BUILTINS = frozenset(dir(builtins))
_MODULES = frozenset(
    {"bisect", "cmath", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq"}
    | {"itertools", "json", "math", "operator", "random", "re", "statistics", "string", "sys"}
)


@dataclass(frozen=True)
class Query:
    """What to ask the program's process, and what to make of the answer."""

    calls: tuple[str, ...]
    check: str


def split(expression: ast.expr, entry_point: str) -> Query:
    """Return the smallest calls that must run with the program, and the rest as a check over `_0`, `_1`, …

    `set(f(1)) == {2}` becomes `[*f(1)]` and `set(_0) == {2}`. Where the rest is more than `evaluation` knows,
    the two sides of a comparison, or all, run with the program.
    """
    punch = _Punch(entry_point)
    rest = punch.visit(_copy(expression))
    names = [f"_{index}" for index in range(len(punch.calls))]
    if punch.calls and supports(rest, names):
        return Query(tuple(punch.calls), ast.unparse(rest))
    if isinstance(expression, ast.Compare) and len(expression.ops) == 1:
        return _sides(expression)
    return Query((source(expression),), "_0")


def source(node: ast.AST) -> str:
    """Return code that runs in a program's namespace, whether or not the program imports what it names."""
    return ast.unparse(_Imports().visit(_copy(node)))


def calls_entry(node: ast.AST, entry_point: str) -> bool:
    """Tell whether the code mentions the entry point."""
    return any(isinstance(each, ast.Name) and each.id == entry_point for each in ast.walk(node))


def unknown_names(node: ast.AST, known: Collection[str]) -> list[str]:
    """Return the names that neither the code itself, nor Python, nor `known` gives a meaning."""
    own = set(bound_names(node))
    read = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return sorted(read - own - _BUILTINS - _MODULES - set(known))


def bound_names(node: ast.AST) -> Iterator[str]:
    """Yield the names that the code binds, in whichever scope."""
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load):
            yield each.id
        elif isinstance(each, ast.arg):
            yield each.arg
        elif isinstance(each, ast.FunctionDef | ast.ClassDef):
            yield each.name
        elif isinstance(each, ast.alias):
            yield each.asname or each.name.partition(".")[0]


def _sides(expression: ast.Compare) -> Query:
    calls: list[str] = []
    check = _copy(expression)
    assert isinstance(check, ast.Compare)
    for side, put in ((check.left, 0), (check.comparators[0], 1)):
        if supports(side):
            continue
        name = ast.Name(f"_{len(calls)}", ast.Load())
        calls.append(source(side))
        if put:
            check.comparators = [name]
        else:
            check.left = name
    return Query(tuple(calls), ast.unparse(check))


def _copy(node: ast.AST) -> ast.expr:
    """Return a copy through the text; transformers change in place."""
    tree = ast.parse(ast.unparse(node), mode="eval") if isinstance(node, ast.expr) else None
    return tree.body if tree else ast.parse(ast.unparse(node)).body[0]  # type: ignore[return-value]


@dataclass
class _Punch(ast.NodeTransformer):
    """Replaces calls of the entry point by names."""

    entry_point: str
    calls: list[str] = field(default_factory=list[str])

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if dotted(node.func) == self.entry_point:
            return self._hole(source(node))
        iterates = dotted(node.func) in ITERATING and len(node.args) == 1
        if iterates and isinstance(node.args[0], ast.Call) and self._is_entry(node.args[0]):
            # The items, so that a generator in `list(f(3))` can be sent as well.
            node.args = [self._hole(f"[*{source(node.args[0])}]")]
            return node
        return self.generic_visit(node)

    def _is_entry(self, node: ast.Call) -> bool:
        return dotted(node.func) == self.entry_point

    def _hole(self, call: str) -> ast.expr:
        self.calls.append(call)
        return ast.Name(f"_{len(self.calls) - 1}", ast.Load())


class _Imports(ast.NodeTransformer):
    """Turns `math.pi` into an import in place: a test must not import for the program."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id in _MODULES & sys.stdlib_module_names:
            name = ast.Constant(node.value.id)
            node.value = ast.Call(ast.Name("__import__", ast.Load()), [name], [])
            return node
        return self.generic_visit(node)
