"""A run's folder: its manifest and its append-only records.

| file | a line is |
|---|---|
| `manifest.json` | (one object) what the run was made with |
| `tasks.jsonl` | a task as the models saw it |
| `programs.jsonl` | a program that a call or the pipeline named for a task, once, and where it stood first |
| `calls.jsonl` | a call, written as it ends |
| `samples.jsonl` | a solution in EvalPlus's format, written when the pipeline returns |
| `verdicts.jsonl` | a verdict, written when the solution was graded |
| `shown.jsonl` | what the bench ran for a pipeline, and what a model may have been shown of it |
| `superseded.jsonl` | a call, paid for, of a task that a kill or a fault cut short and a resume did again |
| `servers.jsonl` | a reading of a server's metrics and GPUs while the run worked (`eval/monitor.py`) |
| `pipeline.py` | (a copy) the file that defines the run's pipeline |
| `drafts.jsonl` | a verdict on a reviewed draft, added by `dualcode reviewer`; may be deleted |
| `seal.json` | (one object) checksums of all the others and the audit; absent while the run works |

A line is written whole or not at all or, if the process was killed in the middle, torn; a torn last line is
dropped when the run is opened again. A damaged line between others is left out, with a warning that names it,
and what is beyond it is read. When the run is opened again the line is moved to `damaged.txt`, and the tasks
that it leaves incomplete are done again.

A task is done when it has a sample and a verdict that is not errored.
"""

import fcntl
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from pydantic import ValidationError

from dualcode.bench.bench import Shown
from dualcode.call import Call
from dualcode.errors import RunError
from dualcode.record import Record
from dualcode.runs.lines import (
    Damage,
    append_whole,
    drop_torn_line,
    read_lines,
    replace,
    text_of,
    writing,
)
from dualcode.runs.manifest import Manifest, Session
from dualcode.runs.monitor import Reading
from dualcode.solution import Program
from dualcode.task import Task
from dualcode.verdict import Verdict

R = TypeVar("R", bound=Record)

RECORD_FILES = (
    "tasks.jsonl",
    "programs.jsonl",
    "calls.jsonl",
    "shown.jsonl",
    "samples.jsonl",
    "verdicts.jsonl",
    "superseded.jsonl",
    "servers.jsonl",
)
"""Append-only. `servers.jsonl` is among them because published costs rest on
it; it differs between a run that was killed and resumed and one that was not, as all times do."""

PER_TASK = ("programs.jsonl", "calls.jsonl", "shown.jsonl", "samples.jsonl")
"""Of these, the files whose damage makes a task incomplete."""

SEALED_FILES = (*RECORD_FILES, "drafts.jsonl", "pipeline.py", "manifest.json")
"""All that is sealed when the run ends."""

SEAL = "seal.json"
DAMAGED = "damaged.txt"


class Sample(Record):
    """A line of `samples.jsonl`; EvalPlus reads the first two keys."""

    task_id: str
    solution: str
    extraction: str
    """How the program was won from the reply."""
    calls: int | None = None
    """How many calls the pipeline made for it; None in runs older than this field."""


class NamedProgram(Record):
    """A line of `programs.jsonl`: the text behind a checksum of a task's calls."""

    task_id: str
    checksum: str
    text: str
    step: str
    """Of the call that named it first, as its value or as what it was about; `solution` if none did."""
    call: int
    """That call's number; 0 if none did."""


class RunRecords(Record):
    """Everything that a run's folder holds, read at once."""

    manifest: Manifest
    tasks: dict[str, Task]
    programs: dict[tuple[str, str], NamedProgram]
    """By task and checksum. The programs of superseded calls are among them."""
    calls: tuple[Call, ...]
    samples: dict[str, Sample]
    verdicts: dict[str, Verdict]
    superseded: tuple[Call, ...] = ()
    shown: tuple[Shown, ...] = ()
    damage: tuple[Damage, ...] = ()
    """What could not be read. The rest was."""

    @property
    def whole(self) -> bool:
        """Whether every task of the selection is done, and every line can be read."""
        return not self.damage and self.done.issuperset(self.manifest.configuration.tasks)

    @property
    def done(self) -> set[str]:
        """The tasks that need nothing more."""
        return {id_ for id_, verdict in self.verdicts.items() if not verdict.errored and id_ in self.samples}

    def program(self, task_id: str, checksum: str | None) -> str | None:
        """Return a program's text; None for None, and for what is not on record."""
        found = self.programs.get((task_id, checksum)) if checksum is not None else None
        return found.text if found else None

    def about(self, call: Call) -> list[str]:
        """Return the texts of the programs that a call was about, as far as they are on record."""
        texts = (self.program(call.task_id, checksum) for checksum in call.about)
        return [text for text in texts if text is not None]


def read_run(folder: Path) -> RunRecords:
    """Read a run; a call that stands there twice is read once, a damaged line is named in `damage`.

    Raises RunError for a folder that is no run, or a file that cannot be read at all.
    """
    manifest, damage = _read_manifest(folder), list[Damage]()

    def lines(name: str, kind: type[R]) -> list[R]:
        return read_lines(folder / name, kind, damage)

    return RunRecords(
        manifest=manifest,
        tasks={task.id: task for task in lines("tasks.jsonl", Task)},
        programs={(each.task_id, each.checksum): each for each in lines("programs.jsonl", NamedProgram)},
        calls=tuple({(call.task_id, call.number): call for call in lines("calls.jsonl", Call)}.values()),
        samples={sample.task_id: sample for sample in lines("samples.jsonl", Sample)},
        verdicts={verdict.task_id: verdict for verdict in lines("verdicts.jsonl", Verdict)},
        superseded=tuple(lines("superseded.jsonl", Call)),
        shown=tuple(lines("shown.jsonl", Shown)),
        damage=tuple(damage),
    )


def repeated(folder: Path) -> list[str]:
    """Return what stands in a run's records more than once, in words; reading counts it once."""
    called = Counter((call.task_id, call.number) for call in read_lines(folder / "calls.jsonl", Call, []))
    kept = Counter(sample.task_id for sample in read_lines(folder / "samples.jsonl", Sample, []))
    judged = Counter(verdict.task_id for verdict in read_lines(folder / "verdicts.jsonl", Verdict, []))
    return [
        *(f"call {number} of {task} stands there {n} times" for (task, number), n in called.items() if n > 1),
        *(f"the sample of {task} stands there {n} times" for task, n in kept.items() if n > 1),
        *(f"the verdict of {task} stands there {n} times" for task, n in judged.items() if n > 1),
    ]


def read_servers(folder: Path) -> tuple[Reading, ...]:
    """Read what a run saw of its servers, in order; empty for a run that kept none.

    A damaged line is left out: one reading of many.
    """
    return tuple(read_lines(folder / "servers.jsonl", Reading, []))


class RunStore:
    """One run, open for appending by this process alone."""

    def __init__(self, folder: Path, lock: IO[str], records: RunRecords) -> None:
        self.folder = folder
        self.records = records
        """As of the opening. `damage` says what was mended then."""
        self._lock = lock
        self._open = True
        self._calls = Counter[str]()
        self._named = set(records.programs)

    @classmethod
    def open(cls, folder: Path, manifest: Manifest) -> Self:
        """Create the run, or open it to be resumed: torn lines dropped, unfinished tasks' calls set aside.

        Raises RunError if another process works on it, or if it holds a run of another configuration.
        """
        lock = _lock(folder)
        try:
            return cls(folder, lock, _recovered(folder, manifest))
        except BaseException:
            lock.close()
            raise

    def close(self) -> None:
        """Let other processes open the run. Nothing is taken any more."""
        self._open = False
        self._lock.close()

    def begin_session(self, session: Session, addresses: dict[str, str]) -> None:
        """Note in the manifest that a process begins to work on the run.

        A killed session gets the end of the run's last call as its end.
        """
        ends = [call.reply.started + call.reply.seconds for call in self.records.calls if call.reply]
        previous = [
            each if each.ended is not None else each.model_copy(update={"ended": max([each.started, *ends])})
            for each in self.records.manifest.sessions
        ]
        self._update_manifest(sessions=(*previous, session), addresses=addresses)

    def end_session(self) -> None:
        """Note in the manifest that this process is done. Nothing is taken any more."""
        self._open = False
        *previous, last = self.records.manifest.sessions
        ended = last.model_copy(update={"ended": time.time()})
        self._update_manifest(sessions=(*previous, ended))

    def keep_source(self, source: bytes) -> None:
        """Keep a copy of the file that defines the pipeline."""
        with writing(self.folder / "pipeline.py"):
            replace(self.folder / "pipeline.py", source.decode("utf-8", "replace"))

    def add_tasks(self, tasks: Iterable[Task]) -> None:
        """Append the tasks that are not there yet."""
        for task in tasks:
            if task.id not in self.records.tasks:
                self._append("tasks.jsonl", task)

    def add_call(self, call: Call) -> None:
        """Append a call, after the programs that it names."""
        for program in call.programs:
            self._add_program(call.task_id, program, call.step, call.number)
        self._append("calls.jsonl", call)
        self._calls[call.task_id] += 1

    def _add_program(self, task_id: str, program: Program, step: str, call: int) -> None:
        key = (task_id, program.checksum)
        if key not in self._named:
            named = NamedProgram(
                task_id=task_id, checksum=program.checksum, text=program.text, step=step, call=call
            )
            self._append("programs.jsonl", named)
            self._named.add(key)

    def add_shown(self, shown: Shown) -> None:
        """Append what the bench showed, with how many calls of its task had ended: all since the opening."""
        self._append("shown.jsonl", shown.model_copy(update={"after": self._calls[shown.task_id]}))

    def add_sample(self, task_id: str, program: Program) -> None:
        """Append a solution, with how many calls it took: all were made since the run was opened."""
        self._add_program(task_id, program, "solution", 0)
        how, calls = program.how, self._calls[task_id]
        sample = Sample(task_id=task_id, solution=program.text, extraction=how, calls=calls)
        self._append("samples.jsonl", sample)

    def add_verdict(self, verdict: Verdict) -> None:
        """Append a verdict."""
        self._append("verdicts.jsonl", verdict)

    def add_reading(self, reading: Reading) -> None:
        """Append what was seen of a server."""
        self._append("servers.jsonl", reading)

    def _append(self, name: str, record: Record) -> None:
        if not self._open:
            raise RunError(f"{self.folder} has ended: {name} takes nothing more", hint="dualcode eval again")
        with writing(self.folder / name):
            append_whole(self.folder / name, f"{record.to_line()}\n")

    def _update_manifest(self, **update: Any) -> None:
        changed = self.records.manifest.model_copy(update=update)
        with writing(self.folder / "manifest.json"):
            replace(self.folder / "manifest.json", changed.model_dump_json(indent=2))
        self.records = self.records.model_copy(update={"manifest": changed})


def _lock(folder: Path) -> IO[str]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise RunError(f"cannot write to {folder}: {error}", hint="--run-dir FOLDER") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise RunError(
            f"another process is working on {folder}", hint="wait for it, or --fresh for a run beside it"
        ) from None
    return lock


def _recovered(folder: Path, manifest: Manifest) -> RunRecords:
    """Return the records of a new run, or of one that is resumed once what a kill left is cleaned up."""
    if not (folder / "manifest.json").exists():
        replace(folder / "manifest.json", manifest.model_dump_json(indent=2))
    records = read_run(folder)
    if records.manifest.fingerprint != manifest.fingerprint:
        raise RunError(f"{folder} holds a run of another configuration", hint="--run-dir FOLDER")
    damage = list(records.damage)
    readings = read_lines(folder / "servers.jsonl", Reading, damage)
    if damage or not records.done.issuperset(records.manifest.configuration.tasks):
        (folder / SEAL).unlink(missing_ok=True)  # it stands for records that are about to change
    with writing(folder):
        for name in RECORD_FILES:
            drop_torn_line(folder / name)
        _set_aside(folder, records, readings, damage)
    return read_run(folder).model_copy(update={"damage": tuple(damage)})


def _read_manifest(folder: Path) -> Manifest:
    path = folder / "manifest.json"
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(
            f"{folder} is no run: it has no manifest.json", hint="the folder that `dualcode eval` named"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise RunError(
            f"{path} is no manifest that this version can read: {key}: {first['msg'].lower()}"
            f"{f' (and {error.error_count() - 1} more)' if error.error_count() > 1 else ''}",
            hint="the version of dualcode that made the run, or make it anew",
        ) from error
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error}", hint="another RUN") from error


def _set_aside(
    folder: Path, records: RunRecords, readings: Sequence[Reading], damage: Sequence[Damage]
) -> None:
    """Leave what tasks that are done hold together, and move the calls of others to `superseded.jsonl`.

    Nothing is lost: damaged lines go to `damaged.txt`. Also drops repeated verdicts of a task, which a fault
    between two sessions may have left. Whatever a kill leaves of this, the next opening goes on with.
    """
    broken = {each.file for each in damage}
    kept = records.samples.keys() - (_incomplete(records, damage) if damage else set[str]())
    for name in sorted(broken):
        lines = (folder / name).read_bytes().split(b"\n")
        bad = [lines[each.line - 1] for each in damage if each.file == name]
        append_whole(folder / DAMAGED, b"\n".join([name.encode(), *bad, b""]))
    redo = [call for call in records.calls if call.task_id not in kept]
    if redo:
        append_whole(folder / "superseded.jsonl", text_of(redo))

    graded = [each for each in records.verdicts.values() if not each.errored]
    files: dict[str, tuple[int, Sequence[Sample | Verdict | Call | Shown]]] = {
        "samples.jsonl": (len(records.samples), tuple(records.samples.values())),
        "verdicts.jsonl": (len(records.verdicts), graded),
        "calls.jsonl": (len(records.calls), records.calls),
        "shown.jsonl": (len(records.shown), records.shown),
    }
    for name, (count, each_task) in files.items():  # samples first: without one, the next opening goes on
        left = [each for each in each_task if each.task_id in kept]
        if name in broken or len(left) != count:
            replace(folder / name, text_of(left))
    whole: dict[str, Iterable[Record]] = {
        "programs.jsonl": records.programs.values(),
        "tasks.jsonl": records.tasks.values(),
        "superseded.jsonl": (*records.superseded, *redo),
        "servers.jsonl": readings,
    }
    for name in broken & whole.keys():
        replace(folder / name, text_of(whole[name]))


def _incomplete(records: RunRecords, damage: Sequence[Damage]) -> set[str]:
    """Return the tasks whose records damage has torn apart: named in it, or short of calls or programs."""
    made = Counter(call.task_id for call in records.calls)
    found = {task for each in damage if each.file in PER_TASK for task in each.tasks}
    found |= {id_ for id_, each in records.samples.items() if each.calls not in (None, made[id_])}
    for call in records.calls:
        named = [*call.about, *([call.program] if call.program else [])]
        if any((call.task_id, each) not in records.programs for each in named):
            found.add(call.task_id)
    return found
