"""Tasks made of other people's: SWE-bench's rows, and the Python exercises of aider's polyglot folder.

What needs a Docker image to be run (Harbor's environments, SWE-smith, R2E-Gym, Commit0) is refused by name.
"""

import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, cast

from dualcode.errors import ConfigError, SuiteError
from dualcode.issues.bases import git_dir_of, resolve
from dualcode.issues.git import GitError, also_objects_of, git, names
from dualcode.issues.task import TASK
from dualcode.issues.writing import Needs, refuse_taken, write_folder

Refused = tuple[str, str]
"""A row's or folder's name, and why it is not imported."""
_PRACTICE = "exercises/practice"
_NEEDS_DOCKER = {
    "image_name": "SWE-smith",
    "docker_image": "R2E-Gym",
    "reference_commit": "Commit0",
    "eval_script": "SWE-bench's baked rows",
}
"""Keys by which rows that come with an image are known, where they have no base to be checked out."""


@dataclass(frozen=True)
class Wanted:
    """What rows leave out, and which are wanted."""

    repositories: Mapping[str, Path]
    """By the name that rows have; "" stands for any."""
    needs: Needs = field(default_factory=Needs)
    only: str = "*"

    @classmethod
    def of(cls, repositories: Sequence[str], **more: Any) -> "Wanted":
        """Read the command line's `[NAME=]PATH`. Raises ConfigError for a path that is no folder."""
        found: dict[str, Path] = {}
        for each in repositories:
            name, equals, path = each.partition("=")
            place = Path(path if equals else name)
            if not place.is_dir():
                raise ConfigError(
                    f"--repository {each!r}: {place} is no folder", hint="--repository NAME=PATH"
                )
            found[name if equals else ""] = place
        return cls(found, **more)

    def repository(self, name: str) -> Path:
        """Return the folder of a row's repository."""
        found = self.repositories.get(name, self.repositories.get(""))
        if found is None:
            raise SuiteError(f"its repository {name} is not here", hint=f"--repository {name}=PATH")
        return found


def import_tasks(source: Path, target: Path, wanted: Wanted) -> tuple[list[Path], list[Refused]]:
    """Write a folder for each task of a file of rows or of a polyglot folder.

    Returns the folders, and what was refused. Raises SuiteError for a source of no known form.
    """
    if not source.exists():
        raise SuiteError(
            f"{source} is not there", hint="a file of rows, or the folder of the polyglot benchmark"
        )
    makers: list[tuple[str, Callable[[], Path]]] = []
    if source.is_dir():
        makers += ((each.name, partial(_of_exercise, each, target, wanted)) for each in _exercises(source))
    else:
        for number, row in enumerate(_read_rows(source), 1):
            name = str(row.get("instance_id") or row.get("repo") or f"row {number}")
            makers.append((name, partial(_of_row, row, name, target, wanted)))
    written: list[Path] = []
    refused: list[Refused] = []
    for name, make in makers:
        if fnmatchcase(name, wanted.only):
            try:
                written.append(make())
            except SuiteError as error:
                refused.append((name, str(error)))
    if not written and not refused:
        raise SuiteError(f"{source} has no row or exercise named like {wanted.only!r}", hint="another --only")
    return written, refused


def _read_rows(source: Path) -> list[Mapping[str, Any]]:
    try:
        text = source.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        hint = "rows are .jsonl or .json; parquet's can be written so with pandas: to_json(lines=True)"
        raise SuiteError(f"{source} cannot be read as text: {error}", hint=hint) from None
    try:
        found: object = json.loads(text) if text.lstrip().startswith("[") else None
    except ValueError as error:
        raise SuiteError(f"{source} is no JSON: {error}", hint="a list of rows, or a row a line") from None
    rows: list[Mapping[str, Any]] = []
    lines = cast("list[object]", found) if isinstance(found, list) else text.split("\n")
    for number, line in enumerate(lines, 1):
        if isinstance(line, str) and not line.strip():
            continue
        try:
            row: object = json.loads(line) if isinstance(line, str) else line
        except ValueError as error:
            raise SuiteError(f"{source}, line {number}: no JSON: {error}", hint="a row a line") from None
        if not isinstance(row, dict):
            raise SuiteError(f"{source}, row {number} is no JSON object", hint="rows such as SWE-bench's")
        rows.append(cast("Mapping[str, Any]", row))
    return rows


def _of_row(row: Mapping[str, Any], name: str, target: Path, wanted: Wanted) -> Path:
    for key, whose in _NEEDS_DOCKER.items():
        if key in row and not row.get("base_commit"):
            raise SuiteError(f"a row of {whose} needs its Docker image ({key}), which dualcode does not run")
    missing = [
        key
        for key in ("repo", "base_commit", "problem_statement", "test_patch", "FAIL_TO_PASS")
        if not row.get(key)
    ]
    if missing:
        raise SuiteError(f"its row has no {', '.join(missing)}", hint="rows of SWE-bench's form")
    lists = {key: _ids(row, key) for key in ("FAIL_TO_PASS", "PASS_TO_PASS")}
    for key, ids in lists.items():
        if odd := next((each for each in ids if "::" not in each), None):
            raise SuiteError(f"{key}: {odd!r} is no id of pytest's, and only pytest is run here")
    if not lists["FAIL_TO_PASS"]:
        raise SuiteError("FAIL_TO_PASS: it names no test, so nothing tells whether the issue is fixed")
    repository = wanted.repository(str(row["repo"]))
    commit = resolve(repository, str(row["base_commit"]))
    folder = target / _slug(name)
    write_folder(
        folder,
        str(row["problem_statement"]),
        _patched(repository, commit, str(row["test_patch"]), lists["FAIL_TO_PASS"]),
        str(row.get("patch") or ""),
        source={"path": str(repository.resolve()), "revision": commit},
        fail_to_pass=lists["FAIL_TO_PASS"],
        pass_to_pass=lists["PASS_TO_PASS"],
        needs=wanted.needs,
    )
    return folder


def _ids(row: Mapping[str, Any], key: str) -> list[str]:
    """Return a list of ids, which some data sets write as JSON within a string."""
    value: object = row.get(key) or []
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise SuiteError(f"{key} is neither a list nor JSON of one: {value[:60]!r}") from None
    if not isinstance(value, list):
        raise SuiteError(f"{key} is no list of test ids")
    return list(dict.fromkeys(str(each) for each in cast("list[object]", value)))


def _patched(repository: Path, commit: str, patch: str, ids: Sequence[str]) -> dict[str, bytes]:
    """Return the files of a patch of tests as it leaves them, and those of `ids` that it does not change.

    Nothing is written into the repository.
    """
    with tempfile.TemporaryDirectory(prefix="dualcode-import-") as name:
        own = Path(name, "own.git")
        git(None, "init", "--quiet", "--bare", "--template=", str(own))
        more = {**also_objects_of(git_dir_of(repository)), "GIT_INDEX_FILE": str(own / "index")}
        git(own, "read-tree", commit, more=more)
        given = (patch if patch.endswith("\n") else patch + "\n").encode("utf-8", "surrogateescape")
        try:
            git(own, "apply", "--cached", "--whitespace=nowarn", "-", given=given, more=more)
        except GitError as error:
            raise SuiteError(f"test_patch does not apply to {commit[:12]}: {error.message}") from None
        changed = git(
            own, "diff-index", "--cached", "-z", "--name-only", "--diff-filter=AM", commit, more=more
        )
        files = dict.fromkeys([*names(changed), *(each.partition("::")[0] for each in ids)])
        try:
            read = {each: git(own, "cat-file", "blob", f":{each}", more=more) for each in files}
        except GitError as error:
            raise SuiteError(f"of a test in test_patch or FAIL_TO_PASS: {error.message}") from None
        return read


def _exercises(source: Path) -> list[Path]:
    """Return the Python exercises of a polyglot folder, of its Python track, or one exercise."""
    if (source / TASK).exists() and not (source / ".meta").exists():
        docker = (source / "environment" / "Dockerfile").exists()
        why = "is a task of Harbor's whose environment is a Dockerfile, which dualcode does not run"
        raise SuiteError(
            f"{source} {why if docker else 'is a task already'}", hint=f"dualcode issues check {source}"
        )
    places = (source / "python" / _PRACTICE, source / _PRACTICE, source)
    place = next((each for each in places if each.is_dir()), source)
    found = [source] if (source / ".meta/config.json").exists() else sorted(place.glob("*/"))
    exercises = [each for each in found if (each / ".meta/config.json").exists()]
    if not exercises:
        hint = "a folder with python/exercises/practice/NAME/.meta/config.json, or a file of rows"
        raise SuiteError(f"{source} holds no exercise", hint=hint)
    return exercises


def _of_exercise(folder: Path, target: Path, wanted: Wanted) -> Path:
    try:
        files: dict[str, list[str]] = json.loads((folder / ".meta/config.json").read_text("utf-8"))["files"]
        solution, tests, example = files["solution"], files["test"], files.get("example", [])
        stubs = {name: (folder / name).read_text("utf-8") for name in solution}
        hidden = {name: (folder / name).read_bytes() for name in tests}
        parts = [
            folder / ".docs" / name
            for name in ("introduction.md", "instructions.md", "instructions.append.md")
        ]
        texts = [part.read_text("utf-8").strip() for part in parts if part.exists()]
        answers = [(folder / name).read_text("utf-8") for name in example[: len(solution)]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SuiteError(f"{folder} is no exercise of the polyglot's form: {error!r}") from None
    if odd := next((name for name in solution if not name.endswith(".py")), None):
        raise SuiteError(f"{odd} is no Python, and only Python's exercises are imported")
    failing = _unittests(hidden)
    if not solution or not failing:
        raise SuiteError(f"{folder} names no {'test' if solution else 'file to be completed'}")
    made = target / _slug(folder.name)
    refuse_taken(made)
    repository = made / "repository.git"
    commit = _commit(repository, stubs)
    told = f"\n\nThe files to be completed: {', '.join(solution)}. Their names and signatures stay."
    write_folder(
        made,
        "\n\n".join(texts) + told,
        hidden,
        "".join(_as_patch(name, stubs[name], text) for name, text in zip(solution, answers, strict=False)),
        source={"path": repository.name, "revision": commit},
        fail_to_pass=failing,
        pass_to_pass=(),
        needs=wanted.needs,
        beside=(repository.name,),
    )
    return made


def _commit(repository: Path, files: Mapping[str, str]) -> str:
    """Make a bare repository of one commit with some files."""
    repository.parent.mkdir(parents=True, exist_ok=True)
    git(None, "init", "--quiet", "--bare", "--template=", str(repository))
    lines: list[str] = []
    for name, text in files.items():
        blob = git(repository, "hash-object", "-w", "--stdin", given=text.encode()).decode().strip()
        lines.append(f"100644 {blob}\t{name}\n")
    git(repository, "update-index", "--index-info", given="".join(lines).encode())
    tree = git(repository, "write-tree").decode().strip()
    commit = git(repository, "commit-tree", tree, "-m", "base").decode().strip()
    git(repository, "update-ref", "refs/heads/base", commit)
    (repository / "index").unlink()
    return commit


def _as_patch(name: str, before: str, after: str) -> str:
    """Return the patch that puts one text in the place of another."""
    with tempfile.TemporaryDirectory(prefix="dualcode-import-") as folder:
        for side, text in (("a", before), ("b", after)):
            path = Path(folder, side, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        command = ("diff", "--no-index", "--no-prefix", "--no-ext-diff", f"a/{name}", f"b/{name}")
        return git(None, *command, tree=None, allowed=(0, 1), at=Path(folder)).decode()


def _unittests(files: Mapping[str, bytes]) -> list[str]:
    """Return the ids of tests that a file's text tells: functions, and methods of classes."""
    found: list[str] = []
    for name, content in files.items():
        around = ""
        for line in content.decode(errors="replace").splitlines():
            if match := re.match(r"class (\w+)", line):
                around = f"{match[1]}::"
            elif match := re.match(r"(\s*)(?:async )?def (test\w*)", line):
                found.append(f"{name}::{around if match[1] else ''}{match[2]}")
    return list(dict.fromkeys(found))


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:100] or "task"
