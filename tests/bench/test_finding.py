"""What is found in a prompt besides its plain examples: helpers, remarks, other notations, facts."""

import pytest

from dualcode.bench.visible import visible_tests
from dualcode.bench.visible.finding import MOST_TESTS, interactions, known_results, read_want
from dualcode.bench.visible.notations import assigned_examples, call_examples, read_value
from dualcode.bench.visible.running import cut
from dualcode.bench.visible.text import MOST_CHARACTERS, closing, first_line, outside, read_prompt
from dualcode.task import Task
from tests.bench.test_visible import checks, of_docstring, reasons, run_here


def test_facts_are_the_calls_whose_value_the_prompt_shows() -> None:
    prompt = (
        'def f(n):\n    """Do it.\n    >>> f(1)\n    [2, 3]\n    >>> sorted(f(2))\n    [1]\n    >>> x = 3\n'
        '    >>> f(x)\n    4\n    """\n\nassert f(4) == 5\nassert f(5) < 6\nassert f(f(6)) == f(7)\n'
    )
    assert known_results(Task(id="T", prompt=prompt, entry_point="f")) == {"f(1)": "[2, 3]", "f(4)": "5"}


def test_a_comparison_around_the_entry_point_is_a_test_without_any_sign() -> None:
    tests = of_docstring("sorted(f(3)) == [1, 2]\nlen(f(2)) > 1 and so on\ng(f(1)) == 3")
    assert checks(tests) == [("f(3)", "sorted(_0) == [1, 2]")]


def test_assertions_of_other_things_are_left_out_with_the_reason() -> None:
    assert reasons(of_docstring("assert 1 == 1\nassert f(abc) == 2")) == [
        "does not use the entry point",
        "a name that the prompt does not define: abc",
    ]


def test_names_of_loops_functions_and_imports_of_an_example_are_its_own() -> None:
    tests = of_docstring(
        ">>> import math as m\n>>> def g(a, b=1): return a\n>>> f(g(m.pi))\n3\n"
        ">>> f([y for y in range(2)])\n1"
    )
    assert [test.setup for test in tests.tests] == [("import math as m", "def g(a, b=1):\n    return a"), ()]
    assert reasons(tests) == []


def test_imports_and_constants_of_the_prompt_may_stand_in_arguments() -> None:
    head = "import math as m\nfrom re import sub\nLIMIT = 3\n\n\ndef f(n):"
    assert len(of_docstring("f(LIMIT) -> 1\nf(m.pi) -> 2\nf(sub) -> 3", head).tests) == 3


def test_no_more_tests_are_taken_than_can_be_run() -> None:
    tests = of_docstring("\n".join(f"f({n}) -> {n}" for n in range(MOST_TESTS + 5)))
    assert len(tests.tests) == MOST_TESTS


def test_what_lies_far_behind_is_not_searched() -> None:
    prompt = f"{' ' * 79}\n" * (MOST_CHARACTERS // 80) + "x" * 100 + "\n>>> f(1)\n2\n"
    assert visible_tests(Task(id="T", prompt=prompt, entry_point="f")).tests == ()


async def test_a_setup_that_raises_fails_its_test_with_the_exception() -> None:
    result = await run_here(">>> x = f(1)\n>>> x\n2", "def f(n): return 1 // 0")
    assert result.outcomes == ("raised",)
    assert "Raised ZeroDivisionError" in (result.feedback or "")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", "4"), ("4.", "4"), ("4 # four", "4"), ("4, since 3 + 1 is 4", "4"), ("2 + 2 = 4", "4"),
        ("4 (four)", "4"), ("`4`", "4"), ("true", "True"), ("null.", "None"), ("'a=b'", "'a=b'"),
        ("[1, 2]", "[1, 2]"),
        ("-1", "-1"), ("(1, 2)", "(1, 2)"), ("1 <= 2", "1 <= 2"),
    ],
)  # fmt: skip
def test_a_value_may_be_followed_by_a_remark(text: str, value: str) -> None:
    assert read_value(text) == (value, "")


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("", "no value"), ("  ", "no value"), ("four", "the value is no literal"),
        ("4 or more", "the value is no literal"),
        ("1, 2", "several values without parentheses"), ("2 + 2 = 5", "the sides of the equation differ"),
        ("('a')", "a value in parentheses may mean a tuple of one"),
    ],
)  # fmt: skip
def test_what_may_mean_something_else_is_no_value(text: str, flaw: str) -> None:
    assert read_value(text) == ("", flaw)


def test_an_equation_in_code_may_stand_in_parentheses() -> None:
    assert read_value("('a')", code=True) == ("'a'", "")


def test_exceptions_are_read_by_name() -> None:
    example = next(call_examples(["f(-1) -> raises a ValueError."], "f"))
    assert (example.call, example.raises) == ("f(-1)", "ValueError")


@pytest.mark.parametrize(
    ("given", "call"),
    [
        ("Input: a = 1, b = 2", "f(1, 2)"), ("Input: b = 2, a = 1", "f(1, 2)"), ("Input: a = 1", "f(1)"),
        ("Input: 5", "f(5)"), ("Input: 5, 6", ""), ("Input: b = 2", ""), ("Input: a = x", ""),
        ("Input: a = 1, 2", ""),
        ("Input:", ""), ("Input: c = 1", ""),
    ],
)  # fmt: skip
def test_inputs_have_to_fit_the_signature(given: str, call: str) -> None:
    (example,) = assigned_examples([given, "Output: 3"], "f", ("a", "b"), required=1)
    assert (example.call, example.flaw == "") == (call, call != "")


def test_an_input_without_output_is_no_example() -> None:
    assert [
        each.call for each in assigned_examples(["Input: 1", "Input: 2", "Output: 3"], "f", ("a",), 1)
    ] == ["f(2)"]
    assert list(assigned_examples(["Input: 1", "and so on"], "f", ("a",), 1)) == []


def test_an_elided_line_is_output_and_no_continuation() -> None:
    (found,) = interactions([">>> f(1)", "...", "2"])
    assert (found.source, found.want) == ("f(1)", "...\n2")
    (continued,) = interactions([">>> f(", "...   1)", "2"])
    assert (continued.source, continued.want) == ("f(\n  1)", "2")


@pytest.mark.parametrize(
    ("want", "read"),
    [
        ("[1,\n 2]", ("[1, 2]", "", None)), ("hello", ("", "", "hello")),
        ("Traceback (most recent call last):\n  File x\nKeyError: 'a'", ("", "KeyError", None)),
        ("Traceback (most recent call last):\n    ...", ("", "Exception", None)),
        ("ValueError: no", ("", "ValueError", None)),
        ("my.OddError", ("", "my.OddError", None)), ("", ("", "", "")),
    ],
)  # fmt: skip
def test_output_is_a_value_an_exception_or_text(want: str, read: tuple[str, str, str | None]) -> None:
    found = read_want(want)
    assert (found.value, found.raises, found.text) == read


def test_a_signature_in_prose_is_read_with_its_types() -> None:
    prompt = read_prompt("Write\n\n```python\nasync def f(a: int, b: list = []) -> int:\n```\n", "f")
    assert prompt.parameters == ("a", "b")
    assert prompt.required == 1
    assert prompt.signature is not None
    assert prompt.signature.returns is not None
    assert read_prompt("def f(a", "f").signature is None
    assert read_prompt("Write a class:\n\nclass F: with a method", "F").is_class
    assert not read_prompt("Write a class of F", "F").is_class


def test_brackets_and_strings_are_told_from_what_stands_around_them() -> None:
    assert closing("f(')', [1]) -> 2", 1) == 11
    assert closing("f((1)", 1) is None
    assert outside("a = 'b=c' (d=e) = f", "=") == [2, 16]
    assert first_line("[1,\n2]\n3") == "[1,\n2]"
    assert first_line("[1,\n2") == "[1,"
    assert first_line("1") == "1"


@pytest.mark.parametrize("most", [60, 100, 299])
def test_a_text_is_cut_in_its_middle_to_the_length_that_was_asked_for(most: int) -> None:
    text = "begin" + "x" * 300 + "end"
    assert len(cut(text, most)) <= most
    assert cut(text, most).startswith("begin")
    assert cut(text, most).endswith("end")
    assert "308 characters in all" in cut(text, most)
    assert cut(text, 308) == text
