"""The files of grading, in EvalPlus's formats: samples, raw replies that samples are made of, and results.

A file of samples has lines with `task_id` and `solution` or `completion`; a folder holds files as
`HumanEval_0/0.py`.
"""

import errno
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dualcode.errors import InputError, UnknownNameError
from dualcode.extraction import extract
from dualcode.grading.outcome import cut
from dualcode.grading.problem import Problem
from dualcode.record import Record
from dualcode.solution import Program
from dualcode.suites.files import input_rows, text_in_folder
from dualcode.suites.own import rows_file
from dualcode.suites.registry import owner_of
from dualcode.suites.suite import Suite
from dualcode.task import Task
from dualcode.verdict import Outcome, Part, Verdict

LARGEST_SOLUTION = 5_000_000
"""Characters. A longer solution is no answer of a model but a file gone wrong."""

_FORMAT = (
    '{"task_id": "HumanEval/0", "solution": "def …"} a line, or "completion" for what follows the prompt'
)
_LAST_MBPP = 974
_SHOWN = 80
"""Characters of a value that an error shows."""


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
            raise InputError(
                f"{where}: task_id is missing or no string: {cut(repr(task_id), _SHOWN)}", hint=_FORMAT
            )
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
        what = f"{where}: {key} is no string: {cut(repr(text), _SHOWN)}"
        raise InputError(what, hint="a row for every sample")
    if len(text) > LARGEST_SOLUTION:
        what = f"{where}: the {key} is {len(text):,} characters long; {LARGEST_SOLUTION:,} is the limit"
        raise InputError(what, hint="drop the row")
    return text if key == "solution" else prompt + text


# Raw replies -> samples

_RAW_FORMAT = 'one JSON object a line: {"task_id": "HumanEval/0", "response": "<the model\'s reply>"}'
KEYS = ("response", "solution", "completion")
"""Where a reply is looked for: EvalPlus's `.raw.jsonl` files have it under `solution`."""


class ExtractionReport(Record):
    """What a file of replies held."""

    rows: int
    """Replies read, and programs written."""
    compiled: int
    """Programs that compile."""
    defined: int
    """Programs that compile and bind their task's entry point."""
    without_code: int
    """Replies in which no code was found; their program is empty."""
    how: dict[str, int]
    """Programs by the route that won, the commonest first; see `dualcode.extraction.extract`."""


def extract_file(
    responses: Path, output: Path, tasks: Mapping[str, Task], *, key: str | None = None
) -> ExtractionReport:
    """Extract the program of every reply in `responses` and write them to `output`.

    `responses` is JSONL, plain or gzip, with `task_id` and the reply (null for none) a row, under `key` or
    else under the first of KEYS that the row has; further keys are ignored. `output` gets `{"task_id",
    "solution"}` for each row, in the same order, and appears whole or not at all. Raises InputError for
    anything that cannot be read or written, with the line.
    """
    _check_place(output)
    programs: list[Program] = []
    lines: list[str] = []
    for task_id, response in _replies(responses, tasks, (key,) if key else KEYS):
        programs.append(extract(response, tasks[task_id]))
        lines.append(json.dumps({"task_id": task_id, "solution": programs[-1].text}) + "\n")
    if not programs:
        raise InputError(f"{responses} holds no replies", hint=_RAW_FORMAT)
    _write_whole(output, "".join(lines))
    return ExtractionReport(
        rows=len(programs),
        compiled=sum(program.compiles for program in programs),
        defined=sum(program.compiles and program.defines_entry_point for program in programs),
        without_code=sum(not program.text for program in programs),
        how=dict(Counter(program.how for program in programs).most_common()),
    )


def _replies(path: Path, tasks: Mapping[str, Task], keys: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Yield task and reply of each row."""
    for number, _, row in input_rows(path, _RAW_FORMAT):
        where = f"{path}, line {number}"
        task_id, key = row.get("task_id"), next((each for each in keys if each in row), None)
        if "task_id" not in row or key is None:
            wanted = ["'task_id'"] * ("task_id" not in row) + [" or ".join(map(repr, keys))] * (key is None)
            found = ", ".join(repr(each) for each in row) or "none"
            raise InputError(
                f"{where}: {' and '.join(wanted)} missing; keys found: {cut(found, _SHOWN)}",
                hint=f"{_RAW_FORMAT}, or name the reply's key with --key",
            )
        if not isinstance(task_id, str):
            raise InputError(
                f"{where}: task_id is {cut(json.dumps(task_id), _SHOWN)}, not a string", hint=_RAW_FORMAT
            )
        response = row[key]
        if response is not None and not isinstance(response, str):
            what = f"{key} is {cut(json.dumps(response), _SHOWN)}, neither string nor null"
            raise InputError(f"{where}: {what}", hint=_RAW_FORMAT)
        if task_id not in tasks:
            unknown = UnknownNameError("task", task_id, tasks)
            raise InputError(f"{where}: {unknown.message}", hint="name the replies' own suite with --dataset")
        yield task_id, response


# Results


def evalplus_results(suite: Suite, samples: Sequence[Sample], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return the object that EvalPlus would write for these samples and their verdicts, in order.

        {"date": …, "hash": MD5 of the data file, "eval": {task: [{"task_id", "solution", "base_status",
         "plus_status", "base_fail_tests", "plus_fail_tests"}, …]}}

    A status is `pass`, `fail` or `timeout`; as in EvalPlus, one call that takes too long is a `fail`, and
    `timeout` is for all calls together and for a process that died. The failing test is the first that
    failed, as the data file has it (EvalPlus names the last that was finished, which in a `timeout` passed).
    EvalPlus has no word for a sample that could not be graded: such samples are left out.
    """
    by_task: dict[str, list[dict[str, Any]]] = {}
    problems: dict[str, Problem] = {}
    for (task_id, program), verdict in zip(samples, verdicts, strict=True):
        if verdict.errored:
            continue
        problem = problems.get(task_id) or Problem.of(task_id, suite.hidden[task_id])
        problems[task_id] = problem
        entry = {
            "task_id": task_id,
            "solution": program,
            "base_status": _status(verdict.base),
            "plus_status": _status(verdict.plus) if verdict.plus else None,
            "base_fail_tests": _failing(problem, "base", verdict.base),
            "plus_fail_tests": _failing(problem, "plus", verdict.plus),
        }
        by_task.setdefault(task_id, []).append(entry)
    try:  # EvalPlus's hash is of the file as it lies on the disk, packed or not
        path = suite.data.path
        path = (rows_file(path) or path) if path.is_dir() else path
        data = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    except OSError:
        data = ""
    return {"date": time.strftime("%Y-%m-%d %H:%M"), "hash": data, "eval": by_task}


def write_results(path: Path, suite: Suite, samples: Sequence[Sample], verdicts: Sequence[Verdict]) -> None:
    """Write the result file, whole or not at all; an InputError if it cannot be written."""
    _write_whole(path, json.dumps(evalplus_results(suite, samples, verdicts)))


def check_output(path: Path, samples: Path) -> None:
    """Refuse, before anything is graded, a place where the result file cannot lie."""
    if path.resolve() == samples.resolve():
        raise InputError(f"{path} holds the samples; the results would replace them", hint="--output FILE")
    _check_place(path)


def _status(outcome: Outcome) -> str:
    if outcome.status == "passed":
        return "pass"
    return "timeout" if outcome.cause in ("total_time_out", "died", "flooded") else "fail"


def _failing(problem: Problem, part: Part, outcome: Outcome | None) -> list[Any]:
    rows = problem.rows.get(part, [])
    if outcome is None or outcome.at is None or outcome.at >= len(rows):
        return []
    return [rows[outcome.at]]


# Files that appear whole or not at all

_WRITABLE = "name a file in an existing folder that you may write to, with -o"


def _check_place(path: Path) -> None:
    """Refuse a place where no file can be written, before any work is done: an InputError says why."""
    path = path.resolve()  # what a link points to is replaced, not the link
    if path.exists() and not path.is_file():
        raise InputError(f"{path} cannot be written: it is no regular file", hint=_WRITABLE)
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be written: there is no folder {path.parent}", hint=_WRITABLE)
    if not os.access(path.parent, os.W_OK):
        refused = PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path.parent))
        raise InputError(f"{path} cannot be written", hint=_WRITABLE) from refused


def _write_whole(path: Path, text: str) -> None:
    """Write a text in a file's place, with a common file's rights; an InputError if that cannot be done."""
    _check_place(path)
    path = path.resolve()
    fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with fresh.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}", hint=_WRITABLE) from error
    finally:
        fresh.unlink(missing_ok=True)
