"""What of a diff counts: the machinery of tests stays the base's, and so do the graded tests themselves."""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from dualcode.issues.git import git
from dualcode.issues.packages import Environment
from dualcode.issues.task import IssueTask
from dualcode.issues.worktrees import Dropped, Worktree

MACHINERY = {
    "conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg",
    "pyproject.toml", "noxfile.py", "sitecustomize.py", "usercustomize.py", ".coveragerc",
}  # fmt: skip
"""Names of files that say what tests run and how; a change to one is dropped wherever it lies."""
_LINK = 0o120000
_MODULE = 0o160000


@dataclass(frozen=True)
class Screened:
    """A diff after the screen."""

    dropped: tuple[Dropped, ...]
    """What did not count although the diff has it, with reasons."""
    counted: tuple[str, ...]
    """Paths whose changes count."""


class Staged:
    """A diff applied to the base in an index, where paths can be put back before any file is written."""

    def __init__(self, worktree: Worktree, diff: str) -> None:
        """Apply it. Raises SuiteError if it does not fit the base."""
        self._worktree = worktree
        index = worktree.admin / "screen-index"
        index.unlink(missing_ok=True)
        self._more = {**worktree.objects(), "GIT_INDEX_FILE": str(index)}
        self._git("read-tree", worktree.base.commit)
        worktree.apply(diff, index=index)

    def changes(self) -> list[tuple[str, int]]:
        """Return the paths that differ from the base, with their new mode; 0: removed."""
        fields = self._git("diff-index", "--cached", "--no-renames", "-z", self._worktree.base.commit).split(
            b"\0"
        )
        pairs = zip(fields[::2], fields[1::2], strict=False)
        return [(os.fsdecode(name), int(about.split()[1], 8)) for about, name in pairs]

    def link(self, path: str) -> str:
        """Return where a symbolic link leads."""
        return os.fsdecode(self._git("cat-file", "blob", f":{path}"))

    def put_back(self, paths: list[str]) -> None:
        """Make these what they are in the base."""
        if paths:
            listed = self._git(
                "ls-tree", "-z", self._worktree.base.commit, "--", *(f":(literal){p}" for p in paths)
            )
            there = {os.fsdecode(line.split(b"\t", 1)[1]) for line in listed.split(b"\0") if line}
            gone = b"".join(
                b"0 %s\t%s\0" % (b"0" * 40, os.fsencode(path)) for path in paths if path not in there
            )
            self._git("update-index", "-z", "--index-info", given=gone + listed)

    def tree(self) -> str:
        """Return the tree object of what stands now."""
        return self._git("write-tree").decode().strip()

    def _git(self, *arguments: str, given: bytes = b"") -> bytes:
        return git(self._worktree.admin, *arguments, tree=self._worktree.path, given=given, more=self._more)


def screen(tree: Worktree, diff: str, task: IssueTask, environment: Environment) -> Screened:
    """Make the tree its base with what counts of a diff: what a fix may not decide is put back first.

    Raises SuiteError if the diff does not fit.
    """
    staged = Staged(tree, diff)
    changes = staged.changes()
    # What comes from elsewhere: Python's own modules, and the environment's packages.
    names = {path.name.partition(".")[0] for path in environment.packages.iterdir() if "-" not in path.name}
    there = {*sys.stdlib_module_names, *names, "pytest"} - {"bin", "tests", "test", ""}
    roots, hidden = task.test_roots(), {name for name, _ in task.hidden_files()}
    dropped: list[Dropped] = []
    for path, mode in changes:
        if why := _why(staged, path, mode, task.settings.pythonpath, there):
            dropped.append(Dropped(path=path, why=why))
        elif path in hidden or any(path == root or path.startswith(root + "/") for root in roots):
            why = "lies among the graded tests, which come from the base and the task"
            dropped.append(Dropped(path=path, why=why))
    out = {each.path for each in dropped}
    staged.put_back(sorted(out))
    tree.checkout(staged.tree())
    return Screened(tuple(dropped), tuple(path for path, _ in changes if path not in out))


def _why(staged: Staged, path: str, mode: int, roots: Iterable[str], there: set[str]) -> str:
    pure = PurePosixPath(path)
    if pure.name in MACHINERY or pure.suffix == ".pth":
        return "test machinery: the base's own is used"
    if mode == _MODULE:
        return "a nested repository"
    if mode == _LINK:
        target = staged.link(path)
        around = os.path.normpath(pure.parent / target)
        if PurePosixPath(target).is_absolute() or around == ".." or around.startswith("../"):
            return f"a link out of the tree, to {target}"
    for root in roots:
        inner = pure if root == "." else pure.relative_to(root) if pure.is_relative_to(root) else None
        if mode and inner is not None and inner.parts[0].partition(".")[0] in there:
            return f"would stand in for the module {inner.parts[0].partition('.')[0]}"
    return ""
