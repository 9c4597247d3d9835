"""Mutants of right programs: one place of the syntax tree changed, as mutation testing does.

All are made by seed: the same seed gives the same programs. Whether one is wrong is for tests to say.
"""

import ast
import copy
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Mutant(NamedTuple):
    """A changed program."""

    family: str
    """Which operator changed it: `operator/…`."""
    program: str


def operated(program: str, count: int, rng: random.Random) -> list[Mutant]:
    """Return up to `count` different programs with one place changed, spread over the operators."""
    tree = ast.parse(program)
    places = {name: list(_changes(tree, change)) for name, change in OPERATORS.items()}
    found: dict[str, Mutant] = {}
    names: list[str] = [name for name, left in places.items() if left]
    while names and len(found) < count:
        name = rng.choice(names)
        changed = places[name].pop(rng.randrange(len(places[name])))
        if changed != program:
            found.setdefault(changed, Mutant(f"operator/{name}", changed))
        names = [name for name in names if places[name]]
    return list(found.values())


Change = Callable[[ast.AST], "ast.AST | list[ast.AST] | None"]
"""Given (a copy of) a node: what may stand in its place; None where the operator does not apply."""


def _changes(tree: ast.Module, change: Change) -> Iterator[str]:
    """Yield the program changed at each place where the operator applies."""
    for index, node in enumerate(ast.walk(tree)):
        replaced = change(copy.deepcopy(node))
        if replaced is None:
            continue
        for one in replaced if isinstance(replaced, list) else [replaced]:
            fresh = copy.deepcopy(tree)
            target = next(each for number, each in enumerate(ast.walk(fresh)) if number == index)
            changed = _Replace(target, one).visit(fresh)
            try:
                yield ast.unparse(ast.fix_missing_locations(changed))
            except (ValueError, RecursionError):
                continue


class _Replace(ast.NodeTransformer):
    def __init__(self, target: ast.AST, new: ast.AST) -> None:
        self._target, self._new = target, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self._new if node is self._target else super().visit(node)


_COMPARISONS: dict[type[ast.cmpop], list[type[ast.cmpop]]] = {
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.GtE],
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.LtE],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
}
_ARITHMETIC: dict[type[ast.operator], list[type[ast.operator]]] = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Add, ast.FloorDiv],
    ast.Div: [ast.FloorDiv, ast.Mult],
    ast.FloorDiv: [ast.Div, ast.Mult],
    ast.Mod: [ast.FloorDiv],
    ast.Pow: [ast.Mult],
    ast.BitAnd: [ast.BitOr],
    ast.BitOr: [ast.BitAnd],
    ast.BitXor: [ast.BitOr],
    ast.LShift: [ast.RShift],
    ast.RShift: [ast.LShift],
}


def _comparison(node: ast.AST) -> list[ast.AST] | None:
    if not isinstance(node, ast.Compare):
        return None
    others = _COMPARISONS.get(type(node.ops[0]), [])
    return [ast.Compare(node.left, [other(), *node.ops[1:]], node.comparators) for other in others]


def _arithmetic(node: ast.AST) -> list[ast.AST] | None:
    if isinstance(node, ast.BinOp):
        return [ast.BinOp(node.left, other(), node.right) for other in _ARITHMETIC.get(type(node.op), [])]
    if isinstance(node, ast.AugAssign):
        others = _ARITHMETIC.get(type(node.op), [])
        return [ast.AugAssign(node.target, other(), node.value) for other in others]
    return None


def _constant(node: ast.AST) -> list[ast.AST] | None:
    if not isinstance(node, ast.Constant):
        return None
    value = node.value
    if isinstance(value, bool):
        return [ast.Constant(not value)]
    if isinstance(value, int):
        return [ast.Constant(value + 1), ast.Constant(value - 1), ast.Constant(float(value))]
    if isinstance(value, float):
        return [ast.Constant(value * 2), ast.Constant(value + 1e-7), ast.Constant(value + 1e-5)]
    if isinstance(value, str) and len(value) < 40:  # a docstring changes nothing
        return [ast.Constant(value + "x" if value else "x"), ast.Constant("")]
    return None


def _boolean(node: ast.AST) -> list[ast.AST] | None:
    if isinstance(node, ast.BoolOp):
        return [ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return [node.operand]
    if isinstance(node, ast.If | ast.IfExp):
        node.test = ast.UnaryOp(ast.Not(), node.test)
        return [node]
    return None


def _return(node: ast.AST) -> list[ast.AST] | None:
    if not isinstance(node, ast.Return) or node.value is None:
        return None
    wrapped = ast.Return(ast.List([node.value], ast.Load()))
    text = ast.Return(ast.Call(ast.Name("str", ast.Load()), [node.value], []))
    negated = ast.Return(ast.UnaryOp(ast.Not(), node.value))
    return [ast.Return(None), wrapped, text, negated]


def _slice(node: ast.AST) -> list[ast.AST] | None:
    if not isinstance(node, ast.Subscript):
        return None
    if isinstance(node.slice, ast.Slice):
        part = node.slice
        cuts = [
            ast.Slice(_plus(part.lower or ast.Constant(0)), part.upper, part.step),
            ast.Slice(part.lower, _plus(part.upper) if part.upper else ast.Constant(-1), part.step),
            ast.Slice(None, None, part.step),
        ]
        return [ast.Subscript(node.value, cut, node.ctx) for cut in cuts]
    return [ast.Subscript(node.value, _plus(node.slice), node.ctx)]


def _plus(node: ast.expr) -> ast.expr:
    return ast.BinOp(node, ast.Add(), ast.Constant(1))


def _off_by_one(node: ast.AST) -> list[ast.AST] | None:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
        return None
    if node.func.id == "range":
        return [ast.Call(node.func, [*node.args[:-1], _plus(node.args[-1])], [])]
    if node.func.id in ("len", "sum", "max", "min", "abs", "round", "int"):
        return [_plus(node)]
    return None


_REMOVABLE = ast.Assign | ast.AugAssign | ast.Expr | ast.Break | ast.Continue | ast.Raise | ast.For | ast.If


def _call(node: ast.AST) -> list[ast.AST] | None:
    """Drop a call and keep its first argument: `sorted(x)` becomes `x`."""
    if isinstance(node, ast.Call) and node.args and not isinstance(node.args[0], ast.Starred):
        return [node.args[0]]
    return None


OPERATORS: dict[str, Change] = {
    "comparison": _comparison,
    "arithmetic": _arithmetic,
    "constant": _constant,
    "boolean": _boolean,
    "return": _return,
    "slice": _slice,
    "off by one": _off_by_one,
    "statement removed": lambda node: [ast.Pass()] if isinstance(node, _REMOVABLE) else None,
    "call dropped": _call,
}
