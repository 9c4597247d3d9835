"""Which lines a reviewer's words name."""

import pytest

from dualcode.report.transcript import locate

PROGRAM = """import math

def mean(values):
    total = 0
    for value in values:
        total += value
    return total / len(values)

def spread(values):
    middle = mean(values)
    return math.sqrt(sum((value - middle) ** 2 for value in values))"""


@pytest.mark.parametrize(
    ("where", "lines"),
    [
        ("line 7", (7,)),
        ("Line 4: total = 0", (4,)),
        ("lines 5-6", (5, 6)),
        ("lines 5 and 7", (5, 6, 7)),
        ("L. 3, in mean", (3,)),
        ("7", (7,)),
        ("`return total / len(values)`", (7,)),
        ("return total/len( values )", (7,)),
        ("the loop `for value in values:`", (5,)),
        ("mean: return total / len(values)", (7,)),
        ("for value in values:\n    total += value", (5,)),
        ("mean", (3,)),
        ("spread()", (9,)),
        ("the function spread", (9,)),
        ("`middle`", (10,)),
        ("return math.sqrt(sum(value - middle))", (11,)),
    ],
)
def test_a_place_is_found(where: str, lines: tuple[int, ...]) -> None:
    assert locate(where, PROGRAM) == lines


@pytest.mark.parametrize(
    "where",
    ["line 99", "the line or expression", "the docstring", "", "values", "line 99999999999", "`", "0"],
)
def test_a_place_that_names_no_line_is_not_guessed(where: str) -> None:
    assert where == "values" or locate(where, PROGRAM) == ()
    assert all(1 <= line <= 11 for line in locate(where, PROGRAM))


def test_nothing_is_found_in_an_empty_program() -> None:
    assert locate("line 3", "") == ()
    assert locate("return total", "") == ()
