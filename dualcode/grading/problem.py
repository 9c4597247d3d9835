"""A benchmark's row, read: what graders know of a task and models never see."""

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dualcode.errors import SuiteError
from dualcode.sandbox.job import Arguments
from dualcode.suites import evalplus
from dualcode.suites.suite import Form, HiddenTests
from dualcode.verdict import Part


@dataclass(frozen=True)
class Problem:
    """A task with its hidden tests, ready to be run."""

    task_id: str
    form: Form
    entry_point: str
    reference: str = field(repr=False)
    """The task's own solution, a program; empty for a team's task without one."""
    atol: float
    """Absolute tolerance of EvalPlus's comparison, until it meets a float."""
    check: str | None = field(repr=False)
    """A test that defines `check(candidate)`; None where the tests are inputs."""
    rows: Mapping[Part, list[Any]] = field(repr=False)
    """The inputs as JSON has them."""
    wanted: tuple[str, ...] = ()
    """Without a reference: what each call has to return, as Python writes it; "" where that is unsaid."""
    calls: tuple[list[Any], ...] | None = field(default=None, repr=False)
    """Without a reference: the arguments of the calls that `check` makes."""
    where: str = ""
    """The file of the tests."""

    @classmethod
    def of(cls, task_id: str, hidden: HiddenTests) -> "Problem":
        """Read a row. The suite was loaded, so its keys are there."""
        row: dict[str, Any] = json.loads(hidden.row)
        is_check = hidden.form in ("check", "tests")
        parts: tuple[Part, ...] = () if is_check else ("base", "plus")
        return cls(
            task_id=task_id,
            form=hidden.form,
            entry_point=row["entry_point"],
            reference=hidden.reference(),
            atol=0.0 if is_check else row["atol"],
            check=row["test"] if is_check else None,
            rows={part: list(row[f"{part}_input"]) for part in parts},  # one of MBPP+ is {} for []
            wanted=tuple(row.get("wanted", ())) if hidden.form == "tests" else (),
            calls=tuple(ast.literal_eval(row["calls"]))
            if hidden.form == "tests" and "calls" in row
            else None,
            where=hidden.where,
        )

    @property
    def parts(self) -> tuple[Part, ...]:
        """The sets of tests that the task has."""
        return ("base",) if self.check is not None else ("base", "plus")

    def inputs(self, part: Part) -> Arguments:
        """Return one set of tests' inputs as EvalPlus hands them to a program.

        Raises SuiteError for a row whose inputs are not what its task takes.
        """
        try:
            rows = self.rows[part]
            inputs = evalplus.deserialize_mbpp(self.task_id, rows) if self.form == "mbpp" else rows
            return Arguments.of(self.entry_point, inputs)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise SuiteError(f"{self.task_id}: its {part} inputs are not what it takes: {error}") from error
