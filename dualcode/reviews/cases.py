"""Programs whose truth is known: a suite's own solutions, and mutants of them that its hidden tests fail.

A mutant has one place of the syntax tree changed, as in mutation testing. All are made by seed: the same seed
gives the same programs. Whether one is wrong is for tests to say.
"""

import ast
import copy
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from dualcode.errors import InputError
from dualcode.extraction.bounds import read_tree
from dualcode.grading.grader import Grader
from dualcode.record import Record
from dualcode.runs.lines import append_whole, read_lines
from dualcode.solution import checksum
from dualcode.suites.suite import Suite
from dualcode.together import all_or_nothing

TRIES = 4
"""Candidates that are made for each mutant that is wanted; many change nothing that a test sees."""


Status = Literal["passed", "failed", "errored"]


class Case(Record):
    """A program and whether it is right."""

    task_id: str
    program: str
    right: bool
    """Whether it is the task's own solution; a mutant that passes the tests is no case."""
    change: str
    """Which operator made it; empty for the solution."""

    @property
    def key(self) -> str:
        """What tells the case from others."""
        return checksum(f"{self.task_id}\0{self.program}")


class Tried(Record):
    """What the tests said of one candidate: a line of `cases.jsonl`."""

    task_id: str
    program: str
    change: str
    status: Status


async def make_cases(
    suite: Suite,
    grader: Grader,
    file: Path,
    *,
    mutants: int,
    seed: int,
    tell: Callable[[str], None],
) -> tuple[list[Case], list[str]]:
    """Return each task's solution and up to `mutants` wrong programs; and what is missing, for people.

    All are written alike, without comments and docstrings, so that nothing but the change tells them apart.
    What was graded before is read from `file`. Raises InputError if nothing is left.
    """
    known = {(each.task_id, each.program): each for each in read_lines(file, Tried, [])}
    missing: list[str] = []
    graded: list[str] = []
    done: list[str] = []

    async def status(task_id: str, program: str, change: str) -> Status:
        if (task_id, program) not in known:
            verdict = await grader.grade(task_id, program)
            passed = all(outcome.status == "passed" for outcome in verdict.parts.values())
            found: Status = "errored" if verdict.errored else "passed" if passed else "failed"
            tried = Tried(task_id=task_id, program=program, change=change, status=found)
            known[task_id, program] = tried
            if found != "errored":
                append_whole(file, f"{tried.to_line()}\n")
            graded.append(task_id)
            tell(f"making programs: {len(graded)} tested, {len(done)} of {len(suite.tasks)} tasks done")
        return known[task_id, program].status

    async def of_task(task_id: str) -> list[Case]:
        right = plain(suite.hidden[task_id].reference())
        if not right or await status(task_id, right, "") != "passed":
            missing.append(f"{task_id}: its own solution does not pass")
            return []
        chosen = [Case(task_id=task_id, program=right, right=True, change="")]
        for each in operated(right, TRIES * mutants, random.Random(f"{seed}/{task_id}")):
            if len(chosen) > mutants:
                break
            if await status(task_id, each.program, each.family) == "failed":
                name = each.family.removeprefix("operator/")
                chosen.append(Case(task_id=task_id, program=each.program, right=False, change=name))
        if len(chosen) <= mutants:
            missing.append(f"{task_id}: {len(chosen) - 1} of {mutants} mutants; the tests pass the others")
        done.append(task_id)
        return chosen

    made = await all_or_nothing(of_task(task.id) for task in suite.tasks)
    cases = [case for chosen in made for case in chosen]
    if not cases:
        raise InputError(f"{suite.title} has no solution to make programs of", hint="dualcode datasets")
    return cases, sorted(missing)


def plain(program: str) -> str:
    """Return a program as the syntax tree has it, without docstrings; empty for what does not parse."""
    if (tree := read_tree(program)) is None:
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or ([] if isinstance(node, ast.Module) else [ast.Pass()])
    return ast.unparse(tree) + "\n"


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


Change = Callable[[ast.AST], list[ast.AST]]
"""Given (a copy of) a node: what may stand in its place; nothing where the operator does not apply."""


def _changes(tree: ast.Module, change: Change) -> Iterator[str]:
    """Yield the program changed at each place where the operator applies."""
    for index, node in enumerate(ast.walk(tree)):
        for one in change(copy.deepcopy(node)):
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


def _comparison(node: ast.AST) -> list[ast.AST]:
    if not isinstance(node, ast.Compare):
        return []
    others = _COMPARISONS.get(type(node.ops[0]), [])
    return [ast.Compare(node.left, [other(), *node.ops[1:]], node.comparators) for other in others]


def _arithmetic(node: ast.AST) -> list[ast.AST]:
    if not isinstance(node, ast.BinOp | ast.AugAssign):
        return []
    others = [other() for other in _ARITHMETIC.get(type(node.op), [])]
    if isinstance(node, ast.BinOp):
        return [ast.BinOp(node.left, other, node.right) for other in others]
    return [ast.AugAssign(node.target, other, node.value) for other in others]


def _constant(node: ast.AST) -> list[ast.AST]:
    if not isinstance(node, ast.Constant):
        return []
    value = node.value
    if isinstance(value, bool):
        return [ast.Constant(not value)]
    if isinstance(value, int):
        return [ast.Constant(value + 1), ast.Constant(value - 1), ast.Constant(float(value))]
    if isinstance(value, float):
        return [ast.Constant(value * 2), ast.Constant(value + 1e-7), ast.Constant(value + 1e-5)]
    if isinstance(value, str) and len(value) < 40:  # a docstring changes nothing
        return [ast.Constant(value + "x" if value else "x"), ast.Constant("")]
    return []


def _boolean(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, ast.BoolOp):
        return [ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return [node.operand]
    if isinstance(node, ast.If | ast.IfExp):
        node.test = ast.UnaryOp(ast.Not(), node.test)
        return [node]
    return []


def _return(node: ast.AST) -> list[ast.AST]:
    if not isinstance(node, ast.Return) or node.value is None:
        return []
    wrapped = ast.Return(ast.List([node.value], ast.Load()))
    text = ast.Return(ast.Call(ast.Name("str", ast.Load()), [node.value], []))
    negated = ast.Return(ast.UnaryOp(ast.Not(), node.value))
    return [ast.Return(None), wrapped, text, negated]


def _slice(node: ast.AST) -> list[ast.AST]:
    if not isinstance(node, ast.Subscript):
        return []
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


def _off_by_one(node: ast.AST) -> list[ast.AST]:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
        return []
    if node.func.id == "range":
        return [ast.Call(node.func, [*node.args[:-1], _plus(node.args[-1])], [])]
    if node.func.id in ("len", "sum", "max", "min", "abs", "round", "int"):
        return [_plus(node)]
    return []


_REMOVABLE = ast.Assign | ast.AugAssign | ast.Expr | ast.Break | ast.Continue | ast.Raise | ast.For | ast.If


def _call(node: ast.AST) -> list[ast.AST]:
    """Drop a call and keep its first argument: `sorted(x)` becomes `x`."""
    if isinstance(node, ast.Call) and node.args and not isinstance(node.args[0], ast.Starred):
        return [node.args[0]]
    return []


OPERATORS: dict[str, Change] = {
    "comparison": _comparison,
    "arithmetic": _arithmetic,
    "constant": _constant,
    "boolean": _boolean,
    "return": _return,
    "slice": _slice,
    "off by one": _off_by_one,
    "statement removed": lambda node: [ast.Pass()] if isinstance(node, _REMOVABLE) else [],
    "call dropped": _call,
}
