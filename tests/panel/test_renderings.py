"""Renderings: the same code without its comments, its files in another order, and within bounds."""

import ast
import difflib
import io
import tokenize
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode.panel.blind import Blind
from dualcode.panel.diffs import FileDiff, Hunk, join, parse
from dualcode.panel.renderings import Rendered, another_order, clip, render_diff, shares, stripped
from tests.pages import ROOT
from tests.panel import judges

SOLUTIONS = sorted((ROOT / "eval" / "issues").glob("*/solution/*.patch"))
SOURCES = sorted((ROOT / "dualcode" / "panel").glob("*.py")) + sorted((ROOT / "tests" / "panel").glob("*.py"))


def rendered(diff: str, rendering: str = "other", most: int = 10**6) -> Rendered:
    return render_diff(diff, rendering, most=most, blind=Blind(), seed="s")  # pyright: ignore[reportArgumentType]


def made(before: str, after: str, context: int = 3, path: str = "a.py") -> str:
    lines = difflib.unified_diff(
        before.split("\n"), after.split("\n"), f"a/{path}", f"b/{path}", lineterm="", n=context
    )
    return "\n".join([f"diff --git a/{path} b/{path}", *lines]) + "\n"


def bare(source: str) -> str:
    """Return a program's tree without docstrings: what stripping must not change."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return ast.dump(tree)


def commentary(source: str) -> set[int]:
    """Return the rows, from 0, of a whole file that hold a comment or a docstring."""
    rows = set[int]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            rows.add(token.start[0] - 1)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module) and node.body:
            first = node.body[0]
            value = first.value if isinstance(first, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                rows |= set(range(first.lineno - 1, first.end_lineno or first.lineno))
    return rows


def side(hunk: Hunk, mark: str) -> list[str]:
    return [text for _, text in hunk.side(mark)]


STATEMENTS = [
    "x = 1  # one",
    "y = '# no comment'",
    "# a remark",
    "",
    "def f(a):\n    '''What it does.'''\n    return a",
    'class Odd(Exception):\n    """Odd.\n\n    # no comment\n    """',
    "def g(a,  # one\n      b):\n    # inside\n    if a:\n        return b  # that\n    return f(\n\n)",
    "text = '''\n# not a comment\nif so:\n'''",
    'async def h():\n    "doc"\n    await x',
    "for each in y:\n    '''no docstring'''\n    print(each)",
    "try:\n    pass\nexcept ValueError:  # never\n    raise\nelse:\n    x = [\n        1,  # a\n    ]",
    "'a string that stands alone'",
    "@f\ndef k(): return 1",
    "match x:\n    case 1:  # one\n        y = 2",
    'z = f"{x} # {y}"',
]
programs = st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=8).map("\n".join)


@given(before=programs, after=programs)
@settings(max_examples=80, deadline=None)
def test_a_whole_file_keeps_its_code(before: str, after: str) -> None:
    files = parse(made(before, after, context=10**6))
    for hunk in [hunk for file in files or () for hunk in file.hunks]:
        found = stripped(hunk)
        if found is None:
            continue
        for mark, text in (("-", before), ("+", after)):
            left = "\n".join(side(found, mark))
            assert bare(left) == bare(text)
            assert not commentary(left)


@given(before=programs, after=programs, context=st.integers(0, 3))
@settings(max_examples=80, deadline=None)
def test_a_fragment_loses_nothing_that_is_code(before: str, after: str, context: int) -> None:
    files = parse(made(before, after, context))
    for hunk in [hunk for file in files or () for hunk in file.hunks]:
        found = stripped(hunk)
        if found is None:
            continue
        for mark, source, start in (("-", before, hunk.before), ("+", after, hunk.after)):
            rows = commentary(source)
            kept = iter(side(found, mark))
            for number, line in enumerate(side(hunk, mark), start - 1):
                if number not in rows:
                    assert line in kept, (line, str(found))  # in this order, and whole


def test_the_houses_own_files_keep_their_code() -> None:
    read = unread = 0
    for path in SOURCES:
        lines = path.read_text().split("\n")
        changed = [line.replace("return", "yield") if n % 17 == 0 else line for n, line in enumerate(lines)]
        for context in (0, 3, 12):
            for hunk in (parse(made("\n".join(lines), "\n".join(changed), context)) or [None])[0].hunks:  # pyright: ignore
                found = stripped(hunk)
                read, unread = read + (found is not None), unread + (found is None)
                if found is None:
                    continue
                kept, rows = iter(side(found, "-")), commentary("\n".join(lines))
                for number, line in enumerate(side(hunk, "-"), hunk.before - 1):
                    assert number in rows or line in kept, (path, line)
    assert read > unread


FRAGMENTS = {
    "prose of a docstring": " Returns the price\n # of all\n-and more\n+and less\n",
    "data in a string": ' some text:\n # heading\n-old words here\n+new words here\n """\n',
    "ends one string, begins another": ' it is so."""\n x = 1\n-y = 2\n+y = 3\n z = """and # so\n',
    "no code at all": " \n-\n+\n+\n",
    "a quote that is not closed": "-x = 'a\n+x = 'b\n",
}


@pytest.mark.parametrize("body", FRAGMENTS.values(), ids=FRAGMENTS)
def test_what_is_no_code_stays_to_the_letter(body: str) -> None:
    lines = body.split("\n")[:-1]
    old = sum(line[0] in " -" for line in lines)
    new = sum(line[0] in " +" for line in lines)
    diff = f"diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1,{old} +1,{new} @@\n{body}"
    found = rendered(diff)
    assert found.shown.unread_hunks in (0, 1)
    assert found.text + "\n" == diff or (not found.shown.unread_hunks and body == FRAGMENTS["no code at all"])


def test_both_renderings_of_the_example() -> None:
    plain, other = rendered(judges.RIGHT, "plain"), rendered(judges.RIGHT, "other")
    assert "all of them count" in plain.text and "index 1111111" not in plain.text
    assert plain.summary.split("\n") == ["shop/price.py (+4 -1)", "CHANGES (+1 -0)"]
    assert "all of them count" not in other.text and "Add them up" not in other.text
    assert other.summary.split("\n") == ["CHANGES (+1 -0)", "shop/price.py (+3 -1)"]
    assert other.shown.order == (1, 0) and other.shown.unread_hunks == 0
    assert "+    if prices is None:\n+        return 0\n+    return sum(prices)" in other.text


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.parts[-3] + "/" + path.name)
def test_every_shipped_fix_can_be_rendered(path: Path) -> None:
    diff = path.read_text()
    files = parse(diff)
    assert files and join(files) == "".join(
        line for line in diff.splitlines(keepends=True) if not line.startswith("index ")
    )
    other = rendered(diff)
    assert other.shown.unread_hunks == 0 and other.shown.in_parts


def test_a_change_of_comments_alone_leaves_the_files_name() -> None:
    found = rendered(made("x = 1  # a\ny = 2", "x = 1  # b\ny = 2"))
    assert found.text == "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py"
    assert found.summary == "a.py (+0 -0)"


def test_other_files_than_python_keep_their_hashes() -> None:
    diff = made("# a heading\nx", "# another\nx", path="README.md")
    assert "+# another" in rendered(diff).text


@pytest.mark.parametrize(
    "diff",
    [
        "not a diff at all\n",
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,5 +1,5 @@\n a\n",
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\ngarbage\n",
    ],
)
def test_what_cannot_be_taken_apart_is_shown_as_it_is(diff: str) -> None:
    found = rendered(diff)
    assert found.text == diff and not found.shown.in_parts


odd = st.lists(
    st.sampled_from(
        ["x = 1", "# a", '"""', "'", "(", ")", "  y", "\t\x0c", "\0", "\r", "é:", "def f():", "\\"]
    )
)


@given(lines=odd, more=odd)
@settings(max_examples=60, deadline=None)
def test_nothing_that_a_model_may_write_breaks_a_rendering(lines: list[str], more: list[str]) -> None:
    diff = made("\n".join(lines), "\n".join(more), context=1)
    for text in (diff, diff[:-7], "\n".join(lines)):
        for rendering in ("plain", "other"):
            assert len(rendered(text, rendering, 60).text) < 400


def test_a_hunk_that_nobody_is_shown_whole_is_not_read() -> None:
    diff = made("", "\n".join(["x = 1  # one"] * 6000))
    found = rendered(diff, most=500)
    assert found.shown.unread_hunks == 1 and len(found.text) < 600
    assert found.shown.lines_left_out > 5900


def test_an_empty_diff_is_no_file() -> None:
    assert parse("") == () and rendered("").text == ""


def test_renamed_binary_and_new_files_have_their_names() -> None:
    diff = (
        "diff --git a/old name.py b/new name.py\nsimilarity index 100%\nrename from old name.py\n"
        "rename to new name.py\n"
        "diff --git a/logo.png b/logo.png\nBinary files a/logo.png and b/logo.png differ\n"
        "diff --git a/n.py b/n.py\nnew file mode 100644\n--- /dev/null\n+++ b/n.py\n@@ -0,0 +1 @@\n+x\n"
        "\\ No newline at end of file\n"
        "diff --git a/gone.py b/gone.py\ndeleted file mode 100644\n--- a/gone.py\n+++ /dev/null\n"
        "@@ -1,2 +0,0 @@\n--- a\n-+++ b\n"
    )
    files = parse(diff)
    assert files is not None
    assert [each.path for each in files] == ["new name.py", "logo.png", "n.py", "gone.py"]
    assert [each.counts for each in files] == [(0, 0), (0, 0), (1, 0), (0, 2)]


def test_a_line_that_looks_like_a_header_is_a_line() -> None:
    diff = (
        "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n--- a/y\n+++ b/y\n keep\n--- a/z\n+++ b/z\n@@ -1 +1 @@\n-1\n+2\n"
    )
    files = parse(diff)
    assert files is not None and [each.path for each in files] == ["x", "z"]


@given(text=st.text(st.sampled_from("ab \n"), max_size=300), most=st.integers(1, 120))
def test_what_is_shown_is_bounded_and_says_what_is_not(text: str, most: int) -> None:
    shown, gone = clip(text, most)
    if not gone:
        assert shown == text and len(text) <= most
    else:
        head, _, tail = shown.partition(f"[… {gone} line")
        assert len(head) + len(tail.partition("shown …]")[2]) <= most + 2
        assert text.startswith(head.rstrip("\n")) and text.endswith(tail.partition("shown …]\n")[2])


@given(sizes=st.lists(st.integers(0, 100), min_size=1, max_size=8), most=st.integers(0, 300))
def test_room_is_shared_and_no_small_file_is_cut_for_a_large_one(sizes: list[int], most: int) -> None:
    found = shares(sizes, most)
    assert sum(found) <= most and all(0 <= one <= size for one, size in zip(found, sizes, strict=True))
    cut = [one for one, size in zip(found, sizes, strict=True) if one < size]
    assert not cut or min(cut) >= max(found) - len(sizes)
    assert cut or found == sizes


def test_a_long_diff_shows_the_same_lines_in_either_order() -> None:
    big = FileDiff(
        "big.txt", ("--- a/big.txt", "+++ b/big.txt"), (Hunk(0, 1, "", tuple(f"+{n}" for n in range(999))),)
    )
    small = FileDiff("small.txt", ("--- a/small.txt", "+++ b/small.txt"), (Hunk(0, 1, "", ("+one", "+two")),))
    plain, other = rendered(join([big, small]), "plain", 800), rendered(join([big, small]), "other", 800)
    assert sorted(plain.text.split("\n")) == sorted(other.text.split("\n"))
    assert plain.shown.lines_left_out == other.shown.lines_left_out > 0
    assert "+two" in plain.text and len(plain.text) < 900
    assert "big.txt (+999 -0)" in plain.summary


@given(count=st.integers(0, 9), number=st.integers(0, 99))
def test_another_order_is_one(count: int, number: int) -> None:
    seed = str(number)
    found = another_order(count, seed)
    assert sorted(found) == list(range(count))
    assert count < 2 or list(found) != list(range(count))
    assert found == another_order(count, seed)
