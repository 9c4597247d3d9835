"""What a prompt's own examples say: facts that no model may contradict."""

import ast
from typing import TypeGuard

from dualcode.bench.visible.evaluation import parse_expression
from dualcode.bench.visible.finding import visible_tests
from dualcode.task import Task


def known_results(task: Task) -> dict[str, str]:
    """Return call -> result, both as source, for the examples that are one call compared with one value."""
    known: dict[str, str] = {}
    for test in visible_tests(task).tests:
        check = parse_expression(test.check)
        if len(test.calls) == 1 and not test.setup and _equates(check):
            known[test.calls[0]] = ast.unparse(check.comparators[0])
    return known


def _equates(node: ast.expr | None) -> TypeGuard[ast.Compare]:
    """Whether an expression is `_0 == value`."""
    return (
        isinstance(node, ast.Compare)
        and isinstance(node.left, ast.Name)
        and len(node.ops) == 1
        and isinstance(node.ops[0], ast.Eq)
    )
