"""A file of raw replies -> a file of programs in EvalPlus's sample format."""

import contextlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from dualcode.errors import InputError, UnknownNameError
from dualcode.extraction import extract
from dualcode.record import Record
from dualcode.solution import Program
from dualcode.suites.files import UNREADABLE, json_rows, unpacked
from dualcode.task import Task

_FORMAT_HINT = 'one JSON object a line: {"task_id": "HumanEval/0", "response": "<the model\'s reply>"}'
KEYS = ("response", "solution", "completion")
"""Where a reply is looked for: EvalPlus's `.raw.jsonl` files have it under `solution`."""
_SHOWN = 80


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
    programs: list[Program] = []
    with _replacing(output) as sink:
        for task_id, response in _rows(responses, tasks, (key,) if key else KEYS):
            program = extract(response, tasks[task_id])
            programs.append(program)
            _write_line(sink, output, {"task_id": task_id, "solution": program.text})
        if not programs:
            raise InputError(f"{responses} holds no replies", hint=_FORMAT_HINT)
    return _report(programs)


def _report(programs: list[Program]) -> ExtractionReport:
    return ExtractionReport(
        rows=len(programs),
        compiled=sum(program.compiles for program in programs),
        defined=sum(program.compiles and program.defines_entry_point for program in programs),
        without_code=sum(not program.text for program in programs),
        how=dict(Counter(program.how for program in programs).most_common()),
    )


def _rows(path: Path, tasks: Mapping[str, Task], keys: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    for number, _, row in json_rows(_content(path), lambda number, what: _flaw(path, number, what)):
        task_id, key = row.get("task_id"), next((each for each in keys if each in row), None)
        if "task_id" not in row or key is None:
            wanted = ["'task_id'"] * ("task_id" not in row) + [" or ".join(map(repr, keys))] * (key is None)
            found = ", ".join(repr(each) for each in row) or "none"
            raise InputError(
                f"{path}, line {number}: {' and '.join(wanted)} missing; keys found: {_shorten(found)}",
                hint=f"{_FORMAT_HINT}, or name the reply's key with --key",
            )
        if not isinstance(task_id, str):
            raise _flaw(path, number, f"task_id is {_show(task_id)}, not a string")
        response = row[key]
        if response is not None and not isinstance(response, str):
            raise _flaw(path, number, f"{key} is {_show(response)}, neither string nor null")
        if task_id not in tasks:
            unknown = UnknownNameError("task", task_id, tasks)
            hint = "name the replies' own suite with --dataset"
            raise InputError(f"{path}, line {number}: {unknown.message}", hint=hint)
        yield task_id, response


def _flaw(path: Path, number: int, what: str) -> InputError:
    return InputError(f"{path}, line {number}: {what}", hint=_FORMAT_HINT)


def _content(path: Path) -> bytes:
    try:
        return unpacked(path)
    except UNREADABLE as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"cannot read {path}: {reason}", hint=f"ls -l {path.parent}") from error


@contextlib.contextmanager
def _replacing(output: Path) -> Generator[IO[str]]:
    """Open a file beside the output that takes its place when the block ends well, and else vanishes."""
    output = output.resolve()  # what a link points to is replaced, not the link
    if output.exists() and not output.is_file():
        raise _unwritable(output, OSError("it is no regular file"))
    try:
        handle, name = tempfile.mkstemp(prefix=f".{output.name}.", suffix=".part", dir=output.parent)
    except OSError as error:
        raise _unwritable(output, error) from error
    partial = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as sink:
            yield sink
            _commit(sink, partial, output)
    finally:
        partial.unlink(missing_ok=True)


def _commit(sink: IO[str], partial: Path, output: Path) -> None:
    try:
        sink.flush()
        os.fsync(sink.fileno())
        partial.chmod(0o666 & ~_umask())  # a temporary file is private; a result is as any other file
        partial.replace(output)
    except OSError as error:
        raise _unwritable(output, error) from error


def _write_line(sink: IO[str], output: Path, row: dict[str, str]) -> None:
    try:
        sink.write(json.dumps(row) + "\n")
    except OSError as error:
        raise _unwritable(output, error) from error


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _unwritable(output: Path, error: OSError) -> InputError:
    hint = "name a file in an existing folder that you may write to, with -o"
    return InputError(f"cannot write {output}: {error.strerror or error}", hint=hint)


def _show(value: object) -> str:
    return _shorten(json.dumps(value, default=repr))


def _shorten(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
