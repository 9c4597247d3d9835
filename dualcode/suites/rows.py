"""Suites as rows: a file of JSON lines, a task a line, in EvalPlus's form or in HumanEval's."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dualcode.errors import SuiteError
from dualcode.suites import evalplus, files, humaneval, source
from dualcode.suites.files import Located, Row
from dualcode.suites.source import Flaw
from dualcode.suites.suite import Form, HiddenTests
from dualcode.task import Task

KEYS: Mapping[Form, Mapping[str, Any]] = {
    "humaneval": evalplus.KEYS,
    "mbpp": evalplus.KEYS,
    "inputs": evalplus.KEYS,
    "check": humaneval.KEYS,
}
"""What stands in a row of each form, and of what kind."""

FORMS = (
    "a row is EvalPlus's (base_input, plus_input, atol) or HumanEval's (test), each with task_id, prompt, "
    "entry_point and canonical_solution"
)
LONGEST_ID = 200

Tasks = dict[str, tuple[Task, HiddenTests]]


def read_rows(
    found: Located, content: bytes, form: Form | None, refuse: Callable[[str], str | None]
) -> Tasks:
    """Return the tasks of a file by id, in its order.

    `form` is that of all rows; None for a team's own file, whose first row tells it, and whose rows are
    looked at more closely than a benchmark's. `refuse` returns why an id is not wanted, or "" for a row that
    is passed over. Raises SuiteError with file, line and value.
    """
    tasks: Tasks = {}
    lines: dict[str, int] = {}
    own, kind = form is None, form
    for row in files.rows(found, content):
        task_id = row.fields.get("task_id")
        if not isinstance(task_id, str):
            raise files.flaw(found, row.number, f"task_id is missing or no string: {task_id!r}")
        why = refuse(task_id)
        if why == "":
            continue
        if why:
            raise files.flaw(found, row.number, why)
        if task_id in tasks:
            what = f"task_id {task_id!r} is there already, on line {lines[task_id]}"
            raise files.flaw(found, row.number, what)
        kind = kind or _form(found, row)
        if own and _form(found, row) != kind:
            first = next(iter(lines.values()))
            what = f"{task_id} is a row of another form than the one on line {first}: {FORMS}"
            raise files.flaw(found, row.number, what)
        _check_keys(found, row, KEYS[kind])
        if own and (wrong := next(_flaws(row.fields, kind), None)):
            raise files.flaw(found, row.number, f"{task_id}: {wrong}")
        lines[task_id] = row.number
        fields = row.fields
        task = Task(id=task_id, prompt=fields["prompt"], entry_point=fields["entry_point"])
        tasks[task_id] = task, HiddenTests(kind, row.raw, f"{found.path}, line {row.number}")
    if not tasks:
        raise SuiteError(
            f"{found.path} (from {found.source}) holds no tasks", hint="a file with one task a line"
        )
    return tasks


def id_flaw(task_id: str) -> str | None:
    """Return why a text cannot be a task's id: it has to fit on a line and into `--tasks ID,ID`."""
    if not task_id or len(task_id) > LONGEST_ID or not task_id.isprintable():
        return f"task_id {files.excerpt(task_id)} is empty, too long, or does not fit on a line"
    if "," in task_id or task_id != task_id.strip():
        return f"task_id {task_id!r} holds a comma or ends in a blank: --tasks could not name it"
    return None


def _form(found: Located, row: Row) -> Form:
    if "base_input" in row.fields or "plus_input" in row.fields:
        return "inputs"
    if "test" in row.fields:
        return "check"
    has = ", ".join(row.fields)
    raise files.flaw(found, row.number, f"{row.fields['task_id']} has no tests; it has {has}: {FORMS}")


def _check_keys(found: Located, row: Row, keys: Mapping[str, Any]) -> None:
    task_id = row.fields["task_id"]
    for key, kind in keys.items():
        if key not in row.fields:
            raise files.flaw(found, row.number, f"{task_id} has no {key!r}; it has {', '.join(row.fields)}")
        value = row.fields[key]
        if not isinstance(value, kind):
            what = f"{task_id}: {key!r} is a {type(value).__name__}: {value!r:.60}"
            raise files.flaw(found, row.number, what)


def _flaws(fields: Mapping[str, Any], form: Form) -> Iterator[str]:
    """Yield what else is wrong with a team's own row."""
    entry_point = fields["entry_point"]
    if wrong := source.name_flaw(entry_point):
        yield wrong
    program = source.parse(fields["prompt"] + fields["canonical_solution"])
    if isinstance(program, Flaw):
        yield f"prompt and canonical_solution together: {program.what}, on their line {program.line}"
        return
    if wrong := source.definition_flaw(program, entry_point):
        yield f"{wrong.what} (line {wrong.line} of prompt and canonical_solution)"
    if form == "check":
        test = source.parse(fields["test"])
        if isinstance(test, Flaw):
            yield f"test {test.what}, on its line {test.line}"
        elif wrong := source.definition_flaw(test, "check"):
            yield f"test defines no check(candidate), so there are no tests: {wrong.what}"
        return
    if not fields["base_input"]:
        yield "base_input is empty, so there are no tests"
    if not 0 <= fields["atol"] < math.inf:
        yield f"atol is {fields['atol']}: with it a wrong number passes, or a right one fails"
    for key in ("base_input", "plus_input"):
        for number, arguments in enumerate(fields[key]):
            if not isinstance(arguments, list):
                yield f"{key}[{number}] is no list of arguments: {files.excerpt(arguments)}"
