"""A file of samples in EvalPlus's format: a line has `task_id` and `solution` or `completion`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dualcode.errors import InputError, UnknownNameError
from dualcode.suites.files import UNREADABLE, json_rows, unpacked
from dualcode.suites.registry import owner_of
from dualcode.suites.suite import Suite

LARGEST_SOLUTION = 5_000_000
"""Characters. A longer solution is no answer of a model but a file gone wrong."""

_FORMAT = (
    '{"task_id": "HumanEval/0", "solution": "def …"} a line, or "completion" for what follows the prompt'
)


class Sample(NamedTuple):
    """A program for a task."""

    task_id: str
    program: str


def read_samples(path: Path, suite: Suite) -> list[Sample]:
    """Return a file's samples, plain or gzip, in its order; a `completion` is put behind its task's prompt.

    Every row is checked before any is returned. Raises InputError with the line for a file that cannot be
    read, is empty, or has a row without the keys, of a task that the suite lacks, or of absurd size.
    """
    prompts = {task.id: task.prompt for task in suite.tasks}
    rows = json_rows(_content(path), lambda number, what: _flaw(path, number, what))
    samples = [_sample(row.fields, f"{path}, line {row.number}", suite, prompts) for row in rows]
    if not samples:
        raise InputError(f"{path} holds no samples", hint=_FORMAT)
    return samples


def _content(path: Path) -> bytes:
    try:
        return unpacked(path)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist", hint="the path of a .jsonl or .jsonl.gz file") from None
    except UNREADABLE as error:
        raise InputError(f"{path} cannot be read: {error}", hint="a .jsonl or .jsonl.gz file") from error


def _flaw(path: Path, number: int, what: str) -> InputError:
    return InputError(f"{path}, line {number}: {what}", hint=_FORMAT)


def _sample(row: dict[str, Any], where: str, suite: Suite, prompts: Mapping[str, str]) -> Sample:
    task_id = row.get("task_id")
    if not isinstance(task_id, str):
        raise InputError(f"{where}: task_id is missing or no string: {_shown(task_id)}", hint=_FORMAT)
    if task_id not in prompts:
        raise _stranger(task_id, where, suite)
    return Sample(task_id, _program(row, prompts[task_id], f"{where} ({task_id})"))


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
        raise InputError(f"{where}: neither solution nor completion; it has {', '.join(row)}", hint=_FORMAT)
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
