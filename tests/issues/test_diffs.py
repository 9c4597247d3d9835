"""Diffs as other programs write them, and names and contents that need care: what counts, and what fits."""

from pathlib import Path

import pytest

from dualcode.errors import SuiteError
from dualcode.issues.bases import Base, open_base
from dualcode.issues.packages import Environment
from dualcode.issues.screen import screen
from dualcode.issues.task import IssueTask
from dualcode.issues.worktrees import worktree
from tests.issues import shop

HUNK = "@@ -1,2 +1,2 @@\n def total(prices):\n-    return sum(prices[1:])\n+    return sum(prices)\n"
NAMED = HUNK.replace("@@\n", "@@ def total(prices):\n", 1)
GIT = "diff --git a/shop/price.py b/shop/price.py\n"
FORMS = {
    "git's own": f"{GIT}index 1111111..2222222 100644\n--- a/shop/price.py\n+++ b/shop/price.py\n{HUNK}",
    "plain diff -u with times": (
        f"--- a/shop/price.py\t2024-01-02 03:04:05.000000000 +0100\n"
        f"+++ b/shop/price.py\t2024-01-02 03:04:06.000000000 +0100\n{HUNK}"
    ),
    "mnemonic prefixes": f"diff --git i/shop/price.py w/shop/price.py\n--- i/shop/price.py\n"
    f"+++ w/shop/price.py\n{HUNK}",
    "other prefixes of patch": f"--- old/shop/price.py\n+++ new/shop/price.py\n{HUNK}",
    "a mail of format-patch": (
        "From 1111111111111111111111111111111111111111 Mon Sep 17 00:00:00 2001\nFrom: U <u@localhost>\n"
        "Date: Tue, 2 Jan 2024 03:04:05 +0100\nSubject: [PATCH] Count the first\n\n---\n"
        " shop/price.py | 2 +-\n"
        f" 1 file changed, 1 insertion(+), 1 deletion(-)\n\n{GIT}--- a/shop/price.py\n+++ b/shop/price.py\n"
        f"{HUNK}--\n2.39.5\n\n"
    ),
    "words before it": f"Here is the change:\n\n{GIT}--- a/shop/price.py\n+++ b/shop/price.py\n{HUNK}",
    "the end of a function behind the hunk's head": (
        f"{GIT}--- a/shop/price.py\n+++ b/shop/price.py\n{NAMED}"
    ),
}  # fmt: skip
UNFIT = {
    "no prefix": f"--- shop/price.py\n+++ shop/price.py\n{HUNK}",
    "ends of lines of another machine": FORMS["git's own"].replace("\n", "\r\n"),
    "a torn end": FORMS["git's own"].rpartition("+")[0],
    "a count that is wrong": FORMS["git's own"].replace("-1,2 +1,2", "-1,3 +1,2"),
    "a path out of the tree": "--- a/../x\n+++ b/../x\n@@ -0,0 +1 @@\n+x\n",
    "a path into the git dir": "--- /dev/null\n+++ b/.git/hooks/pre-commit\n@@ -0,0 +1 @@\n+x\n",
    "no diff at all": "I changed the function so that it counts all prices.\n",
}
NAMES = (
    "with blank.py", "größe.py", 'quo"te.py', "it's.py", "tab\there.py", "new\nline.py", "-dash.py",
    "日本.py", ".hidden", "a" * 200, "b/c/d/e.py", " lead.py", "trail ", "back\\slash.py", "*.py",
    ":(top)x", "NUL.py",
)  # fmt: skip


@pytest.fixture
def base(task: IssueTask) -> Base:
    return open_base(task)


def test_a_diff_counts_whoever_wrote_it(base: Base, task: IssueTask, environment: Environment) -> None:
    for what, diff in FORMS.items():
        with worktree(base, "trial") as tree:
            found = screen(tree, diff, task, environment)
            assert (found.counted, found.dropped) == (("shop/price.py",), ()), what
            assert (tree.path / "shop/price.py").read_text() == shop.RIGHT["shop/price.py"], what


def test_what_does_not_fit_is_refused_whole(base: Base, task: IssueTask, environment: Environment) -> None:
    for what, diff in UNFIT.items():
        with worktree(base, "trial") as tree:
            before = sorted(each.name for each in tree.path.iterdir())
            with pytest.raises(SuiteError, match="the patch does not apply"):
                screen(tree, diff, task, environment)
            with pytest.raises(SuiteError, match="the patch does not apply"):
                tree.apply(diff)
            assert sorted(each.name for each in tree.path.iterdir()) == before, what
            assert (tree.path / "shop/price.py").read_text() == shop.FILES["shop/price.py"], what


def test_a_part_that_does_not_fit_undoes_the_part_that_does(base: Base) -> None:
    with worktree(base, "trial") as tree:
        with pytest.raises(SuiteError, match="does not apply"):
            tree.apply(FORMS["git's own"] + "--- a/setup.cfg\n+++ b/setup.cfg\n@@ -1 +1 @@\n-gone\n+x\n")
        assert tree.change().diff == ""


def test_any_name_and_content_comes_through_a_diff_as_it_was(
    base: Base, task: IssueTask, environment: Environment
) -> None:
    contents = (
        b"",
        b"no end",
        b"\r\nwindows\r\n",
        b"\0\1binary",
        b"latin \xe9\n",
        b"mark\xef\xbb\xbf\n",
        b"\n\n",
    )
    made = {f"shop/{name}": contents[at % len(contents)] for at, name in enumerate(NAMES)}
    with worktree(base, "trial") as tree:
        for name, content in made.items():
            (tree.path / name).parent.mkdir(parents=True, exist_ok=True)
            (tree.path / name).write_bytes(content)
        (tree.path / "with blank's.txt").unlink()
        change = tree.commit()
    assert set(change.files) == {*made, "with blank's.txt"}
    with worktree(base, "again") as tree:
        found = screen(tree, change.diff, task, environment)
        assert {name: (tree.path / name).read_bytes() for name in made} == made
        assert not (tree.path / "with blank's.txt").exists()
        assert (set(found.counted), found.dropped) == ({*made, "with blank's.txt"}, ())
        assert tree.change().diff == change.diff
        tree.restore("")
        assert tree.change().diff == ""
        tree.restore(change.diff)
        assert tree.change().diff == change.diff


def test_a_file_that_becomes_a_folder_a_link_or_a_program_comes_through(base: Base) -> None:
    with worktree(base, "trial") as tree:
        (tree.path / "with blank's.txt").unlink()
        shop.write(tree.path, {"with blank's.txt/inner.py": "x = 1\n"})
        (tree.path / ".gitignore").unlink()
        (tree.path / ".gitignore").symlink_to("setup.cfg")
        (tree.path / "shop/price.py").chmod(0o755)
        change = tree.commit()
    assert change.files == (".gitignore", "shop/price.py", "with blank's.txt", "with blank's.txt/inner.py")
    with worktree(base, "again") as tree:
        tree.apply(change.diff)
        assert (tree.path / ".gitignore").readlink() == Path("setup.cfg")
        assert (tree.path / "shop/price.py").stat().st_mode & 0o100
        assert tree.change().diff == change.diff


def test_a_rename_that_git_tells_as_one_counts_as_both(
    base: Base, task: IssueTask, environment: Environment
) -> None:
    """Other settings of git write renames and copies; a renamed graded test is both put back and dropped."""
    moved = "diff --git a/{0} b/{1}\nsimilarity index 100%\nrename from {0}\nrename to {1}\n"
    copied = "diff --git a/{0} b/{1}\nsimilarity index 100%\ncopy from {0}\ncopy to {1}\n"
    diff = moved.format("shop/price.py", "shop/prices.py") + moved.format(
        "tests/test_price.py", "shop/kept.py"
    )
    diff += copied.format("setup.cfg", "shop/setup.cfg") + copied.format("setup.cfg", "shop/copy.txt")
    with worktree(base, "trial") as tree:
        found = screen(tree, diff, task, environment)
        assert (tree.path / "tests/test_price.py").read_text() == shop.FILES["tests/test_price.py"]
        assert not (tree.path / "shop/setup.cfg").exists()
    assert found.counted == ("shop/copy.txt", "shop/kept.py", "shop/price.py", "shop/prices.py")
    assert {each.path for each in found.dropped} == {"tests/test_price.py", "shop/setup.cfg"}


LINK = "diff --git a/{0} b/{0}\nnew file mode 120000\n--- /dev/null\n+++ b/{0}\n@@ -0,0 +1 @@\n+{1}\n\\ No newline at end of file\n"  # noqa: E501


@pytest.mark.parametrize(
    ("path", "target", "out"),
    [
        ("link", "/etc/passwd", True),
        ("link", "../x", True),
        ("shop/link", "../../x", True),
        ("shop/link", "..", False),
        ("shop/link", "../setup.cfg", False),
        ("link", "shop/../../x", True),
        ("link", "shop", False),
        ("link", "gone", False),
    ],
)
def test_a_link_counts_unless_it_leads_out_of_the_tree(
    base: Base, task: IssueTask, environment: Environment, path: str, target: str, out: bool
) -> None:
    with worktree(base, "trial") as tree:
        found = screen(tree, LINK.format(path, target), task, environment)
        assert (tree.path / path).is_symlink() is not out
    assert [each.why for each in found.dropped] == [f"a link out of the tree, to {target}"] * out


def test_a_nested_repository_in_a_diff_does_not_count(
    base: Base, task: IssueTask, environment: Environment
) -> None:
    diff = (
        "diff --git a/vendor b/vendor\nnew file mode 160000\nindex 0000000..1111111\n--- /dev/null\n"
        f"+++ b/vendor\n@@ -0,0 +1 @@\n+Subproject commit {'1' * 40}\n"
    )
    with worktree(base, "trial") as tree:
        found = screen(tree, diff + FORMS["git's own"], task, environment)
    assert [(each.path, each.why) for each in found.dropped] == [("vendor", "a nested repository")]
    assert found.counted == ("shop/price.py",)
