"""An issue task: a folder in Harbor's layout, with our table under `[metadata.dualcode]`.

TASK/task.toml              Harbor's fields as they are, and ours
TASK/instruction.md         the issue, all that a model is told
TASK/tests/                 hidden: laid over the tree at its own paths when a fix is graded
TASK/solution/solution.patch    a fix, for `dualcode issues check` and for trying judges; no grade needs it
TASK/solution/wrong.patch       a fix that looks like one, and with which a hidden test fails; for the same
"""

import re
import tomllib
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, cast

from pydantic import Field, ValidationError, field_validator, model_validator

from dualcode import resources
from dualcode.config import explain
from dualcode.errors import SuiteError, UnknownNameError
from dualcode.record import Record

TASK, INSTRUCTION, TESTS = "task.toml", "instruction.md", "tests"
SOLUTION, WRONG = "solution/solution.patch", "solution/wrong.patch"
HIGHEST, LOWEST = 10, 1
"""Points of scope discipline."""
HARBOR_SCRIPT = "test.sh"
"""Harbor's own verifier, at the root of `tests/`; ours neither runs nor lays it over."""
HINT = "docs/issues.md has an example"

_PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TEST_FOLDERS = {"tests", "test", "testing"}


class Source(Record):
    """Where the tree comes from: an archive of a package registry, or a revision of a local repository."""

    sdist: str | None = None
    """The project's name in the registry."""
    version: str | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Of the archive; nothing of another checksum is unpacked."""
    path: Path | None = None
    """A repository's folder; relative to the task's own."""
    revision: str | None = None
    """A commit, branch or tag of it."""

    @model_validator(mode="after")
    def _one(self) -> "Source":
        archive, repository = (self.sdist, self.version, self.sha256), (self.path, self.revision)
        if all(archive) == all(repository) or (any(archive) and any(repository)):
            raise ValueError("give either sdist, version and sha256, or path and revision")
        return self

    @property
    def named(self) -> str:
        """What it is, for people."""
        return f"{self.sdist} {self.version}" if self.sdist else f"{self.path} at {self.revision}"


class Limits(Record):
    """What a command in the jail may use; a task's tests too, but for `test_seconds`."""

    command_seconds: Annotated[float, Field(gt=0, le=7200)] = 120.0
    test_seconds: Annotated[float, Field(gt=0, le=7200)] = 600.0
    memory_mb: Annotated[int, Field(ge=64)] = 2048
    """Of all processes of a command together."""
    processes: Annotated[int, Field(ge=8)] = 128
    """Threads count, too."""
    disk_mb: Annotated[int, Field(ge=1)] = 512
    """By how much the worktree may grow."""
    output_kb: Annotated[int, Field(ge=1)] = 64
    """Of what a command prints, its beginning and its end are kept."""


class Settings(Record):
    """The table `[metadata.dualcode]`."""

    source: Source
    python: str = ">=3.8"
    """The versions of Python that the tree runs on, such as `>=3.9,<3.13`."""
    pins: tuple[str, ...] = ()
    """Packages beside the standard library, each `NAME==VERSION`; wheels, and nothing beyond the list."""
    pythonpath: tuple[str, ...] = (".",)
    """Folders of the tree from which its packages are imported."""
    visible_test: str = "python -m pytest -q tests"
    """How a developer runs the tree's own tests."""
    fail_to_pass: tuple[str, ...]
    """pytest's ids of the hidden tests that fail before a fix and pass after it."""
    pass_to_pass: tuple[str, ...] | str = ()
    """Ids that pass before and after any right fix, or the name of a file beside task.toml, one a line."""
    known_bad: tuple[str, ...] = ()
    """Ids that fail on this base whatever is done; they are not asked for."""
    paths_in_scope: tuple[str, ...] = ()
    """Patterns of the files that a fix may be expected to change; none: no opinion."""
    limits: Limits = Limits()

    @field_validator("pins")
    @classmethod
    def _pinned(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pin in value:
            if not _PIN.fullmatch(pin):
                raise ValueError(f"{pin!r} is no NAME==VERSION")
        return value

    @field_validator("python")
    @classmethod
    def _readable(cls, value: str) -> str:
        accepts(value, (3, 11))
        return value

    @field_validator("pythonpath")
    @classmethod
    def _inside(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if PurePosixPath(each).is_absolute() or ".." in PurePosixPath(each).parts:
                raise ValueError(f"{each!r} leads out of the tree")
        return value


class IssueTask(Record):
    """One issue, with all that is needed to grade a fix of it. Only `instruction` is for models."""

    name: str
    """The folder's name, such as `flask-4041`."""
    folder: Path
    instruction: str
    settings: Settings
    pass_to_pass: tuple[str, ...]
    """The ids themselves, known bad ones left out."""

    @property
    def fail_to_pass(self) -> tuple[str, ...]:
        """The ids of the hidden tests that a fix has to turn."""
        return self.settings.fail_to_pass

    @property
    def limits(self) -> Limits:
        """What commands may use."""
        return self.settings.limits

    @property
    def tests(self) -> Path:
        """The folder of hidden tests."""
        return self.folder / TESTS

    @property
    def solution(self) -> Path:
        """The patch that is known to be right; need not exist."""
        return self.folder / SOLUTION

    @property
    def wrong(self) -> Path:
        """The patch that looks right and is known to be wrong; need not exist."""
        return self.folder / WRONG

    def test_roots(self) -> tuple[str, ...]:
        """Return the folders and files of the tree that hold graded tests: each comes from the base."""
        ids = (*self.fail_to_pass, *self.pass_to_pass)
        return tuple(sorted({test_root(each.partition("::")[0]) for each in ids}))

    def hidden_files(self) -> Iterator[tuple[str, Path]]:
        """Yield the path in the tree, and the file, of all that is laid over it."""
        for path in sorted(self.tests.rglob("*")):
            name = path.relative_to(self.tests).as_posix()
            if path.is_file() and name != HARBOR_SCRIPT and "__pycache__" not in path.parts:
                yield name, path

    def in_scope(self, path: str) -> bool:
        """Tell whether a fix may be expected to change this file."""
        wanted = self.settings.paths_in_scope
        return not wanted or any(fnmatchcase(path, pattern) for pattern in wanted)

    def scope_score(self, changed: Collection[str]) -> int | None:
        """Return 10, less a point for each changed file out of scope, and no less than 1: it needs no judge.

        None where there is nothing to score: no file was changed, or the task has no opinion. Ten unrelated
        files lose all that can be lost, however large the fix is; one costs one point.
        """
        if not changed or not self.settings.paths_in_scope:
            return None
        return max(LOWEST, HIGHEST - sum(not self.in_scope(path) for path in set(changed)))


def test_root(file: str) -> str:
    """Return the outermost folder of tests around a file, or the file itself where it lies in none."""
    parts = PurePosixPath(file).parts
    at = next((n for n, part in enumerate(parts[:-1], 1) if part in _TEST_FOLDERS), len(parts))
    return "/".join(parts[:at])


def accepts(demand: str, version: tuple[int, ...]) -> bool:
    """Tell whether a version of Python fits a demand. Raises ValueError if that cannot be read."""
    from dualcode.suites.suite import Terms

    return Terms(python=demand).accepts_python(version)


def read_task(folder: Path) -> IssueTask:
    """Read a task's folder. Raises SuiteError with file, place and what would be right."""
    path = folder / TASK
    content = _toml(path)
    metadata: object = content.get("metadata")
    table = cast("dict[str, Any]", metadata).get("dualcode") if isinstance(metadata, dict) else None
    if not isinstance(table, dict):
        docker = " (its environment is a Dockerfile, which dualcode does not run)"
        told = docker if (folder / "environment" / "Dockerfile").exists() else ""
        raise SuiteError(f"{path} has no table [metadata.dualcode]{told}", hint=HINT)
    try:
        settings = Settings.model_validate(table)
    except ValidationError as error:
        raise SuiteError(
            f"{path}, [metadata.dualcode]: {explain(error, Settings)}", hint=f"mend it there; {HINT}"
        ) from None
    name = folder.resolve().name
    if not _NAME.fullmatch(name):
        raise SuiteError(
            f"{name!r} cannot be a task's name: letters, digits, . _ - only", hint="mv FOLDER NEW"
        )
    instruction = _text(folder / INSTRUCTION).strip()
    if not instruction:
        raise SuiteError(f"{folder / INSTRUCTION} is empty", hint="write the issue there")
    given = settings.pass_to_pass
    if isinstance(given, str):
        lines = map(str.strip, _text(folder / given).splitlines())
        given = tuple(line for line in lines if line and not line.startswith("#"))
    task = IssueTask(
        name=name,
        folder=folder.resolve(),
        instruction=instruction + "\n",
        settings=settings,
        pass_to_pass=tuple(each for each in given if each not in settings.known_bad),
    )
    if flaw := next(_flaws(task), None):
        raise SuiteError(f"{path}, [metadata.dualcode]: {flaw}", hint=HINT)
    return task


def _flaws(task: IssueTask) -> Iterator[str]:
    """Yield what is wrong with a task that can be read."""
    if not task.fail_to_pass:
        yield "fail_to_pass is empty: nothing tells whether the issue is fixed"
    for key in ("fail_to_pass", "pass_to_pass"):
        seen: set[str] = set()
        for each in getattr(task, key):
            if each in seen:
                yield f"{key} names {each} twice"
            seen.add(each)
            file, colons, _ = each.partition("::")
            if not colons or PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
                yield f"{key}: {each!r} is no id such as tests/test_it.py::test_it"
    if both := set(task.fail_to_pass) & set(task.pass_to_pass):
        yield f"{min(both)} stands in fail_to_pass and in pass_to_pass"
    hidden = {name for name, _ in task.hidden_files()}
    for each in task.fail_to_pass:
        if (file := each.partition("::")[0]) not in hidden:
            yield f"fail_to_pass: {each} is to be found in {task.tests / file}, which is not there"


def find_task(name: str) -> IssueTask:
    """Return the task of a folder, or the shipped one of this name. Raises SuiteError, UnknownNameError."""
    path = Path(name)
    if path.is_dir():
        return read_task(path)
    if "/" in name:
        raise SuiteError(f"{name} is no folder", hint="dualcode issues list, or the path of a task's folder")
    shipped = {each.name: each for each in shipped_folders()}
    if name not in shipped:
        raise UnknownNameError("issue task", name, shipped, hint="dualcode issues list, or a task's folder")
    return read_task(shipped[name])


def shipped_folders() -> list[Path]:
    """Return the folders of the tasks that dualcode carries, and of those in `eval/issues` here."""
    found: dict[str, Path] = {}
    for room in resources.rooms("eval"):
        for path in sorted((room / "issues").glob(f"*/{TASK}")):
            found.setdefault(path.parent.name, path.parent)
    return [found[name] for name in sorted(found)]


def _toml(path: Path) -> dict[str, Any]:
    if not path.exists():
        there = (
            ", ".join(sorted(each.name for each in path.parent.iterdir())[:8]) if path.parent.is_dir() else ""
        )
        raise SuiteError(f"{path.parent} has no {TASK}; it holds {there or 'nothing'}", hint=HINT)
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise SuiteError(f"{path}: not TOML: {error}", hint=HINT) from None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")  # some editors begin with a mark of the order of bytes
    except UnicodeDecodeError as error:
        raise SuiteError(f"{path} is no UTF-8 text: byte {error.start}", hint="write it as UTF-8") from None
    except OSError as error:
        raise SuiteError(f"{path} cannot be read: {error.strerror or error}", hint=HINT) from None
