"""Expressions of a prompt, evaluated outside the jail on plain data, under bounds on size and work.

What a test wraps around a call (`set(f(x)) == {1}`, `isinstance(f(x), int)`, `not f(x)`) is computed here
from the value that the call returned, never in the program's process: there the program could have given
`set`, `isinstance` or `==` another meaning.

`==` is `matches`: numbers are compared as EvalPlus compares floats, so that a program passes an example
exactly when it would pass the same example as a hidden test. Everything else is Python's `==`.
"""

import ast
import itertools
import math
import operator
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeGuard, cast

from dualcode.extraction.bounds import read_tree
from dualcode.sandbox.codec import Opaque

RELATIVE = 1e-7
ABSOLUTE = 1e-6

FAULTS = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError, MemoryError)
"""What operations on plain data can raise."""

MOST_ITEMS = 100_000
_MOST_ROUNDS = 1000  # of a comprehension, each over at most one value as it was sent
_MOST_DIGITS = 300
_MOST_BITS = 10_000
_MOST_DEPTH = 100


class UnfitError(ValueError):
    """An expression that is not evaluated here: other syntax, an unknown name, too much work."""


# Syntax


def parse_expression(text: str) -> ast.expr | None:
    """Return the syntax tree of a text that is one expression, else None."""
    tree = _parsed(text.strip(), "eval")
    return tree.body if isinstance(tree, ast.Expression) else None


def parse_statements(text: str) -> list[ast.stmt] | None:
    """Return the statements of a text that is Python, else None."""
    tree = _parsed(text, "exec")
    return tree.body if isinstance(tree, ast.Module) else None


def _parsed(text: str, mode: str) -> ast.AST | None:
    """Parse a text, if its tree can be walked recursively and written out again."""
    tree = read_tree(text, mode)
    level: list[ast.AST] = [tree] if tree else []
    for _ in range(_MOST_DEPTH):
        if any(isinstance(n, ast.Constant) and _is_long(n.value) for n in level):
            return None
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return tree
    return None


def _is_long(value: object) -> bool:
    return isinstance(value, int) and value.bit_length() > _MOST_BITS


def dotted(node: ast.expr) -> str:
    """Return `a.b` of a name or of an attribute of a name, else nothing."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def supports(node: ast.AST, names: Iterable[str] = ()) -> bool:
    """Tell whether `evaluate` knows all syntax and names of an expression."""
    known = set(names)
    parts = list(ast.iter_child_nodes(node))
    match node:
        case ast.Name():
            return node.id in known
        case ast.Attribute():
            return dotted(node) in _CONSTANTS
        case ast.Call():
            if any(keyword.arg is None for keyword in node.keywords):
                return False
            parts = [*node.args, *(keyword.value for keyword in node.keywords)]
            if dotted(node.func) not in FUNCTIONS:
                if not isinstance(node.func, ast.Attribute) or node.func.attr not in _METHODS:
                    return False
                parts.append(node.func.value)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
            loop = node.generators[0]
            if _is_nested(node) or not isinstance(loop.target, ast.Name):
                return False
            inner = [node.elt, *loop.ifs]
            return supports(loop.iter, known) and all(supports(p, known | {loop.target.id}) for p in inner)
        case ast.Dict() if None in node.keys:
            return False
        case _:
            pass
    return isinstance(node, _SYNTAX) and all(supports(part, known) for part in parts)


def _is_nested(node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> bool:
    """Tell whether a comprehension has more than one loop: its work would be a product of lengths."""
    return sum(isinstance(each, ast.comprehension) for each in ast.walk(node)) > 1


# Values


def constant(node: ast.expr | None) -> Any:
    """Return the value of an expression without names; an UnfitError for any other, or for None."""
    if node is None or not supports(node):  # evaluating may skip a part: `4 or more`
        raise UnfitError("no expression without names")
    return evaluate(node, {})


def is_constant(node: ast.expr | None) -> bool:
    """Tell whether an expression has a value of its own."""
    try:
        constant(node)
    except FAULTS:
        return False
    return True


def equates(node: ast.expr | None) -> TypeGuard[ast.Compare]:
    """Tell whether an expression is `… == value`, with a value of its own on the right."""
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq):
        return False
    return is_constant(node.comparators[0])


def evaluate(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """Return an expression's value, given the values of its names.

    Raises UnfitError for syntax that is not known here, and what the operations themselves raise (FAULTS).
    """
    match node:
        case ast.Constant() if node.value is not ...:  # an ellipsis stands for something left out
            return node.value
        case ast.Name() if node.id in names:
            return names[node.id]
        case ast.Attribute() if dotted(node) in _CONSTANTS:
            return _CONSTANTS[dotted(node)]
        case ast.List():
            return [evaluate(each, names) for each in node.elts]
        case ast.Tuple():
            return tuple(evaluate(each, names) for each in node.elts)
        case ast.Set():
            return {evaluate(each, names) for each in node.elts}
        case ast.Dict():
            pairs = [(key, each) for key, each in zip(node.keys, node.values, strict=True) if key]
            if len(pairs) == len(node.keys):
                return {evaluate(key, names): evaluate(each, names) for key, each in pairs}
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
            return _comprehension(node, names)
        case ast.Subscript():
            return evaluate(node.value, names)[evaluate(node.slice, names)]
        case ast.Slice():
            return slice(*(each and evaluate(each, names) for each in (node.lower, node.upper, node.step)))
        case ast.IfExp():
            return evaluate(node.body if evaluate(node.test, names) else node.orelse, names)
        case ast.Call():
            return _call(node, names)
        case _:
            return _operation(node, names)
    raise UnfitError(f"{ast.unparse(node)} is not evaluated")


def _operation(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.UnaryOp():
            return _UNARY[type(node.op)](evaluate(node.operand, names))
        case ast.BinOp() if type(node.op) in _BINARY:
            left, right = evaluate(node.left, names), evaluate(node.right, names)
            _check_size(node.op, left, right)
            return _BINARY[type(node.op)](left, right)
        case ast.BoolOp():
            value: Any = None
            for each in node.values:
                value = evaluate(each, names)
                if bool(value) is isinstance(node.op, ast.Or):
                    break
            return value
        case ast.Compare():
            left = evaluate(node.left, names)
            for op, operand in zip(node.ops, node.comparators, strict=True):
                right = evaluate(operand, names)
                if not _COMPARE[type(op)](left, right):
                    return False
                left = right
            return True
        case _:
            raise UnfitError(f"{type(node).__name__} is not evaluated")


def _check_size(op: ast.operator, left: Any, right: Any) -> None:
    """Refuse operations whose result or work could be large."""
    if _is_long(left) or _is_long(right):
        raise UnfitError("too large a number")
    numbers = is_number(left) and is_number(right)
    if isinstance(op, ast.Pow):
        whole = isinstance(left, int) and isinstance(right, int)
        if not numbers or (whole and abs(right) * max(left.bit_length(), 1) > _MOST_BITS):
            raise UnfitError("too large a power")
    if isinstance(op, ast.Mod) and not numbers:
        raise UnfitError("text is not formatted")
    if isinstance(op, ast.Mult) and not numbers:
        sizes = [side if isinstance(side, int) else len(side) for side in (left, right)]
        if abs(sizes[0] * sizes[1]) > MOST_ITEMS:
            raise UnfitError("too long a repetition")


def _call(node: ast.Call, names: Mapping[str, Any]) -> Any:
    if any(keyword.arg is None for keyword in node.keywords):
        raise UnfitError("unpacking is not evaluated")
    apply = FUNCTIONS.get(dotted(node.func))
    if apply is None:
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in _METHODS:
            raise UnfitError("a call that is not evaluated")
        owner = evaluate(node.func.value, names)
        if not isinstance(owner, str | list | tuple | dict | set | frozenset):
            raise UnfitError("a method of a value of another type")
        apply = cast(Callable[..., Any], getattr(cast(object, owner), node.func.attr))
    keywords = {str(each.arg): evaluate(each.value, names) for each in node.keywords}
    arguments = [evaluate(each, names) for each in node.args]
    if any(isinstance(each, range) and len(each) > MOST_ITEMS for each in arguments):
        raise UnfitError("too long a range")
    result = apply(*arguments, **keywords)
    if isinstance(result, range) and len(result) > MOST_ITEMS:
        raise UnfitError("too long a range")
    return list(cast(Iterable[Any], result)) if isinstance(result, range | reversed) else result


def _comprehension(node: ast.ListComp | ast.SetComp | ast.GeneratorExp, names: Mapping[str, Any]) -> Any:
    loop = node.generators[0]
    if _is_nested(node) or not isinstance(loop.target, ast.Name):
        raise UnfitError("a comprehension of more than one name")
    # A value may be a range without end.
    items: list[Any] = list(itertools.islice(evaluate(loop.iter, names), _MOST_ROUNDS + 1))
    if len(items) > _MOST_ROUNDS:
        raise UnfitError("too long a loop")
    scopes = [{**names, loop.target.id: item} for item in items]
    kept = [scope for scope in scopes if all(evaluate(each, scope) for each in loop.ifs)]
    values = [evaluate(node.elt, scope) for scope in kept]
    return set(values) if isinstance(node, ast.SetComp) else values


# Equality


def matches(got: Any, expected: Any) -> bool:
    """Tell whether two values are equal, floats within EvalPlus's tolerance; never raises."""
    try:
        return _matches(got, expected)
    except FAULTS:
        return False


def _matches(got: Any, expected: Any) -> bool:
    if is_number(got) and is_number(expected):
        if got == expected or not any(isinstance(each, float | complex) for each in (got, expected)):
            return bool(got == expected)
        if got != got or expected != expected:
            return got != got and expected != expected  # NaN is NaN
        return abs(got - expected) <= ABSOLUTE + RELATIVE * abs(expected) and abs(expected) != math.inf
    if type(expected) in (list, tuple) and type(got) is type(expected):
        return len(got) == len(expected) and all(map(_matches, got, expected))
    if isinstance(expected, dict) and isinstance(got, dict):
        ours, theirs = cast(dict[Any, Any], expected), cast(dict[Any, Any], got)
        return ours.keys() == theirs.keys() and all(_matches(theirs[key], ours[key]) for key in ours)
    return bool(got == expected)


def is_number(value: Any) -> bool:
    """Tell whether a value is a number that tolerances apply to."""
    return isinstance(value, int | float | complex)


def _is(left: Any, right: Any) -> bool:
    # Identity is lost on the way out of the jail: `f(x) is True` asks for the type and the value.
    return type(left) is type(right) and bool(left == right)


# What is known


def _round(number: Any, digits: int | None = None) -> Any:
    if digits is not None and abs(digits) > _MOST_DIGITS:
        raise UnfitError("too many digits")
    return round(number, digits)


def _sum(numbers: Iterable[Any]) -> Any:
    items = list(numbers)
    if not all(map(is_number, items)):
        raise UnfitError("only numbers are added up")
    return sum(items)


def _of_data(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that refuses an object which was not sent as data."""

    def apply(*values: Any) -> Any:
        if any(isinstance(each, Opaque) for each in values):
            raise UnfitError("an object that was not sent as data has neither type nor text here")
        return function(*values)

    return apply


def _type(value: Any) -> type[Any]:
    return cast(type[Any], type(value))


_MATH = (
    "isclose", "sqrt", "floor", "ceil", "fabs", "sin", "cos", "tan", "log", "log2", "log10", "exp", "isnan",
)  # fmt: skip

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "set": set, "frozenset": frozenset, "list": list, "tuple": tuple, "sorted": sorted, "sum": _sum,
    "min": min, "max": max, "any": any, "all": all, "Counter": Counter, "collections.Counter": Counter,
    **{f"math.{name}": getattr(math, name) for name in _MATH},
    "isclose": math.isclose, "sys.getsizeof": sys.getsizeof, "dict": dict, "len": len, "abs": abs,
    "round": _round, "int": int, "float": float, "bool": bool, "complex": complex, "range": range,
    "reversed": reversed, "str": _of_data(str), "repr": _of_data(repr), "type": _of_data(_type),
    "isinstance": _of_data(isinstance),
}  # fmt: skip
"""The functions that tests may wrap around a call, each with a bound on its work."""

TYPES: Mapping[str, type] = {
    each.__name__: each
    for each in (bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, object)
}
"""The names of types, for checks of what a call returned: `isinstance(_0, int)`, `type(_0) is list`."""

# Of plain data; none makes a value that is much longer than what it is given.
_METHODS = frozenset({
    "upper", "lower", "title", "capitalize", "swapcase", "strip", "lstrip", "rstrip", "split", "splitlines",
    "startswith", "endswith", "find", "count", "index", "isdigit", "isalpha", "isalnum", "isupper", "islower",
    "isspace", "keys", "values", "items", "get", "issubset", "issuperset",
})  # fmt: skip
_CONSTANTS = {"math.pi": math.pi, "math.e": math.e, "math.inf": math.inf, "math.nan": math.nan}
_SYNTAX = (
    ast.Constant, ast.Name, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.UnaryOp, ast.BinOp, ast.BoolOp,
    ast.Compare, ast.Subscript, ast.Slice, ast.IfExp, ast.Call, ast.expr_context, ast.boolop, ast.unaryop,
    ast.cmpop, ast.Add, ast.Sub, ast.Mult, ast.Mod, ast.Pow, ast.Div, ast.FloorDiv, ast.BitOr, ast.BitAnd,
    ast.BitXor,
)  # fmt: skip
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
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: matches, ast.NotEq: lambda left, right: not matches(left, right),
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Is: _is, ast.IsNot: lambda left, right: not _is(left, right),
    ast.In: lambda left, right: left in right, ast.NotIn: lambda left, right: left not in right,
}  # fmt: skip
