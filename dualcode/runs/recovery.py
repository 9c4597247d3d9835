"""A run that is gone on with: what is there of it, found line by line, and mended where it is torn."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from dualcode.bench.bench import Shown
from dualcode.call import Call
from dualcode.errors import RunError
from dualcode.record import Record
from dualcode.runs.lines import Damage, append_whole, drop_torn_line, each_line, raw_lines, replace, writing
from dualcode.runs.manifest import Manifest
from dualcode.runs.monitor import Reading
from dualcode.runs.store import (
    DAMAGED,
    PER_TASK,
    RECORD_FILES,
    SEAL,
    NamedProgram,
    Sample,
    read_manifest,
)
from dualcode.task import Task
from dualcode.verdict import Verdict

R = TypeVar("R", bound=Record)


@dataclass
class Survey:
    """What a run's records come to, task by task, found line by line: what whoever goes on with it needs."""

    manifest: Manifest
    tasks: set[str] = field(default_factory=set[str])
    samples: dict[str, int | None] = field(default_factory=dict[str, int | None])
    """Tasks with a solution, and how many calls it took."""
    errored: dict[str, bool] = field(default_factory=dict[str, bool])
    """Tasks with a verdict, and whether that is none."""
    solutions: dict[str, str] = field(default_factory=dict[str, str])
    """Of the tasks that are not done."""
    named: dict[str, set[str]] = field(default_factory=lambda: defaultdict[str, set[str]](set))
    """Checksums of the programs on record of the tasks that are not done."""
    calls: Counter[str] = field(default_factory=Counter[str])
    ended: float = 0.0
    """When the last call did."""
    damage: list[Damage] = field(default_factory=list[Damage])

    @property
    def whole(self) -> bool:
        """Whether every task of the selection is done, and every line can be read."""
        return not self.damage and self.done.issuperset(self.manifest.configuration.tasks)

    @cached_property
    def done(self) -> frozenset[str]:
        """The tasks that need nothing more."""
        return frozenset(id_ for id_, errored in self.errored.items() if not errored and id_ in self.samples)


def survey(folder: Path) -> Survey:
    """Look through a run without holding it. Raises as `read_run`."""
    found = Survey(read_manifest(folder))

    def lines(name: str, kind: type[R]) -> Iterator[R]:
        return (record for _, record in each_line(folder / name, kind, found.damage))

    found.tasks = {task.id for task in lines("tasks.jsonl", Task)}
    found.errored = {verdict.task_id: verdict.errored for verdict in lines("verdicts.jsonl", Verdict)}
    for sample in lines("samples.jsonl", Sample):
        found.samples[sample.task_id] = sample.calls
        if found.errored.get(sample.task_id, True):
            found.solutions[sample.task_id] = sample.solution
    for program in lines("programs.jsonl", NamedProgram):
        if program.task_id not in found.done:
            found.named[program.task_id].add(program.checksum)
    for call in lines("calls.jsonl", Call):
        found.calls[call.task_id] += 1
        if call.reply is not None:
            found.ended = max(found.ended, call.reply.started + call.reply.seconds)
    for name, kind in (("superseded.jsonl", Call), ("shown.jsonl", Shown), ("servers.jsonl", Reading)):
        deque(lines(name, kind), maxlen=0)  # for their damage
    return found


def recovered(folder: Path, manifest: Manifest) -> Survey:
    """Return what a new run holds, or one that is resumed once what a kill left is cleaned up."""
    if not (folder / "manifest.json").exists():
        replace(folder / "manifest.json", manifest.model_dump_json(indent=2))
    found = survey(folder)
    if found.manifest.fingerprint != manifest.fingerprint:
        raise RunError(f"{folder} holds a run of another configuration", hint="--run-dir FOLDER")
    if not found.whole:
        (folder / SEAL).unlink(missing_ok=True)  # it stands for records that are about to change
    with writing(folder):
        for name in RECORD_FILES:
            drop_torn_line(folder / name)
        if found.whole:
            return found
        _set_aside(folder, found)
    mended = survey(folder)
    mended.damage = found.damage
    return mended


def _set_aside(folder: Path, found: Survey) -> None:
    """Leave what tasks that are done hold together, and move the calls of others to `superseded.jsonl`.

    Nothing is lost: damaged lines go to `damaged.txt`. Also drops errored verdicts, whose tasks are graded
    again. Whatever a kill leaves of this, the next opening goes on with.
    """
    broken = {each.file for each in found.damage}
    kept = found.samples.keys() - (_incomplete(folder, found) if found.damage else set[str]())
    for name in sorted(broken):
        numbers = {each.line for each in found.damage if each.file == name}
        bad = [line for number, line in enumerate(raw_lines(folder / name), 1) if number in numbers]
        append_whole(folder / DAMAGED, b"".join([name.encode(), b"\n", *bad]))
    redo = b""
    if found.calls.keys() - kept:
        lines = each_line(folder / "calls.jsonl", Call, [])
        redo = b"".join(line for line, call in lines if call.task_id not in kept)
        append_whole(folder / "superseded.jsonl", redo)
    graded = {id_ for id_, errored in found.errored.items() if not errored}
    per_task: dict[str, tuple[type[Sample | Verdict | Call | Shown], Set[str]]] = {
        "samples.jsonl": (Sample, kept),
        "verdicts.jsonl": (Verdict, kept & graded),
        "calls.jsonl": (Call, kept),
        "shown.jsonl": (Shown, kept),
    }
    for name, (kind, wanted) in per_task.items():  # samples first: without one, the next opening goes on
        lines = each_line(folder / name, kind, [])
        if name in broken or any(record.task_id not in wanted for _, record in lines):
            lines = each_line(folder / name, kind, [])
            replace(folder / name, (line for line, record in lines if record.task_id in wanted))
    whole: dict[str, type[Record]] = {
        "programs.jsonl": NamedProgram,
        "tasks.jsonl": Task,
        "superseded.jsonl": Call,
        "servers.jsonl": Reading,
    }
    for name in broken & whole.keys():
        replace(folder / name, (line for line, _ in each_line(folder / name, whole[name], [])))


def _incomplete(folder: Path, found: Survey) -> set[str]:
    """Return the tasks whose records damage has torn apart: named in it, or short of calls or programs."""
    torn = {task for each in found.damage if each.file in PER_TASK for task in each.tasks}
    torn |= {id_ for id_, calls in found.samples.items() if calls not in (None, found.calls[id_])}
    there = {
        (each.task_id, each.checksum) for _, each in each_line(folder / "programs.jsonl", NamedProgram, [])
    }
    for _, call in each_line(folder / "calls.jsonl", Call, []):
        named = [*call.about, *([call.program] if call.program else [])]
        if any((call.task_id, each) not in there for each in named):
            torn.add(call.task_id)
    return torn
