"""What is reviewed, cut to pieces; and what of a file can be run alone."""

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode.extraction.bounds import LONGEST
from dualcode.reviews.slices import needs_project, root_name, slice_for
from dualcode.reviews.sources import Source, cut, lines_of
from dualcode.steps.claims import defined


def module(functions: int, lines: int) -> str:
    body = "".join(f"    x = {n}\n" for n in range(lines))
    return "import os\n\n\n" + "\n\n".join(f"def f{n}(x):\n{body}    return x\n" for n in range(functions))


def test_a_short_file_is_one_piece() -> None:
    made = cut([Source(path="a.py", text="x = 1\n")])
    assert [(each.first, each.last) for each in made.pieces] == [(1, 1)]


def test_a_long_file_is_cut_between_functions_and_nothing_of_it_is_lost() -> None:
    text = module(12, 10)
    made = cut([Source(path="a.py", text=text)], 600)
    assert len(made.pieces) == 3
    assert made.left_out == ()
    covered = [n for each in made.pieces for n in range(each.first, each.last + 1)]
    assert covered == list(range(1, len(text.splitlines()) + 1))
    for each in made.pieces:
        ast.parse("\n".join(text.splitlines()[each.first - 1 : each.last]))  # whole functions
        assert each.name.startswith("f")


def test_a_file_longer_than_any_reply_of_a_model_is_cut_between_functions_too() -> None:
    text = "TABLE = [\n" + "    1000000000,\n" * 40_000 + "]\n\n"
    text += "".join(f"def f{n}(x):\n    y = x\n\n    return y\n\n\n" for n in range(100))
    pieces = cut([Source(path="a.py", text=text)], most=500).pieces
    assert len(text) > LONGEST
    assert len(defined(text)) == 100, "findings in it can be tried"
    assert len(pieces) > 5 and all(each.name.startswith("f") for each in pieces[1:])


def test_a_function_that_is_too_long_is_cut_at_its_end_and_that_is_said() -> None:
    made = cut([Source(path="a.py", text=module(2, 200))], 800)
    assert all(each.left_out for each in made.pieces if each.name)
    assert "its last" in made.left_out[0]
    assert "do not fit 800 characters" in made.left_out[0]


def test_of_a_diff_only_pieces_with_changed_lines_are_kept() -> None:
    text = module(12, 10)
    at = text.splitlines().index("def f7(x):") + 2
    made = cut([Source(path="a.py", text=text, changed=(at,))], 600)
    assert [each.first <= at <= each.last for each in made.pieces] == [True]
    assert f"{at}+     x = 0" in made.pieces[0].shown


@pytest.mark.parametrize("path", ["a.js", "broken.py"])
def test_what_is_no_python_is_cut_by_lines(path: str) -> None:
    text = "function f( {\n" * 300
    made = cut([Source(path=path, text=text)], 1000)
    assert len(made.pieces) > 3
    assert sum(each.last - each.first + 1 for each in made.pieces) == 300


def test_lines_are_numbered_as_python_does_whatever_else_breaks_a_line_on_paper() -> None:
    text = "x = 1\n\x0c\ny = '\u2028'\n"
    [piece] = cut([Source(path="a.py", text=text)]).pieces
    assert piece.last == 3
    assert piece.shown.split("\n")[2].startswith("3  y = ")


def test_an_empty_file_is_said_to_be_left_out() -> None:
    assert cut([Source(path="a.py", text=" \n")]).left_out == ("a.py: empty",)


TEXT = """
from __future__ import annotations
import math, requests
from .near import helper
LIMIT = 3
class Base: ...
class Money(Base):
    def add(self, n): return math.floor(n) + LIMIT
def plain(n, *, k=LIMIT):
    return sorted([n for n in range(k)])
def far(n): return helper(n)
def further(n): return far(n)
def unknown(n): return nowhere(n)
def recursive(n): return recursive(n - 1) if n else 0
print("at import")
"""


@pytest.mark.parametrize(
    ("name", "has"),
    [("plain", ["LIMIT", "plain"]), ("recursive", ["recursive"])],
)
def test_a_slice_holds_what_a_name_needs_and_nothing_else(name: str, has: list[str]) -> None:
    text = slice_for(TEXT, name)
    assert text is not None
    made = [node for node in ast.parse(text).body if not isinstance(node, ast.ImportFrom)]
    assert [getattr(n, "name", None) or ast.unparse(n).split(" ")[0] for n in made] == has
    compile(text, "slice", "exec")


@pytest.mark.parametrize("name", ["far", "further", "unknown", "gone", "Money"])
def test_what_needs_more_than_the_file_has_no_slice(name: str) -> None:
    """Money needs `math`, which is imported in one statement with what is not to be had."""
    assert slice_for(TEXT, name) is None


def test_a_call_begins_with_a_name() -> None:
    assert [root_name(each) for each in ("f(1)", "A(1).b(2)", "1 + 1", "(")] == ["f", "A", "", ""]


PARTS = ["x = 1\n", "\n", "def f():\n    return 1\n", "class A:\n    y = 2\n", "(\n"]


@given(st.lists(st.sampled_from(PARTS), max_size=30), st.integers(1, 60))
@settings(deadline=None, max_examples=80)
def test_pieces_are_in_order_without_gaps_and_only_what_is_said_to_be_is_left_out(
    parts: list[str], most: int
) -> None:
    text = "".join(parts)
    made = cut([Source(path="a.py", text=text)], most)
    if not text.strip():
        assert made.left_out == ("a.py: empty",)
        return
    at = 1
    for each in made.pieces:
        assert (each.first, each.last >= each.first) == (at, True)
        assert len("\n".join(lines_of(text)[each.first - 1 : each.last])) <= most or each.first == each.last
        at = each.last + each.left_out + 1
    assert at == len(lines_of(text)) + 1
    assert len(made.left_out) == sum(bool(each.left_out) for each in made.pieces)


@given(st.text(alphabet="ab\n\r\x0b\x0c\x85\u2028", max_size=40))
@settings(deadline=None, max_examples=80)
def test_lines_put_together_again_are_the_text(text: str) -> None:
    lines = lines_of(text)
    assert "\n".join(lines) == text.removesuffix("\n")
    assert len(lines) == text.count("\n") + (not text.endswith("\n") and bool(text))


@pytest.mark.parametrize(
    ("text", "name", "works"),
    [
        ("from x import *\ndef f(n): return g(n)\n", "f", False),
        ("from os.path import *\ndef f(n): return join(n)\n", "f", False),  # what it binds is not told
        ("import os.path\ndef f(n): return os.sep\n", "f", True),
        ("import numpy as np\ndef f(n): return n\n", "f", True),
        ("def f(n):\n    import json as j\n    return j.dumps(n)\n", "f", True),
        ("def f(n):\n    try:\n        return n\n    except ValueError as e:\n        return e\n", "f", True),
        ("def f(n):\n    match n:\n        case [a, *b]: return a, b\n", "f", True),
        (
            "try:\n    import ujson\nexcept ImportError:\n    ujson = 0\ndef f(n): return ujson\n",
            "f",
            True,
        ),
        ("x: int = 1\nx += 1\ndef f(n): return x\n", "f", True),
        ("f = lambda n: n\n", "f", True),
        ("async def f(n): return n\n", "f", True),
        ("def f(n: Money) -> Money: return n\n", "f", False),
        ("(", "f", False),
    ],
)
def test_a_slice_is_whole_or_none(text: str, name: str, works: bool) -> None:
    made = slice_for(text, name)
    assert (made is not None) is works
    assert made is None or made == slice_for(made, name)


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("import os, requests\n", True), ("from . import x\n", True), ("from os import *\n", True),
        ("import os.path, json\n", False), ("def f():\n    import requests\n", False), ("(", False),
        ("", False),
    ],
)  # fmt: skip
def test_a_file_needs_its_project_by_what_its_margin_imports(text: str, needs: bool) -> None:
    assert needs_project(text) is needs
