"""From a task's prompt to its visible tests. Nothing here executes code of anyone."""

import ast

from dualcode.bench.visible import notations
from dualcode.bench.visible.doctests import add_doctests
from dualcode.bench.visible.evaluation import equates, is_constant, parse_expression, parse_statements
from dualcode.bench.visible.found import Found, calls_entry, undefined, unknown_names
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
    add_doctests(found)
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
