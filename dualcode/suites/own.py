"""A team's own suite: a folder, with a folder for each task and what it demands in `suite.toml`.

    SUITE/suite.toml            optional: see Settings
    SUITE/TASK/spec.md          `entry_point` in the front matter; below it the prompt
    SUITE/TASK/tests.py         hidden: asserts, or functions named test_…, without pytest
    SUITE/TASK/reference.py     optional: a program that passes them
    SUITE/tasks.jsonl           instead of the tasks' folders: rows of EvalPlus's or HumanEval's form

A task's row is made of its files. `test` is `tests.py` as it stands, with a `check(candidate)` behind it that
calls its functions: the calls that it makes of the entry point are recorded with the reference, made in the
candidate's jail, and the tests then run elsewhere on what came back. Without a reference the calls are read
off the text (`calls.py`). docs/own-tasks.md is the page for people.
"""

import ast
import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from dualcode.config import explain
from dualcode.errors import SuiteError
from dualcode.suites import source
from dualcode.suites.calls import NeedsReferenceError, literal_calls
from dualcode.suites.files import Located, found_in_folder, text_in_folder
from dualcode.suites.rows import Tasks
from dualcode.suites.source import Flaw
from dualcode.suites.suite import HiddenTests, Terms
from dualcode.task import Task

SUITE, SPEC, TESTS, REFERENCE = "suite.toml", "spec.md", "tests.py", "reference.py"
ROWS = ("tasks.jsonl", "tasks.jsonl.gz")
FRONT = f"{SPEC} begins with three lines: ---, entry_point: NAME, ---"

_NO_IMPORTS = {"pytest", "unittest", "hypothesis"}
_SOLUTIONS = {"reference", "solution", "candidate", "main"}


class Settings(BaseModel):
    """A suite's `suite.toml`. Every key may be left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    """Part of runs' ids; the folder's name by default."""
    title: str | None = None
    """For people."""
    description: str = ""
    version: str | None = None
    python: str | None = None
    call_seconds: float | None = Field(default=None, gt=0, le=3600)
    total_seconds: float | None = Field(default=None, gt=0, le=3600)
    imports: tuple[str, ...] | None = None
    tasks: str | None = None
    """A file of rows that lies elsewhere, from the suite's folder."""
    only: str = "*"
    """A pattern of the rows' ids that are wanted, as the shell's."""

    @field_validator("title", "version")
    @classmethod
    def _on_a_line(cls, value: str | None) -> str | None:
        if value is not None and not value.isprintable():
            raise ValueError("it does not fit on a line")
        return value

    @field_validator("python")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        Terms(python=value).accepts_python()
        return value

    @property
    def terms(self) -> Terms:
        """What the suite demands."""
        return Terms(**self.model_dump(include=set(Terms.model_fields)))


def read_settings(folder: Path) -> Settings:
    """Read `suite.toml`, if there is one. Raises SuiteError with file, key and line."""
    path = folder / SUITE
    if not path.exists():
        return Settings()
    text = _text(path)
    try:
        return Settings.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SuiteError(f"{path}: not TOML: {error}", hint="docs/own-tasks.md has an example") from None
    except ValidationError as error:
        key = str(error.errors()[0]["loc"][0])
        line = next((n for n, each in enumerate(text.split("\n"), 1) if each.strip().startswith(key)), 1)
        keys = ", ".join(Settings.model_fields)
        raise SuiteError(
            f"{path}, line {line}: {explain(error, Settings)}", hint=f"its keys: {keys}"
        ) from None


def rows_file(folder: Path) -> Path | None:
    """Return the suite's file of rows, if it has one instead of the tasks' folders. Raises SuiteError."""
    elsewhere = read_settings(folder).tasks
    named = (folder / elsewhere,) if elsewhere else tuple(folder / name for name in ROWS)
    found = next((path for path in named if elsewhere or path.exists()), None)
    tasks = _task_folders(folder)
    if found and tasks:
        raise SuiteError(
            f"{folder} mixes forms: {found.name} has rows, and {tasks[0] / SPEC} is a task of its own",
            hint=f"move {found.name} or the tasks' folders into another suite",
        )
    return found


def _task_folders(folder: Path) -> list[Path]:
    """Return the folders of tasks in order, numbers in their names as numbers."""
    files = (SPEC, TESTS, REFERENCE)
    found = [each for each in folder.iterdir() if each.is_dir() and any((each / f).exists() for f in files)]

    def natural(each: Path) -> list[tuple[bool, int, str]]:
        parts = [part for part in re.split(r"(\d+)", each.name) if part]
        return [(False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts]

    return sorted(found, key=natural)


def read_tasks(found: Located, name: str) -> Tasks:
    """Return the tasks of a suite's folder by id, `NAME/FOLDER`. Raises SuiteError with file and line."""
    folder = found.path
    if (folder / SPEC).exists():
        raise SuiteError(
            f"{folder} is one task, not a suite: it holds {SPEC} itself",
            hint=f"a suite is the folder above: --dataset {folder.absolute().parent}",
        )
    folders = _task_folders(folder)
    if not folders:
        raise SuiteError(
            f"{folder} holds no task: neither a folder with {SPEC} and {TESTS}, nor {ROWS[0]}",
            hint=f"dualcode suite new NAME writes an example; {FRONT}",
        )
    return {f"{name}/{each.name}": _task(f"{name}/{each.name}", each) for each in folders}


def counted(folder: Path) -> list[Path]:
    """Return the files of a suite's folder that count. Raises SuiteError."""
    tasks = [task / name for task in _task_folders(folder) for name in (SPEC, TESTS, REFERENCE)]
    rows = rows_file(folder)
    return [path for path in (folder / SUITE, *tasks, *([rows] if rows else [])) if path.exists()]


def checksum_content(folder: Path) -> bytes:
    """Return what the suite's checksum is of: a line with name and SHA-256 for every file that counts."""
    lines = [
        f"{hashlib.sha256(found_in_folder(path)).hexdigest()}  {os.path.relpath(path, folder)}\n"
        for path in counted(folder)
    ]
    return "".join(lines).encode()


def _task(task_id: str, folder: Path) -> tuple[Task, HiddenTests]:
    entry_point, prompt = _read_spec(folder / SPEC)
    path = folder / REFERENCE
    reference = _text(path) if path.exists() else ""
    if path.exists():
        tree = source.parse(reference)
        wrong = tree if isinstance(tree, Flaw) else source.definition_flaw(tree, entry_point)
        if wrong:
            raise _flaw(path, wrong, f"{REFERENCE} defines the function {entry_point}")
    fields: dict[str, Any] = {
        "task_id": task_id,
        "prompt": prompt,
        "entry_point": entry_point,
        "reference": reference,
        **_read_tests(folder / TESTS, entry_point, has_reference=bool(reference)),
    }
    task = Task(id=task_id, prompt=prompt, entry_point=entry_point)
    return task, HiddenTests("tests", json.dumps(fields).encode(), str(folder / TESTS))


def _read_spec(path: Path) -> tuple[str, str]:
    """Return a specification's entry point and its text."""
    if not path.exists():
        raise SuiteError(f"{path.parent} has no {SPEC}; it holds {_listed(path.parent)}", hint=FRONT)
    lines = _text(path).split("\n")
    ends = [number for number, line in enumerate(lines[1:], 2) if line.strip() == "---"]
    if lines[0].strip() != "---" or not ends:
        raise _flaw(path, Flaw(1, "there is no front matter with the entry point"), FRONT)
    entry_point = None
    for number, line in enumerate(lines[1 : ends[0] - 1], 2):
        key, colon, value = (part.strip() for part in line.partition(":"))
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not colon or key != "entry_point":
            raise _flaw(path, Flaw(number, f"{line.strip()!r} is no key of the front matter"), FRONT)
        entry_point = value.strip("\"'`")
        if wrong := source.name_flaw(entry_point):
            raise _flaw(path, Flaw(number, wrong), "entry_point: NAME, the name of one function")
    if entry_point is None:
        raise _flaw(path, Flaw(1, "the front matter names no entry_point"), FRONT)
    prompt = "\n".join(lines[ends[0] :]).strip()
    if not prompt:
        raise _flaw(path, Flaw(ends[0], "there is no text below the front matter"), "say what is to be done")
    return entry_point, prompt + "\n"


def _read_tests(path: Path, entry_point: str, *, has_reference: bool) -> Mapping[str, Any]:
    """Return the row's `test`, and its `calls` and what they have to give where no reference tells them."""
    hint = f"{TESTS} holds asserts such as: assert {entry_point}(…) == …"
    if not path.exists():
        raise SuiteError(f"{path.parent} has no {TESTS}; it holds {_listed(path.parent)}", hint=hint)
    text = _text(path)
    tree = source.parse(text)
    if isinstance(tree, Flaw):
        raise _flaw(path, tree, hint)
    wrong = next(_test_flaws(tree, entry_point), None)
    if wrong:
        raise _flaw(path, wrong, hint)
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    if "check" in functions:
        row: dict[str, Any] = {"test": text}
    else:
        calls = "".join(f"    {name}()\n" for name in functions if name.startswith("test"))
        row = {"test": f"{text.rstrip()}\n\n\ndef check(candidate):\n{calls or '    pass'}\n"}
    if not has_reference:
        try:
            found = literal_calls(tree, entry_point)
        except NeedsReferenceError as error:
            raise _flaw(path, error.flaw, f"write {path.with_name(REFERENCE)}") from None
        row |= {"calls": repr([call.arguments for call in found]), "wanted": [call.wanted for call in found]}
    return row


def _test_flaws(tree: ast.Module, entry_point: str) -> Iterator[Flaw]:
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    own_check = next((node for node in functions if node.name == "check"), None)
    names = {entry_point}
    if own_check and own_check.args.args:
        names.add(own_check.args.args[0].arg)
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield Flaw(node.lineno, f"tests in a class ({node.name}) are not run: write functions")
        elif isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield Flaw(node.lineno, f"{node.name} is a coroutine: tests are plain functions")
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            if given:
                what = f"{node.name} takes {given[0].arg}: there are no fixtures"
                yield Flaw(node.lineno, what)
            if node.decorator_list:
                yield Flaw(node.lineno, f"{node.name} is decorated: tests are plain functions")
    calls = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from _import_flaws(node, entry_point)
        calls += isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            for word in node.keywords:
                what = f"{node.func.id} is called with {word.arg or '**'}=…: tests pass arguments by position"
                yield Flaw(node.lineno, what)
    tested = any(isinstance(node, ast.Assert | ast.Raise | ast.With) for node in ast.walk(tree))
    if not calls or not tested:
        yield Flaw(1, f"there are no tests: nothing asserts what {entry_point} returns")


def _import_flaws(node: ast.Import | ast.ImportFrom, entry_point: str) -> Iterator[Flaw]:
    modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    for module in (each.split(".")[0] for each in modules):
        if module in _NO_IMPORTS:
            yield Flaw(
                node.lineno,
                f"{module} is not there: asserts are plain, and `with raises(ValueError):` is built in",
            )
        elif module in _SOLUTIONS or not module:
            yield Flaw(node.lineno, f"{entry_point} is there without an import from {module or 'a package'}")


def _listed(folder: Path) -> str:
    return ", ".join(sorted(each.name for each in folder.iterdir())) or "nothing"


def _text(path: Path) -> str:
    try:
        return text_in_folder(path, "utf-8-sig")
    except UnicodeDecodeError as error:
        raise SuiteError(f"{path} is no UTF-8 text: byte {error.start}", hint="write it as UTF-8") from None
    except OSError as error:
        raise SuiteError(f"{path} cannot be read: {error.strerror or error}", hint=f"ls -l {path}") from None


def _flaw(path: Path, wrong: Flaw, hint: str) -> SuiteError:
    return SuiteError(f"{path}, line {wrong.line}: {wrong.what}", hint=hint)


def write_example(folder: Path) -> Sequence[Path]:
    """Write a first suite into a folder that is not there yet, and return its files."""
    files: list[Path] = []
    for name, text in EXAMPLE.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        files.append(path)
    return files


EXAMPLE: Mapping[str, str] = {
    SUITE: """\
# Every line is optional; docs/own-tasks.md says what each does.
# title = "Our own tasks"
# python = ">=3.11"
# call_seconds = 2
# total_seconds = 10
# imports = ["re", "math"]
""",
    "slugify/spec.md": '''\
---
entry_point: slugify
---
Write a function that turns a title into the part of an address that stands for it.

```python
def slugify(title: str, longest: int = 40) -> str:
    """Return the title in lower case, its words joined by single hyphens.

    Letters and digits of any language stay; everything else separates words. No hyphen stands at
    either end. If the result is longer than `longest` characters, whole words are left out at its
    end; a first word that is too long by itself is cut. An empty title gives an empty string. A
    `longest` below 1 raises ValueError.

    >>> slugify("Hello, World!")
    'hello-world'
    >>> slugify("Review beats planning", 12)
    'review-beats'
    >>> slugify("  ")
    \'\'
    """
```
''',
    "slugify/tests.py": '''\
"""Hidden from the models. `slugify` is there without an import; so is `raises`."""

assert slugify("Tea & biscuits") == "tea-biscuits"
assert slugify("--already--") == "already"
assert slugify("") == ""


def test_length():
    assert slugify("one two three", 7) == "one-two"
    assert slugify("one two three", 6) == "one"
    assert slugify("incomprehensible", 5) == "incom"


def test_letters_of_other_languages():
    for title, expected in [("Crème Brûlée", "crème-brûlée"), ("Ærø 2024", "ærø-2024")]:
        assert slugify(title) == expected


def test_no_room():
    with raises(ValueError):
        slugify("x", 0)
''',
    "slugify/reference.py": """\
import re


def slugify(title, longest=40):
    if longest < 1:
        raise ValueError("longest is below 1")
    words = re.findall(r"[^\\W_]+", title.lower())
    kept = words[:1]
    for word in words[1:]:
        if len("-".join([*kept, word])) > longest:
            break
        kept.append(word)
    return "-".join(kept)[:longest]
""",
}
"""What `dualcode suite new` writes, by file."""
