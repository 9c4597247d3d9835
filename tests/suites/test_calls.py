"""What is read off the text of a task without running it: the calls of its tests, and its entry point."""

import ast

import pytest

from dualcode.suites.calls import LiteralCall, NeedsReferenceError, literal_calls
from dualcode.suites.source import Flaw, definition_flaw, name_flaw, parse


def calls(text: str) -> list[tuple[list[object], str]]:
    return [(call.arguments, call.wanted) for call in literal_calls(ast.parse(text), "f")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("assert f(1) == 2", [([1], "2")]),
        ("assert f(1, 'a') is None", [([1, "a"], "None")]),
        ("assert f([1, {'a': (2,)}]) == {3}", [([[1, {"a": (2,)}]], "{3}")]),
        ("assert 2 == f(1)", [([1], "")]),
        ("assert f(1) != 2", [([1], "")]),
        ("assert f(-1) < 0 and True", [([-1], "")]),
        ("x = f(1)\nassert x == 2", [([1], "")]),
        ("f(1)", [([1], "")]),
        ("with raises(ValueError):\n    f(0)", [([0], "")]),
        ("import math\nassert math.isclose(f(0.5), 1.0)", [([0.5], "")]),
        ("def test_b():\n    assert f(2) == 2\nassert f(1) == 1\n", [([1], "1"), ([2], "2")]),
        ("def test_b():\n    assert f(1)\ndef test_a():\n    assert f(2)\n", [([1], ""), ([2], "")]),
        ("def close(a, b): return abs(a - b) < 1\nassert close(f(1), 2)", [([1], "")]),
        ("assert len([f(1), f(2)]) == 2", [([1], ""), ([2], "")]),
    ],
)
def test_calls_of_literal_tests_are_read_in_the_order_in_which_they_are_made(
    text: str, found: list[tuple[list[object], str]]
) -> None:
    assert calls(text) == found


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("assert f(1 + x) == 2\nx = 1", 1, "no literal"),
        ("\nassert f(f(1)) == 2", 2, "no literal"),
        ("for n in (1, 2):\n    assert f(n)", 2, "course is not fixed"),
        ("assert True and f(1)", 1, "whether f is called is not fixed"),
        ("assert 0 < 1 < f(1)", 1, "whether f is called is not fixed"),
        ("assert [f(n) for n in (1, 2)]", 1, "whether f is called is not fixed"),
        ("assert f(1) if True else 0", 1, "whether f is called is not fixed"),
        ("assert all(map(f, (1, 2)))", 1, "f is passed on"),
        ("with open(f(1)):\n    pass", 1, "a with statement uses f"),
        ("def helper():\n    return f(1)\nassert helper()", 2, r"helper\(\) uses f"),
        ("def check(candidate):\n    assert candidate(1)", 1, "needs a reference"),
        ("assert f(1) == LIMIT", 1, "LIMIT is defined nowhere"),
        ("with raises(Negative):\n    f(0)", 1, "Negative is defined nowhere"),
    ],
)
def test_tests_whose_calls_hang_on_a_reference_are_refused_with_their_line(
    text: str, line: int, why: str
) -> None:
    with pytest.raises(NeedsReferenceError, match=why) as caught:
        calls(text)
    assert caught.value.flaw.line == line


@pytest.mark.parametrize(
    "text",
    [
        "LIMIT = 2\nassert f(1) == LIMIT",
        "from math import *\nassert f(1) == pi",
        "import os.path\nassert f(1) == os.sep",
        "class E(Exception): pass\ndef test():\n    try: f(1)\n    except E as e: assert str(e)",
        "def same(a, *rest, **more): return (a, rest, more)\nassert same(f(1))",
        "assert f(1) == [n for n in range(3)]",
    ],
)
def test_names_that_the_tests_define_themselves_are_known(text: str) -> None:
    try:
        literal_calls(ast.parse(text), "f")
    except NeedsReferenceError as error:
        assert "defined nowhere" not in error.flaw.what


def test_a_call_s_wanted_value_is_python_for_it() -> None:
    assert calls("assert f(1) == [1.5, 'é', None, True]") == [([1], "[1.5, 'é', None, True]")]
    assert LiteralCall([1], "2").wanted == "2"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "missing"),
        (None, "missing"),
        (3, "missing"),
        ("a b", "no name"),
        ("class", "no name"),
        ("a.", "no name"),
    ],
)
def test_what_is_no_name_of_a_function_is_no_entry_point(name: object, why: str) -> None:
    assert why in (name_flaw(name) or "")


def test_a_method_s_name_says_what_to_ask_for_instead() -> None:
    assert "a function that uses Stack" in (name_flaw("Stack.push") or "")
    assert name_flaw("push") is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def f(): pass", None),
        ("f = lambda: 1", None),
        ("from math import floor as f", None),
        ("if True:\n    def f(): pass\nelse:\n    f = None", None),
        ("try:\n    from a import f\nexcept ImportError:\n    def f(): pass", None),
        ("f: int = 3", None),
        ("def g(): pass", "is not defined"),
        ("def g():\n    def f(): pass", "is not defined"),
        ("class f: pass", "is a class"),
        ("def f(): pass\nclass f: pass", "is a class"),
        ("async def f(): pass", "is a coroutine"),
        ("class A:\n    def f(self): pass", "is a method of A"),
    ],
)
def test_an_entry_point_is_a_function_of_the_module_whatever_defines_it(text: str, why: str | None) -> None:
    tree = parse(text)
    assert isinstance(tree, ast.Module)
    found = definition_flaw(tree, "f")
    assert (why is None and found is None) or (why or "") in (found.what if found else "")
    assert (found is None) is (why is None)


@pytest.mark.parametrize(
    ("text", "line"), [("x = (", 1), ("a = 1\nb = = 2", 2), ("x = '\0'", 1), ("return", 1)]
)
def test_a_text_that_does_not_compile_is_a_flaw_with_its_line(text: str, line: int) -> None:
    flaw = parse(text)
    assert isinstance(flaw, Flaw)
    assert (flaw.line, "does not compile" in flaw.what) == (line, True)
