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

A line is written whole or, if the process was killed in the middle, torn; a torn last line is dropped when
the run is opened again. A task is done when it has a sample and a verdict that is not errored.
"""

import fcntl
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from pydantic import ValidationError

from dualcode.bench.bench import Shown
from dualcode.call import Call
from dualcode.errors import RunError
from dualcode.record import Record
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

SEALED_FILES = (*RECORD_FILES, "drafts.jsonl", "pipeline.py", "manifest.json")
"""All that is sealed when the run ends."""

SEAL = "seal.json"


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
    """Read a run; a call that stands there twice is read once.

    Raises RunError for a folder that is no run, or a record that is damaged.
    """
    calls = {(call.task_id, call.number): call for call in _lines(folder / "calls.jsonl", Call)}
    return RunRecords(
        manifest=_read_manifest(folder),
        tasks={task.id: task for task in _lines(folder / "tasks.jsonl", Task)},
        programs={
            (each.task_id, each.checksum): each for each in _lines(folder / "programs.jsonl", NamedProgram)
        },
        calls=tuple(calls.values()),
        samples={sample.task_id: sample for sample in _lines(folder / "samples.jsonl", Sample)},
        verdicts={verdict.task_id: verdict for verdict in _lines(folder / "verdicts.jsonl", Verdict)},
        superseded=tuple(_lines(folder / "superseded.jsonl", Call)),
        shown=tuple(_lines(folder / "shown.jsonl", Shown)),
    )


def repeated(folder: Path) -> list[str]:
    """Return what stands in a run's records more than once, in words; reading counts it once."""
    called = Counter((call.task_id, call.number) for call in _lines(folder / "calls.jsonl", Call))
    kept = Counter(sample.task_id for sample in _lines(folder / "samples.jsonl", Sample))
    judged = Counter(verdict.task_id for verdict in _lines(folder / "verdicts.jsonl", Verdict))
    return [
        *(f"call {number} of {task} stands there {n} times" for (task, number), n in called.items() if n > 1),
        *(f"the sample of {task} stands there {n} times" for task, n in kept.items() if n > 1),
        *(f"the verdict of {task} stands there {n} times" for task, n in judged.items() if n > 1),
    ]


def read_servers(folder: Path) -> tuple[Reading, ...]:
    """Read what a run saw of its servers, in order; empty for a run that kept none.

    Raises RunError for a record that is damaged.
    """
    return tuple(_lines(folder / "servers.jsonl", Reading))


class RunStore:
    """One run, open for appending by this process alone."""

    def __init__(self, folder: Path, lock: IO[str], records: RunRecords) -> None:
        self.folder = folder
        self.records = records
        """As of the opening."""
        self._lock = lock
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
        """Let other processes open the run."""
        self._lock.close()

    def begin_session(self, session: Session, addresses: dict[str, str]) -> None:
        """Note in the manifest that a process begins to work on the run."""
        previous = tuple(self._ended(each) for each in self.records.manifest.sessions)
        self._update_manifest(sessions=(*previous, session), addresses=addresses)

    def end_session(self) -> None:
        """Note in the manifest that this process is done."""
        *previous, last = self.records.manifest.sessions
        ended = last.model_copy(update={"ended": time.time()})
        self._update_manifest(sessions=(*previous, ended))

    def keep_source(self, source: bytes) -> None:
        """Keep a copy of the file that defines the pipeline."""
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
        line = record.to_line() + "\n"
        try:
            # One write of a whole line to a file opened for appending: a kill leaves it there, or absent.
            with (self.folder / name).open("ab", buffering=0) as file:
                file.write(line.encode("utf-8", "surrogatepass"))
        except OSError as error:
            raise RunError(
                f"cannot write {self.folder / name}: {error}",
                hint="free the disk, then the same command to resume",
            ) from error

    def _update_manifest(self, **update: Any) -> None:
        changed = self.records.manifest.model_copy(update=update)
        replace(self.folder / "manifest.json", changed.model_dump_json(indent=2))
        self.records = self.records.model_copy(update={"manifest": changed})

    def _ended(self, session: Session) -> Session:
        """Return a killed session with the end of its last call as its end."""
        if session.ended is not None:
            return session
        ends = [call.reply.started + call.reply.seconds for call in self.records.calls if call.reply]
        return session.model_copy(update={"ended": max([session.started, *ends])})


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
    if not records.done.issuperset(records.manifest.configuration.tasks):
        (folder / SEAL).unlink(missing_ok=True)  # it stands for records that are about to grow
    for name in RECORD_FILES:
        _drop_torn_line(folder / name)
    _set_aside_unfinished(folder, records)
    return read_run(folder)


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


def _lines(path: Path, kind: type[R]) -> Iterator[R]:
    """Yield a file's records; a torn last line is passed over, any other damage is a RunError."""
    content = path.read_bytes() if path.exists() else b""
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            yield kind.model_validate_json(line)
        except ValidationError as error:
            raise RunError(f"{path}, line {number} is damaged: {error.errors()[0]['msg']}") from error


def _drop_torn_line(path: Path) -> None:
    content = path.read_bytes() if path.exists() else b""
    if content and not content.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)


def _set_aside_unfinished(folder: Path, records: RunRecords) -> None:
    """Move the calls of tasks that must be solved again to `superseded.jsonl`: nothing is lost.

    Also drops repeated lines of a task, which a fault between two sessions may have left.
    """
    redo = [call for call in records.calls if call.task_id not in records.samples]
    verdicts = [verdict for id_, verdict in records.verdicts.items() if id_ in records.done]
    if redo:
        _append_lines(folder / "superseded.jsonl", redo)
        kept = [call for call in records.calls if call.task_id in records.samples]
        replace(folder / "calls.jsonl", "".join(f"{call.to_line()}\n" for call in kept))
    if any(each.task_id not in records.samples for each in records.shown):  # they are shown again
        seen = [each for each in records.shown if each.task_id in records.samples]
        replace(folder / "shown.jsonl", "".join(f"{each.to_line()}\n" for each in seen))
    if len(verdicts) != len(records.verdicts):
        replace(folder / "verdicts.jsonl", "".join(f"{verdict.to_line()}\n" for verdict in verdicts))


def _append_lines(path: Path, records: Sequence[Record]) -> None:
    with path.open("ab") as file:
        file.write("".join(f"{record.to_line()}\n" for record in records).encode())


def replace(path: Path, text: str) -> None:
    """Write a file so that a kill leaves either the old or the new one."""
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
