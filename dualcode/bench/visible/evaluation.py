"""Expressions of a prompt, evaluated outside the jail on plain data, under bounds on size and work.

What a test wraps around a call (`set(f(x)) == {1}`, `math.isclose(f(x), 2.5)`, `not f(x)`) is computed here
from the value that the call returned, never in the program's process: there the program could have given
`set` or `==` another meaning. `==` is `comparison.matches`.
"""

import ast
import math
import operator
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dualcode.bench.visible.comparison import FAULTS, is_number, matches
from dualcode.bench.visible.wrappers import FUNCTIONS, MOST_ITEMS, UnfitError

# What the parser raises for text that is no Python.
UNPARSABLE = (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError)

_MOST_BITS = 10_000
_MOST_DEPTH = 100


def parse_expression(text: str) -> ast.expr | None:
    """Return the syntax tree of a text that is one expression, else None."""
    tree = _parsed(text.strip(), "eval")
    return tree.body if isinstance(tree, ast.Expression) else None


def parse_statements(text: str) -> list[ast.stmt] | None:
    """Return the statements of a text that is Python, else None."""
    tree = _parsed(text, "exec")
    return tree.body if isinstance(tree, ast.Module) else None


def _parsed(text: str, mode: str) -> ast.AST | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a prompt's "\d" is no concern of ours
            tree = ast.parse(text, mode=mode)
    except UNPARSABLE:
        return None
    return tree if _is_modest(tree) else None


def _is_modest(tree: ast.AST) -> bool:
    """Tell whether a tree can be walked recursively and written out again."""
    level: list[ast.AST] = [tree]
    for _ in range(_MOST_DEPTH):
        if any(isinstance(n, ast.Constant) and _is_long(n.value) for n in level):
            return False
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return True
    return False


def _is_long(value: object) -> bool:
    return isinstance(value, int) and value.bit_length() > _MOST_BITS


def supports(node: ast.expr, names: Iterable[str] = ()) -> bool:
    """Tell whether `evaluate` knows all syntax and names of an expression."""
    known = set(names)
    return all(_is_known(each, known) for each in ast.walk(node)) and _calls_are_known(node)


def constant(node: ast.expr | None) -> Any:
    """Return the value of an expression without names; an UnfitError for any other, or for None."""
    if node is None:
        raise UnfitError("no expression")
    return evaluate(node, {})


def is_constant(node: ast.expr | None) -> bool:
    """Tell whether an expression has a value of its own."""
    try:
        constant(node)
    except FAULTS:
        return False
    return node is not None and supports(node)  # evaluating may have skipped a part: `4 or more`


def evaluate(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """Return an expression's value, given the values of its names.

    Raises UnfitError for syntax that is not known here, and what the operations themselves raise (FAULTS).
    """
    handler = _HANDLERS.get(type(node))
    if handler is None:
        raise UnfitError(f"{type(node).__name__} is not evaluated")
    return handler(node, names)


def _constant(node: ast.Constant, _: Mapping[str, Any]) -> Any:
    if node.value is ...:
        raise UnfitError("an ellipsis stands for something left out")
    return node.value


def _name(node: ast.Name, names: Mapping[str, Any]) -> Any:
    if node.id not in names:
        raise UnfitError(f"the name {node.id} has no value")
    return names[node.id]


def _list(node: ast.List, names: Mapping[str, Any]) -> Any:
    return [evaluate(each, names) for each in node.elts]


def _tuple(node: ast.Tuple, names: Mapping[str, Any]) -> Any:
    return tuple(evaluate(each, names) for each in node.elts)


def _set(node: ast.Set, names: Mapping[str, Any]) -> Any:
    return {evaluate(each, names) for each in node.elts}


def _dict(node: ast.Dict, names: Mapping[str, Any]) -> Any:
    keys = [key for key in node.keys if key is not None]
    if len(keys) != len(node.values):
        raise UnfitError("unpacking is not evaluated")
    pairs = zip(keys, node.values, strict=True)
    return {evaluate(key, names): evaluate(value, names) for key, value in pairs}


def _unary(node: ast.UnaryOp, names: Mapping[str, Any]) -> Any:
    return _UNARY[type(node.op)](evaluate(node.operand, names))


def _binary(node: ast.BinOp, names: Mapping[str, Any]) -> Any:
    apply = _BINARY.get(type(node.op))
    if apply is None:
        raise UnfitError(f"{type(node.op).__name__} is not evaluated")
    left, right = evaluate(node.left, names), evaluate(node.right, names)
    _bound(node.op, left, right)
    return apply(left, right)


def _bound(op: ast.operator, left: Any, right: Any) -> None:
    """Refuse operations whose result or work could be large."""
    for side in (left, right):
        if isinstance(side, int) and side.bit_length() > _MOST_BITS:
            raise UnfitError("too large a number")
    numbers = is_number(left) and is_number(right)
    if isinstance(op, ast.Pow) and not (numbers and _power_is_small(left, right)):
        raise UnfitError("too large a power")
    if isinstance(op, ast.Mod) and not numbers:
        raise UnfitError("text is not formatted")
    if isinstance(op, ast.Mult) and not numbers:
        sizes = [side if isinstance(side, int) else len(side) for side in (left, right)]
        if abs(sizes[0] * sizes[1]) > MOST_ITEMS:
            raise UnfitError("too long a repetition")


def _power_is_small(base: Any, exponent: Any) -> bool:
    if not isinstance(base, int) or not isinstance(exponent, int):
        return True
    return abs(exponent) * max(base.bit_length(), 1) <= _MOST_BITS


def _bool(node: ast.BoolOp, names: Mapping[str, Any]) -> Any:
    stops = isinstance(node.op, ast.Or)
    value: Any = None
    for each in node.values:
        value = evaluate(each, names)
        if bool(value) is stops:
            break
    return value


def _compare(node: ast.Compare, names: Mapping[str, Any]) -> Any:
    left = evaluate(node.left, names)
    for op, operand in zip(node.ops, node.comparators, strict=True):
        right = evaluate(operand, names)
        if not _COMPARE[type(op)](left, right):
            return False
        left = right
    return True


def _subscript(node: ast.Subscript, names: Mapping[str, Any]) -> Any:
    return evaluate(node.value, names)[evaluate(node.slice, names)]


def _attribute(node: ast.Attribute, _: Mapping[str, Any]) -> Any:
    name = dotted(node)
    if name not in _CONSTANTS:
        raise UnfitError(f"{name} is not evaluated")
    return _CONSTANTS[name]


def _call(node: ast.Call, names: Mapping[str, Any]) -> Any:
    apply = FUNCTIONS.get(dotted(node.func))
    if apply is None or any(keyword.arg is None for keyword in node.keywords):
        raise UnfitError("a call that is not evaluated")
    keywords = {str(each.arg): evaluate(each.value, names) for each in node.keywords}
    arguments = [evaluate(each, names) for each in node.args]
    if any(isinstance(each, range) and len(each) > MOST_ITEMS for each in arguments):
        raise UnfitError("too long a range")
    return apply(*arguments, **keywords)


def dotted(node: ast.expr) -> str:
    """Return `a.b` of a name or of an attribute of a name, else nothing."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _calls_are_known(node: ast.expr) -> bool:
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and dotted(each.func) not in FUNCTIONS:
            return False
    return True


def _is_known(node: ast.AST, names: set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in names or node.id in _ROOTS or node.id in FUNCTIONS
    if isinstance(node, ast.Attribute):
        return dotted(node) in FUNCTIONS or dotted(node) in _CONSTANTS
    if isinstance(node, ast.operator):
        return type(node) in _BINARY
    return not isinstance(node, ast.expr) or type(node) in _HANDLERS


_CONSTANTS = {"math.pi": math.pi, "math.e": math.e, "math.inf": math.inf, "math.nan": math.nan}
_ROOTS = {name.partition(".")[0] for name in (*FUNCTIONS, *_CONSTANTS) if "." in name}

_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos, ast.USub: operator.neg, ast.Not: operator.not_, ast.Invert: operator.invert,
}  # fmt: skip
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Mod: operator.mod, ast.Pow: lambda left, right: left**right,
    ast.Div: lambda left, right: left / right, ast.FloorDiv: lambda left, right: left // right,
    ast.BitOr: lambda left, right: left | right, ast.BitAnd: lambda left, right: left & right,
    ast.BitXor: lambda left, right: left ^ right,
}  # fmt: skip


def _is(left: Any, right: Any) -> bool:
    # Identity is lost on the way out of the jail: `f(x) is True` asks for the type and the value.
    return type(left) is type(right) and bool(left == right)


_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: matches, ast.NotEq: lambda left, right: not matches(left, right),
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Is: _is, ast.IsNot: lambda left, right: not _is(left, right),
    ast.In: lambda left, right: left in right, ast.NotIn: lambda left, right: left not in right,
}  # fmt: skip
_HANDLERS: dict[type[ast.expr], Callable[[Any, Mapping[str, Any]], Any]] = {
    ast.Constant: _constant, ast.Name: _name, ast.List: _list, ast.Tuple: _tuple, ast.Set: _set,
    ast.Dict: _dict, ast.UnaryOp: _unary, ast.BinOp: _binary, ast.BoolOp: _bool, ast.Compare: _compare,
    ast.Subscript: _subscript, ast.Attribute: _attribute, ast.Call: _call,
}  # fmt: skip
