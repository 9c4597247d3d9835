"""Expressions over literals, computed without running anything of a program's.

Enough of Python to tell whether a check such as `len(xs) < 2` or `all(isinstance(x, int) for x in xs)` holds
for a failing input. Everything else is `Unknown`. Work and sizes are bounded: no power, no format.
"""

import ast
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from typing import Any, cast

MOST_STEPS = 20_000
MOST_ITEMS = 2_000
LARGEST = 10**30

_SCALARS = (int, float, str, bytes, complex, type(None))
_TYPES: dict[str, type] = {
    each.__name__: each for each in (int, float, str, bool, list, tuple, dict, set, complex, bytes, frozenset)
}
_CALLS: dict[str, Callable[..., Any]] = {
    "len": len, "isinstance": isinstance, "type": type, "abs": abs, "all": all, "any": any, "min": min,
    "max": max, "sum": sum, "sorted": sorted, "bool": bool, "list": list, "tuple": tuple, "set": set,
    "str": str, "int": int, "float": float, "callable": callable, "reversed": reversed,
    "enumerate": enumerate, "zip": zip,
}  # fmt: skip
_TEXT_METHODS = frozenset({
    "isdigit", "isalpha", "isalnum", "islower", "isupper", "isspace", "isnumeric", "isdecimal", "istitle",
    "isidentifier", "strip", "lstrip", "rstrip", "lower", "upper", "startswith", "endswith", "split", "count",
})  # fmt: skip
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.In: lambda item, items: item in items, ast.NotIn: lambda item, items: item not in items,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Mod: lambda left, right: left % right,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


class Unknown(Exception):  # noqa: N818 - no error: an answer
    """What an expression gives cannot be told."""


@dataclass
class Budget:
    """How much more may be computed."""

    steps: int = MOST_STEPS

    def spend(self, steps: int = 1) -> None:
        """Take steps off. Raises Unknown if none are left."""
        self.steps -= steps
        if self.steps < 0:
            raise Unknown


def evaluate(node: ast.expr, names: Mapping[str, Any], budget: Budget) -> Any:
    """Return what the expression gives over the values of `names`. Raises Unknown if that cannot be told."""
    budget.spend()
    try:
        return _small(_evaluate(node, names, budget))
    except Unknown:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise Unknown from error


def _evaluate(node: ast.expr, names: Mapping[str, Any], budget: Budget) -> Any:
    def value(of: ast.expr) -> Any:
        return evaluate(of, names, budget)

    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return _named(node.id, names)
        case ast.List() | ast.Tuple() | ast.Set():
            kind = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
            return kind(_item(value(each)) for each in node.elts)
        case ast.UnaryOp(op=op) if type(op) in _UNARY:
            return _UNARY[type(op)](value(node.operand))
        case ast.BinOp(op=op) if type(op) in _ARITHMETIC:
            return _computed(op, value(node.left), value(node.right))
        case ast.BoolOp():
            return _joined(node, value)
        case ast.Compare():
            return _compared(node, value, budget)
        case ast.IfExp():
            return value(node.body if value(node.test) else node.orelse)
        case ast.Subscript(slice=ast.Slice() as cut):
            parts = [None if part is None else value(part) for part in (cut.lower, cut.upper, cut.step)]
            return value(node.value)[slice(*parts)]
        case ast.Subscript():
            return value(node.value)[value(node.slice)]
        case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
            return [_item(evaluate(node.elt, inner, budget)) for inner in _inner(node, names, budget)]
        case ast.Call(keywords=[]):
            return _called(node, names, value, budget)
        case _:
            raise Unknown


def bind(target: ast.expr, value: object) -> dict[str, Any]:
    """Return the names that an assignment of the value binds. Raises Unknown for other targets than names."""
    if isinstance(target, ast.Name):
        return {target.id: value}
    if isinstance(target, ast.Tuple) and isinstance(value, tuple | list | str):
        items = list(cast("Iterable[Any]", value))
        if len(items) == len(target.elts) and all(isinstance(each, ast.Name) for each in target.elts):
            return {
                each.id: item
                for each, item in zip(target.elts, items, strict=True)
                if isinstance(each, ast.Name)
            }
    raise Unknown


def items_of(value: Any) -> list[Any]:
    """Return what a loop over the value yields. Raises Unknown for what is none, or too long."""
    if (
        not isinstance(value, list | tuple | str | set | dict | range | frozenset)
        or _size(value) > MOST_ITEMS
    ):
        raise Unknown
    return list(cast("Iterable[Any]", value))


def _named(name: str, names: Mapping[str, Any]) -> Any:
    if name in names:
        return names[name]
    if name in _TYPES:
        return _TYPES[name]
    raise Unknown


def _item(value: Any) -> Any:
    """Refuse containers of containers: comparing what was nested again and again would never end."""
    if isinstance(value, _SCALARS) or value in _TYPES.values():
        return value
    raise Unknown


def _small(value: Any) -> Any:
    if isinstance(value, int) and abs(value) > LARGEST:
        raise Unknown
    if _size(value) > MOST_ITEMS:
        raise Unknown
    return value


def _size(value: Any) -> int:
    return len(value) if isinstance(value, Sized) else 1


def _computed(op: ast.operator, left: Any, right: Any) -> Any:
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if not numbers and not (isinstance(op, ast.Add) and type(left) is type(right)):
        raise Unknown
    return _ARITHMETIC[type(op)](left, right)


def _joined(node: ast.BoolOp, value: Callable[[ast.expr], Any]) -> Any:
    ends_with = isinstance(node.op, ast.Or)
    result: Any = None
    for each in node.values:
        result = value(each)
        if bool(result) is ends_with:
            return result
    return result


def _compared(node: ast.Compare, value: Callable[[ast.expr], Any], budget: Budget) -> bool:
    left = value(node.left)
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        right = value(comparator)
        budget.spend(_size(right))
        if isinstance(op, ast.Is | ast.IsNot) and not (
            left is None or right is None or isinstance(right, bool | type)
        ):
            raise Unknown
        if not _COMPARISONS[type(op)](left, right):
            return False
        left = right
    return True


def _inner(
    node: ast.ListComp | ast.GeneratorExp | ast.SetComp, names: Mapping[str, Any], budget: Budget
) -> Iterator[Mapping[str, Any]]:
    if len(node.generators) != 1:
        raise Unknown
    generator = node.generators[0]
    for item in items_of(evaluate(generator.iter, names, budget)):
        inner = {**names, **bind(generator.target, item)}
        budget.spend(1 + len(names) // 8)
        if all(evaluate(each, inner, budget) for each in generator.ifs):
            yield inner


def _called(
    node: ast.Call, names: Mapping[str, Any], value: Callable[[ast.expr], Any], budget: Budget
) -> Any:
    match node.func:
        case ast.Name(id=name) if name not in names and name in _CALLS:
            arguments = [value(each) for each in node.args]
            budget.spend(sum(_size(each) for each in arguments))
            result = _CALLS[name](*arguments)
            lazy = name in ("reversed", "enumerate", "zip")
            return list(result) if lazy else result
        case ast.Name(id="range") if "range" not in names:
            return range(*(value(each) for each in node.args))
        case ast.Attribute(value=owner, attr=method) if method in _TEXT_METHODS:
            text = value(owner)
            if not isinstance(text, str):
                raise Unknown
            return getattr(text, method)(*(value(each) for each in node.args))
        case _:
            raise Unknown
