"""The score of a samples file for people, and how far the grading is."""

import threading
import time
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dualcode.cli.terminal import console
from dualcode.grading.score import KS, Score
from dualcode.grading.scoring import Watcher
from dualcode.tables.cells import NOTHING, interval, percent
from dualcode.tables.grid import listed, numbers, words
from dualcode.tables.table import Table

MANY_UNCOMPILED = 0.1
"""A share of programs that do not compile at which a samples file is likely to hold raw replies."""


def score_table(score: Score) -> Table:
    """Return a row for each set of tests and each k."""
    ks = [k for k in KS if k in score.base.pass_at] or [1]
    several = len(ks) > 1
    heads = (
        words("tests"), *([numbers("k")] if several else []), numbers("pass@k" if several else "pass@1"),
        *map(numbers, ("95 % interval", "passed", "failed", "errored")),
    )  # fmt: skip
    rows: list[tuple[str, ...]] = []
    sides = {"base": score.base} | ({"base + plus": score.plus} if score.plus else {})
    for label, side in sides.items():
        for k in ks:
            found, counts = side.pass_at.get(k), side.samples
            bounds = found.interval if found else None
            rows.append(
                (
                    label if k == 1 else "",
                    *([str(k)] if several else []),
                    percent(found.value) if found else NOTHING,
                    interval(*bounds) if bounds else NOTHING,
                    *([str(counts.passed), str(counts.failed), str(counts.errored)] if k == 1 else [""] * 3),
                )
            )
    samples = len(score.verdicts)
    more = f", {samples} samples" if samples != score.tasks else ""
    title = f"{score.title}: {score.tasks} tasks{more} in {score.seconds:.1f} s, sandbox {score.sandbox}"
    notes = [score.compiled]
    if score.uncompiled >= MANY_UNCOMPILED * samples:
        notes.append(
            "raw replies, with prose or fences around the code? `dualcode extract` makes samples of them"
        )
    return listed("score", title, heads, rows, notes=notes)


FIRST_SECONDS, MOST_SECONDS = 2.5, 15.0
"""Off a terminal: when the first line of a phase is due, and the longest time between two of a long one."""
TICK = 0.5


class Bar(Watcher):
    """A progress bar on a terminal, a line now and then elsewhere; and warnings on stderr."""

    def __init__(self) -> None:
        self._console = console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(
            *columns, console=self._console, transient=True, disable=not self._console.is_terminal
        )
        self._phase = self._progress.add_task("reading", total=None)
        self._began = time.monotonic()
        self._due = self._began + FIRST_SECONDS
        self._lock, self._ended = threading.Lock(), threading.Event()

    def __enter__(self) -> "Bar":
        self._progress.start()
        if not self._console.is_terminal:  # a program may take its minute, and no step is made meanwhile
            threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        self._ended.set()

    def on_warning(self, warning: str) -> None:
        """Warn."""
        self._console.print(warning, style="bold yellow", markup=False, highlight=False)

    def on_phase(self, name: str, total: int) -> None:
        """Begin a bar."""
        with self._lock:
            self._began = time.monotonic()
            self._due = min(self._due, self._began + FIRST_SECONDS)
            self._progress.remove_task(self._phase)
            self._phase = self._progress.add_task(name, total=total)

    def on_step(self) -> None:
        """Move it on."""
        self._progress.advance(self._phase)
        self._tell()

    def _watch(self) -> None:
        while not self._ended.wait(TICK):
            self._tell()

    def _tell(self) -> None:
        """Off a terminal, say how far it is if a line is due."""
        with self._lock:
            now = time.monotonic()
            [phase] = self._progress.tasks
            if self._console.is_terminal or now < self._due:
                return
            self._due = now + min(MOST_SECONDS, max(FIRST_SECONDS, (now - self._began) / 10))
            far = "" if phase.total is None else f": {phase.completed:g} of {phase.total:g}"
            self._console.print(phase.description + far, highlight=False)
