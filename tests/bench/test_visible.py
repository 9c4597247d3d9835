"""Visible tests: found in a prompt, run on a program, and told to a model."""

import contextlib
import io
import json
import textwrap
import traceback
import warnings
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode.bench.visible import VisibleResult, VisibleTests, run_visible, visible_tests
from dualcode.bench.visible.checking import render
from dualcode.bench.visible.evaluation import UnfitError, evaluate, matches, parse_expression
from dualcode.bench.visible.running import MOST_CHARACTERS
from dualcode.errors import SandboxError
from dualcode.sandbox import codec, open_sandbox
from dualcode.sandbox.job import Ending, Expressions, Job, Limits, Ran, digest, frame
from dualcode.sandbox.sandbox import Sandbox, Tier
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from dualcode.task import Task
from tests.suites.data import HUMANEVAL_PLUS, MBPP_PLUS, needs_data


def of_docstring(body: str, signature: str = "def f(n):", name: str = "f") -> VisibleTests:
    """Find the tests of a function whose docstring this is."""
    doc = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
    prompt = f'{signature}\n    """Do it.\n\n{doc}\n    """\n'
    return visible_tests(Task(id="T/1", prompt=prompt, entry_point=name))


def checks(tests: VisibleTests) -> list[tuple[str, ...]]:
    """Return each test's calls and its check."""
    return [(*test.calls, test.check) for test in tests.tests]


def reasons(tests: VisibleTests) -> list[str]:
    return [each.reason for each in tests.left_out]


# What is a test


def test_doctest_with_a_literal_is_compared_as_a_value() -> None:
    tests = of_docstring(">>> f(3)\n4\n>>> f([1, 2])\n[2, 3]")
    assert checks(tests) == [("f(3)", "_0 == 4"), ("f([1, 2])", "_0 == [2, 3]")]
    assert tests.shown == (">>> f(3)\n4", ">>> f([1, 2])\n[2, 3]")
    assert {test.kind for test in tests.tests} == {"doctest"}


def test_doctest_continues_over_lines_on_both_sides() -> None:
    tests = of_docstring(">>> f(\n...     [1,\n...      2])\n[1,\n 2]")
    assert checks(tests) == [("f([1, 2])", "_0 == [1, 2]")]


def test_doctest_ends_at_a_blank_line_and_at_prose_behind_a_literal() -> None:
    tests = of_docstring(">>> f(1)\n2\n\nMore words.\n>>> f(2)\n3\nNote that this is prose.")
    assert checks(tests) == [("f(1)", "_0 == 2"), ("f(2)", "_0 == 3")]
    assert tests.shown[1] == ">>> f(2)\n3"


def test_earlier_lines_of_a_doctest_are_its_setup() -> None:
    tests = of_docstring(">>> xs = [3, 1]\n>>> f(xs)\n>>> xs\n[1, 3]\n>>> f(1)\n2")
    assert [test.setup for test in tests.tests] == [("xs = [3, 1]",), (), ()]
    assert checks(tests) == [("f(xs)", "_0 is None"), ("xs", "_0 == [1, 3]"), ("f(1)", "_0 == 2")]


def test_doctest_with_a_traceback_wants_the_exception_and_its_message() -> None:
    shown = ">>> f(-1)\nTraceback (most recent call last):\n    ...\nValueError: negative"
    (test,) = of_docstring(shown).tests
    assert (test.calls, test.raises, test.message) == (("f(-1)",), "ValueError", "negative")
    (detail,) = of_docstring(shown.replace("f(-1)", "f(-1)  # doctest: +IGNORE_EXCEPTION_DETAIL")).tests
    assert detail.message is None


def test_comparison_without_output_has_to_hold() -> None:
    tests = of_docstring(">>> f(1) == 2\n>>> f(2) == 3\nTrue\n>>> f(1) < f(2)")
    assert checks(tests) == [
        ("f(1)", "_0 == 2"),
        ("f(2)", "(_0 == 3) == True"),
        ("f(1)", "f(2)", "_0 < _1"),
    ]


def test_call_without_output_gives_none_and_other_expressions_are_left_out() -> None:
    assert checks(of_docstring(">>> f([])\n\n>>> f([1])\n1")) == [
        ("f([])", "_0 is None"),
        ("f([1])", "_0 == 1"),
    ]
    assert reasons(of_docstring(">>> f([1, 0]) [0, 1]")) == ["an expression without its value"]


def test_printed_output_is_compared_as_text() -> None:
    tests = of_docstring(">>> f(2)\nhello 2\nbye\n>>> print(f(3))\n4\n>>> x = 4; f(x)\n1\n2")
    assert [test.output for test in tests.tests] == ["hello 2\nbye", None, "1\n2"]
    assert checks(tests)[1] == ("f(3)", "str(_0) == '4'")


def test_printed_number_counts_only_where_the_prompt_says_that_it_prints() -> None:
    says = 'def f(n):\n    """Print n.\n    >>> f(3)\n    4\n    """\n'
    (test,) = visible_tests(Task(id="T", prompt=says, entry_point="f")).tests
    assert (test.check, test.output) == ("_0 == 4", "4")
    (other,) = of_docstring(">>> f(3)\n4").tests
    assert other.output is None


def test_directives_are_obeyed() -> None:
    tests = of_docstring(">>> f(1)  # doctest: +SKIP\n2\n>>> f(2)  # doctest: +ELLIPSIS\ndate(...)")
    assert reasons(tests) == ["skipped by its directive"]
    assert [test.output for test in tests.tests] == ["date(...)"]


def test_prose_with_a_prompt_sign_is_no_test() -> None:
    tests = of_docstring("Use >>> f(3) to call it.\n>>> is the sign of a prompt\nwhich gives 4")
    assert tests.tests == ()
    assert reasons(tests) == ["not Python"]


def test_assertion_of_mbpp_is_a_test() -> None:
    prompt = '"""\nWrite a function to add.\nassert add(1, 2)==3\n"""\n'
    tests = visible_tests(Task(id="Mbpp/1", prompt=prompt, entry_point="add"))
    assert checks(tests) == [("add(1, 2)", "_0 == 3")]
    assert tests.shown == ("assert add(1, 2)==3",)


@pytest.mark.parametrize(
    ("line", "check"),
    [
        ("assert set(f(1)) == set([1, 2])", ("f(1)", "set(_0) == set([1, 2])")),
        ("assert math.isclose(f(1), 2.5, rel_tol=0.1)", ("f(1)", "math.isclose(_0, 2.5, rel_tol=0.1)")),
        ("assert not f(1), 'no'", ("f(1)", "not _0")),
        ("assert f(f(1)) == f(2)", ("f(f(1))", "f(2)", "_0 == _1")),
        ("assert f(math.pi) == 1", ("f(3.141592653589793)", "_0 == 1")),
        ("assert f(math.tau) == 1", ("f(__import__('math').tau)", "_0 == 1")),
        ("assert f(set([2, 1]), list(range(2)), set()) == 1", ("f({1, 2}, [0, 1], {*()})", "_0 == 1")),
        ("assert f(range(2), float('inf')) == 1", ("f(range(2), 1e309)", "_0 == 1")),
        (">>> x = sorted([2, 1])\n>>> f(x)\n3", ("f(x)", "_0 == 3")),
        ("assert f(1).upper() == 'A'", ("f(1)", "_0.upper() == 'A'")),
        ("assert [x for x in f(1)] == [1]", ("f(1)", "[x for x in _0] == [1]")),
        ("assert all(x for x in f(1))", ("f(1)", "all((x for x in _0))")),
        ("assert isinstance(f(1), int)", ("f(1)", "isinstance(_0, int)")),
        ("assert type(f(1)) is list", ("f(1)", "type(_0) is list")),
        ("assert f(1)[:2] == 'ab'", ("f(1)", "_0[:2] == 'ab'")),
        ("assert f(1) == (2 if f(2) else 3)", ("f(1)", "f(2)", "_0 == (2 if _1 else 3)")),
        ("assert f(2)(3) == 5", ("f(2)(3)", "_0 == 5")),
        (">>> assert f(1) == 2", ("f(1)", "_0 == 2")),
    ],
)
def test_only_what_needs_the_program_is_run_with_it(line: str, check: tuple[str, ...]) -> None:
    assert checks(of_docstring(line)) == [check]


def test_assertion_may_take_several_lines_and_stand_below_the_function() -> None:
    tests = of_docstring("assert f([\n    1,\n]) == [\n    2]")
    assert checks(tests) == [("f([1])", "_0 == [2]")]
    prompt = 'def f(n):\n    """Do it."""\n\nassert f(1) == 2\n'
    assert checks(visible_tests(Task(id="T", prompt=prompt, entry_point="f"))) == [("f(1)", "_0 == 2")]


@pytest.mark.parametrize(
    "line",
    [
        "f(3) == 4", "f(3) = 4", "f(3) => 4", "f(3) ==> 4", "f(3)==>4", "f(3) -> 4", "f(3) ->4", "f(3) ➞ 4",
        "f(3) → 4", "f(3) returns 4", "f(3) should return 4.", "f(3)   # returns 4", "f(3) # => 4",
        "* f(3) -> 4", "for f(3) == 4", "f(3) -> 4 (since 3 + 1 is 4)", "f(3) -> 3 + 1 = 4", "1. f(3) -> 4",
        "`f(3)` -> `4`",
        ">>> f(3) -> 4", ">>> f(3) # => 4", "assert f(3) => 4", "f(3) == 4 # 3 + 1", "e.g. f(3) gives 4",
    ],
)  # fmt: skip
def test_notation_is_read(line: str) -> None:
    assert checks(of_docstring(line)) == [("f(3)", "_0 == 4")]


@pytest.mark.parametrize(
    "line",
    [
        "f(3) is what you call.", "Given f(3), return 4.", "f(n) -> 4", "f(3) -> four", "f(3) -> f(2) + 1",
        "f(3) -> 4, 5", 'f(3) -> ("a")', "f(3) = 4 = 5", "g(3) -> 4", "f(3", "f(3) ->", "f(3) -> 4 or more",
        "f(3)", "f(3) = 9**9**9",
    ],
)  # fmt: skip
def test_what_may_be_prose_is_no_test(line: str) -> None:
    assert of_docstring(line).tests == ()


def test_notation_takes_json_words_lines_and_exceptions() -> None:
    tests = of_docstring(
        "f([\n  1,\n  2\n]) == [3,\n  4]\nf(1) => true\nf(2) -> null\nf(-1) raises ValueError"
    )
    assert checks(tests)[:3] == [
        ("f([1, 2])", "_0 == [3, 4]"),
        ("f(1)", "_0 == True"),
        ("f(2)", "_0 == None"),
    ]
    assert tests.tests[3].raises == "ValueError"


def test_definition_by_recurrence_is_no_example() -> None:
    tests = of_docstring("f(1) = 3\nf(n) = f(n - 1) + 1\nFor example:\nf(3) = [3, 4, 5]")
    assert checks(tests) == [("f(3)", "_0 == [3, 4, 5]")]
    assert reasons(tests) == ["part of a definition, no example"] * 2


def test_two_values_of_one_call_are_left_out() -> None:
    tests = of_docstring("f(1) -> 2\nf(1) -> 3\nf(2) -> 4\nf(2) -> 4")
    assert checks(tests) == [("f(2)", "_0 == 4")]
    assert reasons(tests) == ["the prompt shows two different values of this call"] * 2


def test_inputs_and_outputs_are_read_by_the_signature() -> None:
    body = """
        Input: a = [1, 2], b = 3
        Output: 4  # so
        For b = 1, a = [] the output should be 2.
        Input: [1], 5
        Output: [6,
                 7]
        Input: c = 1
        Output: 2
    """
    tests = of_docstring(body, "def f(a, b):")
    assert checks(tests) == [
        ("f([1, 2], 3)", "_0 == 4"),
        ("f([], 1)", "_0 == 2"),
        ("f([1], 5)", "_0 == [6, 7]"),
    ]
    assert reasons(tests) == ["the arguments do not fit the signature"]


def test_names_that_the_prompt_does_not_define_make_no_test() -> None:
    assert reasons(of_docstring("f(abc) => 1")) == ["a name that the prompt does not define: abc"]
    assert reasons(of_docstring(">>> g(3)\n4")) == ["a name that the prompt does not define: g"]
    helper = "def g(n):\n    return n\n\n\ndef f(n):"
    assert checks(of_docstring(">>> f(g(3))\n4", helper)) == [("f(g(3))", "_0 == 4")]


def test_backslashes_are_read_as_written_or_as_python_does() -> None:
    once = of_docstring(r">>> f('a\nb')" + "\n'a'")
    twice = of_docstring(r">>> f('a\\nb')" + "\n'a'")
    assert checks(once) == checks(twice) == [(r"f('a\nb')", "_0 == 'a'")]
    assert twice.shown == (r">>> f('a\\nb')" + "\n'a'",)  # as the prompt shows it


def test_prose_specification_with_fences_is_searched() -> None:
    prompt = (
        "# f\n\nAdds one.\n\n```python\ndef f(a, b): ...\n```\n\n```\n>>> f(1, 1)\n2\n```\n\n"
        "Input: a = 2, b = 1\nOutput: 3\n"
    )
    tests = visible_tests(Task(id="T", prompt=prompt, entry_point="f"))
    assert checks(tests) == [("f(1, 1)", "_0 == 2"), ("f(2, 1)", "_0 == 3")]


_PIECES = st.sampled_from(
    [
        ">>> ", "... ", "f(", ")", "[", "]", "1",
        "'", '"', '"""', "\\", "\n", "\n    ", " -> ", " == ", " = ",
        "assert ", "Input: ", "Output: ", "For n = ", "the output should be ", "ValueError: x", "def f(n):",
        "Traceback (most recent call last):", "lambda x: ", "{", "}", "#", " ➞ ", "n", "f", ".", ",", "not ",
        "**", "9", "0x", "\t", "\f", "é", "\0",
    ]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(st.text(), st.lists(_PIECES, max_size=60).map("".join)),
    st.sampled_from(["f", "", "é", "def", "a b"]),
)
def test_any_prompt_gives_a_value(prompt: str, name: str) -> None:
    task = Task(id="T", prompt=prompt, entry_point=name)
    tests = visible_tests(task)
    assert tests == visible_tests(task)
    assert VisibleTests.model_validate_json(tests.to_line()) == tests


@settings(max_examples=100, deadline=None)
@given(st.lists(_PIECES, max_size=40).map("".join))
def test_every_shown_line_stands_in_the_prompt(body: str) -> None:
    prompt = f'def f(n):\n    """Do it.\n{body}\n    """\n'.replace("\r", "")
    tests = visible_tests(Task(id="T", prompt=prompt, entry_point="f"))
    assert all(line.strip() in prompt for shown in tests.shown for line in shown.split("\n"))


# Evaluation outside the jail


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3), st.lists, max_leaves=8
    )
)
def test_values_match_themselves(value: object) -> None:
    assert matches(value, value)


def test_floats_match_as_in_evalplus_and_nothing_else_is_lenient() -> None:
    assert matches([0.1 + 0.2, {"a": 1 / 3}], [0.3, {"a": 0.3333333}])
    assert matches(2, 2.0)
    assert not matches(0.334, 1 / 3)
    assert not matches((1, 2), [1, 2])
    assert not matches(10**30 + 1, 10**30)
    assert not matches(1e300, float("inf"))


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "'a' * 10**9",
        "list(range(10**12))",
        "'%9999999d' % 1",
        "round(1, -10**9)",
        "open('x')",
        "[x for x in range(5000)]",
        "[y for x in range(9) for y in range(9)]",
        "[[y for y in range(9)] for x in range(9)]",
        "'a'.join(['b'])",
        "(1).bit_length()",
        "type(x)",
        "x",
    ],
)
def test_work_without_bound_is_refused(text: str) -> None:
    node = parse_expression(text)
    assert node is not None
    with pytest.raises(UnfitError):
        evaluate(node, {})


def test_sets_are_written_in_one_order() -> None:
    assert render({"b", "a", "c"}) == "{'a', 'b', 'c'}"
    assert render([(), (1,), frozenset(), {2: set()}]) == "[(), (1,), frozenset(), {2: set()}]"
    assert render(10**5000) == "<a int>"


# Running


class InProcess:
    """A sandbox for programs that these tests wrote: runs them here, and answers as a real one does."""

    tier = Tier(name="unsafe", holds=())

    def __init__(self, ending: Ending = "finished", keep: int = 99) -> None:
        self.ending: Ending = ending
        self.keep = keep
        self.jobs: list[Job] = []

    async def run(self, job: Job) -> Ran:
        self.jobs.append(job)
        assert isinstance(job.calls, Expressions)
        namespace: dict[str, object] = {}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # some canonical solutions have invalid escapes
                exec(compile(job.program, "<string>", "exec"), namespace)
        except BaseException as error:
            return Ran("unloaded", told_frame("F", error))
        parts = [answer(source, namespace, job) for source in job.calls.sources][: self.keep]
        return Ran(self.ending, b"".join([frame("B", b""), *parts]))

    async def close(self) -> None:
        pass


def answer(source: str, namespace: dict[str, object], job: Job) -> bytes:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            kind, payload = codec.encode(value_of(source, namespace), job.drain)
            long = job.digest_above is not None and len(payload) > job.digest_above
            content = frame("D", digest(kind.decode(), payload)) if long else frame(kind.decode(), payload)
        except Exception as error:
            content = told_frame("R", error)
    return content + frame("P", printed.getvalue().encode())


def value_of(source: str, namespace: dict[str, object]) -> object:
    try:
        code = compile(source, "<call>", "eval")
    except SyntaxError:
        code = compile(source, "<call>", "exec")
    return eval(code, namespace)


def told_frame(kind: str, error: BaseException) -> bytes:
    trace = "".join(traceback.format_tb(error.__traceback__))
    return frame(kind, json.dumps([type(error).__name__, str(error), trace]).encode())


async def run_here(body: str, program: str, sandbox: Sandbox | None = None) -> VisibleResult:
    return await run_visible(of_docstring(body), textwrap.dedent(program), sandbox or InProcess())


async def test_right_program_passes_and_is_not_told_anything() -> None:
    result = await run_here(">>> f(1)\n2\n>>> f(2)\n3", "def f(n): return n + 1")
    assert result.passed
    assert (result.outcomes, result.feedback, result.shown) == (("passed", "passed"), None, ())


async def test_first_failure_is_told_with_test_expected_and_got() -> None:
    result = await run_here(">>> f(1)\n2\n>>> f(2)\n3\n>>> f(3)\n4", "def f(n): return 2")
    assert result.outcomes == ("passed", "failed", "failed")
    assert result.feedback == (
        "The program passes 1 of 3 examples of the specification. The first that it fails:\n\n"
        ">>> f(2)\n3\n\nExpected: 3\nGot: 2"
    )
    assert result.shown == (">>> f(2)\n3",)
    assert result.passing == {0}


async def test_exception_is_told_with_the_programs_own_lines() -> None:
    program = "def g(n):\n    return 1 // n\n\ndef f(n):\n    return g(n)\n"
    result = await run_here(">>> f(0)\n1", program)
    assert result.outcomes == ("raised",)
    assert result.feedback is not None
    assert "Raised ZeroDivisionError: integer division or modulo by zero" in result.feedback
    assert result.feedback.endswith("  line 5, in f: return g(n)\n  line 2, in g: return 1 // n")
    assert "Traceback" not in result.feedback
    assert "<call>" not in result.feedback


async def test_program_that_does_not_compile_is_told_its_line() -> None:
    result = await run_here(">>> f(0)\n1", "x = 1\ndef f(n)\n    return n\n")
    assert not result.loads
    assert not result.passed
    assert result.outcomes == ("not_run",)
    assert result.feedback == "The program does not compile: expected ':', line 2:\n\ndef f(n)"


async def test_program_that_raises_on_loading_or_lacks_its_function_is_told_so() -> None:
    raising = await run_here("", "import nothing_of_this_name\n")
    assert not raising.loads
    assert "Raised ModuleNotFoundError: No module named 'nothing_of_this_name'" in (raising.feedback or "")
    lacking = await run_here("", "def g(n): return n")
    assert not lacking.passed
    assert lacking.feedback == "The program does not define `f`."
    assert (await run_here("", "")).feedback == "The program does not define `f`."


async def test_program_without_visible_tests_has_only_to_load() -> None:
    result = await run_here("No examples.", "def f(n): return n")
    assert result.passed
    assert result.outcomes == ()


@pytest.mark.parametrize(
    "program",
    [
        "def f(n): print(4)",
        "def f(n): print('4'); return None",
        "class Equal:\n    def __eq__(self, other): return True\ndef f(n): return Equal()",
        "class Equal(int):\n    __eq__ = lambda self, other: True\n\ndef f(n): return Equal(3)",
        "class Four:\n    def __repr__(self): return '4'\ndef f(n): return Four()",
        "import builtins\nbuiltins.set_ = set\ndef f(n): return '4'",
        "def f(n): raise ValueError('4')",
        "def f(n): return [4] * 100_000",
    ],
)
@pytest.mark.parametrize(
    "test", [">>> f(3)\n4", "assert f(3) == 4", "f(3) -> 4", ">>> f(3) == 4", "assert (f(3), 1) == (4, 1)"]
)
async def test_nothing_but_the_value_passes(test: str, program: str) -> None:
    assert (await run_here(test, program)).passing == frozenset()


async def test_redefined_builtins_do_not_decide() -> None:
    program = "set = lambda x: 0\nround = lambda *x: 2.5\nlen = str\ndef f(n): return [n]"
    tests = "assert set(f(3)) == set([4])\nassert round(f(1)[0], 1) == 2.5\nassert set(f(1)) == {1}"
    assert (await run_here(tests, program)).passing == {2}


@pytest.mark.parametrize(
    ("test", "wrong"),
    [
        ("assert isinstance(f(1), int)", "isinstance = lambda *a: True\ndef f(n): return 'x'"),
        ("assert type(f(1)) == int", "type = lambda *a: int\ndef f(n): return 'x'"),
        (
            "assert type(f(1)) == type(f(2))",
            "class A: pass\nclass B: pass\ndef f(n): return A() if n > 1 else B()",
        ),
        (
            "assert not isinstance(f(1), str)",
            "class S(str): __eq__ = lambda *a: True\ndef f(n): return S('x')",
        ),
        ("assert all(x > 0 for x in f(1))", "all = lambda *a: True\ndef f(n): return [-1]"),
        ("assert f(1).startswith('a')", "class S:\n    startswith = lambda *a: True\ndef f(n): return S()"),
        ("assert f(1)['a'] > 0", "class E:\n    __getitem__ = lambda *a: 1\ndef f(n): return E()"),
        (">>> isinstance(f(1), int)\nTrue", "isinstance = lambda *a: True\ndef f(n): return 'x'"),
        (">>> print(isinstance(f(1), int))\nTrue", "isinstance = lambda *a: True\ndef f(n): return 'x'"),
        (">>> x = f(1)\n>>> isinstance(x, int)\nTrue", "isinstance = lambda *a: True\nf = str"),
        ("assert sorted(f(1)) == [1]", "class L(list): __iter__ = lambda _: iter([1])\nf = lambda n: L([2])"),
        ("assert str(f(1)) == '<S object>'", "class S: pass\nf = lambda n: S()"),
        ("assert f(sorted([2, 1])) == 1", "sorted = lambda x: 1\nf = lambda n: n"),
        (">>> f(1)\nhello", "repr = lambda v: 'hello'\nf = lambda n: n"),
        (">>> f(1)\nhello", "class H: __repr__ = lambda s: 'hello'\nf = lambda n: H()"),
        (">>> f(1)\nhello", "class H: pass\ndef f(n):\n    print('hello')\n    return H()"),
    ],
)
async def test_nothing_that_the_program_defines_decides_a_test(test: str, wrong: str) -> None:
    assert len(of_docstring(test).tests) == 1
    assert (await run_here(test, wrong)).outcomes == ("failed",)


@pytest.mark.parametrize(
    ("test", "program"),
    [
        ("assert isinstance(f(1), int)", "def f(n): return n"),
        ("assert type(f(1)) == int", "def f(n): return n"),
        ("assert isinstance(f(1), (int, float)) and not isinstance(f(1), bool)", "def f(n): return n"),
        ("assert all(x > 0 for x in f(3))", "def f(n): yield from [1, 2]"),
        ("assert f(set([1, 2])) == 2", "set = 3\ndef f(s): return len(s)"),
        ("assert 2 in f(3)", "def f(n): return map(int, range(n))"),
        (">>> f(1)\nFraction(1, 2)", "from fractions import Fraction\ndef f(n): return Fraction(n, 2)"),
        ("assert f(1).startswith('a')", "def f(n): return 'abc'"),
        ("assert {x % 2 for x in f(1) if x} == {1}", "def f(n): return [0, 1, 3]"),
        (">>> x = f(1)\n>>> isinstance(x, int)\nTrue", "def f(n): return n"),
        (">>> [x * 2 for x in f(1)]\n[2]\n>>> [x for x in f(2)]\n[2]", "def f(n): return [n]"),
    ],
)
async def test_right_programs_pass_what_is_decided_outside(test: str, program: str) -> None:
    assert (await run_here(test, program)).passed


@pytest.mark.parametrize(
    "test",
    [
        "assert callable(f)",
        "assert list(map(str, f(1))) == ['1']",
        "assert f(1).anything()",
        "assert f(1) == LIMIT",
        "assert g(f(1)) == 1",
        ">>> type(f(1))\n<class 'int'>",
        ">>> for x in sorted(f(1)): print(x)\n1",
        ">>> for x in f(1): print(x)\n1",
        ">>> print(f(1), 2)\n1 2",
        ">>> f(1)\n<class 'int'>",
        ">>> x = isinstance(f(1), int)",
        ">>> x = f(1) == 1",
        ">>> f(1)\n1\n>>> assert 1\n>>> 1 + 1\n2",
    ],
)
def test_what_only_the_program_could_decide_is_left_out(test: str) -> None:
    tests = of_docstring(test, "LIMIT = 1\n\n\ndef g(n):\n    return n\n\n\ndef f(n):")
    assert [each.calls for each in tests.tests] in ([], [("f(1)",)])
    assert reasons(tests) == ["only the program itself could say whether it holds"]


async def test_methods_are_the_programs_own_where_the_prompt_asks_for_a_class() -> None:
    prompt = (
        'class Stack:\n    """A stack.\n\n    >>> s = Stack()\n    >>> s.push(3)\n    >>> s.pop()\n    3\n'
        '    >>> len(Stack().items())\n    0\n    """\n'
    )
    tests = visible_tests(Task(id="T", prompt=prompt, entry_point="Stack"))
    assert checks(tests) == [("s.pop()", "_0 == 3"), ("Stack().items()", "len(_0) == 0")]
    program = (
        "len = lambda x: 0\nclass Stack:\n    def __init__(self): self.all = []\n"
        "    def items(self): return self.all\n"
        "    def push(self, x): self.all.append(x)\n    def pop(self): return self.all.pop()\n"
    )
    assert (await run_visible(tests, program, InProcess())).passed
    wrong = program.replace("return self.all\n", "return [1]\n")
    assert (await run_visible(tests, wrong, InProcess())).passing == {0}


async def test_generator_is_listed_only_where_the_test_does() -> None:
    body = "assert list(f(2)) == [0, 1]\nassert f(2) == [0, 1]"
    assert (await run_here(body, "def f(n): yield from range(n)")).passing == {0}


async def test_printing_beside_the_right_value_does_no_harm() -> None:
    assert (await run_here(">>> f(3)\n4", "def f(n): print('debug'); return n + 1")).passed


async def test_printed_text_is_compared_where_text_is_shown() -> None:
    body = ">>> f(2)\nhello 2"
    assert (await run_here(body, "def f(n): print('hello', n)")).passed
    wrong = await run_here(body, "def f(n): print('bye', n)")
    assert wrong.feedback is not None
    assert wrong.feedback.endswith("Expected: hello 2\nGot: bye 2\n") or wrong.feedback.endswith("Got: bye 2")


async def test_value_without_a_literal_is_compared_by_its_repr() -> None:
    program = "import datetime\ndef f(n): return datetime.date(2000, 1, n)"
    assert (await run_here(">>> f(1)\ndatetime.date(2000, 1, 1)", program)).passed
    assert not (await run_here(">>> f(1)\ndatetime.date(2000, 1, 2)", program)).passed


async def test_objects_write_themselves_where_the_prompt_has_their_class() -> None:
    tests = of_docstring(">>> f(1)\nP(1)\n>>> f(2)\nP(3)", "class P:\n    pass\n\n\ndef f(n):")
    program = "repr = None\nclass P:\n    def __repr__(self): return 'P(1)'\ndef f(n): return P()"
    assert (await run_visible(tests, program, InProcess())).passing == {0}


async def test_an_example_on_the_first_line_of_a_docstring_shows_what_stands_below_it_indented() -> None:
    prompt = 'def f(n):\n    """>>> f(1)\n      1\n    2\n\n    Count.\n    """\n'
    [test] = visible_tests(Task(id="T", prompt=prompt, entry_point="f")).tests
    assert test.output == "  1\n2"


async def test_condition_is_told_with_what_its_calls_returned() -> None:
    body = "assert math.isclose(f(2), 2.5, rel_tol=0.1)\nassert f(f(1)) == f(2)"
    result = await run_here(body, "def f(n): return n * 3")
    assert (result.feedback or "").endswith("rel_tol=0.1)\n\nf(2) returned 6")
    second = await run_here("assert f(f(1)) == f(2)", "def f(n): return n * 3")
    assert (second.feedback or "").endswith("f(f(1)) returned 9\nf(2) returned 6")


async def test_exceptions_are_compared_by_type_and_message() -> None:
    body = ">>> f(1)\nTraceback (most recent call last):\n    ...\nValueError: no\n\nf(2) raises KeyError"
    right = "def f(n):\n    if n == 1: raise ValueError('no')\n    raise KeyError(n)"
    assert (await run_here(body, right)).passed
    other = await run_here(body, "def f(n): raise ValueError('other')")
    assert other.outcomes == ("failed", "failed")
    assert other.feedback is not None
    assert "Expected: ValueError: no\nRaised ValueError: other" in other.feedback
    none = await run_here(body, "def f(n): return 5")
    assert none.feedback is not None
    assert none.feedback.endswith("Expected: ValueError\nGot: 5")


async def test_state_of_a_doctest_is_kept_from_line_to_line() -> None:
    body = ">>> xs = [2, 1]\n>>> f(xs)\n>>> xs\n[1, 2]"
    assert (await run_here(body, "def f(xs): xs.sort()")).passed
    assert (await run_here(body, "def f(xs): return sorted(xs)")).outcomes == ("failed", "failed")


@pytest.mark.parametrize(
    ("ending", "outcome"), [("timed_out", "timed_out"), ("died", "died"), ("flooded", "died")]
)
async def test_end_in_mid_run_counts_for_the_test_that_ran(ending: Ending, outcome: str) -> None:
    body = ">>> f(1)\n1\n>>> f(2)\n2\n>>> f(3)\n3"
    result = await run_here(body, "def f(n): return n", InProcess(ending, keep=2))
    assert result.outcomes == ("passed", outcome, "not_run")
    assert ">>> f(2)" in (result.feedback or "")


async def test_sets_and_addresses_do_not_change_the_feedback() -> None:
    program = "def f(n): raise ValueError(f'bad {object()!r}')"
    first, second = [await run_here(">>> f(1)\n1", program) for _ in range(2)]
    assert first == second
    assert "object at 0x…" in (first.feedback or "")


@settings(max_examples=50, deadline=None)
@given(st.text(), st.text(max_size=20))
async def test_feedback_is_bounded(text: str, name: str) -> None:
    program = f"def f(n):\n    return {text + name!r} * 3000\n"
    result = await run_here(">>> f(1)\n" + repr("x" * 3000), program)
    assert result.feedback is not None
    assert len(result.feedback) <= MOST_CHARACTERS


async def test_each_run_is_one_job_with_values_read_outside() -> None:
    sandbox = InProcess()
    await run_here("assert set(f(1)) == {1}", "def f(n): return [n]", sandbox)
    (job,) = sandbox.jobs
    assert isinstance(job.calls, Expressions)
    assert job.calls.sources == ("f", "f(1)")
    assert job.go_on
    assert job.capture
    assert "{1}" not in repr(job.calls)  # what is expected stays outside


# The benchmarks


@pytest.fixture(scope="module")
def suites() -> list[Suite]:
    return [load_suite("humaneval", data=HUMANEVAL_PLUS), load_suite("mbpp", data=MBPP_PLUS)]


@needs_data
def test_every_mbpp_task_and_all_but_ten_of_humaneval_have_visible_tests(suites: list[Suite]) -> None:
    without = [task.id for suite in suites for task in suite.tasks if not visible_tests(task).tests]
    numbers = [38, 41, 50, 80, 81, 83, 105, 115, 149, 160]
    assert without == [f"HumanEval/{number}" for number in numbers]


WRONG_IN_THE_PROMPT = {"HumanEval/47": {1}, "HumanEval/116": {0, 1}}
"""Examples that contradict their own description; docs/visible-tests.md has the reasons."""


@needs_data
async def test_canonical_solutions_pass_all_but_three_wrong_examples(suites: list[Suite]) -> None:
    failed: dict[str, set[int]] = {}
    for suite in suites:
        for task in suite.tasks:
            tests = visible_tests(task)
            result = await run_visible(tests, suite.hidden[task.id].reference(), InProcess())
            if not result.passed:
                failed[task.id] = set(range(len(tests.tests))) - result.passing
    assert failed == WRONG_IN_THE_PROMPT


async def test_references_of_the_shipped_suites_pass() -> None:
    suite = load_suite("mini")
    for task in suite.tasks:
        result = await run_visible(visible_tests(task), suite.hidden[task.id].reference(), InProcess())
        assert result.passed, result.feedback


def test_humaneval_from_the_package_shows_the_same_tests() -> None:
    suite = load_suite("humaneval-base")
    assert sum(len(visible_tests(task).tests) for task in suite.tasks) > 400


# In a real sandbox


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def jail() -> AsyncIterator[Sandbox]:
    try:
        opened = await open_sandbox(1)
    except SandboxError as error:
        pytest.skip(f"no sandbox here: {error}")
    yield opened
    await opened.close()


QUICK = Limits(call_cpu=0.3, total_cpu=1.0, wall=5.0)
BODY = ">>> f(1)\n2\n>>> f(2)\n3\n>>> f(0)\n1"


@pytest.mark.parametrize(
    ("program", "outcomes", "told"),
    [
        ("def f(n): return n + 1", ("passed",) * 3, None),
        (
            "def f(n):\n    while n == 2: pass\n    return n + 1",
            ("passed", "timed_out", "not_run"),
            "in time",
        ),
        ("def f(n):\n    while True: print(n)", ("timed_out", "not_run", "not_run"), "in time"),
        ("def f(n): return 2 // n", ("passed", "failed", "raised"), "Expected: 3\nGot: 1"),
        ("def f(n) return n", ("not_run",) * 3, "does not compile: expected ':', line 1"),
        ("import os\nos._exit(0)", ("not_run",) * 3, "ended its own process"),
        ("while True: pass", ("not_run",) * 3, "did not end in time"),
        ("class E:\n    __eq__ = lambda *_: True\ndef f(n): return E()", ("failed",) * 3, "Got: <E object>"),
        ("def f(n): return [0] * 10**12", ("raised",) * 3, "Raised MemoryError"),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_sandbox_ends_and_tells_every_fault(
    jail: Sandbox, program: str, outcomes: tuple[str, ...], told: str | None
) -> None:
    result = await run_visible(of_docstring(BODY), program, jail, QUICK)
    assert result.outcomes == outcomes
    assert told in result.feedback if told and result.feedback else result.feedback == told


@pytest.mark.asyncio(loop_scope="module")
async def test_sandbox_and_the_fake_of_these_tests_tell_the_same(jail: Sandbox) -> None:
    for program in (
        "def f(n): return n",
        "def g(n):\n    return 1 // n\ndef f(n):\n    return g(n - 1)",
        "x = ",
        "",
    ):
        tests = of_docstring(BODY)
        assert await run_visible(tests, program, jail, QUICK) == await run_visible(
            tests, program, InProcess()
        )


@pytest.mark.asyncio(loop_scope="module")
async def test_names_and_builtins_that_a_program_puts_into_its_process_decide_nothing(jail: Sandbox) -> None:
    tests = of_docstring(
        "assert isinstance(f(1), int)\nassert all(x > 0 for x in f(2))\nassert len(f(3)) == 2\n"
        "assert f(math.pi) == 'x'\n"
    )
    program = (
        "import builtins, math\nmath.pi = 1\nbuiltins.all = isinstance = lambda *a: True\nlen = lambda x: 2\n"
        "def f(n): return 'x' if n == 1 else [-1]\n"
    )
    assert (await run_visible(tests, program, jail, QUICK)).outcomes == ("failed",) * 4


@pytest.mark.asyncio(loop_scope="module")
async def test_a_class_with_the_name_of_a_built_in_exception_is_not_that(jail: Sandbox) -> None:
    tests = of_docstring("f(1) raises ValueError")
    body = "def f(n): raise ValueError('no')\n"
    own = "class Odd(str):\n    __hash__ = None\nValueError = type(Odd('ValueError'), (Exception,), {})\n"
    shadowed = [f"class ValueError({base}): pass\n{body}" for base in ("Exception", "KeyError")]
    outcomes = [
        (await run_visible(tests, each, jail, QUICK)).outcomes for each in (body, own + body, *shadowed)
    ]
    assert outcomes == [("passed",), ("failed",), ("failed",), ("failed",)]


@pytest.mark.parametrize("end", ['    """\n```', "    '''", "```"])
def test_a_stub_that_is_quoted_in_prose_ends_its_last_example(end: str) -> None:
    prompt = f'Write this.\n\n```python\ndef f(n):\n    """Double it.\n\n    >>> f(2)\n    4\n{end}\n'
    [test] = visible_tests(Task(id="a", prompt=prompt, entry_point="f")).tests
    assert (test.check, test.shown.split("\n")) == ("_0 == 4", [">>> f(2)", "4"])
