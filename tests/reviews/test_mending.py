"""What of a coder's answer gets into a file, and how the file is written."""

import ast
from pathlib import Path

import pytest

from dualcode.reviews import mending
from dualcode.reviews.mending import Found
from dualcode.reviews.sources import Source
from tests.reviews.scripted import MONEY

FILE = '''"""A module."""

from __future__ import annotations

import os

LIMIT = 3


@first
@second(1)
def f(n):
    """Say what it does.

    In two paragraphs.
    """
    return n


class Box:
    """A box."""

    def size(self):
        return 1


def g(n):
    return n
'''


def replaced(name: str, answer: str) -> str:
    text = mending._replaced(FILE, name, answer)  # pyright: ignore[reportPrivateUsage]
    ast.parse(text)
    return text


def test_only_the_definition_is_replaced_and_all_else_stays_to_the_letter() -> None:
    text = replaced("g", "def helper(): ...\n\ndef g(n):\n    return n + 1\n\nprint(g(1))\n")
    assert text == FILE.replace("def g(n):\n    return n", "def g(n):\n    return n + 1")


def test_an_import_that_is_newly_needed_stands_behind_the_file_s_own() -> None:
    text = replaced(
        "g", "import os\nimport math\nfrom itertools import chain\n\ndef g(n):\n    return math.pi\n"
    )
    assert "import os\nimport math\nfrom itertools import chain\n\nLIMIT" in text
    assert text.index("__future__") < text.index("import math")


def test_decorators_are_replaced_with_their_function() -> None:
    text = replaced("f", '@first\ndef f(n):\n    """Other."""\n    return 2\n')
    assert "@second" not in text
    assert text.count("@first") == 1
    assert '"""Other."""' in text


def test_a_docstring_that_was_left_out_is_put_back_whole() -> None:
    text = replaced("f", "@first\n@second(1)\ndef f(n):\n    m = n\n    return m\n")
    assert text == FILE.replace("    return n\n\n\nclass", "    m = n\n    return m\n\n\nclass")


def test_a_class_is_mended_whole() -> None:
    text = replaced("Box", "class Box:\n    def size(self):\n        return 2\n")
    assert '    """A box."""\n    def size(self):\n        return 2\n\n\ndef g' in text


def test_of_two_definitions_the_last_one_counts_as_in_python() -> None:
    twice = "def f():\n    return 1\n\n\ndef f():\n    return 2\n"
    text = mending._replaced(twice, "f", "def f():\n    return 3")  # pyright: ignore[reportPrivateUsage]
    assert text == twice.replace("return 2", "return 3")


def found(line: int, call: str = "f(1)") -> Found:
    return Found(path="a.py", line=line, where="", actual="", expected="", call=call, status="confirmed")


@pytest.mark.parametrize(
    ("line", "call", "name"),
    [(10, "f(1)", "f"), (17, "f(1)", "f"), (24, "Box().size()", "Box"), (7, "g(1)", "g"), (7, "h(1)", "")],
)
def test_a_finding_belongs_to_the_definition_around_it_or_to_the_one_that_it_calls(
    line: int, call: str, name: str
) -> None:
    assert mending._definition(FILE, found(line, call)) == name  # pyright: ignore[reportPrivateUsage]


def test_a_file_that_does_not_parse_has_no_definition_to_mend() -> None:
    assert mending._definition("def f(:\n", found(1)) == ""  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (b"x = 1\n", b"y = 'g\xc3\xbc'\n"),
        (b"x = 1", b"y = 'g\xc3\xbc'"),
        (b"x = 1\r\n", b"y = 'g\xc3\xbc'\r\n"),
        (b"\xef\xbb\xbfx = 1\n", b"\xef\xbb\xbfy = 'g\xc3\xbc'\n"),
        (b"# -*- coding: latin-1 -*-\n", b"y = 'g\xfc'\n"),
    ],
)
def test_a_file_keeps_its_encoding_its_mark_and_its_line_ends(before: bytes, expected: bytes) -> None:
    assert mending._encoded("y = 'gü'\n", before) == expected  # pyright: ignore[reportPrivateUsage]


def reason(root: Path, source: Source) -> str:
    return mending._bytes(root, source)[1]  # pyright: ignore[reportPrivateUsage]


def test_a_file_that_is_not_as_it_was_reviewed_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(MONEY)
    assert reason(tmp_path, Source(path="a.py", text=MONEY)) == ""
    assert "not as it was reviewed" in reason(tmp_path, Source(path="a.py", text=MONEY + "x = 1\n"))
    path.write_bytes(MONEY.encode().replace(b"\n", b"\r\n", 3))
    assert "mixed" in reason(tmp_path, Source(path="a.py", text=MONEY))
    path.unlink()
    assert "cannot be read" in reason(tmp_path, Source(path="a.py", text=MONEY))
    assert "stdin" in reason(tmp_path, Source(path="<stdin>", text=MONEY))


def test_a_link_that_leads_out_of_the_project_is_not_written(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "out.py").write_text(MONEY)
    (root / "a.py").symlink_to(tmp_path / "out.py")
    assert "lies outside" in reason(root, Source(path="a.py", text=MONEY))


def test_a_file_is_written_whole_with_the_mode_that_it_had_through_a_link_within(tmp_path: Path) -> None:
    path = tmp_path / "real.py"
    path.write_text("x = 1\n")
    path.chmod(0o754)
    (tmp_path / "a.py").symlink_to(path)
    mending._write(tmp_path / "a.py", b"y = 2\n")  # pyright: ignore[reportPrivateUsage]
    assert path.read_text() == "y = 2\n"
    assert path.stat().st_mode & 0o7777 == 0o754
    assert (tmp_path / "a.py").is_symlink()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.py", "real.py"]
