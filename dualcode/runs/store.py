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
| `servers.jsonl` | a reading of a server's metrics and GPUs while the run worked (`runs/monitor.py`) |
| `pipeline.py` | (a copy) the file that defines the run's pipeline |
| `drafts.jsonl` | a verdict on a reviewed draft, added by `dualcode reviewer`; may be deleted |
| `seal.json` | (one object) checksums of all the others and the audit; absent while the run works |

A line is written whole or not at all or, if the process was killed in the middle, torn; a torn last line is
dropped when the run is opened again. A damaged line between others is left out, with a warning that names it,
and what is beyond it is read. When the run is opened again the line is moved to `damaged.txt`, and the tasks
that it leaves incomplete are done again.

A task is done when it has a sample and a verdict that is not errored.
"""

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from dualcode.bench.bench import Shown
from dualcode.call import Call
from dualcode.errors import RunError
from dualcode.record import Record, unswept
from dualcode.runs.lines import Damage, read_lines
from dualcode.runs.manifest import Manifest
from dualcode.runs.monitor import Reading
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


KINDS: dict[str, type[Record]] = {
    "tasks": Task,
    "programs": NamedProgram,
    "calls": Call,
    "samples": Sample,
    "verdicts": Verdict,
    "superseded": Call,
    "shown": Shown,
}
"""The files of a task's records, by their names without `.jsonl`, in the order in which they are read."""


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

    @property
    def calls_by_task(self) -> dict[str, tuple[Call, ...]]:
        """The calls of each task in their order; none for a task of the selection without any."""
        found: dict[str, list[Call]] = {task: [] for task in self.manifest.configuration.tasks}
        for call in self.calls:
            found.setdefault(call.task_id, []).append(call)
        return {task: tuple(sorted(calls, key=lambda call: call.number)) for task, calls in found.items()}

    def shown_of(self, task_id: str) -> list[Shown]:
        """Return what the bench showed of a task."""
        return [each for each in self.shown if each.task_id == task_id]

    def program(self, task_id: str, checksum: str | None) -> str | None:
        """Return a program's text; None for None, and for what is not on record."""
        found = self.programs.get((task_id, checksum)) if checksum is not None else None
        return found.text if found else None

    def about(self, call: Call) -> list[str]:
        """Return the texts of the programs that a call was about, as far as they are on record."""
        texts = (self.program(call.task_id, checksum) for checksum in call.about)
        return [text for text in texts if text is not None]


@unswept()
def read_run(folder: Path) -> RunRecords:
    """Read a run; a call that stands there twice is read once, a damaged line is named in `damage`.

    Raises RunError for a folder that is no run, or a file that cannot be read at all.
    """
    manifest, damage = read_manifest(folder), list[Damage]()

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


def read_servers(folder: Path) -> tuple[Reading, ...]:
    """Read what a run saw of its servers, in order; empty for a run that kept none.

    A damaged line is left out: one reading of many.
    """
    return tuple(read_lines(folder / "servers.jsonl", Reading, []))


def read_manifest(folder: Path) -> Manifest:
    """Read what a run was made with. Raises RunError for a folder that is no run."""
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
