"""From a task's prompt to its visible tests. Nothing here executes code of anyone."""

import ast
from collections.abc import Sequence

from dualcode.bench.visible import notations
from dualcode.bench.visible.evaluation import is_constant, parse_expression, parse_statements
from dualcode.bench.visible.found import Found, undefined
from dualcode.bench.visible.interactive import add_doctests
from dualcode.bench.visible.notations import Example
from dualcode.bench.visible.queries import calls_entry, unknown_names
from dualcode.bench.visible.tests import Kind, LeftOut, VisibleTest, VisibleTests
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
    kept, dropped = _consistent(tests)
    return VisibleTests(
        task_id=task.id,
        entry_point=task.entry_point,
        tests=tuple(kept[:MOST_TESTS]),
        left_out=tuple((left_out + dropped)[:MOST_TESTS]),
    )


def _search(prompt: Prompt, text: Text, entry_point: str) -> Found:
    found = Found(prompt, entry_point, text)
    add_doctests(found)
    _add_assertions(found)
    for example in notations.call_examples(text.lines, entry_point):
        _add_example(found, "notation", example)
    if prompt.parameters:
        for example in notations.assigned_examples(
            text.lines, entry_point, prompt.parameters, prompt.required
        ):
            _add_example(found, "input-output", example)
    _add_comparisons(found)
    for example in notations.other_examples(text.lines, entry_point):
        _add_example(found, "notation", example)
    return found


def _consistent(tests: Sequence[VisibleTest]) -> tuple[list[VisibleTest], list[LeftOut]]:
    """Drop repeated tests, and those that want two different values of the same call."""
    unique = list(
        {(each.setup, each.calls, each.check, each.raises, each.output): each for each in tests}.values()
    )
    plain = [each for each in unique if not each.setup and each.check.startswith("_0 == ")]
    calls = [each.calls for each in plain]
    torn = [each for each in plain if calls.count(each.calls) > 1]
    reason = "the prompt shows two different values of this call"
    return [each for each in unique if each not in torn], [
        LeftOut(shown=each.shown, reason=reason) for each in torn
    ]


def _add_assertions(found: Found) -> None:
    lines = found.text.lines
    for start, line in enumerate(lines):
        if start in found.taken or not line.strip().startswith(("assert ", "assert(")):
            continue
        end, node = _assertion(lines, start)
        if node is None:
            continue  # `assert f(3) => 4` is a notation
        code = ast.Module([node], [])
        if not calls_entry(code, found.entry_point):
            found.leave_out(start, end, "does not use the entry point")
        elif unknown := unknown_names(node.test, found.names):
            found.leave_out(start, end, undefined(unknown))
        else:
            found.add_query(start, end, "assertion", node.test)


def _assertion(lines: Sequence[str], start: int) -> tuple[int, ast.Assert | None]:
    """Return the assertion that begins on a line, and the line behind it."""
    for end in range(start + 1, min(len(lines), start + MOST_ASSERTION_LINES) + 1):
        text = "\n".join([lines[start].strip(), *lines[start + 1 : end]])
        body = parse_statements(text)
        if body and isinstance(body[0], ast.Assert) and len(body) == 1:
            return end, body[0]
    return start + 1, None


def _add_example(found: Found, kind: Kind, example: Example) -> None:
    if found.taken.isdisjoint(range(example.start, example.end)):
        found.add_example(kind, example)


def _add_comparisons(found: Found) -> None:
    """Add lines that are a comparison of an expression around the entry point: `sorted(f(3)) == [1, 2]`."""
    for start, line in enumerate(found.text.lines):
        if start in found.taken or f"{found.entry_point}(" not in line:
            continue
        node = parse_expression(line)
        if not isinstance(node, ast.Compare) or not calls_entry(node.left, found.entry_point):
            continue
        if not unknown_names(node, found.names) and all(map(is_constant, node.comparators)):
            found.add_query(start, start + 1, "notation", node)
