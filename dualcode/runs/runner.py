"""One pipeline over one suite: solve, grade while solving goes on, and append the records."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from dualcode.call import Call
from dualcode.clock import now
from dualcode.errors import EndpointError, RunError, UnreachableError
from dualcode.grading.grader import Grader
from dualcode.pipelines import Pipeline
from dualcode.runs.manifest import Manifest, Session, git_revision
from dualcode.runs.place import Place
from dualcode.runs.reasons import place_of, reason_of
from dualcode.runs.recovery import survey
from dualcode.runs.seal import broken, require_whole
from dualcode.runs.session import RunStore
from dualcode.runs.watchdog import HeldError
from dualcode.solution import Program
from dualcode.suites.suite import Suite
from dualcode.task import Task
from dualcode.team import Team
from dualcode.together import TimeUpError, first_failure, within
from dualcode.verdict import Verdict

LOST_SERVER = 3
"""So many tasks in a row that lost their server end the run: the rest would go the same way."""


class Observer(Protocol):
    """Whoever watches a run: a progress display, or nobody.

    It is not to raise: in `on_call` that makes the task errored, elsewhere it ends the run.
    """

    def on_start(self, total: int, verdicts: Sequence[Verdict]) -> None:
        """The run begins; `verdicts` were there already."""
        ...

    def on_call(self, call: Call) -> None:
        """A call ended."""
        ...

    def on_verdict(self, verdict: Verdict) -> None:
        """A task was graded, or errored."""
        ...


class Silent:
    """Watches without a word."""

    def on_start(self, total: int, verdicts: Sequence[Verdict]) -> None:
        """Do nothing."""

    def on_call(self, call: Call) -> None:
        """Do nothing."""

    def on_verdict(self, verdict: Verdict) -> None:
        """Do nothing."""


class Runner:
    """Takes the tasks that a run still lacks through the pipeline and the grader.

    A task whose model calls, grading or pipeline code broke, or whose pipeline took more than `task_seconds`,
    is `errored`: recorded with its reason, never counted as failed, and done again when the run is resumed.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        suite: Suite,
        team: Team,
        grader: Grader,
        store: RunStore,
        *,
        task_seconds: float,
        observer: Observer | None = None,
    ) -> None:
        self.chats = team.chats
        self.held = 0.0
        """Seconds of the servers that were this run's; see `pool.work`."""
        self._pipeline = pipeline
        self._suite = suite
        self._team = team
        self._grader = grader
        self._store = store
        self._observer = observer or Silent()
        self._task_seconds = task_seconds
        self._lost = 0

    def begin(self) -> Iterator[Task]:
        """Note the tasks, and return those that the run lacks, in the suite's order."""
        self._store.add_tasks(self._suite.tasks)
        self._observer.on_start(len(self._suite.tasks), self._store.kept)
        done = self._store.done
        return (task for task in self._suite.tasks if task.id not in done)

    async def take(self, task: Task, place: Place) -> None:
        """Bring a task to its verdict; `place` knows which server it asks.

        Raises RunError if the servers are lost, or the run's folder.
        """
        try:
            solution = self._store.take_solution(task.id)
            if solution is None:
                program = await self._solve(task, place)
                if program is None:
                    return
                self._store.add_sample(task.id, program)
                solution = program.text
        finally:
            place.leave()
        self._finish(await self._grader.grade(task.id, solution))

    async def _solve(self, task: Task, place: Place) -> Program | None:
        """Return the pipeline's program; None after recording that the task errored."""

        def on_call(call: Call) -> None:
            self._store.add_call(call)
            self._observer.on_call(call)

        team = self._team.through(place.through).for_task(task.id, on_call)
        try:
            program = await within(self._task_seconds, self._pipeline(task, team), ending=team.end_task)
        except (Exception, asyncio.CancelledError, HeldError) as raised:  # a pipeline is anybody's code
            own = asyncio.current_task()
            if isinstance(raised, asyncio.CancelledError) and own is not None and own.cancelling():
                raise
            error = first_failure(raised)  # it may use a TaskGroup
            if isinstance(error, RunError):
                raise error from error.__cause__  # here, too
            reason = reason_of(error)
            if isinstance(error, TimeUpError | HeldError):
                reason = f"the pipeline took more than {self._task_seconds:g} s (--task-seconds)"
            if isinstance(error, HeldError):
                reason += f", and awaited nothing in all of them ({place_of(error)})"
            self._finish(Verdict.of_error(task.id, reason, plus=self._suite.has_plus))
            if isinstance(error, EndpointError):
                self._lost = self._lost + 1 if isinstance(error, UnreachableError) else 0
            if isinstance(error, UnreachableError) and self._lost >= LOST_SERVER:
                hint = "scripts/serve.sh status; the same command resumes the run"
                raise RunError(f"stopped: {error.message}", hint=hint) from None
            return None
        finally:
            team.end_task()
        self._lost = 0
        return program

    def _finish(self, verdict: Verdict) -> None:
        self._store.add_verdict(verdict)
        self._observer.on_verdict(verdict)


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


def session(concurrency: int) -> Session:
    """Return the session that begins now."""
    return Session(started=now(), concurrency=concurrency, git_revision=git_revision())
