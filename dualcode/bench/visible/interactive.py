"""From the interactive examples of a passage to its tests."""

import ast
import doctest
from collections.abc import Sequence
from dataclasses import replace

from dualcode.bench.visible import notations
from dualcode.bench.visible.doctests import Interaction, interactions, read_want
from dualcode.bench.visible.evaluation import dotted, parse_statements
from dualcode.bench.visible.found import Found, equation, new_test, undefined
from dualcode.bench.visible.queries import bound_names, calls_entry, source, split, unknown_names
from dualcode.bench.visible.tests import VisibleTest

# A value as a Python prompt shows it.
_SHOWN_VALUE = "(lambda value: None if value is None else repr(value))({})"


def add_doctests(found: Found) -> None:
    """Add the tests that `>>>` examples are; those that show nothing are the setup of the next."""
    known = set(found.names)
    setup: list[str] = []
    involved = False
    for each in interactions(found.text.lines):
        found.taken.update(range(each.start, each.end))
        body = parse_statements(each.source)
        if body is None or _says_in_comment(each):
            _add_written(found, each)
            continue
        code = ast.Module(body, [])
        involved = involved or calls_entry(code, found.entry_point)
        flaw = _flaw(each, body, code, known, involved)
        test = None if flaw or not body else _doctest(each, body, found)
        known.update(bound_names(code) if not flaw else ())
        if flaw:
            found.leave_out(each.start, each.end, flaw)
        elif test:
            found.add(each.start, each.end, test.model_copy(update={"setup": tuple(setup)}))
            setup = []
        elif body:
            setup.append(source(code))


def _says_in_comment(each: Interaction) -> bool:
    """Tell whether the value is told behind the call: `>>> f(3)  # => 4`."""
    remark = each.source.partition("#")[2].strip()
    return not each.want and remark.startswith(("=", "-", "return", "➞", "→"))


def _add_written(found: Found, each: Interaction) -> None:
    """Take `>>> f(3) -> 4` for what it says; other text behind `>>>` is prose."""
    lines = (each.source, *found.text.lines[each.start + 1 : each.end])
    example = next(notations.call_examples(lines, found.entry_point), None)
    if example and example.start == 0 and not example.flaw:
        end = each.start + example.end
        found.add_example("notation", replace(example, start=each.start, end=end))
    else:
        found.leave_out(each.start, each.start + 1, "not Python")


def _flaw(
    each: Interaction, body: Sequence[ast.stmt], code: ast.Module, known: set[str], involved: bool
) -> str:
    if each.flags & doctest.SKIP:
        return "skipped by its directive"
    if unknown := unknown_names(code, known):
        return undefined(unknown)
    if each.want and not involved:
        return "does not use the entry point"
    if body and not each.want and involved and _is_unfinished(body):
        return "an expression without its value"
    return ""


def _is_unfinished(body: Sequence[ast.stmt]) -> bool:
    """Tell whether an example shows an expression other than a call or a comparison, and no value."""
    last = body[-1]
    return isinstance(last, ast.Expr) and not isinstance(last.value, ast.Call | ast.Compare | ast.Await)


def _doctest(each: Interaction, body: Sequence[ast.stmt], found: Found) -> VisibleTest | None:
    """Return the test of an interaction; None for a step that shows nothing and that others build on."""
    only = body[0] if len(body) == 1 else None
    expression = only.value if isinstance(only, ast.Expr) else None
    want = read_want(each.want)
    if each.want and want.raises:
        return _raising(expression, body, want.raises, _message(want.message, each.flags))
    if expression is None:
        return _printing(source(ast.Module(list(body), [])), each) if each.want else None
    if not each.want:
        return _silent(expression, found.entry_point)
    if want.text is not None or _prints(expression):
        return _shown_text(expression, each, found.entry_point)
    query = split(equation(expression, want.value), found.entry_point)
    output = each.want if found.prompt.prints else None
    return new_test("doctest", calls=query.calls, check=query.check, output=output, flags=each.flags)


def _message(message: str | None, flags: int) -> str | None:
    return None if flags & doctest.IGNORE_EXCEPTION_DETAIL else message


def _raising(
    expression: ast.expr | None, body: Sequence[ast.stmt], raises: str, message: str | None
) -> VisibleTest:
    code = source(expression) if expression else source(ast.Module(list(body), []))
    return new_test("doctest", calls=(code,), raises=raises, message=message)


def _printing(code: str, each: Interaction) -> VisibleTest:
    return new_test("doctest", calls=(code,), output=each.want, flags=each.flags)


def _silent(expression: ast.expr, entry_point: str) -> VisibleTest | None:
    """Read an expression with nothing below it: a comparison holds, a call of the entry point gives None.

    Doctest would want a comparison to print nothing, which none does; HumanEval writes its examples so.
    """
    if isinstance(expression, ast.Compare):
        query = split(expression, entry_point)
        return new_test("doctest", calls=query.calls, check=query.check)
    if isinstance(expression, ast.Call) and dotted(expression.func) == entry_point:
        return new_test("doctest", calls=(source(expression),), check="_0 is None")
    return None


def _prints(expression: ast.expr) -> bool:
    return isinstance(expression, ast.Call) and ast.unparse(expression.func) == "print"


def _shown_text(expression: ast.expr, each: Interaction, entry_point: str) -> VisibleTest:
    if not _prints(expression):
        return _printing(_SHOWN_VALUE.format(source(expression)), each)
    printed = _only_argument(expression)
    if printed is None or "\n" in each.want or not calls_entry(printed, entry_point):
        return _printing(source(expression), each)
    # The value's own text, so that what the program prints besides cannot be taken for it.
    query = split(
        equation(ast.Call(ast.Name("str", ast.Load()), [printed], []), repr(each.want)), entry_point
    )
    return new_test("doctest", calls=query.calls, check=query.check)


def _only_argument(call: ast.expr) -> ast.expr | None:
    if not isinstance(call, ast.Call) or len(call.args) != 1 or call.keywords:
        return None
    return None if isinstance(call.args[0], ast.Starred) else call.args[0]
