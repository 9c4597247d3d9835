"""Samples in EvalPlus's formats.

A file's lines have `task_id` and `solution` or `completion`; a folder holds files as `HumanEval_0/0.py`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dualcode.errors import InputError, UnknownNameError
from dualcode.suites.files import input_rows, text_in_folder
from dualcode.suites.registry import owner_of
from dualcode.suites.suite import Suite

LARGEST_SOLUTION = 5_000_000
"""Characters. A longer solution is no answer of a model but a file gone wrong."""

_FORMAT = (
    '{"task_id": "HumanEval/0", "solution": "def …"} a line, or "completion" for what follows the prompt'
)
_LAST_MBPP = 974


class Sample(NamedTuple):
    """A program for a task."""

    task_id: str
    program: str


class Samples(NamedTuple):
    """What was read."""

    samples: list[Sample]
    dropped: tuple[str, ...]
    """Tasks that an older release of the suite had."""


def read_samples(path: Path, suite: Suite) -> list[Sample]:
    """Return the samples of `read_all` alone."""
    return read_all(path, suite).samples


def read_all(path: Path, suite: Suite) -> Samples:
    """Return the samples of a file, plain or gzip, or of a folder, in its order.

    A `completion` is put behind its task's prompt. Samples of tasks that MBPP+ had in an older release are
    dropped. Everything is checked before anything is returned. Raises InputError with the place for what
    cannot be read, is empty, or has a row without the keys, of an unknown task, or of absurd size.
    """
    prompts = {task.id: task.prompt for task in suite.tasks}
    samples, dropped = list[Sample](), dict[str, None]()
    if path.is_dir():
        rows = _folder(path, suite)
    else:
        rows = ((f"{path}, line {row.number}", row.fields) for row in input_rows(path, _FORMAT))
    for where, row in rows:
        task_id = row.get("task_id")
        if not isinstance(task_id, str) and row.keys() & prompts.keys():
            raise InputError(f"{where}: one object by task, not a sample a line", hint=_FORMAT)
        if not isinstance(task_id, str):
            raise InputError(f"{where}: task_id is missing or no string: {_shown(task_id)}", hint=_FORMAT)
        if task_id in prompts:
            samples.append(Sample(task_id, _program(row, prompts[task_id], f"{where} ({task_id})")))
            continue
        kind, _, number = task_id.partition("/")
        # MBPP+ v0.1.0 had 399 tasks, v0.2.0 has 378.
        if suite.name == "mbpp" and kind == "Mbpp" and number.isdecimal() and int(number) <= _LAST_MBPP:
            dropped[task_id] = None
        else:
            raise _stranger(task_id, where, suite)
    if not samples:
        raise InputError(f"{path} holds no samples of {suite.title}", hint=_FORMAT)
    return Samples(samples, tuple(dropped))


def _folder(path: Path, suite: Suite) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the programs of a folder as EvalPlus has them, by task and number."""
    ids = {folder_of(task.id): task.id for task in suite.tasks}
    order = {name: place for place, name in enumerate(ids)}
    try:
        folders = [each for each in path.iterdir() if each.is_dir()]
        for folder in sorted(folders, key=lambda each: (order.get(each.name, -1), each.name)):
            for file in sorted(folder.glob("*.py"), key=lambda each: (len(each.name), each.name)):
                task_id = ids.get(folder.name) or folder.name.replace("_", "/", 1)
                yield str(file), {"task_id": task_id, "solution": text_in_folder(file, "utf-8")}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="a folder with HumanEval_0/0.py") from error


def folder_of(task_id: str) -> str:
    """Return what EvalPlus calls the folder of a task's programs."""
    return task_id.replace("/", "_")


def _stranger(task_id: str, where: str, suite: Suite) -> InputError:
    """Return the error for a task that the suite lacks: its own suite, or the nearest ids."""
    owner, kinds = owner_of(task_id), {task.id.split("/")[0] for task in suite.tasks}
    if owner is not None and owner.name != suite.name and task_id.split("/")[0] not in kinds:
        what = f"{where}: {task_id!r} is no task of {suite.title} but of {owner.title}"
        return InputError(what, hint=f"--dataset {owner.name}")
    error = UnknownNameError("task", task_id, suite.hidden)
    return InputError(f"{where}: {error.message}", hint=f"a task of --dataset {suite.address}")


def _program(row: dict[str, Any], prompt: str, where: str) -> str:
    key = next((key for key in ("solution", "completion") if key in row), None)
    if key is None:
        what = f"{where}: neither solution nor completion; it has {', '.join(row)}"
        raise InputError(what, hint=f"{_FORMAT}; of raw replies `dualcode extract` makes samples")
    text = row[key]
    if not isinstance(text, str):
        raise InputError(f"{where}: {key} is no string: {_shown(text)}", hint="a row for every sample")
    if len(text) > LARGEST_SOLUTION:
        size = f"{len(text):,} characters long"
        raise InputError(
            f"{where}: the {key} is {size}; {LARGEST_SOLUTION:,} is the limit", hint="drop the row"
        )
    return text if key == "solution" else prompt + text


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
