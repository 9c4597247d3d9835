"""The benchmarks that dualcode knows by their ids, and what an entry of the registry is."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from dualcode.suites import files
from dualcode.suites.evalplus import EvalPlusOrigin
from dualcode.suites.files import DataSource, Located
from dualcode.suites.humaneval import PackageOrigin
from dualcode.suites.rows import Tasks, read_rows
from dualcode.suites.suite import Form, Suite, Terms


class Availability(NamedTuple):
    """Whether a suite can be loaded without a download."""

    ready: bool
    detail: str
    """The file and what decided for it, or what would make the suite available."""


class SuiteEntry(Protocol):
    """A suite that can be asked for by name."""

    @property
    def name(self) -> str:
        """The canonical name."""
        ...

    @property
    def title(self) -> str:
        """For people."""
        ...

    @property
    def description(self) -> str:
        """One line."""
        ...

    @property
    def size(self) -> int | None:
        """How many tasks the whole suite has; None if that is known only once it is loaded."""
        ...

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names."""
        ...

    @property
    def address(self) -> str:
        """What `--dataset` takes for it."""
        ...

    def availability(self) -> Availability:
        """Say whether the suite's data is on this machine; nothing is downloaded or read."""
        ...

    def load(self, data: Path | None, tell: Callable[[str], None]) -> Suite:
        """Load it from `data`, or from where it is found. Raises SuiteError."""
        ...


Origin = EvalPlusOrigin | PackageOrigin


@dataclass(frozen=True)
class Benchmark:
    """A suite that dualcode knows by its ids."""

    name: str
    title: str
    description: str
    size: int
    aliases: tuple[str, ...]
    form: Form = field(repr=False)
    ids: str = field(repr=False)
    """A regular expression that every task id matches."""
    origin: Origin = field(repr=False)

    @property
    def address(self) -> str:
        """What `--dataset` takes for it."""
        return self.name

    def availability(self) -> Availability:
        """Say whether the suite's data is on this machine; nothing is downloaded or read."""
        found = self.origin.find()
        if found is None:
            return Availability(False, self.origin.absence())
        if not found.path.is_file():
            return Availability(False, f"{found.source} names {found.path}, which does not exist")
        return Availability(True, f"{found.path} ({found.source})")

    def load(self, data: Path | None, tell: Callable[[str], None]) -> Suite:
        """Load it from `data`, or from where the benchmark is found or downloaded."""
        found = Located(data, "--data") if data else self.origin.find() or self.origin.fetch(tell)
        content = files.read(found)
        tasks = read_rows(found, content, self.form, self._refuse)
        whole = len(tasks) == self.size
        title = self.title if whole else f"{self.title} ({len(tasks)} of {self.size} tasks)"
        source = files.describe(found, content)
        return make_suite(self.name, title, tasks, source, Terms(), size=self.size, address=self.name)

    def _refuse(self, task_id: str) -> str | None:
        if re.fullmatch(self.ids, task_id):
            return None
        owner = owner_of(task_id)
        other = f"; it is a task of --dataset {owner.name}" if owner else ""
        return f"task_id {task_id!r} does not belong to {self.title}{other}"


def make_suite(
    name: str, title: str, tasks: Tasks, data: DataSource, terms: Terms, *, size: int, address: str
) -> Suite:
    """Return the suite of these tasks."""
    hidden = {task_id: tests for task_id, (_, tests) in tasks.items()}
    return Suite(
        name=name,
        title=title,
        tasks=tuple(task for task, _ in tasks.values()),
        has_plus=any(tests.form in ("humaneval", "mbpp", "inputs") for tests in hidden.values()),
        data=data,
        hidden=hidden,
        size=size,
        terms=terms,
        address=address,
    )


SUITES: tuple[Benchmark, ...] = (
    Benchmark(
        name="humaneval",
        title="HumanEval+",
        description="164 functions to complete from signature and docstring; base and EvalPlus's added tests",
        size=164,
        aliases=("humaneval+", "humanevalplus", "humaneval-plus"),
        form="humaneval",
        ids=r"HumanEval/\d+",
        origin=EvalPlusOrigin("HumanEvalPlus", "HUMANEVAL_OVERRIDE_PATH"),
    ),
    Benchmark(
        name="mbpp",
        title="MBPP+",
        description="378 functions to write from a sentence and an assert; base and EvalPlus's added tests",
        size=378,
        aliases=("mbpp+", "mbppplus", "mbpp-plus"),
        form="mbpp",
        ids=r"Mbpp/\d+",
        origin=EvalPlusOrigin("MbppPlus", "MBPP_OVERRIDE_PATH"),
    ),
    Benchmark(
        name="humaneval-base",
        title="HumanEval",
        description="the same 164 functions with HumanEval's own tests only; needs no download",
        size=164,
        aliases=("humanevalbase",),
        form="check",
        ids=r"HumanEval/\d+",
        origin=PackageOrigin(),
    ),
)
"""The benchmarks that dualcode knows, in the order in which `dualcode datasets` lists them."""


def owner_of(task_id: str) -> Benchmark | None:
    """Return the first benchmark whose ids look like this one."""
    return next((entry for entry in SUITES if re.fullmatch(entry.ids, task_id)), None)
