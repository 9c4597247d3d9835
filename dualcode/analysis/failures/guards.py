"""Over-engineering: a check or a special case that the baseline lacks, and that an allowed input runs into.

The inputs of hidden tests are allowed by definition: the benchmark's own solution answers them. Whether one
meets a special case is told by the bench's evaluator of expressions, which knows what prompts' own tests are
made of and bounds its work; nothing of a program is run.
"""

import ast
import builtins
import contextlib
from collections.abc import Iterator, Mapping, Sequence, Sized
from typing import Any

from dualcode.analysis.failures.case import Case, Finding
from dualcode.analysis.failures.signatures import arguments_of
from dualcode.analysis.failures.source import Source
from dualcode.bench.visible.evaluation import FAULTS, TYPES, evaluate
from dualcode.extraction.source import Function

Complaint = ast.Raise | ast.Assert
_FREE = frozenset(dir(builtins)) | {"math"}
MOST_NODES, MOST_ITEMS = 50, 2_000
"""Of an assigned expression, and of its value: what grows from line to line has an end."""
_STRAIGHT = ast.Assign | ast.AnnAssign | ast.FunctionDef | ast.Import | ast.ImportFrom


def findings(case: Case) -> Iterator[Finding]:
    """Yield the added check that raised, or the added special case that answered."""
    found = _complaint(case) if case.raised else _special_case(case) if case.cause == "wrong_output" else None
    if found is not None:
        yield Finding("over-engineering", f"{found}; a test calls it{case.on_input}", explains=True)


def _complaint(case: Case) -> str | None:
    """Return the lines of the explicit raise or assert that ended the call."""
    kind, message = case.raised or ("", "")
    kind = kind.removeprefix("program.")  # its own, with a built-in one's name
    if kind in case.prompt.text:
        return None  # the specification asks for it
    known = _tests(case.baseline)
    for function in case.program.all_functions():
        for node, above in _complaints(function):
            tests = [node.test] if isinstance(node, ast.Assert) else [each.test for each in above]
            if (
                tests
                and _may_have_raised(node, kind, message)
                and _look_at_arguments(tests, function)
                and not any(_form(test, function) in known for test in tests)
            ):
                return _lines(case.program, [*above[-1:], node])
    return None


def _complaints(function: Function) -> Iterator[tuple[Complaint, list[ast.If]]]:
    """Yield what a function raises on purpose, with the branches that lead there; none within `while`."""
    stack: list[tuple[ast.AST, list[ast.If]]] = [(each, []) for each in reversed(function.body)]
    while stack:
        node, above = stack.pop()
        if isinstance(node, Complaint):
            yield node, above
        if isinstance(node, Function | ast.ClassDef | ast.While):
            continue
        inner = [*above, node] if isinstance(node, ast.If) else above
        stack.extend((each, inner) for each in reversed(list(ast.iter_child_nodes(node))))


def _may_have_raised(node: Complaint, kind: str, message: str) -> bool:
    """Tell whether a statement raises that kind, with all constant parts of its message in the verdict's."""
    said, name = (node.msg, "AssertionError") if isinstance(node, ast.Assert) else (node.exc, "")
    if isinstance(node, ast.Raise) and node.exc:
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        name = ast.unparse(raised).rpartition(".")[2]
    parts = [each.value for each in ast.walk(said) if isinstance(each, ast.Constant)] if said else []
    texts = [part for part in parts if isinstance(part, str)]
    return (
        name == kind and all(text.strip()[:60] in message for text in texts) and (bool(texts) or not message)
    )


def _look_at_arguments(tests: Sequence[ast.expr], function: Function) -> bool:
    """Tell whether tests look at arguments, their elements in loops and what straight lines make of them."""
    known = _FREE.union(node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg))
    for node in function.body:
        if isinstance(node, ast.Assign) and _names(node.value) <= known:
            known = known.union(*(_names(target, ast.Store) for target in node.targets))
        elif isinstance(node, ast.For) and _names(node.iter) <= known:
            known |= _names(node.target, ast.Store)
    return all(_names(test) - _names(test, ast.Store) <= known for test in tests)


def _names(node: ast.AST, context: type[ast.expr_context] = ast.Load) -> set[str]:
    """Return the names that are read, or assigned."""
    named = (each for each in ast.walk(node) if isinstance(each, ast.Name))
    return {each.id for each in named if isinstance(each.ctx, context)}


def _special_case(case: Case) -> str | None:
    """Return the lines of the branch that answered, or that changed an argument, for an input at the edge."""
    function, arguments = case.function, arguments_of(case)
    if function is None or arguments is None or not _has_main_path(function):
        return None
    own, known = _parameters(function), _tests(case.baseline)
    taken, end = route = _follow(function, arguments)
    other = case.baseline.functions.get(case.entry_point)
    answered = other is not None and _within(_follow(other, arguments)) is not None
    for branch in taken:
        if not _is_edge(branch.test, own) or _form(branch.test, function) in known:
            continue
        if branch is _within(route) and not answered:  # nor has the baseline a branch of its own for it
            return _lines(case.program, [branch, *([end] if end else [])])
        for node in branch.body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            if any(isinstance(each, ast.Name) and each.id in own for each in targets):
                return _lines(case.program, [branch, node])
    return None


Route = tuple[list[ast.If], ast.Return | ast.Raise | None]
"""The branches that an input enters, in order, and the statement that ends the call, if that can be told."""


def _within(route: Route) -> ast.If | None:
    """Return the entered branch that the call ends in; None if it ends in none."""
    taken, end = route
    inside = [each for each in taken if any(node is end for node in ast.walk(each))]
    return inside[-1] if inside else None


def _parameters(function: Function) -> set[str]:
    """Return the names of the positional parameters."""
    return {each.arg for each in (*function.args.posonlyargs, *function.args.args)}


def _follow(function: Function, arguments: Sequence[ast.expr]) -> Route:
    """Follow a call with literal arguments until it ends, loops, or until it cannot be told what happens."""
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    defaults = dict(zip(reversed(names), reversed(function.args.defaults), strict=False))
    taken, ahead = list[ast.If](), list(reversed(function.body))
    if len(arguments) > len(names):
        return taken, None
    with contextlib.suppress(*FAULTS):
        given = {**defaults, **dict(zip(names, arguments, strict=False))}
        known = {name: ast.literal_eval(value) for name, value in given.items()}
        while ahead:
            match ahead.pop():
                case ast.Return() | ast.Raise() as end:
                    return taken, end
                case ast.If() as branch:
                    holds = evaluate(branch.test, {**TYPES, **known})
                    taken += [branch] if holds else []
                    ahead += reversed(branch.body if holds else branch.orelse)
                case ast.Pass() | ast.Expr(value=ast.Constant()):
                    pass
                case made if isinstance(made, _STRAIGHT):
                    known = _after(made, known)
                case _:
                    break
    return taken, None


def _after(made: ast.stmt, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known after a straight statement: a value more, or some names less."""
    match made:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if len(list(ast.walk(value))) <= MOST_NODES:
            with contextlib.suppress(*FAULTS):
                result = evaluate(value, {**TYPES, **known})
                if not isinstance(result, Sized) or len(result) <= MOST_ITEMS:
                    return {**known, name: result}
        case _:
            pass
    # A call may have changed what it was given, too.
    calls = any(isinstance(node, ast.Call) for node in ast.walk(made))
    changed = _names(made, ast.Store) | (_names(made) if calls else set[str]())
    return {name: value for name, value in known.items() if name not in changed}


def _has_main_path(function: Function) -> bool:
    """Tell whether the function computes something beside its special cases.

    A chain of constants does not, and in a recursion the special cases are the algorithm.
    """
    returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value]
    return function.name not in _names(function) and any(_names(value) for value in returned)


def _is_edge(test: ast.expr, names: set[str]) -> bool:
    """Tell whether a test asks for an edge: nothing there, another type, no number above zero, too short."""
    match test:
        case ast.BoolOp():
            return all(_is_edge(each, names) for each in test.values)
        case ast.UnaryOp(op=ast.Not()):
            return _asks_type(test.operand) or _is_edge(test.operand, names)
        case ast.Name():
            return test.id in names
        case ast.Call(func=ast.Name(id="len")) | ast.Call(args=[_, ast.Name(id="bool")]):
            return True
        case ast.Call(func=ast.Name(id="all" | "any"), args=[ast.GeneratorExp() as each]):
            return _is_edge(each.elt, names | _names(each.generators[0].target, ast.Store))
        case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=method)):
            return owner in names and (method.startswith("is") or method == "strip")
        case ast.Compare():
            sides = [test.left, *test.comparators]
            return any(_is_argument(each, names) for each in sides) and all(
                _is_argument(each, names) or _is_edge_value(each) for each in sides
            )
        case _:
            return False


def _asks_type(test: ast.expr) -> bool:
    """Tell whether a test asks for a type. Only its denial is a check: the rest chooses between types."""
    match test:
        case ast.Call(func=ast.Name(id="isinstance" | "callable")):
            return True
        case ast.Call(func=ast.Name(id="all"), args=[ast.GeneratorExp(elt=each)]):
            return _asks_type(each)
        case _:
            return False


def _is_argument(node: ast.expr, names: set[str]) -> bool:
    match node:
        case ast.Name(id=name) | ast.Call(func=ast.Name(id="len" | "type"), args=[ast.Name(id=name)]):
            return name in names
        case _:
            return False


def _is_edge_value(node: ast.expr) -> bool:
    match node:
        case ast.Constant():
            return node.value in (None, 0, 1, 2, "", True, False)
        case ast.UnaryOp(operand=ast.Constant(value=1)):
            return True
        case ast.List(elts=[]) | ast.Tuple(elts=[]) | ast.Dict(keys=[]):
            return True
        case _:
            return isinstance(node, ast.Name) and node.id in _TYPES


_TYPES = frozenset({"int", "float", "str", "list", "tuple", "dict", "set", "bool"})


def _tests(baseline: Source) -> set[str]:
    """Return the forms of all tests of the baseline's."""
    tests = (ast.If, ast.IfExp, ast.While, ast.Assert)
    return {
        _form(node.test, function)
        for function in baseline.all_functions()
        for node in ast.walk(function)
        if isinstance(node, tests)
    }


def _form(test: ast.expr, function: Function) -> str:
    """Return a test's tree as text, the same for all names of parameters."""
    form = ast.dump(test)
    for name in _parameters(function):
        form = form.replace(f"Name(id='{name}'", "Name(id='#'")
    return form


def _lines(program: Source, nodes: Sequence[ast.stmt]) -> str:
    return " leads to ".join(program.quote(line) for line in sorted({node.lineno for node in nodes}))
