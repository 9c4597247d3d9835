"""One pipeline over one suite: solve, grade while solving goes on, and append the records."""

import asyncio
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from dualcode.call import Call
from dualcode.errors import DualcodeError, EndpointError, RunError, UnreachableError
from dualcode.grading.grader import Grader
from dualcode.pipelines import Pipeline
from dualcode.runs.manifest import Manifest, Session, git_revision
from dualcode.runs.seal import require_whole
from dualcode.runs.store import RunStore
from dualcode.solution import Program
from dualcode.suites.suite import Suite
from dualcode.task import Task
from dualcode.team import Team
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

    A task whose model calls, grading or pipeline code broke is `errored`: recorded with its reason, never
    counted as failed, and done again when the run is resumed.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        suite: Suite,
        team: Team,
        grader: Grader,
        store: RunStore,
        *,
        concurrency: int,
        observer: Observer | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._suite = suite
        self._team = team
        self._grader = grader
        self._store = store
        self._observer = observer or Silent()
        self._slots = asyncio.Semaphore(concurrency)
        self._lost = 0

    async def run(self) -> None:
        """Finish the run. Raises RunError if the servers are lost; what was done is kept."""
        self._store.add_tasks(self._suite.tasks)
        records = self._store.records
        kept = [verdict for verdict in records.verdicts.values() if not verdict.errored]
        self._observer.on_start(len(self._suite.tasks), kept)
        try:
            async with asyncio.TaskGroup() as group:
                for task in self._suite.tasks:
                    if task.id not in records.done:
                        group.create_task(self._take(task))
        except ExceptionGroup as failures:
            raise _first(failures) from None

    async def _take(self, task: Task) -> None:
        sample = self._store.records.samples.get(task.id)
        if sample is not None:
            await self._grade(task, sample.solution)
            return
        program = await self._solve(task)
        if program is not None:
            self._store.add_sample(task.id, program)
            await self._grade(task, program.text)

    async def _solve(self, task: Task) -> Program | None:
        """Return the pipeline's program; None after recording that the task errored."""
        async with self._slots:
            try:
                program = await self._pipeline(task, self._team.for_task(task.id, self._on_call))
            except EndpointError as error:
                self._error(task, error.message)
                self._note_loss(error)
                return None
            except RunError:
                raise
            except DualcodeError as error:  # an unbound role, a sandbox that broke
                self._error(task, f"{type(error).__name__}: {error.message}")
                return None
            except Exception as error:  # a pipeline is anybody's code
                last = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{Path(last.filename).name}:{last.lineno}"
                self._error(task, f"pipeline raised {type(error).__name__}: {error} ({where})")
                return None
        self._lost = 0
        return program

    async def _grade(self, task: Task, program: str) -> None:
        self._finish(await self._grader.grade(task.id, program))

    def _on_call(self, call: Call) -> None:
        self._store.add_call(call)
        self._observer.on_call(call)

    def _error(self, task: Task, reason: str) -> None:
        self._finish(Verdict.of_error(task.id, reason, plus=self._suite.has_plus))

    def _finish(self, verdict: Verdict) -> None:
        self._store.add_verdict(verdict)
        self._observer.on_verdict(verdict)

    def _note_loss(self, error: EndpointError) -> None:
        self._lost = self._lost + 1 if isinstance(error, UnreachableError) else 0
        if self._lost >= LOST_SERVER:
            raise RunError(
                f"stopped: {error.message}",
                hint="scripts/serve.sh status; the same command resumes the run",
            )


def _first(failure: BaseException) -> BaseException:
    """Return the first error of a group, however deep; an error of its own is its own first."""
    while isinstance(failure, BaseExceptionGroup):
        failure = cast("BaseExceptionGroup[BaseException]", failure).exceptions[0]
    return failure


def open_run(root: Path, manifest: Manifest, *, fresh: bool) -> RunStore:
    """Open the configuration's run under `root` to be begun or resumed; with `fresh`, always a new one.

    Raises RunError if the run was sealed and changed since, and as RunStore.open.
    """
    run_id, number = manifest.id, 1
    while fresh and (root / run_id).exists():
        number += 1
        run_id = f"{manifest.id}-{number}"
    require_whole(root / run_id)
    return RunStore.open(root / run_id, manifest.model_copy(update={"id": run_id}))


def session(concurrency: int) -> Session:
    """Return the session that begins now."""
    return Session(started=time.time(), concurrency=concurrency, git_revision=git_revision())
