"""From a task's prompt to its visible tests. Nothing here executes code of anyone."""

import ast
import doctest
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dualcode.bench.visible import notations
from dualcode.bench.visible.evaluation import (
    UnfitError,
    dotted,
    equates,
    is_constant,
    parse_expression,
    parse_statements,
)
from dualcode.bench.visible.found import (
    UNDECIDED,
    Found,
    bound_names,
    calls_entry,
    equation,
    new_test,
    source,
    undefined,
    unknown_names,
)
from dualcode.bench.visible.tests import LeftOut, VisibleTest, VisibleTests
from dualcode.bench.visible.text import Prompt, Text, read_prompt
from dualcode.task import Task

MOST_TESTS = 64
"""Of one prompt."""
MOST_ASSERTION_LINES = 40


def visible_tests(task: Task) -> VisibleTests:
    """Return the tests that the task's prompt shows, in its order; any prompt at all gives a value."""
    tests: list[VisibleTest] = []
    left_out: list[LeftOut] = []
    prompt = read_prompt(task.prompt, task.entry_point)
    for readings in prompt.passages if task.entry_point.isidentifier() else ():
        found = max(
            (_search(prompt, text, task.entry_point) for text in readings), key=lambda f: len(f.tests)
        )
        tests += [test for _, test in sorted(found.tests, key=lambda each: each[0])]
        left_out += found.left_out
    unique = list(
        {(each.setup, each.calls, each.check, each.raises, each.output): each for each in tests}.values()
    )
    plain = [each for each in unique if not each.setup and each.check.startswith("_0 == ")]
    calls = [each.calls for each in plain]
    torn = [each for each in plain if calls.count(each.calls) > 1]
    reason = "the prompt shows two different values of this call"
    left_out += [LeftOut(shown=each.shown, reason=reason) for each in torn]
    return VisibleTests(
        task_id=task.id,
        entry_point=task.entry_point,
        tests=tuple([each for each in unique if each not in torn][:MOST_TESTS]),
        left_out=tuple(left_out[:MOST_TESTS]),
    )


def _search(prompt: Prompt, text: Text, entry_point: str) -> Found:
    found = Found(prompt, entry_point, text)
    _add_doctests(found)
    _add_assertions(found)
    found.add_examples("notation", notations.call_examples(text.lines, entry_point))
    if parameters := prompt.parameters:
        assigned = notations.assigned_examples(text.lines, entry_point, parameters, prompt.required)
        found.add_examples("input-output", assigned)
    # A comparison of an expression around the entry point: `sorted(f(3)) == [1, 2]`.
    for start, line in enumerate(text.lines):
        node = parse_expression(line) if start not in found.taken and f"{entry_point}(" in line else None
        if not isinstance(node, ast.Compare) or not calls_entry(node.left, entry_point):
            continue
        if not unknown_names(node, found.names) and all(map(is_constant, node.comparators)):
            found.add_query(start, start + 1, "notation", node)
    found.add_examples("notation", notations.other_examples(text.lines, entry_point))
    return found


def _add_assertions(found: Found) -> None:
    lines = found.text.lines
    for start, line in enumerate(lines):
        if start in found.taken or not line.strip().startswith(("assert ", "assert(")):
            continue
        for end in range(start + 1, min(len(lines), start + MOST_ASSERTION_LINES) + 1):
            match parse_statements("\n".join([line.strip(), *lines[start + 1 : end]])):
                case [ast.Assert() as node]:
                    break
                case _:
                    pass
        else:
            continue  # `assert f(3) => 4` is a notation
        if not calls_entry(node, found.entry_point):
            found.leave_out(start, end, "does not use the entry point")
        elif unknown := unknown_names(node.test, found.names):
            found.leave_out(start, end, undefined(unknown))
        else:
            found.add_query(start, end, "assertion", node.test)


def known_results(task: Task) -> dict[str, str]:
    """Return call -> result, both as source, for the examples that are one call compared with one value.

    They are facts that no model may contradict.
    """
    known: dict[str, str] = {}
    for test in visible_tests(task).tests:
        check = parse_expression(test.check)
        if len(test.calls) == 1 and not test.setup and equates(check) and isinstance(check.left, ast.Name):
            known[test.calls[0]] = ast.unparse(check.comparators[0])
    return known


# Interactive examples: `>>>` lines, what follows them, and the tests that they are

MOST_LINES = 100
"""Lines of one example's source, and of its output."""

_OWN_CLASS = re.compile(r"([A-Za-z_]\w*)\(")
_PROMPT = re.compile(r"(?P<indent>\s*)>>>(?P<source>\s.*|)$")
_BARE = re.compile(r"(?P<indent>\s*)>>>(?P<source>\S.*)$")
_MORE = re.compile(r"\s*\.\.\.(?:\s(?P<source>.*)|)$")
_DIRECTIVE = re.compile(r"#\s*doctest:\s*(?P<options>[^\n]*)")
_TRACEBACK = re.compile(r"Traceback \((?:most recent call last|innermost last)\):")
_EXCEPTION = re.compile(r"(?P<name>[A-Za-z_][\w.]*)(?::\s*(?P<message>.*))?$", re.DOTALL)
_BARE_EXCEPTION = re.compile(
    r"(?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit|Iteration|Warning)\b(?::\s.*)?$"
)
_PROSE = re.compile(r"[A-Z][a-z']*(?:[ ,:]|$)|[A-Za-z_]\w*\(.*\)\s*(?:==|=>|->|returns?\b|raises?\b)")


@dataclass(frozen=True)
class Interaction:
    """One `>>>` example."""

    source: str
    want: str
    """What is shown below it, without the indent; empty: nothing."""
    start: int
    end: int
    """The lines that it takes, without what was cut off the want."""
    flags: int
    """Doctest's option flags."""


@dataclass(frozen=True)
class Wanted:
    """What an interaction shows, by what it is."""

    value: str = ""
    """An expression without names."""
    raises: str = ""
    message: str | None = None
    text: str | None = None


def interactions(lines: Sequence[str]) -> Iterator[Interaction]:
    """Yield the examples in order; a `>>>` in mid-line is prose."""
    index = 0
    while index < len(lines):
        match = _PROMPT.match(lines[index]) or _BARE.match(lines[index])
        if match is None:
            index += 1
            continue
        interaction = _interaction(lines, index, match["indent"], match["source"])
        yield interaction
        index = interaction.end


def _interaction(lines: Sequence[str], start: int, indent: str, first: str) -> Interaction:
    sources, index = [first.strip() if first[:1].isspace() else first], start + 1
    most = min(len(lines), start + MOST_LINES)
    while index < most and (more := _MORE.match(lines[index])):
        if lines[index].strip() == "..." and parse_expression("\n".join(sources)) is not None:
            break  # elided output, below a source that is whole
        sources.append(more["source"] or "")
        index += 1
    wants: list[str] = []
    if start == 0 and not indent:  # behind the quotes of a docstring, whose other lines are indented
        margins = [len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()]
        indent = " " * min(margins, default=0)
    most = min(len(lines), index + MOST_LINES)
    while index < most and (stripped := lines[index].strip()) and lines[index].startswith(indent):
        # A stub that is quoted in prose: its docstring, or the code block, ends here.
        if stripped.startswith((">>>", "```", '"""', "'''")):
            break
        wants.append(lines[index][len(indent) :].rstrip())
        index += 1
    if not is_constant(parse_expression("\n".join(wants))):
        # A sentence may follow a literal without a blank line.
        prose = (count for count in range(1, len(wants)) if _PROSE.match(wants[count]))
        cut = next(
            (count for count in prose if is_constant(parse_expression("\n".join(wants[:count])))), None
        )
        wants = wants[:cut]
    source = "\n".join(sources)
    end = start + len(sources) + len(wants)
    flags = doctest.ELLIPSIS if any("..." in want for want in wants) else 0
    for directive in _DIRECTIVE.finditer(source):
        for option in directive["options"].replace(",", " ").split():
            if option[0] == "+":
                flags |= doctest.OPTIONFLAGS_BY_NAME.get(option[1:], 0)
    return Interaction(source, "\n".join(wants), start, end, flags)


def read_want(want: str) -> Wanted:
    """Say what an interaction's output is: a value, an exception, or other text."""
    told = want if _BARE_EXCEPTION.match(want) and "\n" not in want else ""
    if _TRACEBACK.match(want):
        lines = [line for line in want.split("\n") if line[:1].isalpha() and not _TRACEBACK.match(line)]
        told = next(filter(_EXCEPTION.match, reversed(lines)), "Exception")
    if exception := _EXCEPTION.match(told):
        return Wanted(raises=exception["name"], message=exception["message"])
    node = parse_expression(want)
    if is_constant(node) and node is not None:
        return Wanted(value=ast.unparse(node))
    return Wanted(text=want)


def _add_doctests(found: Found) -> None:
    """Add the tests that `>>>` examples are; those that show nothing are the setup of the next."""
    setup: list[str] = []
    involved = False
    for each in interactions(found.text.lines):
        found.taken.update(range(each.start, each.end))
        body = parse_statements(each.source)
        remark = each.source.partition("#")[2].strip()
        # The value may be told behind the call: `>>> f(3)  # => 4`.
        if body is None or (not each.want and remark.startswith(("=", "-", "return", "➞", "→"))):
            _add_written(found, each)
            continue
        code = ast.Module(body, [])
        involved = involved or calls_entry(code, found.entry_point)
        try:
            test = _read_test(each, code, found, involved)
        except UnfitError as flaw:
            found.leave_out(each.start, each.end, str(flaw))
            continue
        found.bound.update(bound_names(code))
        if test:
            found.add(each.start, each.end, test.model_copy(update={"setup": tuple(setup)}))
            setup = []
        elif body:
            setup.append(source(code))
    found.bound.clear()


def _add_written(found: Found, each: Interaction) -> None:
    """Take `>>> f(3) -> 4` for what it says; other text behind `>>>` is prose."""
    lines = (each.source, *found.text.lines[each.start + 1 : each.end])
    example = next(notations.call_examples(lines, found.entry_point), None)
    if example and example.start == 0 and not example.flaw:
        end = each.start + example.end
        found.add_example("notation", replace(example, start=each.start, end=end))
    else:
        found.leave_out(each.start, each.start + 1, "not Python")


def _read_test(each: Interaction, code: ast.Module, found: Found, involved: bool) -> VisibleTest | None:
    """Return the test of an interaction; None for a step that shows nothing and that others build on.

    Raises UnfitError with the reason if it is neither.
    """
    last = code.body[-1] if code.body else None
    expression = last.value if isinstance(last, ast.Expr) and len(code.body) == 1 else None
    if each.flags & doctest.SKIP:
        raise UnfitError("skipped by its directive")
    if unknown := unknown_names(code, found.names | found.bound):
        raise UnfitError(undefined(unknown))
    if each.want and not involved:
        raise UnfitError("does not use the entry point")
    if each.want:
        return _wanting(each, code, expression, found) if code.body else None
    tells = isinstance(last, ast.Expr) and not isinstance(last.value, ast.Call | ast.Compare | ast.Await)
    if involved and tells:
        raise UnfitError("an expression without its value")
    if isinstance(last, ast.Assert) and len(code.body) == 1:
        return found.query("doctest", last.test) if calls_entry(code, found.entry_point) else None
    # Doctest would want a comparison to print nothing, which none does; HumanEval writes its examples so.
    if isinstance(expression, ast.Compare):
        return found.query("doctest", expression)
    if isinstance(expression, ast.Call) and dotted(expression.func) == found.entry_point:
        return new_test("doctest", calls=(source(expression),), check="_0 is None")
    if involved and found.split(code)[0] and not found.hands_on(code):
        raise UnfitError(UNDECIDED)
    return None


def _wanting(each: Interaction, code: ast.Module, expression: ast.expr | None, found: Found) -> VisibleTest:
    """Return the test of an interaction that shows an exception, a value or a text."""
    want = read_want(each.want)
    printing: dict[str, object] = {"output": each.want, "flags": each.flags}
    if want.raises:
        message = None if each.flags & doctest.IGNORE_EXCEPTION_DETAIL else want.message
        return new_test("doctest", calls=(source(expression or code),), raises=want.raises, message=message)
    if isinstance(expression, ast.Call) and dotted(expression.func) == "print":
        alone = len(expression.args) == 1 and not expression.keywords and "\n" not in each.want
        if alone and not isinstance(printed := expression.args[0], ast.Starred) and found.split(printed)[0]:
            # The value's own text, so that what the program prints besides cannot be taken for it.
            text = ast.Call(ast.Name("str", ast.Load()), [printed], [])
            return found.query("doctest", equation(text, repr(each.want)))
    elif expression is not None and want.text is None:
        if not found.prompt.prints:
            printing["output"] = None
        return found.query("doctest", equation(expression, want.value), **printing)
    elif expression is not None and isinstance(found.split(expression)[1], ast.Name):
        shown = _OWN_CLASS.match(each.want)
        if shown and shown[1] in found.prompt.classes:
            # How its objects are written is the program's own, as their methods are.
            check = ast.unparse(equation(ast.Name("_0", ast.Load()), repr(each.want)))
            return new_test("doctest", calls=(f"'%r' % ({source(expression)},)",), check=check)
        if each.want.startswith("<") and not found.prompt.prints:
            raise UnfitError(UNDECIDED)  # `<class 'int'>`
        return new_test("doctest", calls=(source(expression),), **printing)
    elif expression is not None:
        raise UnfitError(UNDECIDED)
    if not found.hands_on(code):
        raise UnfitError(UNDECIDED)
    return new_test("doctest", calls=(source(expression or code),), **printing)
