"""Finished runs, read once: what every table, figure and comparison starts from."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from dualcode.analysis.facts import ASKED, Facts, facts_of
from dualcode.bench.richness import richness
from dualcode.call import Call
from dualcode.errors import InputError, RunError
from dualcode.metrics import Rate, rate
from dualcode.record import Record, unswept
from dualcode.runs.manifest import Configuration
from dualcode.runs.monitor import Reading
from dualcode.runs.store import read_run, read_servers
from dualcode.runs.stored import Records, StoredRun
from dualcode.runs.summary import Summary
from dualcode.suites.registry import known_entry
from dualcode.verdict import Part

Tell = Callable[[str], None]
"""Says something to the person at the command line."""


def tell_stderr(message: str) -> None:
    """Say on stderr what must not stay unsaid."""
    print(message, file=sys.stderr)  # noqa: T201 - analyses know no console


BASELINE = "raw-coder"
"""The pipeline that others are compared with, unless another is named."""


class Score(Record):
    """pass@1 of a run on one part, and what its errored tasks leave open."""

    run: str
    part: Part
    rate: Rate
    """Among the graded tasks, with the Wilson 95 % interval."""
    errored: tuple[str, ...]
    """Tasks of the selection without a verdict: errored, or not done."""
    widened: tuple[float, float]
    """The interval if the errored tasks all failed (its lower end) or all passed (its upper end). It is the
    rate's own where nothing is errored."""


@dataclass(frozen=True)
class Run:
    """A run's folder and its records.

    What analyses count is in `facts`, for which all is read once. `records` and `calls` read what is asked
    for when it is asked for; `held` keeps all of it in memory, for whoever needs it again and again.
    """

    folder: Path
    records: Records = field(repr=False)  # asyncio writes out what a finished task returned

    @property
    def id(self) -> str:
        """The run's id, which every published number names."""
        return self.records.manifest.id

    @property
    def pipeline(self) -> str:
        """The pipeline's name."""
        return self.made.pipeline

    @property
    def dataset(self) -> str:
        """The suite's canonical name, such as `humaneval`."""
        return self.made.dataset

    @property
    def made(self) -> Configuration:
        """What the run was made with."""
        return self.records.manifest.configuration

    @property
    def data(self) -> str:
        """The suite's data for people: its name, its version, and the first digits of its checksum."""
        source = self.records.manifest.source
        return f"{source.name} {source.version}, sha256 {self.made.data[:12]}"

    @property
    def title(self) -> str:
        """The suite for people, such as `HumanEval+`, or `HumanEval+ (12 of 164 tasks)`."""
        return self.records.manifest.title

    @property
    def size(self) -> int | None:
        """How many tasks the whole suite has; None for an older run of a suite that is not known."""
        if (size := self.records.manifest.size) is not None:
            return size
        entry = known_entry(self.dataset)
        return entry.size if entry else None

    @property
    def suite(self) -> str:
        """The suite's title without a selection: `HumanEval+`."""
        return re.sub(r" \(\d+ of \d+ tasks\)$", "", self.title)

    @property
    def address(self) -> str:
        """What `--dataset` takes for the suite: its name, or the path of a team's own."""
        return self.dataset if known_entry(self.dataset) else str(self.records.manifest.source.path)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The ids of the run's selection, in the suite's order."""
        return self.made.tasks

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts that this run was graded on."""
        return ("base", "plus") if self.records.manifest.has_plus else ("base",)

    @property
    def hardest(self) -> Part:
        """The part that decides: `plus` where there is one."""
        return self.parts[-1]

    @cached_property
    def richness(self) -> Mapping[str, float]:
        """How much the specification of each task says, 0..1."""
        return {task.id: richness(task).score for task in self.records.tasks.values()}

    @cached_property
    def facts(self) -> Facts:
        """What is known of each task, and of the run as a whole."""
        with unswept():
            return facts_of(self.records, self.parts)

    @property
    def summary(self) -> Summary:
        """The run in numbers."""
        return self.facts.summary

    def held(self) -> "Run":
        """Return the run with all of its records in memory. Raises RunError as `read_run`."""
        return self if not isinstance(self.records, StoredRun) else Run(self.folder, read_run(self.folder))

    @cached_property
    def readings(self) -> tuple[Reading, ...]:
        """What the run saw of its servers. Raises RunError if that record is damaged."""
        return tuple(read_servers(self.folder))

    @cached_property
    def calls(self) -> Mapping[str, tuple[Call, ...]]:
        """The calls of each task, in their order."""
        return self.records.calls_by_task

    @property
    def openings(self) -> Iterator[tuple[str, bytes, bytes]]:
        """Of each task whose first call got a reply: hashes of the request and of the answer."""
        for task, each in self.facts.tasks.items():
            if each.opening is not None:
                yield task, each.opening[:ASKED], each.opening[ASKED:]

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """The files that were changed since the run was sealed: all are read for it, once."""
        from dualcode.runs.seal import broken  # it brings the sandbox, which reading runs does without

        return tuple(broken(self.folder))

    @property
    def change(self) -> str:
        """What was changed since the run was sealed, for people."""
        return f"{', '.join(self.changed)} changed since the run was sealed"

    @cached_property
    def errored(self) -> tuple[str, ...]:
        """The tasks without a verdict: errored, or not done."""
        known = self.facts.tasks
        return tuple(task for task in self.tasks if known[task].passed is None)

    def passed(self, part: Part) -> dict[str, bool]:
        """Return, for each graded task, whether it passed. Errored tasks are not in it.

        Raises InputError for a part that the run was not graded on.
        """
        if part not in self.parts:
            raise InputError(f"{self.folder} was not graded on {part}", hint=f"its parts: {self.hardest}")
        passed = ((task, self.facts.tasks[task].passed) for task in self.tasks)
        return {task: part in parts for task, parts in passed if parts is not None}

    def score(self, part: Part) -> Score:
        """Return pass@1 with its interval. Raises RunError if nothing was graded."""
        passed = self.passed(part)
        if not passed:
            raise RunError(f"{self.folder} has no graded task", hint=self.resume_hint)
        right, missing = sum(passed.values()), len(self.errored)
        own, total = rate(right, len(passed)), len(passed) + missing
        widened = rate(right, total).low, rate(right + missing, total).high
        return Score(run=self.id, part=part, rate=own, errored=self.errored, widened=widened)

    @property
    def resume_hint(self) -> str:
        """The command that does what is missing."""
        return (
            f"dualcode eval --pipeline {self.pipeline} --dataset {self.address}"
            f" --run-dir {self.folder.parent}, as it was begun, to resume it"
        )

    @property
    def mend_hint(self) -> str:
        """What to do about damaged lines: an unsealed run does their tasks again."""
        return f"{self.resume_hint} and do its task again; in a sealed run, restore the file from a copy"


def load_run(folder: Path, *, tell: Tell = tell_stderr) -> Run:
    """Read a run; `tell` hears of each line of its records that is damaged and left out.

    Raises RunError, which names it, if it is none, damaged, empty, without a verdict, or older than the
    records of tasks and programs.
    """
    run = Run(folder, StoredRun(folder))
    known = run.facts.tasks.values()  # all is read, so the damage is known
    if not any(each.has_verdict for each in known):
        state = "half-written: no task was graded" if any(each.calls for each in known) else "empty"
        raise RunError(f"{folder} is {state}", hint=f"{run.resume_hint}; or name the other runs")
    if not run.records.tasks:
        raise RunError(
            f"{folder} is older than the records of tasks and programs that analyses read",
            hint=f"dualcode show {folder}, or make it anew: the ledger has its replies",
        )
    for each in run.records.damage:
        tell(f"warning: {folder}: {each}")
    if run.records.damage:
        tell(f"  try: {run.mend_hint}")
    return run


def warn_of_changes(runs: Sequence[Run], tell: Tell = tell_stderr) -> None:
    """Say which runs are no longer what was sealed, where nothing else that is shown says so."""
    for run in runs:
        if run.changed:
            tell(f"warning: {run.folder}: {run.change} (dualcode audit)")


_BETTER = ("has more graded tasks", "is not damaged", "is newer")


def _one_each(runs: Sequence[Run], tell: Tell) -> list[Run]:
    def rank(run: Run) -> tuple[int, bool, float]:
        graded = len(run.tasks) - len(run.errored)
        return graded, not run.records.damage, run.records.manifest.created

    kept = {(run.dataset, run.pipeline): run for run in sorted(runs, key=rank)}
    for run in runs:
        other = kept[run.dataset, run.pipeline]
        if run is not other:
            ranks = zip(rank(run), rank(other), _BETTER, strict=True)
            why = next((reason for own, best, reason in ranks if own != best), "is its copy")
            tell(f"left out: {run.folder}: {other.folder.name} {why}. Name both to set them side by side")
    return list(kept.values())


def load_runs(paths: Sequence[Path], *, one_each: bool = False, tell: Tell = tell_stderr) -> list[Run]:
    """Read runs; a folder that holds runs stands for all of them, in the order in which they were begun.

    With `one_each` it stands for one of each pipeline and suite: that with the most graded tasks, of equal
    ones the undamaged, of these the newest. The others, and what `load_run` refuses of a folder, are left
    out, as `tell` hears. Raises RunError for a path that is neither, for a refused run that was named itself,
    and for a folder without any other.
    """
    found: dict[Path, Run] = {}
    for path in paths:
        inside = sorted(file.parent for file in path.glob("*/manifest.json"))
        if (path / "manifest.json").exists() or not inside:
            inside = [path]
        runs, refused = list[Run](), list[RunError]()
        for folder in inside:
            try:
                runs.append(load_run(folder, tell=tell))
            except RunError as error:
                refused.append(error)
        if refused and not runs:
            raise refused[0]
        for error in refused:
            tell(f"left out: {error.message}")
        if one_each and inside != [path]:
            runs = _one_each(runs, tell)
        for run in sorted(runs, key=lambda run: run.records.manifest.created):
            found.setdefault(run.folder.resolve(), run)
    return list(found.values())
