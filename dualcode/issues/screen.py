"""What of a diff counts: the machinery of tests stays the base's, and so do the graded tests themselves."""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from dualcode.issues.packages import Environment
from dualcode.issues.task import IssueTask
from dualcode.issues.worktrees import LeftOut, Staged

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

    tree: str
    """The tree object that is graded."""
    dropped: tuple[LeftOut, ...]
    """What did not count although the diff has it, with reasons."""
    counted: tuple[str, ...]
    """Paths whose changes count."""


def screen(staged: Staged, task: IssueTask, environment: Environment) -> Screened:
    """Put back what a fix may not decide. The diff is in an index: no file has been written."""
    changes = staged.changes()
    there = _importable(environment)
    roots, hidden = task.test_roots(), {name for name, _ in task.hidden_files()}
    dropped: list[LeftOut] = []
    for path, mode in changes:
        if why := _why(staged, path, mode, task.settings.pythonpath, there):
            dropped.append(LeftOut(path, why))
        elif path in hidden or any(path == root or path.startswith(root + "/") for root in roots):
            dropped.append(
                LeftOut(path, "lies among the graded tests, which come from the base and the task")
            )
    out = {each.path for each in dropped}
    staged.put_back(sorted(out))
    return Screened(staged.tree(), tuple(dropped), tuple(path for path, _ in changes if path not in out))


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


def _importable(environment: Environment) -> set[str]:
    """Return the names of modules that come from elsewhere: Python's own, and the environment's packages."""
    names = {path.name.partition(".")[0] for path in environment.packages.iterdir() if "-" not in path.name}
    return {*sys.stdlib_module_names, *names, "pytest"} - {"bin", "tests", "test", ""}
