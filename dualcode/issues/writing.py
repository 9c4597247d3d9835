"""A new task's folder: from a local repository, a revision and the issue's text."""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from dualcode.errors import SuiteError
from dualcode.issues.bases import git_dir_of, resolve
from dualcode.issues.git import GitError, git, names
from dualcode.issues.task import INSTRUCTION, SOLUTION, TASK, TESTS, test_root

_FIRST_TEST = '''"""Hidden: what a fix of the issue has to do. The ids stand in task.toml, fail_to_pass."""


def test_the_issue_is_fixed():
    raise NotImplementedError("write what has to hold after any right fix, and fails before it")
'''
_TEST_NAME = re.compile(rb"^(?:async )?def (test\w*)", re.MULTILINE)
"""A test at a file's top level, as far as its text tells."""
_TEST_FILE = re.compile(r"(^|/)(test_[^/]*|[^/]*_test)\.py$")


@dataclass(frozen=True)
class Needs:
    """What a tree needs to be run, in `Settings`' words; nothing else tells it of a new task."""

    python: str = ">=3.8"
    pins: Sequence[str] = ()
    pythonpath: Sequence[str] = (".",)


def write_task(
    folder: Path,
    repository: Path,
    revision: str,
    issue: str,
    *,
    fix: str | None = None,
    needs: Needs | None = None,
) -> list[Path]:
    """Write a task and return its files. The repository is only read: what is not committed is no part of it.

    With `fix`, a commit, its test files are the hidden tests and the rest is the solution. Raises SuiteError.
    """
    commit = resolve(repository, revision)
    if not issue.strip():
        raise SuiteError("the issue's text is empty", hint="--issue with a file that says what is wrong")
    tests: dict[str, bytes] = {"tests/test_issue.py": _FIRST_TEST.encode()}
    solution, failing = "", ["tests/test_issue.py::test_the_issue_is_fixed"]
    if fix is not None:
        tests, solution = _of_fix(repository, commit, resolve(repository, fix))
        failing = [
            f"{name}::{test.decode()}"
            for name, text in sorted(tests.items())
            for test in _TEST_NAME.findall(text)
        ]
        if not failing:
            raise SuiteError(
                f"{fix} changes no test file from which hidden tests could be taken",
                hint="leave --fix out, and write the tests yourself",
            )
    return write_folder(
        folder,
        issue,
        tests,
        solution,
        source={"path": os.path.relpath(repository.resolve(), folder.resolve()), "revision": commit},
        fail_to_pass=failing,
        pass_to_pass=(),
        needs=needs or Needs(),
    )


def refuse_taken(folder: Path, beside: Sequence[str] = ()) -> None:
    """Refuse a folder that holds something, or more than `beside`. Raises SuiteError."""
    if folder.exists() and any(each.name not in beside for each in folder.iterdir()):
        raise SuiteError(
            f"{folder} is there already", hint=f"another FOLDER, or dualcode issues check {folder}"
        )


def write_folder(
    folder: Path,
    issue: str,
    tests: Mapping[str, bytes],
    solution: str,
    *,
    source: Mapping[str, str],
    fail_to_pass: Iterable[str],
    pass_to_pass: Iterable[str],
    needs: Needs,
    beside: Sequence[str] = (),
) -> list[Path]:
    """Write a folder that is not there yet, or holds nothing but `beside`, and return its files."""
    refuse_taken(folder, beside)
    roots = sorted({test_root(each.partition("::")[0]) for each in fail_to_pass})
    table = {
        "python": needs.python,
        "pins": list(needs.pins),
        "pythonpath": list(needs.pythonpath),
        "visible_test": f"python -m pytest -q {' '.join(roots)}",
        "fail_to_pass": list(fail_to_pass),
        "pass_to_pass": list(pass_to_pass),
    }
    lines = ['schema_version = "1.4"', "", "[task]", f"name = {quoted('dualcode/' + folder.name)}", ""]
    lines += ["[metadata.dualcode]", *(f"{key} = {quoted(value)}" for key, value in table.items()), ""]
    lines += [
        "[metadata.dualcode.source]",
        *(f"{key} = {quoted(value)}" for key, value in source.items()),
        "",
    ]
    files = {
        TASK: "\n".join(lines).encode(),
        INSTRUCTION: (issue.strip() + "\n").encode(),
        **{f"{TESTS}/{name}": content for name, content in tests.items()},
        **({SOLUTION: solution.encode("utf-8", "surrogateescape")} if solution.strip() else {}),
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return [folder / name for name in files]


def quoted(value: object) -> str:
    """Return a text or a list of texts as TOML; JSON's strings are TOML's, but for DEL."""
    if isinstance(value, list):
        each = [f"    {quoted(item)},\n" for item in cast("list[object]", value)]
        return f"[\n{''.join(each)}]" if each else "[]"
    return json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f")


def _of_fix(repository: Path, commit: str, fix: str) -> tuple[dict[str, bytes], str]:
    """Return the test files as a fix leaves them, and its diff without them."""
    git_dir = git_dir_of(repository)
    changed = names(git(git_dir, "diff-tree", "-r", "-z", "--name-only", "--no-renames", commit, fix))
    tests = [name for name in changed if _TEST_FILE.search(name)]
    found: dict[str, bytes] = {}
    for name in tests:
        try:
            found[name] = git(git_dir, "cat-file", "blob", f"{fix}:{name}")
        except GitError:  # the fix removes it
            continue
    rest = [f":(literal){name}" for name in changed if name not in tests]
    options = ("-p", "--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv")
    diff = git(git_dir, "diff-tree", "-r", *options, commit, fix, "--", *rest) if rest else b""
    return found, diff.decode("utf-8", "surrogateescape")
