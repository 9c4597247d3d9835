"""The score of a samples file: `dualcode score`."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from dualcode.eval.grader import EvalPlusGrader, Grader, default_workers
from dualcode.eval.metrics import Counts, count
from dualcode.eval.samples import Sample, read_samples
from dualcode.eval.suites import Suite
from dualcode.record import Record
from dualcode.verdict import Verdict


class Side(Record):
    """The score on base tests, or on base and plus tests."""

    samples: Counts
    """With one sample a task, these are its tasks."""
    pass_at_1: float | None
    """The mean over tasks of passed / graded samples: unbiased for any number of samples a task. Errored
    samples are left out; None if nothing was graded."""

    @property
    def errored(self) -> int:
        """How many samples could not be graded, through no fault of their own."""
        return self.samples.errored

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints: `passed`, `failed`, `errored`, `pass@1`."""
        return {**self.samples.model_dump(), "pass@1": self.pass_at_1}


class Score(Record):
    """A graded samples file."""

    dataset: str
    title: str
    tasks: int
    """Tasks with at least one sample; pass@1 is over these."""
    missing: tuple[str, ...]
    """Tasks without a sample. They are left out of every number; `evalplus.evaluate` refuses such a file."""
    base: Side
    plus: Side | None
    """None where the suite has no plus tests."""
    seconds: float
    verdicts: tuple[Verdict, ...]
    """In the order of the file."""

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {
            "dataset": self.dataset,
            "tasks": self.tasks,
            "base": self.base.to_json(),
            "plus": self.plus.to_json() if self.plus else None,
            "seconds": round(self.seconds, 3),
        }

    def table(self) -> Table:
        """Return the score as a table, rates with their interval where a task has one sample."""
        table = Table(title=self._heading(), title_justify="left", title_style="bold")
        for name in ("tests", "pass@1", "95 % interval", "passed", "failed", "errored"):
            table.add_column(name, justify="left" if name == "tests" else "right")
        table.add_row("base", *self._cells(self.base))
        if self.plus is not None:
            table.add_row("base + plus", *self._cells(self.plus))
        return table

    def _heading(self) -> str:
        samples = len(self.verdicts)
        more = f", {samples} samples" if samples != self.tasks else ""
        return f"{self.title}: {self.tasks} tasks{more} in {self.seconds:.1f} s"

    def _cells(self, side: Side) -> list[str]:
        counts, share = side.samples, "–" if side.pass_at_1 is None else f"{side.pass_at_1:.1%}"
        # Samples of one task are not independent of each other, so an interval over them would be too narrow.
        rate = counts.rate if len(self.verdicts) == self.tasks else None
        interval = f"{rate.low:.1%} – {rate.high:.1%}" if rate else "–"
        return [share, interval, str(counts.passed), str(counts.failed), str(counts.errored)]


def score_samples(path: Path, suite: Suite, console: Console, *, workers: int | None = None) -> Score:
    """Score a file for the command line: progress and warnings go to `console`. Starts an event loop."""
    samples = read_samples(path, suite)
    if missing := _missing(samples, suite):
        console.print(_warning(missing, suite), style="bold yellow", markup=False, highlight=False)
    columns = (TextColumn("grading"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        shown = bar.add_task("grading", total=len(samples))
        grading = _score(samples, suite, workers or _all_cores(), lambda _: bar.advance(shown))
        return asyncio.run(grading)


async def score_file(
    path: Path,
    suite: Suite,
    *,
    workers: int | None = None,
    progress: Callable[[Verdict], None] | None = None,
) -> Score:
    """Grade every sample of a file and return the score; `progress` is called with each verdict.

    Raises InputError before anything is graded if the file is not what `read_samples` takes.
    """
    return await _score(read_samples(path, suite), suite, workers, progress or (lambda _: None))


async def _score(
    samples: Sequence[Sample], suite: Suite, workers: int | None, progress: Callable[[Verdict], None]
) -> Score:
    started = time.monotonic()
    async with EvalPlusGrader(suite, workers) as grader:
        verdicts = await _grade(samples, grader, progress)
    return score(verdicts, suite, time.monotonic() - started)


def score(verdicts: Sequence[Verdict], suite: Suite, seconds: float) -> Score:
    """Return the score that verdicts come to; `seconds` is what grading them took."""
    by_task: defaultdict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        by_task[verdict.task_id].append(verdict)
    base, plus = count(verdicts, has_plus=suite.has_plus)
    per_task = [count(own, has_plus=suite.has_plus) for own in by_task.values()]
    return Score(
        dataset=suite.name,
        title=suite.title,
        tasks=len(by_task),
        missing=tuple(task.id for task in suite.tasks if task.id not in by_task),
        base=_side(base, [own for own, _ in per_task]),
        plus=plus and _side(plus, [own for _, own in per_task if own]),
        seconds=seconds,
        verdicts=tuple(verdicts),
    )


def _side(total: Counts, per_task: Sequence[Counts]) -> Side:
    rates = [counts.pass_at_1 for counts in per_task if counts.pass_at_1 is not None]
    return Side(samples=total, pass_at_1=sum(rates) / len(rates) if rates else None)


async def _grade(
    samples: Sequence[Sample], grader: Grader, progress: Callable[[Verdict], None]
) -> list[Verdict]:
    async def one(sample: Sample) -> Verdict:
        verdict = await grader.grade(sample.task_id, sample.program)
        progress(verdict)
        return verdict

    return await asyncio.gather(*map(one, samples))


def _missing(samples: Sequence[Sample], suite: Suite) -> list[str]:
    present = {sample.task_id for sample in samples}
    return [task.id for task in suite.tasks if task.id not in present]


def _warning(missing: Sequence[str], suite: Suite) -> str:
    some = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
    graded = len(suite.tasks) - len(missing)
    return (
        f"warning: {len(missing)} of {len(suite.tasks)} tasks have no sample ({some}). "
        f"pass@1 is over the other {graded}; evalplus.evaluate would refuse this file."
    )


def _all_cores() -> int:
    return 2 * default_workers()  # nothing else is at work here
