"""A run that is worked on: found or begun, and one process appends its records, each whole or not at all."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Self, overload

from dualcode.bench.bench import Shown
from dualcode.call import Call
from dualcode.clock import now
from dualcode.errors import RunError
from dualcode.record import Record
from dualcode.runs.lines import append_whole, own, replace, writing
from dualcode.runs.manifest import Manifest, Session, git_revision
from dualcode.runs.monitor import Reading
from dualcode.runs.recovery import Survey, recovered, survey
from dualcode.runs.seal import broken, require_whole
from dualcode.runs.store import NamedProgram, Sample
from dualcode.runs.stored import Places
from dualcode.sandbox.sandbox import Tier
from dualcode.serving.hardware import ServedHardware
from dualcode.solution import Program
from dualcode.task import Task
from dualcode.verdict import Verdict


class RunStore:
    """One run, open for appending by this process alone."""

    def __init__(self, folder: Path, lock: IO[str], found: Survey) -> None:
        self.folder = folder
        self.manifest = found.manifest
        self.damage = tuple(found.damage)
        """What was mended when the run was opened."""
        self.done = found.done
        """The tasks that needed nothing more then."""
        self.kept: Sequence[Verdict] = _Kept(folder / "verdicts.jsonl", found.done)
        """Their verdicts, each once, read when asked for."""
        self._tasks = found.tasks
        self._solutions = found.solutions
        self._ended = found.ended
        self.listener: Callable[[str, bytes, Record], None] = lambda _name, _line, _record: None
        """Hears each line that is written: its file, the line, and the record that it is of."""
        self._lock = lock
        self._open = True
        self._calls = Counter[str]()
        self._named = found.named

    @classmethod
    def open(cls, folder: Path, manifest: Manifest) -> Self:
        """Create the run, or open it to be resumed: torn lines dropped, unfinished tasks' calls set aside.

        Raises RunError if another process works on it, or if it holds a run of another configuration.
        """
        lock = own(folder, choose="--run-dir FOLDER", beside="a run")
        try:
            return cls(folder, lock, recovered(folder, manifest))
        except BaseException:
            lock.close()
            raise

    def close(self) -> None:
        """Let other processes open the run. Nothing is taken any more."""
        self._open = False
        self._lock.close()

    def take_solution(self, task_id: str) -> str | None:
        """Return, once, the solution of a task that an earlier session left without a verdict."""
        return self._solutions.pop(task_id, None)

    def begin_session(
        self,
        concurrency: int,
        addresses: dict[str, str],
        *,
        sandbox: Tier | None = None,
        nodes: tuple[str, ...] = (),
        hardware: Mapping[str, ServedHardware] = MappingProxyType({}),
    ) -> None:
        """Note in the manifest that a process begins to work on the run, with what its Session says.

        `hardware` may be of other endpoints, too. A killed session gets the end of the run's last call as its
        end.
        """
        begun = Session(
            started=now(),
            concurrency=concurrency,
            git_revision=git_revision(),
            sandbox=sandbox,
            nodes=nodes,
            hardware={name: hardware[name] for name in addresses if name in hardware},
        )
        previous = [
            each
            if each.ended is not None
            else each.model_copy(update={"ended": max(each.started, self._ended)})
            for each in self.manifest.sessions
        ]
        self._update_manifest(sessions=(*previous, begun), addresses=addresses)

    def end_session(self, *, held: float | None = None) -> None:
        """Note in the manifest that this process is done. Nothing is taken any more.

        `held` are the seconds of the servers that were this run's, where it did not work alone.
        """
        self._open = False
        *previous, last = self.manifest.sessions
        ended = last.model_copy(update={"ended": now(), "held": held})
        self._update_manifest(sessions=(*previous, ended))

    def keep_source(self, source: bytes) -> None:
        """Keep a copy of the file that defines the pipeline."""
        with writing(self.folder / "pipeline.py"):
            replace(self.folder / "pipeline.py", source.decode("utf-8", "replace"))

    def add_tasks(self, tasks: Iterable[Task]) -> None:
        """Append the tasks that are not there yet."""
        for task in tasks:
            if task.id not in self._tasks:
                self._append("tasks.jsonl", task)
                self._tasks.add(task.id)

    def add_call(self, call: Call) -> None:
        """Append a call, after the programs that it names."""
        for program in call.programs:
            self._add_program(call.task_id, program, call.step, call.number)
        self._append("calls.jsonl", call)
        self._calls[call.task_id] += 1

    def _add_program(self, task_id: str, program: Program, step: str, call: int) -> None:
        if program.checksum not in self._named[task_id]:
            named = NamedProgram(
                task_id=task_id, checksum=program.checksum, text=program.text, step=step, call=call
            )
            self._append("programs.jsonl", named)
            self._named[task_id].add(program.checksum)

    def add_shown(self, shown: Shown) -> None:
        """Append what the bench showed, with how many calls of its task had ended: all since the opening."""
        self._append("shown.jsonl", shown.model_copy(update={"after": self._calls[shown.task_id]}))

    def add_sample(self, task_id: str, program: Program) -> None:
        """Append a solution, with how many calls it took: all were made since the run was opened."""
        self._add_program(task_id, program, "solution", 0)
        how, calls = program.how, self._calls[task_id]
        sample = Sample(task_id=task_id, solution=program.text, extraction=how, calls=calls)
        self._append("samples.jsonl", sample)
        self._named.pop(task_id, None)  # nothing more comes of a task that has its solution
        self._calls.pop(task_id, None)

    def add_verdict(self, verdict: Verdict) -> None:
        """Append a verdict."""
        self._append("verdicts.jsonl", verdict)

    def add_reading(self, reading: Reading) -> None:
        """Append what was seen of a server."""
        self._append("servers.jsonl", reading)

    def _append(self, name: str, record: Record) -> None:
        if not self._open:
            raise RunError(f"{self.folder} has ended: {name} takes nothing more", hint="dualcode eval again")
        line = f"{record.to_line()}\n".encode("utf-8", "surrogatepass")
        with writing(self.folder / name):
            append_whole(self.folder / name, line)
        self.listener(name, line, record)

    def _update_manifest(self, **update: Any) -> None:
        self.manifest = self.manifest.model_copy(update=update)
        with writing(self.folder / "manifest.json"):
            replace(self.folder / "manifest.json", self.manifest.model_dump_json(indent=2))


class _Kept(Sequence[Verdict]):
    """The verdicts of tasks that are done, where they lie: of 100,000 tasks they would be 280 MB."""

    def __init__(self, path: Path, done: frozenset[str]) -> None:
        self._path, self._done = path, done

    def __len__(self) -> int:
        return len(self._done)

    def __iter__(self) -> Iterator[Verdict]:
        with closing(Places(self._path, Verdict, {}, {})) as places:
            for task_id in filter(self._done.__contains__, places.owners):
                yield from places.of(task_id)[-1:]

    @overload
    def __getitem__(self, index: int) -> Verdict: ...
    @overload
    def __getitem__(self, index: slice) -> list[Verdict]: ...
    def __getitem__(self, index: int | slice) -> Verdict | list[Verdict]:
        return list(self)[index]


def open_run(root: Path, manifest: Manifest, *, fresh: bool) -> RunStore:
    """Open the configuration's run under `root` to be begun or resumed; with `fresh`, always a new one.

    Raises RunError if the run was sealed and changed since, and as RunStore.open.
    """
    folder = root / manifest.id
    if not fresh:
        folder = to_resume(root, manifest.id)
    elif there := _numbered(root, manifest.id):
        folder = root / f"{manifest.id}-{max(there) + 1}"
    require_whole(folder)
    return RunStore.open(folder, manifest.model_copy(update={"id": folder.name}))


def to_resume(root: Path, run_id: str) -> Path:
    """Return the folder of a configuration's run that goes on: of those under `root` (`--fresh` begins
    `ID-2` and so on) the newest that is not done, or else the newest; `ID` itself where there is none.
    """
    there = [folder for _, folder in sorted(_numbered(root, run_id).items(), reverse=True)]
    if len(there) < 2:
        return (there or [root / run_id])[0]
    lacking = {folder: _lacks_something(folder) for folder in there}
    wanted = [folder for answer in (True, False) for folder in there if lacking[folder] is answer]
    return (wanted or there)[0]


def _lacks_something(folder: Path) -> bool | None:
    """Whether a run is to be gone on with; None for one that cannot be opened."""
    if not (folder / "manifest.json").exists():
        return True
    try:
        return None if broken(folder) else not survey(folder).whole
    except RunError:
        return None


def _numbered(root: Path, run_id: str) -> dict[int, Path]:
    own = re.compile(rf"{re.escape(run_id)}(?:-(\d+))?")
    found = [(own.fullmatch(path.name), path) for path in (root.iterdir() if root.is_dir() else ())]
    return {int(match[1] or 1): path for match, path in found if match and path.is_dir()}
