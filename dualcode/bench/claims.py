"""What a program was said to do, held against what it did.

A claim of a review is about the *present* behaviour, so it can be run. What the program *ought* to do is an
opinion, which no run here settles; it only shows where a claim contradicts itself.
"""

import ast
from collections.abc import Collection
from typing import Any, Literal

from dualcode.bench.bench import ENDLESS, UNLOADED, UNTRIED
from dualcode.bench.visible.evaluation import FAULTS, constant, matches, parse_expression

Status = Literal["confirmed", "refuted", "untried"]
"""`confirmed`: the program does what was claimed, and that is not what is expected of it. `refuted`: it does
something else, or just what is expected. `untried`: there is nothing to run, or no value to compare."""

_NOT_HERE = ("ModuleNotFoundError", "ImportError")
_OPEN = object()


def judge(does: str, ought: str, outcome: str) -> Status:
    """Judge a claim by an observation's outcome (`Observation.outcome`).

    `does` and `ought` are `returns LITERAL`, `raises TYPE` or `does not end`. Values are compared as visible
    tests compare them: floats within a tolerance, a list is no tuple. A claim in any other words is untried.
    Of a program that does not load it can only be confirmed that it raises what loading it raises, and not
    that an import fails: the sandbox has other modules than the program's own place.
    """
    if outcome.startswith(UNTRIED):
        return "untried"
    if outcome.startswith(UNLOADED):
        if "(" not in outcome or any(f"({name}:" in outcome for name in _NOT_HERE):
            return "untried"
        raised = outcome.partition("(")[2].rstrip(")")
        return "confirmed" if _agree(does, f"raised {raised}") else "untried"
    same = _agree(does, outcome)
    if same is None:
        return "untried"
    return "confirmed" if same and not _agree(ought, outcome) else "refuted"


def _agree(said: str, outcome: str) -> bool | None:
    """Whether an outcome is what was said; None where that cannot be compared."""
    word, _, rest = said.strip().rstrip(".").partition(" ")
    kind, rest = word.lower(), rest.strip().strip("`")
    if kind in ("hangs", "loops") or said.lower().startswith(("does not end", "never ends")):
        return outcome.startswith(ENDLESS)
    if kind in ("raises", "raise"):
        name = rest.split("(")[0].split(":")[0].split(" ")[0].rpartition(".")[2]
        if not name.isidentifier():
            return None
        got = outcome.removeprefix("raised ").split(":")[0].strip().rpartition(".")[2]
        return outcome.startswith("raised ") and got == name
    if kind not in ("returns", "return", "gives"):
        return None
    expected = _value(rest)
    if expected is _OPEN:
        return None
    if not outcome.startswith("returned "):
        return False
    got = _value(outcome.removeprefix("returned "))
    return None if got is _OPEN else matches(got, expected)


def _value(source: str) -> Any:
    """Return what a literal says; _OPEN for anything else, and for a value that was cut."""
    if source == "None":
        return None
    try:
        return constant(parse_expression(source))
    except FAULTS:
        return _OPEN


def is_call(source: str, names: Collection[str]) -> bool:
    """Whether a source is a call of one of these names on literals, or of what such a call gave.

    `f(1)`, `Stack([1]).push(2)` and `f(Point(1, 2))` are; what uses anything but the names and literals is a
    program of its own, and its outcome would say nothing about the one under review.
    """
    try:
        node = ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return isinstance(node, ast.Call) and _rooted(node, names)


def _rooted(node: ast.expr, names: Collection[str]) -> bool:
    match node:
        case ast.Call():
            values = [*node.args, *(keyword.value for keyword in node.keywords)]
            return _rooted(node.func, names) and all(
                _literal(each) or _rooted(each, names) for each in values
            )
        case ast.Attribute() if not node.attr.startswith("__"):
            return _rooted(node.value, names)
        case ast.Name():
            return node.id in names
        case _:
            return False


def _literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True
