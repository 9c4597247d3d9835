"""A run's records where they lie: each is read when it is asked for, and none is held.

So a run of any size can be analysed. Its values are those of `read_run`, under the same names; whoever asks
for all calls at once gets, and pays for, all of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Generic, TypeVar

from dualcode.bench.bench import Shown
from dualcode.call import Call
from dualcode.errors import RunError
from dualcode.runs.bytask import Places, RunByTask, TaskRecords, by_task
from dualcode.runs.lines import Damage, read_lines
from dualcode.runs.store import NamedProgram, RunRecords, Sample
from dualcode.task import Task
from dualcode.verdict import Verdict

R = TypeVar("R", Task, Sample, Verdict)
_READ = ("tasks", "programs", "calls", "samples", "verdicts", "superseded", "shown")
"""The order in which `read_run` reads the files, and names their damage."""


class StoredRun:
    """A run's folder, as `RunRecords` has its records.

    Whoever has gone through all of it (`each_task`) knows its `damage`. Raises RunError as `read_run`; so
    does reading a record later, if the files were changed since.
    """

    def __init__(self, folder: Path) -> None:
        """Look where each record lies."""
        self._folder, self._run = folder, RunByTask(folder)
        self._named: tuple[str, dict[str, NamedProgram]] = "", {}
        self.manifest = self._run.manifest
        self.tasks: Mapping[str, Task] = _ById(self._run.tasks)
        self.samples: Mapping[str, Sample] = _ById(self._run.samples)
        self.verdicts: Mapping[str, Verdict] = _ById(self._run.verdicts)
        self.calls_by_task: Mapping[str, tuple[Call, ...]] = _Calls(
            self._run.calls, self.manifest.configuration.tasks
        )

    @property
    def damage(self) -> tuple[Damage, ...]:
        """What could not be read so far."""
        by_file = {
            name: [each for each in self._run.damage if each.file == f"{name}.jsonl"] for name in _READ
        }
        return tuple(each for name in _READ for each in by_file[name])

    def each_task(self) -> Iterator[TaskRecords]:
        """Yield all records, task by task in the order of their ids."""
        try:
            yield from self._run
        finally:
            self._run.close()

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
        return _of(self._run.shown, task_id)

    @property
    def done(self) -> set[str]:
        """The tasks that need nothing more."""
        return {id_ for id_, verdict in self.verdicts.items() if not verdict.errored and id_ in self.samples}

    def program(self, task_id: str, checksum: str | None) -> str | None:
        """Return a program's text; None for None, and for what is not on record."""
        if checksum is None:
            return None
        if self._named[0] != task_id:  # a task's are asked for one after the other
            named = _of(self._run.programs, task_id)
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
    return records.each_task() if isinstance(records, StoredRun) else by_task(records)


S = TypeVar("S", Task, Sample, Verdict, Call, Shown, NamedProgram)


def _of(places: Places[S], task_id: str) -> list[S]:
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
