"""A suite as a value: tasks with their hidden tests, whoever wrote them and wherever they lie.

`registry.py` finds and loads suites; `evalplus.py`, `humaneval.py` and `own.py` read their forms.
"""

import functools
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from dualcode.errors import ConfigError, SuiteError, UnknownNameError
from dualcode.record import Record
from dualcode.suites.files import DataSource
from dualcode.task import Task

Form = Literal["humaneval", "mbpp", "inputs", "check", "tests"]
"""How a program is checked.

| form | hidden tests |
|---|---|
| `humaneval`, `mbpp` | EvalPlus's inputs and reference, with the benchmark's own special oracles |
| `inputs` | rows of the same kind that are no benchmark's: outputs are compared as they are |
| `check` | HumanEval's own `check(candidate)` |
| `tests` | a `tests.py` written by hand: asserts, functions `test_…`, `raises` |
"""


@dataclass(frozen=True)
class HiddenTests:
    """What a grader knows of a task and a model must never see: the task's whole row."""

    form: Form
    row: bytes = field(repr=False)
    """One JSON object, as it stands in the data file, or made of a task's folder."""
    where: str = ""
    """The file that holds the tests, with the line where a file holds several; for messages."""

    def reference(self) -> str:
        """Return the task's own solution as a program; empty for a team's task without one."""
        fields = json.loads(self.row)
        if self.form == "tests":
            return fields["reference"]
        return fields["prompt"] + fields["canonical_solution"]


class Terms(Record):
    """What a suite demands beyond right results. All are optional: `suite.toml` names them."""

    python: str | None = None
    """The versions of Python that programs are written for: `3.12`, or `>=3.11,<3.14`."""
    call_seconds: float | None = None
    """CPU seconds that any one call may take; by default a second, or four times what the reference takes."""
    total_seconds: float | None = None
    """CPU seconds that all calls of a set of tests may take together."""
    imports: tuple[str, ...] | None = None
    """The top-level modules that a program may import; None for any."""

    def accepts_python(self, version: Sequence[int] = sys.version_info[:3]) -> bool:
        """Whether programs may run on this version. Raises ValueError if the demand cannot be read."""
        accepted = True
        for demand in map(str.strip, (self.python or ">=3").split(",")):
            found = re.fullmatch(r"(>=|<=|==|>|<)?\s*(\d+(?:\.\d+)*)", demand)
            if found is None:
                raise ValueError(f"{demand!r} is no version of Python such as 3.12 or >=3.11")
            wanted = [int(part) for part in found[2].split(".")]
            own = list(version[: len(wanted)])
            holds = {">=": own >= wanted, "<=": own <= wanted, ">": own > wanted, "<": own < wanted}
            accepted &= holds.get(found[1], own == wanted)
        return accepted


@dataclass(frozen=True)
class Suite:
    """Tasks in the suite's order, and the hidden tests that graders take from here."""

    name: str
    """The canonical name, such as `humaneval`: part of runs' ids, so letters, digits, `.`, `_` and `-`."""
    title: str
    """For people: `HumanEval+`, or `HumanEval+ (12 of 164 tasks)` if the data file holds a part."""
    tasks: tuple[Task, ...]
    has_plus: bool
    data: DataSource
    hidden: Mapping[str, HiddenTests] = field(repr=False)
    """By task id; for graders and for audits of leaks, never for prompts."""
    size: int
    """How many tasks the whole suite has: as many as `tasks`, unless a selection was made."""
    terms: Terms = field(default_factory=Terms)
    address: str = ""
    """What `--dataset` takes to load it again: its name, or the path of a team's own."""

    def task(self, task_id: str) -> Task:
        """Return one task; an UnknownNameError lists the nearest ids."""
        known = self._by_id
        if task_id not in known:
            hint = f"one of the {len(known)} tasks of --dataset {self.address or self.name}"
            raise UnknownNameError("task", task_id, known, hint=hint)
        return known[task_id]

    @functools.cached_property
    def _by_id(self) -> Mapping[str, Task]:
        return {task.id: task for task in self.tasks}

    def select(self, limit: int | None = None, tasks: Sequence[str] | None = None) -> "Suite":
        """Return the suite with only the named tasks, and of those the first `limit`, in suite order."""
        if limit is not None and limit < 1:
            raise ConfigError(f"a limit of {limit} tasks leaves nothing to do", hint="--limit 1 or more")
        wanted = None if tasks is None else {self.task(task_id).id for task_id in tasks}
        kept = [task for task in self.tasks if wanted is None or task.id in wanted][:limit]
        return replace(self, tasks=tuple(kept), hidden={task.id: self.hidden[task.id] for task in kept})

    def require_python(self) -> None:
        """Raise SuiteError if this Python is none of those that the suite is written for."""
        if not self.terms.accepts_python():
            own = ".".join(map(str, sys.version_info[:3]))
            raise SuiteError(
                f"{self.title} is for Python {self.terms.python}, and this is {own}",
                hint=f"dualcode on Python {self.terms.python}, or another `python` in suite.toml",
            )
