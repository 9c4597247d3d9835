"""Diffs of other tools than git, and of git in other moods: read as they are meant, or refused in words."""

from pathlib import Path

import pytest

from dualcode.errors import InputError
from dualcode.reviews.sources import DIFF_HINT, is_diff, read_diff

BEFORE, AFTER = "one\ntwo\nthree\n", "one\n2\nthree\n"
HUNK = "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
HEADS = {
    "git": "diff --git a/a.py b/a.py\nindex 1..2 100644\n--- a/a.py\n+++ b/a.py\n",
    "git, with a mode": "diff --git a/a.py b/a.py\nold mode 100644\nnew mode 100755\nindex 1..2\n"
    "--- a/a.py\n+++ b/a.py\n",
    "git, a letter": "From 0123 Mon Sep 17 00:00:00 2001\nSubject: [PATCH] x\n\n---\n a.py | 2 +-\n\n"
    "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n",
    "GNU diff": "--- a/a.py\t2026-11-01 10:00:00.000000000 +0000\n+++ b/a.py\t2026-11-02 10:00:00.1 +0000\n",
    "GNU diff -r": "diff -ru a/a.py b/a.py\n--- a/a.py\t2026-11-01\n+++ b/a.py\t2026-11-02\n",
    "Mercurial": "diff -r 0123456789ab a.py\n--- a/a.py\tThu Jan 01 00:00:00 1970 +0000\n"
    "+++ b/a.py\tFri Nov 27 12:00:00 2026 +0000\n",
    "Mercurial, git's form": "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n",
    "Subversion": "Index: a.py\n" + "=" * 67 + "\n--- a.py\t(revision 4)\n+++ a.py\t(working copy)\n",
    "no prefix": "--- a.py\n+++ a.py\n",
}


@pytest.mark.parametrize("there", [BEFORE, AFTER])
@pytest.mark.parametrize("tool", HEADS)
def test_a_diff_of_any_tool_shows_the_file_after_it(tmp_path: Path, tool: str, there: str) -> None:
    (tmp_path / "a.py").write_text(there)
    text = HEADS[tool] + HUNK
    assert is_diff(text)
    [found], left_out = read_diff(text, tmp_path)
    assert (found.path, found.text, found.changed, left_out) == ("a.py", AFTER, (1, 2, 3), [])


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_line_ends_of_a_file_are_no_difference(tmp_path: Path, ends: str) -> None:
    (tmp_path / "a.py").write_bytes(BEFORE.replace("\n", ends).encode())
    [found], _ = read_diff(HEADS["git"] + HUNK, tmp_path)
    assert found.text == AFTER


def test_a_function_behind_a_hunks_numbers_and_a_missing_last_newline_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one\ntwo\nthree")
    hunk = HUNK.replace("+1,3 @@", "+1,3 @@ def f(x):").rstrip("\n") + "\n\\ No newline at end of file\n"
    [found], _ = read_diff(HEADS["git"] + hunk, tmp_path)
    assert found.text == AFTER


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("diff --git a/a.py b/a.py\nold mode 100644\nnew mode 100755\n", ["a.py: no lines"]),
        ("diff --git a/e.py b/e.py\nnew file mode 100644\nindex 0000000..e69de29\n", ["e.py: no lines"]),
        (
            "diff --git a/i.png b/i.png\nindex 1..2 100644\nGIT binary patch\nliteral 3\nKcmZQz00000\n\n"
            "literal 2\nJcmZQz00000\n\n",
            ["i.png: a binary file"],
        ),
    ],
)
def test_a_change_without_lines_is_left_out_by_name(tmp_path: Path, text: str, told: list[str]) -> None:
    assert read_diff(text, tmp_path) == ([], told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEADS["git"] + HUNK.replace("-1,3 +1,3", "-1,9 +1,9"), "cannot be parsed"),
        (HEADS["git"].replace("a.py", "../a.py") + HUNK, "names a file outside"),
        (HEADS["no prefix"].replace("a.py", "/etc/passwd") + HUNK, "names a file outside"),
        (HEADS["git"].replace("a.py", "gone.py") + HUNK, "gone.py, which is not in"),
        (HEADS["git"] + HUNK.replace("-two", "-deux"), "around line 1 the file reads otherwise"),
    ],
)
def test_what_cannot_be_held_against_the_files_is_refused_with_the_command_to_try(
    tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "a.py").write_text(BEFORE)
    with pytest.raises(InputError, match=told) as raised:
        read_diff(text, tmp_path)
    assert raised.value.hint == DIFF_HINT


@pytest.mark.parametrize("head", ["diff --cc a.py\nindex 1,2..3\n--- a/a.py\n+++ b/a.py\n", ""])
def test_a_merges_combined_diff_is_left_out_and_never_taken_for_a_plain_one(
    tmp_path: Path, head: str
) -> None:
    (tmp_path / "a.py").write_text(BEFORE)
    text = f"{head}@@@ -1,3 -1,3 +1,3 @@@\n  one\n- two\n -deux\n++2\n  three\n"
    assert is_diff(text) is bool(head)
    found, left_out = read_diff(text, tmp_path)
    assert (found, [each.partition(":")[0] for each in left_out]) == ([], ["a.py"] if head else [])
