"""What a statement of a module binds, changes and needs, read without running it."""

import ast
import symtable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dualcode.extraction.source import (
    Function,
    Statement,
    compiles,
    falls_through,
    is_stub,
    parse,
    split,
)


def statements(text: str) -> list[Statement]:
    tree = parse(text)
    assert isinstance(tree, ast.Module), tree
    return split(text, tree)


def statement(text: str) -> Statement:
    [only] = statements(text)
    return only


def function(text: str) -> Function:
    node = statement(text).node
    assert isinstance(node, Function)
    return node


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("def f(x):\n    y = 1\n    import z\n", {"f"}),
        ("class C:\n    a = 1\n    def m(self): pass\n", {"C"}),
        ("import os.path, sys as system", {"os", "system"}),
        ("from math import floor as down, ceil", {"down", "ceil"}),
        ("a, (b, *c) = d = range(4)", {"a", "b", "c", "d"}),
        ("if x:\n    a = 1\nelse:\n    def g(): pass\n", {"a", "g"}),
        ("for i in range(3):\n    with open(i) as f: pass\n", {"i", "f"}),
        ("T[0] = x.y = 1", set[str]()),
        ("print(n := 3)", {"n"}),
        ("T = {k: [w for w in v] for k, (v, *_) in rows}", {"T"}),
        ("T = [last := k for k in rows]", {"T", "last"}),
        ("f = lambda a: (b := a)", {"f"}),
        ("match p:\n    case {'x': [a, *b], **c} | [a, b, *c] as d: pass\n", {"a", "b", "c", "d"}),
        ("@(d := g)\ndef f(a: (n := int) = (b := 1)) -> (r := int): pass\n", {"f", "d", "n", "b", "r"}),
        ("class C((b := int), metaclass=(m := type)): pass\n", {"C", "b", "m"}),
        ("try: pass\nexcept E as e: pass\n", set[str]()),
    ],
)
def test_a_statement_binds_what_the_module_gets_of_it(text: str, names: set[str]) -> None:
    assert statement(text).binds == names


NAMES = st.sampled_from("abcd")
"""Names that may be bound; k and v are those of comprehensions, p of parameters, e of exceptions."""


def expressions_around(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} := {})".format, NAMES, inner),
        st.builds("[{} for k, (v, *_) in a if {}]".format, inner, inner),
        st.builds("{{k: {} for k in b for v[0].x in c}}".format, inner),
        st.builds("(lambda p={}: {})".format, inner, inner),
        st.builds("f({}, *{})".format, inner, inner),
    )


EXPRESSIONS = st.recursive(NAMES, expressions_around, max_leaves=4)
SIMPLE = st.one_of(
    st.builds("{}, *{} = {}".format, NAMES, NAMES, EXPRESSIONS),
    st.builds("{}.x = {}[{}] = 1".format, NAMES, NAMES, EXPRESSIONS),
    st.builds("{} += {}".format, NAMES, EXPRESSIONS),
    st.builds("{}: {} = 1".format, NAMES, EXPRESSIONS),
    st.builds("import {}.x, {} as {}".format, NAMES, NAMES, NAMES),
    st.builds("from {} import {}, {} as {}".format, NAMES, NAMES, NAMES, NAMES),
    EXPRESSIONS,
)


def statements_around(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = inner.map(lambda text: "".join(f"\n    {line}" for line in text.split("\n")))
    return st.one_of(
        st.builds("if {}:{}\nelse:{}".format, EXPRESSIONS, body, body),
        st.builds("for {}, {}.x in {}:{}".format, NAMES, NAMES, EXPRESSIONS, body),
        st.builds("with {} as {}:{}".format, EXPRESSIONS, NAMES, body),
        st.builds("try:{}\nexcept {} as e:{}\nfinally:{}".format, body, EXPRESSIONS, body, body),
        st.builds(
            "match {}:\n  case [{}, *{}] | x.y as {}: pass\n  case {{'x': 1, **{}}}:{}".format,
            EXPRESSIONS, NAMES, NAMES, NAMES, NAMES, body,
        ),
        st.builds("@{}\ndef {}(p: {} = {}, *, q={}) -> {}:{}".format, EXPRESSIONS, NAMES, EXPRESSIONS,
                  EXPRESSIONS, EXPRESSIONS, EXPRESSIONS, body),
        st.builds("def {}():\n    global {}{}".format, NAMES, NAMES, body),
        st.builds("@{}\nclass {}({}, x={}):{}".format, EXPRESSIONS, NAMES, EXPRESSIONS, EXPRESSIONS, body),
    )  # fmt: skip


def assigned_in(table: symtable.SymbolTable) -> set[str]:
    """Return what a module's table has assigned, with what `:=` in a comprehension assigns around it."""
    own = {each.get_name() for each in table.get_symbols() if each.is_assigned() or each.is_imported()}
    if table.get_type() != "module":
        own &= {each.get_name() for each in table.get_symbols() if each.is_global()}
    inner = (each for each in table.get_children() if each.get_name() in ("listcomp", "dictcomp"))
    return own.union(*map(assigned_in, inner))


@given(st.recursive(SIMPLE, statements_around, max_leaves=3))
@settings(max_examples=100)
def test_a_statement_binds_what_python_s_own_table_of_the_module_has(text: str) -> None:
    assume(compiles(text))
    # From Python 3.12 on a comprehension's names are in that table; that of an exception does not stay.
    expected = assigned_in(symtable.symtable(text, "program", "exec")) - {"k", "v", "_", "e"}
    assert statement(text).binds == expected, text


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            "def f(x=START):\n    y = x + K\n    def g():\n        return y + M\n    return g\n",
            {"START", "K", "M"},
        ),
        ("T = {k: v for k, v in rows}", {"rows"}),
        ("if helper():\n    del helper\n", {"helper"}),
        ("T = [rows for rows in rows]", {"rows"}),
        ("@wraps(f)\ndef g(a: Kind) -> Other: pass\n", {"wraps", "f", "Kind", "Other"}),
        ("class C(Base):\n    n = COUNT\n    def m(self): return self.n + n\n", {"Base", "COUNT", "n"}),
        ("import os", set[str]()),
    ],
)
def test_a_statement_uses_the_names_that_it_reads_from_the_module(text: str, names: set[str]) -> None:
    assert statement(text).uses >= names
    assert not statement(text).uses & {"x", "y", "k", "v", "self", "a"}


@pytest.mark.parametrize(
    ("text", "changed", "handed"),
    [
        ("memo[0] = 1", {"memo"}, set[str]()),
        ("a.b.c = 1", {"a"}, set[str]()),
        ("del rows[1:]", {"rows"}, set[str]()),
        ("total[0] += 1", {"total"}, set[str]()),
        ("xs.sort()", {"xs"}, set[str]()),
        ("[0 for rows[0], at.x in table]", {"rows", "at"}, set[str]()),
        ("table().rows.append(1)", {"table"}, set[str]()),
        ("fill(table, n=rows[0])", set[str](), {"table", "rows"}),
        ("print(table)", set[str](), set[str]()),
        ("len(sorted(table))", set[str](), set[str]()),
        ("for x in xs:\n    push(heap, x)", set[str](), {"heap", "x"}),
        ("y = fill(table)", set[str](), set[str]()),
        ("def f():\n    xs.sort()\n", set[str](), set[str]()),
    ],
)
def test_what_a_statement_may_alter_is_told_from_what_it_only_reads(
    text: str, changed: set[str], handed: set[str]
) -> None:
    assert (statement(text).changes, statement(text).hands_over) == (changed, handed)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("global T\n    T = 1", {"T"}),
        ("T[0] = 1", {"T"}),
        ("T = []\n    T.append(1)", set[str]()),
        ("given.append(1)", set[str]()),
        ("[T.append(1) for T in given]", set[str]()),
        ("fill(T)", {"T"}),
        ("return T", set[str]()),
        ("def inner():\n        T.clear()\n    inner()", {"T"}),
        ("T = []\n    def inner():\n        T.clear()\n    inner()", set[str]()),
    ],
)
def test_a_function_sets_what_is_outside_of_it_alone(body: str, names: set[str]) -> None:
    assert statement(f"def f(given):\n    {body}\n").sets_globals == names


@pytest.mark.parametrize(
    ("body", "stub"),
    [
        ("pass", True),
        ("...", True),
        ('"""Says what to do."""', True),
        ('"""Says it."""\n    raise NotImplementedError', True),
        ("raise NotImplementedError('later')", True),
        ("raise ValueError", False),
        ("return None", False),
        ('"""Says it."""\n    x = 1', False),
    ],
)
def test_a_stub_is_a_function_without_a_body_of_its_own(body: str, stub: bool) -> None:
    made = statement(f"def f():\n    {body}\n")
    assert is_stub(function(made.source)) is stub
    assert made.defines("f") is not stub


@pytest.mark.parametrize(
    ("body", "falls"),
    [
        ("return 1", False),
        ("return", True),
        ("x = 1", True),
        ("raise ValueError", False),
        ("if x:\n        return 1", True),
        ("if x:\n        return 1\n    else:\n        raise E", False),
        ("for y in x:\n        return 1", True),
        ("while True:\n        x = 1", False),
        ("while True:\n        break", True),
        ("while x:\n        return 1", True),
        ("try:\n        return 1\n    except E:\n        x = 1", True),
        ("try:\n        return 1\n    except E:\n        return 2", False),
        ("try:\n        x = 1\n    finally:\n        return 2", False),
        ("try:\n        x = 1\n    except E:\n        return 2\n    else:\n        return 3", False),
        ("with x:\n        return 1", False),
        ("match x:\n        case 1:\n            return 1\n        case _:\n            x = 2", True),
        ("yield 1", False),
        ("def g():\n        yield 1\n    g()", True),
    ],
)
def test_falling_through_is_ending_without_a_result(body: str, falls: bool) -> None:
    assert falls_through(function(f"def f(x):\n    {body}\n")) is falls


def test_an_import_or_an_alias_defines_nothing_and_a_value_does() -> None:
    assert not statement("from helpers import f").defines("f")
    assert statement("f = lambda x: x").defines("f")
    assert not statement("f(1)").defines("f")


MODULE = '''\
"""A module."""
import os; import sys
# not next to anything

# About f,
# in two lines.
@cache
@other(
    1,
)
def f(x):
    # inside
    return x
a = 1; b = 2
TEXT = """
# no comment
"""
class C: pass
'''


def test_the_statements_of_a_module_are_together_what_it_was() -> None:
    found = statements(MODULE)
    again = ast.parse("\n".join(each.source for each in found))
    assert ast.dump(again) == ast.dump(ast.parse(MODULE))
    assert all(compiles(each.source) for each in found)


def test_a_comment_right_above_stays_with_its_statement_and_a_loose_one_goes() -> None:
    sources = [each.source for each in statements(MODULE)]
    assert any(source.startswith("# About f,\n# in two lines.\n@cache\n") for source in sources)
    assert not any("not next to" in source for source in sources)
    assert any("# no comment" in source for source in sources)


@pytest.mark.parametrize("text", ["def f(:", "x = '\0'", "(" * 300, "return", "x = 1\n  y = 2"])
def test_a_text_that_is_no_module_compiles_to_nothing_and_raises_nothing(text: str) -> None:
    assert not compiles(text)


def test_a_fault_names_the_line_that_is_to_blame() -> None:
    fault = parse("x = 1\ny = = 2\n")
    assert not isinstance(fault, ast.Module)
    assert fault.line == 2
