"""What is seen of a tree after each step: what git would commit, without asking it each time."""

import os
from pathlib import Path

import pytest

from dualcode.agents.changes import NOTHING, Changes
from dualcode.errors import RunError
from dualcode.issues.git import git
from dualcode.issues.worktrees import Change, Worktree
from tests.issues import shop


@pytest.fixture
def seen(tree: Worktree, tmp_path: Path) -> Changes:
    made = Changes(tree, tmp_path / "kept")
    made.look()
    return made


def test_an_untouched_tree_has_no_change_and_nothing_is_kept(seen: Changes, tmp_path: Path) -> None:
    assert (seen.look(), seen.checksum) == (False, NOTHING)
    assert not (tmp_path / "kept").exists()


def test_each_distinct_change_is_kept_once(seen: Changes, tree: Worktree, tmp_path: Path) -> None:
    checksums: list[str] = []
    for text in ("one\n", "two\n", "one\n"):
        shop.write(tree.path, {"shop/new.py": text})
        assert seen.look()
        checksums.append(seen.checksum)
    (tree.path / "shop/new.py").unlink()
    assert seen.look()
    assert seen.checksum == NOTHING
    assert checksums[0] == checksums[2] != checksums[1]
    assert {path.stem for path in (tmp_path / "kept").iterdir()} == set(checksums)


def test_what_is_no_part_of_a_fix_is_no_change(seen: Changes, tree: Worktree) -> None:
    shop.write(tree.path, {"shop/__pycache__/a.pyc": "x", "build/x": "ignored", "own.log": "ignored"})
    assert not seen.look()
    shop.write(tree.path, {"shop/price.py.rej": "@@ what patch could not do\n", "shop/price.py.orig": "x"})
    assert not seen.look()
    assert seen.checksum != NOTHING, "it is in the diff all the same"
    shop.write(tree.path, shop.RIGHT)
    assert seen.look()


def test_a_file_of_the_same_size_and_time_is_seen_to_differ(seen: Changes, tree: Worktree) -> None:
    path = tree.path / "shop/price.py"
    before = path.stat()
    path.write_text(path.read_text().replace("prices[1:]", "prices[2:]"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert seen.look()


def test_git_is_asked_only_where_something_moved(
    seen: Changes, tree: Worktree, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Worktree] = []
    change = Worktree.change

    def counted(each: Worktree) -> Change:
        asked.append(each)
        return change(each)

    monkeypatch.setattr(Worktree, "change", counted)
    seen.look()
    assert asked == []
    (tree.path / "shop/price.py").chmod(0o755)
    assert seen.look()
    assert asked == [tree]


def test_a_tree_is_restored_whatever_stands_in_it(seen: Changes, tree: Worktree) -> None:
    shop.write(tree.path, {**shop.RIGHT, "with blank's.txt": "é\n", "deep/er/new.bin": "\x00\x01"})
    (tree.path / "setup.cfg").unlink()
    (tree.path / "link").symlink_to("setup.cfg")
    seen.look()
    first, diff = seen.checksum, tree.change().diff
    shop.write(tree.path, {"shop/price.py": "broken", "setup.cfg": "back\n", "more.py": "x\n"})
    (tree.path / ".git").unlink()
    shop.write(tree.path, {".git/config": "[core]\n fsmonitor = touch /tmp/no\n"})
    seen.restore(first)
    assert (seen.checksum, tree.change().diff) == (first, diff)
    assert (tree.path / ".git").read_text() == f"gitdir: {tree.admin}\n"
    seen.restore(NOTHING)
    assert tree.change().files == ()


def test_the_change_of_a_tree_leaves_head_and_a_commit_moves_it(tree: Worktree) -> None:
    shop.write(tree.path, shop.RIGHT)

    def head() -> str:
        return git(tree.admin, "rev-parse", "HEAD").decode().strip()

    change = tree.change()
    assert head() == tree.base.commit
    assert tree.commit() == change
    assert head() == change.commit


def test_a_change_that_is_not_kept_any_more_cannot_be_restored(tree: Worktree, tmp_path: Path) -> None:
    shop.write(tree.path, shop.RIGHT)
    seen = Changes(tree, tmp_path)
    seen.look()
    first = seen.checksum
    shop.write(tree.path, shop.WRONG)
    (tmp_path / f"{first}.diff").unlink()
    with pytest.raises(RunError, match="cannot be read") as caught:
        seen.restore(first)
    assert caught.value.hint
