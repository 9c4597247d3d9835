"""`dualcode score`: a file of samples is read, graded and scored."""

import asyncio
import contextlib
import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from dualcode import machine
from dualcode.extraction.source import compiles
from dualcode.grading.explain import Explanation, explain
from dualcode.grading.grader import SandboxGrader
from dualcode.grading.rules import Rules
from dualcode.grading.samples import Sample, Samples, read_all, read_samples
from dualcode.grading.score import Score, score
from dualcode.record import Record
from dualcode.sandbox import open_sandbox
from dualcode.sandbox.pool import Pool
from dualcode.suites.suite import Suite
from dualcode.together import all_or_nothing, together
from dualcode.verdict import Verdict


class ScoreOptions(Record):
    """How a file is graded."""

    workers: int | None = None
    """Programs at a time; None: as many as there are cores, for nothing else is at work."""
    rules: Rules = Rules()
    unsafe: bool = False
    """Whether to go on without a sandbox that holds."""

    @classmethod
    def of(
        cls, *, workers: int | None, unsafe: bool, base_only: bool, evalplus_compatible: bool
    ) -> "ScoreOptions":
        """Return the options of the command line."""
        rules = Rules(base_only=base_only, evalplus_compatible=evalplus_compatible)
        return cls(workers=workers, unsafe=unsafe, rules=rules)


class Watcher:
    """Sees how far the work is; this one does nothing with it."""

    def on_warning(self, warning: str) -> None:
        """Something must be known before anything is graded."""

    def on_phase(self, name: str, total: int) -> None:
        """A phase of so many steps begins."""

    def on_step(self) -> None:
        """A step of the phase is done."""


def score_samples(
    path: Path, load: Callable[[], Suite], watcher: Watcher, options: ScoreOptions
) -> tuple[Suite, list[Sample], Score]:
    """Score a file for the command line: progress and warnings go to `watcher`. Starts an event loop.

    Raises InputError before anything is graded if the file is not what `read_samples` takes, and SandboxError
    if there is no sandbox.
    """

    def read() -> tuple[Suite, Samples]:
        suite = load()
        return suite, read_all(path, suite)

    async def work() -> tuple[Suite, list[Sample], Score]:
        async with contextlib.AsyncExitStack() as opened:

            async def open_warm() -> Pool:
                opening = open_sandbox(options.workers or machine.cores(), unsafe=options.unsafe)
                sandbox = await opened.enter_async_context(opening)
                await sandbox.warm()
                return sandbox

            # A sandbox takes as long to open as files take to be read; of two failures, theirs is told.
            (suite, (samples, dropped)), sandbox = await together(asyncio.to_thread(read), open_warm())
            for warning in warnings_of(path, samples, dropped, suite):
                watcher.on_warning(warning)
            return suite, samples, await grade_samples(samples, suite, options, watcher, sandbox)

    return asyncio.run(work())


def explain_samples(
    path: Path, suite: Suite, task_ids: Sequence[str], options: ScoreOptions
) -> list[Explanation]:
    """Explain every sample of some tasks for the command line. Starts an event loop."""
    samples = read_samples(path, suite)

    async def work() -> list[Explanation]:
        async with open_sandbox(1, unsafe=options.unsafe) as sandbox:
            return await explain(samples, task_ids, suite, sandbox, options.rules)

    return asyncio.run(work())


async def grade_samples(
    samples: Sequence[Sample], suite: Suite, options: ScoreOptions, watcher: Watcher, sandbox: Pool
) -> Score:
    """Grade samples and return their score."""
    started = time.monotonic()
    async with SandboxGrader(suite, sandbox, options.rules, workers=sandbox.workers) as grader:
        verdicts = await grade_all(samples, grader, watcher)
    seconds = time.monotonic() - started
    return score(
        verdicts,
        suite,
        seconds,
        sandbox=sandbox.tier,
        base_only=options.rules.base_only,
        uncompiled=_uncompiled(
            sample
            for sample, verdict in zip(samples, verdicts, strict=True)
            if verdict.base.status != "passed"  # those do compile, and are most of them
        ),
    )


def _uncompiled(samples: Iterable[Sample]) -> int:
    """Return how many of the programs do not compile."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the compiler remarks on is the candidate's, not ours
        return sum(not compiles(sample.program) for sample in samples)


async def grade_all(samples: Sequence[Sample], grader: SandboxGrader, watcher: Watcher) -> list[Verdict]:
    """Return a verdict a sample, in order. The longest go first, and the same program is graded once."""
    await _calibrate({sample.task_id for sample in samples}, grader, watcher)
    distinct = sorted(dict.fromkeys(samples), key=lambda sample: -grader.cpu(sample.task_id))
    watcher.on_phase("grading", len(distinct))

    async def one(sample: Sample) -> Verdict:
        verdict = await grader.grade(sample.task_id, sample.program)
        watcher.on_step()
        return verdict

    verdicts = await all_or_nothing(map(one, distinct))
    known = dict(zip(distinct, verdicts, strict=True))
    return [known[sample] for sample in samples]


async def _calibrate(task_ids: set[str], grader: SandboxGrader, watcher: Watcher) -> None:
    """Do what no earlier run has done on this machine: until then nobody knows which programs are long."""
    unknown = sorted(task_id for task_id in task_ids if math.isinf(grader.cpu(task_id)))
    if not unknown:
        return
    watcher.on_phase("running the references", len(unknown))

    async def one(task_id: str) -> None:
        await grader.calibrate(task_id)
        watcher.on_step()

    await all_or_nothing(map(one, unknown))


def warnings_of(path: Path, samples: Sequence[Sample], dropped: Sequence[str], suite: Suite) -> Iterator[str]:
    """Yield what must be known before anything is graded."""
    if all(map(_uncompiled, zip(samples))):  # up to the first that does
        folder = path.is_dir()
        how = "" if folder else f"\n  try: dualcode extract --dataset {suite.name} {path} -o SAMPLES.jsonl"
        yield (
            f"warning: none of the {len(samples)} programs compiles. If they are models' raw replies, with "
            f"prose or fences around the code, extract the programs first.{how}"
        )
    if dropped:
        yield (
            f"warning: {len(dropped)} tasks are not in {suite.title} as {suite.data.path.name} has it "
            f"({len(suite.tasks)} tasks) and were dropped: {_some(dropped)}. An older release had them."
        )
    present = {sample.task_id for sample in samples}
    if missing := [task.id for task in suite.tasks if task.id not in present]:
        yield (
            f"warning: {len(missing)} of {len(suite.tasks)} tasks have no sample ({_some(missing)}). "
            f"pass@1 is over the other {len(present)}; evalplus.evaluate would refuse this file."
        )


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:5]) + (", …" if len(ids) > 5 else "")
