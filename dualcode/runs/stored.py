"""A run's records where they lie: each is read when it is asked for, task by task, and none is held.

So a run of any size can be audited, summed up and analysed. The values of a StoredRun are those of
`read_run`, under the same names; whoever asks for all calls at once gets, and pays for, all of them.
"""

import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Generic, Self, TypeVar

from pydantic import ValidationError

from dualcode.bench.bench import Shown
from dualcode.call import Call
from dualcode.errors import RunError
from dualcode.record import Record
from dualcode.runs.lines import Damage, damaged, of_another_version, raw_lines, read_lines
from dualcode.runs.store import KINDS, NamedProgram, RunRecords, Sample, read_manifest
from dualcode.task import Task
from dualcode.verdict import Verdict

R = TypeVar("R", bound=Record)
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


def by_task(records: RunRecords) -> list[TaskRecords]:
    """Return what was read of a run task by task, in the order of their ids."""
    found = defaultdict[str, dict[str, list[Any]]](lambda: {name: [] for name in KINDS})
    for name in KINDS:
        kept: Mapping[Any, Record] | Sequence[Record] = getattr(records, name)
        for each in kept.values() if isinstance(kept, Mapping) else kept:
            found[_owner(each)][name].append(each)
    return [TaskRecords(task_id, **found[task_id]) for task_id in sorted(found)]


def _owner(record: Any) -> str:
    return record.id if isinstance(record, Task) else record.task_id


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


class StoredRun:
    """A run's folder, of which no more is held than where things lie; with the records of `RunRecords`.

    Iterating goes by the tasks' ids, and who has gone through all of it knows its `damage`. Raises RunError
    as `read_run`; so does reading a record later, if the files were changed since.
    """

    def __init__(self, folder: Path) -> None:
        """Look where each record lies."""
        self.manifest = read_manifest(folder)
        self._folder = folder
        self._damage = dict[tuple[str, int], Damage]()
        self._numbers = dict[str, int]()
        self._places: dict[str, Places[Any]] = {
            name: Places(folder / f"{name}.jsonl", kind, self._numbers, self._damage)
            for name, kind in KINDS.items()
        }
        self._named: tuple[str, dict[str, NamedProgram]] = "", {}
        self.tasks: Mapping[str, Task] = _ById(self._places["tasks"])
        self.samples: Mapping[str, Sample] = _ById(self._places["samples"])
        self.verdicts: Mapping[str, Verdict] = _ById(self._places["verdicts"])
        self.calls_by_task: Mapping[str, tuple[Call, ...]] = _Calls(
            self._places["calls"], self.manifest.configuration.tasks
        )

    @property
    def damage(self) -> tuple[Damage, ...]:
        """What could not be read so far, in the order in which `read_run` names it."""
        order = [f"{name}.jsonl" for name in KINDS]
        found = sorted(self._damage, key=lambda place: (order.index(place[0]), place[1]))
        return tuple(self._damage[place] for place in found)

    def __iter__(self) -> Iterator[TaskRecords]:
        try:
            for task_id in sorted(self._numbers):
                yield TaskRecords(task_id, **{name: each.of(task_id) for name, each in self._places.items()})
        finally:
            self.close()

    def close(self) -> None:
        """Close the files; they are opened again when something is read."""
        for each in self._places.values():
            each.close()

    @property
    def calls(self) -> tuple[Call, ...]:
        """All calls, in the order in which they ended, read now."""
        calls = read_lines(self._folder / "calls.jsonl", Call, [])
        return tuple({(call.task_id, call.number): call for call in calls}.values())

    @property
    def superseded(self) -> tuple[Call, ...]:
        """All superseded calls, read now."""
        return tuple(read_lines(self._folder / "superseded.jsonl", Call, []))

    @property
    def shown(self) -> tuple[Shown, ...]:
        """All that the bench showed, read now."""
        return tuple(read_lines(self._folder / "shown.jsonl", Shown, []))

    def shown_of(self, task_id: str) -> list[Shown]:
        """Return what the bench showed of a task."""
        return _of(self._places["shown"], task_id)

    @property
    def done(self) -> set[str]:
        """The tasks that need nothing more."""
        return {id_ for id_, verdict in self.verdicts.items() if not verdict.errored and id_ in self.samples}

    def program(self, task_id: str, checksum: str | None) -> str | None:
        """Return a program's text; None for None, and for what is not on record."""
        if checksum is None:
            return None
        if self._named[0] != task_id:  # a task's are asked for one after the other
            named = _of(self._places["programs"], task_id)
            self._named = task_id, {each.checksum: each for each in named}
        found = self._named[1].get(checksum)
        return found.text if found else None

    def about(self, call: Call) -> list[str]:
        """Return the texts of the programs that a call was about, as far as they are on record."""
        texts = (self.program(call.task_id, checksum) for checksum in call.about)
        return [text for text in texts if text is not None]


Records = RunRecords | StoredRun
"""All that a run's folder holds: in memory, or where it lies."""


def each_task(records: Records) -> Iterable[TaskRecords]:
    """Return all records, task by task in the order of their ids."""
    return records if isinstance(records, StoredRun) else by_task(records)


def _of(places: Places[R], task_id: str) -> list[R]:
    """Read a task's records and leave no file open: of many runs that would be too many."""
    known = places.damage_count
    try:
        found = places.of(task_id)
    except OSError as error:
        raise RunError(f"{places.path} cannot be read: {error}", hint="another RUN") from error
    finally:
        places.close()
    if places.damage_count > known:
        raise RunError(f"{places.path} was changed while it was read", hint="the same command once more")
    return found


class _ById(Mapping[str, R], Generic[R]):
    """Records of which a task has one: the last that stands there counts."""

    def __init__(self, places: Places[R]) -> None:
        self._places = places

    def __getitem__(self, id_: str) -> R:
        found = _of(self._places, id_)
        if not found:
            raise KeyError(id_)
        return found[-1]

    def __contains__(self, id_: object) -> bool:
        if self._places.damage_count:  # its lines may be damaged, all of them
            return super().__contains__(id_)
        return isinstance(id_, str) and self._places.has(id_)

    def __iter__(self) -> Iterator[str]:
        return (id_ for id_ in self._places.owners if id_ in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Calls(Mapping[str, tuple[Call, ...]]):
    """The calls of each task in their order, each once; none for a task of the selection without any."""

    def __init__(self, places: Places[Call], selection: tuple[str, ...]) -> None:
        self._places, self._selection = places, dict.fromkeys(selection)

    def __getitem__(self, id_: str) -> tuple[Call, ...]:
        calls = {call.number: call for call in _of(self._places, id_)}
        if not calls and id_ not in self._selection:
            raise KeyError(id_)
        return tuple(sorted(calls.values(), key=lambda call: call.number))

    def __iter__(self) -> Iterator[str]:
        yield from self._selection
        yield from (id_ for id_ in self._places.owners if id_ not in self._selection and self.get(id_))

    def __len__(self) -> int:
        return sum(1 for _ in self)
