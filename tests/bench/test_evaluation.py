"""Expressions evaluated outside the jail: they mean what they mean in Python, within bounds."""

import ast
import math
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode.bench.visible.evaluation import (
    FAULTS,
    MOST_ITEMS,
    TYPES,
    UnfitError,
    constant,
    dotted,
    equates,
    evaluate,
    is_constant,
    matches,
    parse_expression,
    parse_statements,
    supports,
)
from dualcode.sandbox.codec import Opaque


def value(text: str, **names: Any) -> Any:
    node = parse_expression(text)
    assert node is not None
    assert supports(node, [*names, *TYPES])
    return evaluate(node, {**TYPES, **names})


def fault(text: str, **names: Any) -> type[Exception]:
    node = parse_expression(text)
    assert node is not None
    with pytest.raises(FAULTS) as raised:
        evaluate(node, {**TYPES, **names})
    return raised.type


@pytest.mark.parametrize(
    "text",
    [
        "1 + 2 * 3 - 4", "7 // 2 + 7 % 4", "2 ** 10", "1 / 4", "6 & 3 | 8 ^ 1", "-3 + +2", "~5", "not []",
        "[1, 2] + [3]", "(1,) * 3", "'ab' * 2", "{1: 'a', 2: 'b'}", "{1, 2} | {3}", "{1, 2} & {2}",
        "[1, 2, 3][1]", "'abcdef'[1:4]", "[1, 2, 3, 4][::-2]", "(1, 2, 3)[-1]", "{'a': [1]}['a'][0]",
        "1 < 2 < 3", "1 < 2 > 5", "3 in [1, 2, 3]", "'x' not in 'abc'",
        "1 if [] else 2", "0 or 'x'", "1 and []",
        "sorted([3, 1, 2])", "sorted(['b', 'A'], reverse=True)", "max([1, 5, 2])", "sum([1, 2.5])", "abs(-4)",
        "len('abc')", "round(2.567, 2)", "list(range(2, 8, 3))", "list(reversed([1, 2]))", "tuple('ab')",
        "set([1, 1])", "str([1, 'a'])", "repr('a')", "int('12')", "float('1.5')", "bool(0)", "complex(1, 2)",
        "dict([(1, 2)])", "any([0, 1])", "all([])", "min(3, 2)", "isinstance(1, int)",
        "isinstance(True, (str, bool))",
        "isinstance('a', int | str)", "type(1.5) is float", "type([]) == list",
        "[x * x for x in [1, 2, 3] if x > 1]",
        "{x % 2 for x in [1, 2, 3]}", "sum(x for x in [1, 2])", "all(isinstance(x, int) for x in [1, 2])",
        "[x for x in 'ab']",
        "'a,b'.split(',')", "' a '.strip().upper()", "{'a': 1}.get('b', 2)", "sorted({'a': 1}.items())",
        "[1, 2, 1].count(1)", "'abc'.startswith('ab')", "{1}.issubset([1, 2])", "'Hello'.isalpha()",
    ],
)  # fmt: skip
def test_what_is_known_means_what_it_means_in_python(text: str) -> None:
    expected = eval(text)
    assert value(text) == expected
    assert type(value(text)) is type(expected)


def test_modules_need_no_import() -> None:
    assert value("math.floor(math.pi) + math.sqrt(4)") == 5
    assert value("math.isclose(0.1 + 0.2, 0.3)")
    assert value("collections.Counter('aab')") == value("Counter('aba')")
    assert math.isnan(value("math.nan"))
    assert value("sys.getsizeof(1)") == sys.getsizeof(1)


_NUMBERS = st.integers(-20, 20).map(str)
_OPERATORS = st.sampled_from(["+", "-", "*", "//", "%", "==", "<", ">=", "and", "or", "&", "|"])


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        _NUMBERS,
        lambda inner: st.tuples(inner, _OPERATORS, inner).map(lambda p: f"({' '.join(p)})"),
        max_leaves=8,
    )
)
def test_arithmetic_agrees_with_python(text: str) -> None:
    try:
        expected = eval(text)
    except ZeroDivisionError:
        assert fault(text) is ZeroDivisionError
    else:
        assert value(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "f(1)", "x.y", "x.format(1)", "f'{1}'", "lambda: 1", "(y := 1)", "[*[1]]", "len(*[[1]])",
        "dict(**{})",
        "{**{}}", "1 @ 2", "1 << 9", "[x for x in [1] for x in [2]]", "{k: 1 for k in [1]}", "open",
        "[x for x, y in [(1, 2)]]", "await x", "__import__('os')", "''.join([])", "eval('1')",
        "().__class__",
    ],
)  # fmt: skip
def test_what_is_not_known_is_neither_supported_nor_evaluated(text: str) -> None:
    node = parse_expression(text)
    assert node is not None
    assert not supports(node, TYPES)
    assert not is_constant(node)
    assert fault(text) is UnfitError


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[x for x in _0]", {"_0": range(10**12)}),
        ("list(_0)", {"_0": range(10**12)}),
        ("sorted(_0[0])", {"_0": [range(10**12)]}),
        ("_0 * _1", {"_0": "x" * 1000, "_1": 10**9}),
        ("_0 + 1", {"_0": 10**5000}),
        ("_0 ** _1", {"_0": 10, "_1": 10**6}),
        ("_0 % 1", {"_0": "%999999999d"}),
        ("sum(_0)", {"_0": [[1], [2]]}),
        ("range(_0)", {"_0": MOST_ITEMS + 1}),
        ("round(1, _0)", {"_0": -(10**9)}),
    ],
)
def test_a_value_of_the_program_cannot_make_the_work_large(text: str, names: Mapping[str, Any]) -> None:
    assert fault(text, **names) is UnfitError


@pytest.mark.parametrize(
    "text", ["isinstance(_0, str)", "type(_0) is str", "_0.upper()", "_0.startswith('')"]
)
def test_an_object_that_is_no_data_has_no_type_and_no_methods(text: str) -> None:
    assert fault(text, _0=Opaque("str")) is UnfitError


def test_a_loops_name_is_known_in_the_loop_alone() -> None:
    inside, outside = parse_expression("[x for x in _0]"), parse_expression("[x for x in _0] + [x]")
    assert inside is not None
    assert outside is not None
    assert supports(inside, ["_0"])
    assert not supports(outside, ["_0"])


def test_a_value_that_skips_a_part_is_no_constant() -> None:
    assert is_constant(parse_expression("4 or 5"))
    assert not is_constant(parse_expression("4 or more"))
    assert not is_constant(parse_expression("..."))
    assert not is_constant(None)
    with pytest.raises(UnfitError, match="no expression"):
        constant(None)


@pytest.mark.parametrize("text", ["int", "list", "print", "math"])
def test_the_name_of_a_type_or_a_function_is_no_value_that_a_prompt_could_show(text: str) -> None:
    assert not is_constant(parse_expression(text))


@pytest.mark.parametrize(
    "text", ["", "x = 1", "f(", "1 2", "\0", "[" * 500, "[" * 150 + "]" * 150, "9" * 5000]
)
def test_what_is_no_modest_expression_is_not_parsed(text: str) -> None:
    assert parse_expression(text) is None


def test_nesting_and_numbers_have_bounds() -> None:
    assert parse_expression("-" * 150 + "1") is None
    assert parse_expression("0x" + "f" * 3000) is None
    assert parse_statements("x = 1\ny = 2") is not None
    assert parse_statements("x = ") is None


def test_names_of_two_parts_are_read_and_no_longer_ones() -> None:
    names = [dotted(ast.parse(text, mode="eval").body) for text in ("a", "a.b", "a.b.c", "a().b", "1")]
    assert names == ["a", "a.b", "", "", ""]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("_0 == 1", True),
        ("set(_0) == {1}", True),
        ("_0 == _1", False),
        ("_0 < 1", False),
        ("1 == 1 == 1", False),
    ],
)
def test_only_one_comparison_with_a_value_equates(text: str, holds: bool) -> None:
    assert equates(parse_expression(text)) is holds


class Strange:
    def __eq__(self, other: object) -> bool:
        raise ValueError("cannot be compared")


@pytest.mark.parametrize(
    ("got", "expected", "equal"),
    [
        (1.00000001, 1, True), (1.001, 1, False), (float("nan"), float("nan"), True),
        (float("nan"), 1.0, False),
        (float("inf"), float("inf"), True), (float("inf"), 1.0, False), (1 + 1e-9j, 1, True), (True, 1, True),
        ([1.0, [2.00000001]], [1, [2]], True), ([1], (1,), False), ([1, 2], [1], False), ("a", "a", True),
        ({"a": 1.00000001}, {"a": 1}, True), ({"a": 1}, {"b": 1}, False), ({1}, {1.0}, True),
        (None, 0, False),
        (Strange(), 1, False), (10**400, 1.5, False),
    ],
)  # fmt: skip
def test_values_match_as_the_hidden_tests_compare_them(got: object, expected: object, equal: bool) -> None:
    assert matches(got, expected) is equal


def test_identity_asks_for_type_and_value() -> None:
    assert value("_0 is True", _0=True)
    assert not value("_0 is True", _0=1)
    assert value("_0 is not None", _0=0)
