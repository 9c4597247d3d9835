"""A file of raw replies -> a file of programs in EvalPlus's sample format."""

import contextlib
import gzip
import json
import os
import tempfile
import zlib
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, cast

from dualcode.errors import InputError, UnknownNameError
from dualcode.extraction import extract
from dualcode.record import Record
from dualcode.solution import Program
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
    for number, line in _lines(path):
        where = f"{path}, line {number}"
        row = _object(line, where)
        task_id, key = row.get("task_id"), next((each for each in keys if each in row), None)
        if "task_id" not in row or key is None:
            wanted = ["'task_id'"] * ("task_id" not in row) + [" or ".join(map(repr, keys))] * (key is None)
            found = ", ".join(repr(each) for each in row) or "none"
            raise InputError(
                f"{where}: {' and '.join(wanted)} missing; keys found: {_shorten(found)}",
                hint=f"{_FORMAT_HINT}, or name the reply's key with --key",
            )
        if not isinstance(task_id, str):
            raise InputError(f"{where}: task_id is {_show(task_id)}, not a string", hint=_FORMAT_HINT)
        response = row[key]
        if response is not None and not isinstance(response, str):
            raise InputError(
                f"{where}: {key} is {_show(response)}, neither string nor null", hint=_FORMAT_HINT
            )
        if task_id not in tasks:
            unknown = UnknownNameError("task", task_id, tasks)
            raise InputError(f"{where}: {unknown.message}", hint="name the replies' own suite with --dataset")
        yield task_id, response


def _object(line: str, where: str) -> dict[str, object]:
    try:
        row: object = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON ({error}): {_shorten(line)!r}", hint=_FORMAT_HINT) from error
    if not isinstance(row, dict):
        raise InputError(f"{where}: a row must be an object, found {_show(row)}", hint=_FORMAT_HINT)
    return cast("dict[str, object]", row)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the non-blank lines with their numbers, from 1."""
    number = 0
    try:
        with _open(path) as source:
            for number, raw in enumerate(source, start=1):
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                if line.strip():
                    yield number, line
    except UnicodeDecodeError as error:
        hint = "write the file as UTF-8, plain or gzip"
        raise InputError(f"{path}, line {number}: not UTF-8 ({error.reason})", hint=hint) from error
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        hint = f"check the file: ls -l {path.parent}"
        raise InputError(f"cannot read {path} after line {number}: {reason}", hint=hint) from error


def _open(path: Path) -> IO[bytes]:
    # By content, not by name: a .gz that a browser unpacked is common.
    with path.open("rb") as source:
        packed = source.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb")


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
