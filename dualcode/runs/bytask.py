"""A run's records task by task, each read where it lies: so a run of any size is audited and summed up."""

import re
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Generic, Self, TypeVar

from pydantic import ValidationError

from dualcode.bench.bench import Shown
from dualcode.call import Call
from dualcode.runs.lines import Damage, damaged, of_another_version, raw_lines
from dualcode.runs.store import NamedProgram, RunRecords, Sample, read_manifest
from dualcode.task import Task
from dualcode.verdict import Verdict

R = TypeVar("R", Task, NamedProgram, Call, Sample, Verdict, Shown)
_OWNER = re.compile(rb'\{"(?:task_)?id":"([^"\\\x80-\xff]*)"')
"""A plain id. Of any other line the whole record is read."""


@dataclass(frozen=True)
class TaskRecords:
    """All that a run holds of one task, in order; what stands there twice is there twice."""

    task_id: str
    tasks: Sequence[Task] = ()
    programs: Sequence[NamedProgram] = ()
    calls: Sequence[Call] = ()
    samples: Sequence[Sample] = ()
    verdicts: Sequence[Verdict] = ()
    superseded: Sequence[Call] = ()
    shown: Sequence[Shown] = ()

    def once(self) -> Self:
        """Return the same with each call, sample and verdict once: the last that stands there counts."""
        calls = list({call.number: call for call in self.calls}.values())
        return replace(self, calls=calls, samples=self.samples[-1:], verdicts=self.verdicts[-1:])


class RunByTask:
    """A run's folder, of which no more is held than where things lie. Iterating goes by the tasks' ids.

    Raises RunError as `read_run`. Whoever has gone through all of it knows its `damage`.
    """

    def __init__(self, folder: Path) -> None:
        self.manifest = read_manifest(folder)
        self._damage = dict[tuple[str, int], Damage]()
        self._numbers = dict[str, int]()

        def places(name: str, kind: type[R]) -> Places[R]:
            return Places(folder / f"{name}.jsonl", kind, self._numbers, self._damage)

        self.tasks, self.programs = places("tasks", Task), places("programs", NamedProgram)
        self.calls, self.samples = places("calls", Call), places("samples", Sample)
        self.verdicts, self.superseded = places("verdicts", Verdict), places("superseded", Call)
        self.shown = places("shown", Shown)

    def close(self) -> None:
        """Close the files."""
        for each in (
            self.tasks, self.programs, self.calls, self.samples,
            self.verdicts, self.superseded, self.shown,
        ):  # fmt: skip
            each.close()

    @property
    def damage(self) -> list[Damage]:
        """What could not be read so far, file by file."""
        return [self._damage[place] for place in sorted(self._damage)]

    def __iter__(self) -> Iterator[TaskRecords]:
        for task_id in sorted(self._numbers):
            yield TaskRecords(
                task_id,
                tasks=self.tasks.of(task_id),
                programs=self.programs.of(task_id),
                calls=self.calls.of(task_id),
                samples=self.samples.of(task_id),
                verdicts=self.verdicts.of(task_id),
                superseded=self.superseded.of(task_id),
                shown=self.shown.of(task_id),
            )


def by_task(records: RunRecords) -> list[TaskRecords]:
    """Return what was read of a run task by task."""
    calls, superseded = defaultdict[str, list[Call]](list), defaultdict[str, list[Call]](list)
    shown, programs = defaultdict[str, list[Shown]](list), defaultdict[str, list[NamedProgram]](list)
    for call in records.calls:
        calls[call.task_id].append(call)
    for call in records.superseded:
        superseded[call.task_id].append(call)
    for each in records.shown:
        shown[each.task_id].append(each)
    for program in records.programs.values():
        programs[program.task_id].append(program)
    ids = {*records.tasks, *records.samples, *records.verdicts, *calls, *superseded, *shown, *programs}
    return [
        TaskRecords(
            id_,
            tasks=[records.tasks[id_]] if id_ in records.tasks else [],
            programs=programs[id_],
            calls=calls[id_],
            samples=[records.samples[id_]] if id_ in records.samples else [],
            verdicts=[records.verdicts[id_]] if id_ in records.verdicts else [],
            superseded=superseded[id_],
            shown=shown[id_],
        )
        for id_ in sorted(ids)
    ]


class Places(Generic[R]):
    """Where the records of each task lie in a file."""

    def __init__(
        self,
        path: Path,
        kind: type[R],
        numbers: dict[str, int],
        damage: dict[tuple[str, int], Damage],
    ) -> None:
        """`numbers` gives each task a number, and gets those of tasks that were not met before."""
        self.path, self._kind, self._numbers, self._damage = path, kind, numbers, damage
        owners, offsets, lines = array("q"), array("q"), array("q")
        at, known, foreign = 0, False, ""
        for number, line in enumerate(raw_lines(path), start=1):
            found = _OWNER.match(line)
            owner = found and found[1].decode()
            if not known or owner is None:  # a file of another version; a key in another order
                record = self._read(number, line)
                owner = None if record is None else owner or _owner(record)
                known = known or record is not None
                foreign = foreign or ("" if record else damage[path.name, number].why)
            if owner is not None:
                owners.append(numbers.setdefault(owner, len(numbers)))
                offsets.append(at)
                lines.append(number)
            at += len(line)
        if foreign and not known and not foreign.startswith("Invalid JSON"):
            raise of_another_version(path, foreign)
        self._starts = array("q", bytes(8 * (len(numbers) + 1)))
        for owner in owners:
            self._starts[owner + 1] += 1
        for number in range(1, len(self._starts)):
            self._starts[number] += self._starts[number - 1]
        order = sorted(range(len(owners)), key=owners.__getitem__)
        self._offsets = array("q", (offsets[each] for each in order))
        self._lines = array("q", (lines[each] for each in order))
        self._file: BinaryIO | None = None

    def of(self, task_id: str) -> list[R]:
        """Return a task's records in order. A line that is none goes to the damage."""
        found = list[R]()
        if not self.has(task_id):
            return found
        owner = self._numbers[task_id]
        if self._file is None:
            self._file = self.path.open("rb")
        for place in range(self._starts[owner], self._starts[owner + 1]):
            self._file.seek(self._offsets[place])
            number = self._lines[place]
            record = self._read(number, self._file.readline())
            if record is not None and _owner(record) != task_id:  # of a line that names two
                self._damage[self.path.name, number] = Damage(
                    file=self.path.name, line=number, why="it names two tasks", tasks=frozenset({task_id})
                )
            elif record is not None:
                found.append(record)
        return found

    def has(self, task_id: str) -> bool:
        """Whether a task has lines in the file, be they damaged."""
        owner = self._numbers.get(task_id, len(self._starts))
        return owner + 1 < len(self._starts) and self._starts[owner] < self._starts[owner + 1]

    @property
    def owners(self) -> Iterator[str]:
        """The tasks that have lines in the file, in the order in which the run's files name them first."""
        return filter(self.has, self._numbers)

    @property
    def damage_count(self) -> int:
        """How many lines that were read so far are none of its records."""
        return sum(name == self.path.name for name, _ in self._damage)

    def _read(self, number: int, line: bytes) -> R | None:
        try:
            return self._kind.model_validate_json(line)
        except ValidationError as error:
            self._damage[self.path.name, number] = damaged(self.path, number, line, error)
            return None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _owner(record: Task | NamedProgram | Call | Sample | Verdict | Shown) -> str:
    return record.id if isinstance(record, Task) else record.task_id
