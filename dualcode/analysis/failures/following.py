"""The way of a failing input through the first lines of a function, followed on its tree; nothing is run."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dualcode.analysis.failures.evaluation import Budget, Unknown, bind, evaluate, items_of
from dualcode.extraction.source import Function

End = ast.Return | ast.Raise | ast.Assert
Leave = End | ast.Break | ast.Continue


@dataclass
class Route:
    """Where an input goes, as far as that can be told."""

    taken: list[ast.If] = field(default_factory=list[ast.If])
    """The branches that it enters, in order."""
    end: End | None = None
    """The statement that ends the call; None if it cannot be told which."""

    @property
    def within(self) -> ast.If | None:
        """The entered branch that the call ends in; None if it ends in none."""
        inside = [each for each in self.taken if any(node is self.end for node in ast.walk(each))]
        return inside[-1] if self.end is not None and inside else None


def follow(function: Function, arguments: Sequence[ast.expr]) -> Route:
    """Follow a call with literal arguments until it ends, or until it cannot be told what happens."""
    walk = _Walk(Route(), Budget())
    try:
        names = _bound(function, arguments)
        end = walk.through(function.body, names)
        walk.route.end = end if isinstance(end, End) else None
    except Unknown:
        pass
    return walk.route


def _bound(function: Function, arguments: Sequence[ast.expr]) -> dict[str, Any]:
    parameters = [*function.args.posonlyargs, *function.args.args]
    if len(arguments) > len(parameters):
        raise Unknown
    defaults = function.args.defaults
    given = dict(zip((each.arg for each in parameters), map(_literal, arguments), strict=False))
    for parameter, default in zip(parameters[len(parameters) - len(defaults) :], defaults, strict=True):
        if parameter.arg not in given:
            given[parameter.arg] = _literal(default)
    return given


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise Unknown from error


@dataclass
class _Walk:
    route: Route
    budget: Budget

    def through(self, body: Sequence[ast.stmt], names: dict[str, Any]) -> Leave | None:
        """Go through statements; return what left them, or None at their end. Changes `names`."""
        for statement in body:
            self.budget.spend()
            if (left := self._one(statement, names)) is not None:
                return left
        return None

    def _one(self, statement: ast.stmt, names: dict[str, Any]) -> Leave | None:
        match statement:
            case ast.Return() | ast.Raise() | ast.Break() | ast.Continue():
                return statement
            case ast.Assert():
                return None if evaluate(statement.test, names, self.budget) else statement
            case ast.If():
                return self._branch(statement, names)
            case ast.For(orelse=[]):
                return self._loop(statement, names)
            case ast.Assign() | ast.AnnAssign():
                self._assign(statement, names)
            case ast.FunctionDef() | ast.Import() | ast.ImportFrom() | ast.Pass():
                self._forget(statement, names)
            case ast.Expr(value=ast.Constant()):
                pass
            case _:
                raise Unknown
        return None

    def _branch(self, statement: ast.If, names: dict[str, Any]) -> Leave | None:
        if evaluate(statement.test, names, self.budget):
            self.route.taken.append(statement)
            return self.through(statement.body, names)
        return self.through(statement.orelse, names)

    def _loop(self, statement: ast.For, names: dict[str, Any]) -> Leave | None:
        for item in items_of(evaluate(statement.iter, names, self.budget)):
            names.update(bind(statement.target, item))
            left = self.through(statement.body, names)
            if isinstance(left, ast.Break):
                return None
            if left is not None and not isinstance(left, ast.Continue):
                return left
        return None

    def _assign(self, statement: ast.Assign | ast.AnnAssign, names: dict[str, Any]) -> None:
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if statement.value is None:
            return
        try:
            value = evaluate(statement.value, names, self.budget)
            for target in targets:
                names.update(bind(target, value))
        except Unknown:
            # A call whose effect is not known may have changed what it was given.
            self._forget(statement, names)
            if self.budget.steps < 0 or not all(isinstance(each, ast.Name | ast.Tuple) for each in targets):
                raise

    @staticmethod
    def _forget(statement: ast.stmt, names: dict[str, Any]) -> None:
        has_calls = any(isinstance(node, ast.Call) for node in ast.walk(statement))
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and (has_calls or isinstance(node.ctx, ast.Store)):
                names.pop(node.id, None)
            elif isinstance(node, ast.FunctionDef):
                names.pop(node.name, None)
