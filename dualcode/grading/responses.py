"""A file of raw replies -> a file of programs in EvalPlus's sample format."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dualcode.errors import InputError, UnknownNameError
from dualcode.extraction import extract
from dualcode.grading.whole import check_place, write_whole
from dualcode.record import Record
from dualcode.solution import Program
from dualcode.suites.files import input_rows
from dualcode.task import Task

_FORMAT = 'one JSON object a line: {"task_id": "HumanEval/0", "response": "<the model\'s reply>"}'
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
    check_place(output)
    programs: list[Program] = []
    lines: list[str] = []
    for task_id, response in _rows(responses, tasks, (key,) if key else KEYS):
        programs.append(extract(response, tasks[task_id]))
        lines.append(json.dumps({"task_id": task_id, "solution": programs[-1].text}) + "\n")
    if not programs:
        raise InputError(f"{responses} holds no replies", hint=_FORMAT)
    write_whole(output, "".join(lines))
    return ExtractionReport(
        rows=len(programs),
        compiled=sum(program.compiles for program in programs),
        defined=sum(program.compiles and program.defines_entry_point for program in programs),
        without_code=sum(not program.text for program in programs),
        how=dict(Counter(program.how for program in programs).most_common()),
    )


def _rows(path: Path, tasks: Mapping[str, Task], keys: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Yield task and reply of each row."""
    for number, _, row in input_rows(path, _FORMAT):
        where = f"{path}, line {number}"
        task_id, key = row.get("task_id"), next((each for each in keys if each in row), None)
        if "task_id" not in row or key is None:
            wanted = ["'task_id'"] * ("task_id" not in row) + [" or ".join(map(repr, keys))] * (key is None)
            found = ", ".join(repr(each) for each in row) or "none"
            raise InputError(
                f"{where}: {' and '.join(wanted)} missing; keys found: {_shorten(found)}",
                hint=f"{_FORMAT}, or name the reply's key with --key",
            )
        if not isinstance(task_id, str):
            raise InputError(
                f"{where}: task_id is {_shorten(json.dumps(task_id))}, not a string", hint=_FORMAT
            )
        response = row[key]
        if response is not None and not isinstance(response, str):
            what = f"{key} is {_shorten(json.dumps(response))}, neither string nor null"
            raise InputError(f"{where}: {what}", hint=_FORMAT)
        if task_id not in tasks:
            unknown = UnknownNameError("task", task_id, tasks)
            raise InputError(f"{where}: {unknown.message}", hint="name the replies' own suite with --dataset")
        yield task_id, response


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
