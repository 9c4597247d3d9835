"""Tests as they are gathered: each split in calls for the program's process and a check of what they return.

Nothing of the program's decides what a test finds. Its process only evaluates calls of the entry point, what
an example's earlier lines bound, and, where the prompt asks for a class, methods of its objects. Whatever a
test wraps around these is evaluated outside (`evaluation`), and so is what has a value without the program:
`f(set([1]))` is a call with `{1}`, whatever the program calls a set. What can be evaluated nowhere but in its
process is left out.
"""

import ast
import builtins
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from dualcode.bench.visible.evaluation import (
    TYPES,
    UnfitError,
    constant,
    dotted,
    is_constant,
    parse_expression,
    supports,
)
from dualcode.bench.visible.notations import Example
from dualcode.bench.visible.tests import Kind, LeftOut, VisibleTest
from dualcode.bench.visible.text import Prompt, Text
from dualcode.extraction.source import names_bound

_BUILTINS = frozenset(dir(builtins))
_MODULES = frozenset(
    {"bisect", "cmath", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq"}
    | {"itertools", "json", "math", "operator", "random", "re", "statistics", "string", "sys"}
)
# Statements of these can hand the program's values on, and nothing else.
_HANDING_ON = (
    ast.Module, ast.Expr, ast.Assign, ast.For, ast.Call, ast.Name, ast.Constant, ast.Tuple, ast.List,
    ast.Starred, ast.expr_context,
)  # fmt: skip
_LONGEST_LITERAL = 2000
UNDECIDED = "only the program itself could say whether it holds"


@dataclass
class Found:
    """What was found in one reading of a passage."""

    prompt: Prompt
    entry_point: str
    text: Text
    tests: list[tuple[int, VisibleTest]] = field(default_factory=list[tuple[int, VisibleTest]])
    left_out: list[LeftOut] = field(default_factory=list[LeftOut])
    taken: set[int] = field(default_factory=set[int])
    """Lines that belong to an example already."""
    bound: set[str] = field(default_factory=set[str])
    """Names that earlier lines of a doctest bound, in the program's process: it may have changed them."""

    @property
    def names(self) -> frozenset[str]:
        """The names that the prompt gives a meaning."""
        return self.prompt.names | {self.entry_point}

    def add(self, start: int, end: int, test: VisibleTest) -> None:
        """Add the test that the lines show."""
        shown = self.text.show(start, end)
        self.tests.append((start, test.model_copy(update={"shown": shown})))
        self.taken.update(range(start, end))

    def leave_out(self, start: int, end: int, reason: str) -> None:
        """Note that lines look like a test and are none."""
        self.left_out.append(LeftOut(shown=self.text.show(start, end), reason=reason))
        self.taken.update(range(start, end))

    def add_query(self, start: int, end: int, kind: Kind, expression: ast.expr) -> None:
        """Add the test that an expression holds, or leave it out."""
        try:
            self.add(start, end, self.query(kind, expression))
        except UnfitError as error:
            self.leave_out(start, end, str(error))

    def add_example(self, kind: Kind, example: Example) -> None:
        """Add the test that an example in some notation is, or leave it out."""
        call, span = parse_expression(example.call), (example.start, example.end)
        if example.flaw or not isinstance(call, ast.Call):
            self.leave_out(*span, example.flaw or "not Python")
        elif unknown := unknown_names(call, self.names):
            self.leave_out(*span, undefined(unknown))
        elif example.raises:
            self.add(*span, new_test(kind, calls=(source(call),), raises=example.raises))
        else:
            self.add_query(*span, kind, equation(call, example.expected))

    def add_examples(self, kind: Kind, examples: Iterable[Example]) -> None:
        """Add what does not overlap an earlier example."""
        for example in examples:
            if self.taken.isdisjoint(range(example.start, example.end)):
                self.add_example(kind, example)

    def query(self, kind: Kind, expression: ast.expr, **fields: object) -> VisibleTest:
        """Return the test that an expression holds: the smallest calls, and the rest over `_0`, `_1`, …

        `set(f(1)) == {2}` becomes `f(1)` and `set(_0) == {2}`. Raises UnfitError where the rest is more
        than `evaluation` knows.
        """
        calls, rest = self.split(expression)
        if not calls or not supports(rest, [*TYPES, *(f"_{index}" for index in range(len(calls)))]):
            raise UnfitError(UNDECIDED)
        return new_test(kind, calls=tuple(calls), check=ast.unparse(rest), **fields)

    def split(self, code: ast.AST) -> tuple[list[str], ast.AST]:
        """Return the sources of what is the program's in some code, and the code with names in its place."""
        loops = [each.target for each in ast.walk(code) if isinstance(each, ast.comprehension)]
        local = {each.id for loop in loops for each in ast.walk(loop) if isinstance(each, ast.Name)}
        punch = _Punch(self.entry_point, self.prompt.is_class, self.bound - local)
        rest = punch.visit(_copy(code))
        return punch.calls, rest

    def hands_on(self, code: ast.AST) -> bool:
        """Tell whether code does nothing with the program's values but pass them on or bind them."""
        calls, rest = self.split(code)
        known = {*bound_names(code), *(f"_{index}" for index in range(len(calls)))}
        return all(
            isinstance(each, _HANDING_ON) and (not isinstance(each, ast.Name) or each.id in known)
            for each in ast.walk(rest)
        )


def new_test(kind: Kind, **fields: object) -> VisibleTest:
    """Return a test whose text is not known yet."""
    return VisibleTest.model_validate({"shown": "", "kind": kind, **fields})


def equation(left: ast.expr, right: str) -> ast.Compare:
    """Return `left == right`; the right side is source of one expression."""
    return ast.Compare(left, [ast.Eq()], [ast.parse(right, mode="eval").body])


def undefined(names: Sequence[str]) -> str:
    """Say why code with unknown names is no test."""
    return f"a name that the prompt does not define: {', '.join(names)}"


def source(node: ast.AST) -> str:
    """Return code that runs in a program's namespace, whatever it imports or names as Python does."""
    return ast.unparse(_Settled().visit(_copy(node)))


def calls_entry(node: ast.AST, entry_point: str) -> bool:
    """Tell whether the code mentions the entry point."""
    return any(isinstance(each, ast.Name) and each.id == entry_point for each in ast.walk(node))


def unknown_names(node: ast.AST, known: Collection[str]) -> list[str]:
    """Return the names that neither the code itself, nor Python, nor `known` gives a meaning."""
    read = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return sorted(read - bound_names(node) - _BUILTINS - _MODULES - set(known))


def bound_names(code: ast.AST) -> set[str]:
    """Return the names that the code binds, in whichever scope."""
    return {name for node in ast.walk(code) for name in names_bound(node)}


def _copy(node: ast.AST) -> ast.AST:
    """Return a copy through the text; transformers change in place."""
    tree = ast.parse(ast.unparse(node), mode="eval" if isinstance(node, ast.expr) else "exec")
    return tree.body if isinstance(tree, ast.Expression) else tree


@dataclass
class _Punch(ast.NodeTransformer):
    """Replaces what is the program's by names."""

    entry_point: str
    is_class: bool
    bound: set[str]
    calls: list[str] = field(default_factory=list[str])

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.expr) and self._is_programs(node):
            self.calls.append(source(node))
            return ast.Name(f"_{len(self.calls) - 1}", ast.Load())
        return self.generic_visit(node)

    def _is_programs(self, node: ast.expr) -> bool:
        """Tell whether an expression is a call of the entry point, or otherwise the program's own value.

        A method is the program's own only where the prompt asks for a class: any other object that a function
        returned could have been given a `startswith` that is always true.
        """
        if isinstance(node, ast.Name):
            return node.id in self.bound and isinstance(node.ctx, ast.Load)
        if isinstance(node, ast.Attribute):
            return self.is_class and self._is_programs(node.value)
        if not isinstance(node, ast.Call) or isinstance(node.func, ast.Name):
            return isinstance(node, ast.Call) and dotted(node.func) == self.entry_point
        return self._is_programs(node.func)


class _Settled(ast.NodeTransformer):
    """Turns what needs no program into its value, and other `math.tau` into imports in place.

    A test must not import for the program, and a program's own `set` or `sorted` is none of the test's.
    """

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return _literal(node) or self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if literal := _literal(node):
            return literal
        if isinstance(node.value, ast.Name) and node.value.id in _MODULES & sys.stdlib_module_names:
            name = ast.Constant(node.value.id)
            node.value = ast.Call(ast.Name("__import__", ast.Load()), [name], [])
            return node
        return self.generic_visit(node)


def _literal(node: ast.expr) -> ast.expr | None:
    """Return the literal of what has a value of its own, if there is one that is modest in length."""
    # A range comes as a list from `evaluate`, and is another argument.
    if not is_constant(node) or (isinstance(node, ast.Call) and dotted(node.func) in ("range", "reversed")):
        return None
    value = constant(node)
    text = "{*()}" if value == set() else ast.unparse(ast.Constant(value))
    literal = parse_expression(text) if len(text) <= _LONGEST_LITERAL else None
    named = literal is None or any(
        isinstance(each, ast.Name) for each in ast.walk(literal)
    )  # `nan`, `Counter`
    return None if named else literal
