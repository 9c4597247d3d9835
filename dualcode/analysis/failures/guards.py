"""Over-engineering: a check or a special case that the baseline lacks, and that an allowed input runs into.

The inputs of hidden tests are allowed by definition: the benchmark's own solution answers them.
"""

import ast
import builtins
import copy
from collections.abc import Iterator, Sequence

from dualcode.analysis.failures.case import Case, Finding
from dualcode.analysis.failures.following import Route, follow
from dualcode.analysis.failures.signatures import arguments_of
from dualcode.analysis.failures.source import Source
from dualcode.extraction.source import Function

Complaint = ast.Raise | ast.Assert


def findings(case: Case) -> Iterator[Finding]:
    """Yield the added check that raised, or the added special case that answered."""
    found = _complaint(case) if case.raised else _special_case(case) if case.cause == "wrong_output" else None
    if found is not None:
        yield Finding("over-engineering", f"{found}; a test calls it{case.on_input}", explains=True)


def _complaint(case: Case) -> str | None:
    """Return the lines of the explicit raise or assert that ended the call."""
    kind, message = case.raised or ("", "")
    if kind in case.prompt.text:
        return None  # the specification asks for it
    known = _tests(case.baseline)
    for function in _all_functions(case.program):
        for node, above in _complaints(function):
            if not (_raises(node, kind) and _says(node, message)):
                continue
            tests = [node.test] if isinstance(node, ast.Assert) else [each.test for each in above]
            if (
                tests
                and _only_of(tests, function)
                and not any(_form(test, function) in known for test in tests)
            ):
                return _lines(case.program, above, node)
    return None


def _all_functions(program: Source) -> list[Function]:
    return [node for node in program.nodes() if isinstance(node, Function)]


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


def _raises(node: Complaint, kind: str) -> bool:
    if isinstance(node, ast.Assert):
        return kind == "AssertionError"
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    name = (
        raised.attr
        if isinstance(raised, ast.Attribute)
        else raised.id
        if isinstance(raised, ast.Name)
        else ""
    )
    return name == kind


def _says(node: Complaint, message: str) -> bool:
    """Tell whether the message may be this statement's: every constant part of its own stands in it."""
    said = node.msg if isinstance(node, ast.Assert) else node.exc
    parts = [each.value for each in ast.walk(said) if isinstance(each, ast.Constant)] if said else []
    texts = [part for part in parts if isinstance(part, str)]
    return all(text.strip()[:60] in message for text in texts) and (bool(texts) or not message)


def _only_of(tests: Sequence[ast.expr], function: Function) -> bool:
    """Tell whether the tests look at the arguments alone, and not at what was computed from them in loops."""
    known = _of_arguments(function)
    for test in tests:
        own = {
            each.id
            for each in ast.walk(test)
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
        }
        if not _read(test) - own <= known | _FREE:
            return False
    return True


_FREE = frozenset(dir(builtins)) | {"math"}


def _read(node: ast.AST) -> set[str]:
    return {
        each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)
    }


def _of_arguments(function: Function) -> set[str]:
    """Return the parameters, their elements in loops, and what straight lines make of them."""
    known = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    for node in function.body:
        if isinstance(node, ast.Assign) and _read(node.value) <= known | _FREE:
            known |= {
                each.id for target in node.targets for each in ast.walk(target) if isinstance(each, ast.Name)
            }
        elif isinstance(node, ast.For) and _read(node.iter) <= known | _FREE:
            known |= {each.id for each in ast.walk(node.target) if isinstance(each, ast.Name)}
    return known


def _special_case(case: Case) -> str | None:
    """Return the lines of the branch that answered, or that changed an argument, for an input at the edge."""
    function, arguments = case.function, arguments_of(case)
    if function is None or arguments is None or not _has_main_path(function):
        return None
    route = follow(function, arguments)
    parameters = {each.arg for each in (*function.args.posonlyargs, *function.args.args)}
    known = _tests(case.baseline)
    for branch in route.taken:
        added = _is_edge(branch.test, parameters) and _form(branch.test, function) not in known
        if added and branch is route.within and not _baseline_has_one(case, arguments):
            return _lines(case.program, [branch], route.end)
        if added and (rebound := _rebound(branch, parameters)):
            return _lines(case.program, [branch], rebound)
    return None


def _has_main_path(function: Function) -> bool:
    """Tell whether the function computes something beside its special cases.

    A chain of constants does not, and in a recursion the special cases are the algorithm.
    """
    returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value]
    calls_itself = any(isinstance(node, ast.Name) and node.id == function.name for node in ast.walk(function))
    return not calls_itself and any(_read(value) for value in returned)


def _baseline_has_one(case: Case, arguments: Sequence[ast.expr]) -> bool:
    """Tell whether the baseline, too, answers this input in a branch of its own."""
    function = case.baseline.functions.get(case.entry_point)
    route = follow(function, arguments) if function else Route()
    return route.within is not None


def _rebound(branch: ast.If, parameters: set[str]) -> ast.stmt | None:
    for node in branch.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(each, ast.Name) and each.id in parameters for each in targets):
            return node
    return None


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
            own = {node.id for node in ast.walk(each.generators[0].target) if isinstance(node, ast.Name)}
            return _is_edge(each.elt, names | own)
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
        case ast.Name():
            return node.id in names
        case ast.Call(func=ast.Name(id="len" | "type"), args=[ast.Name(id=name)]):
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
        case ast.Name():
            return node.id in ("int", "float", "str", "list", "tuple", "dict", "set", "bool")
        case _:
            return False


def _tests(baseline: Source) -> set[str]:
    """Return the forms of all tests of the baseline's."""
    tests = (ast.If, ast.IfExp, ast.While, ast.Assert)
    return {
        _form(node.test, function)
        for function in _all_functions(baseline)
        for node in ast.walk(function)
        if isinstance(node, tests)
    }


def _form(test: ast.expr, function: Function) -> str:
    """Return a test's tree as text, the same for all names of parameters."""
    parameters = {each.arg for each in (*function.args.posonlyargs, *function.args.args)}
    return ast.dump(_Anonymous(parameters).visit(copy.deepcopy(test)))


class _Anonymous(ast.NodeTransformer):
    def __init__(self, parameters: set[str]) -> None:
        self._parameters = parameters

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(id="#" if node.id in self._parameters else node.id, ctx=ast.Load())


def _lines(program: Source, above: Sequence[ast.If], last: ast.stmt | None) -> str:
    nodes: list[ast.stmt] = [*above[-1:], *([last] if last else [])]
    lines = sorted({node.lineno for node in nodes})
    return " leads to ".join(program.quote(line) for line in lines)
