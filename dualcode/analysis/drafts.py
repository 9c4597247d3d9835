"""The drafts that reviews read, and whether they are right.

A review's call says which program it was about, and the run's `programs.jsonl` has its text: that is what the
reviewer judged, whatever pipeline made it and in whatever words it was asked.

Whether a draft is right is known where the same text was graded: as the sample of this or of another run
(the ledger gives pipelines that begin alike the same draft, so the baseline's sample usually is it), or for
this very purpose, which a run's `drafts.jsonl` keeps.
"""

import asyncio
import fcntl
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from dualcode.analysis.runs import Run
from dualcode.call import Call
from dualcode.errors import GraderError, SandboxError, SuiteError, UnknownNameError
from dualcode.record import Record
from dualcode.solution import checksum
from dualcode.verdict import Verdict

if TYPE_CHECKING:
    from dualcode.suites.suite import Suite

KEPT = "drafts.jsonl"
"""In a run's folder: a line is the grade of a draft, sealed as it is added. Deleting the file costs time."""

Tell = Callable[[str], None]
"""Says something to the person at the command line."""


class Draft(NamedTuple):
    """A program for a task."""

    task_id: str
    text: str

    @property
    def key(self) -> "Key":
        """What it is found by."""
        return self.task_id, checksum(self.text)


Key = tuple[str, str]
"""A task's id and the checksum of a program."""


class DraftGrade(Record):
    """A line of `drafts.jsonl`."""

    task_id: str
    program: str
    """The draft's checksum."""
    data: str
    """SHA-256 of the benchmark's data."""
    verdict: Verdict


def first_reviews(run: Run) -> dict[str, Call]:
    """Return the first review of each task that got a reply, in the suite's order.

    Later reviews of a task judge a later program, or (`adversarial`) the other draft.
    """
    found = {
        task: next((call for call in calls if call.step == "review" and call.reply is not None), None)
        for task, calls in run.calls.items()
    }
    return {task: call for task, call in found.items() if call is not None}


def reviewed_drafts(run: Run) -> dict[str, str]:
    """Return the program that the first review of each task read; "" where a reply held none.

    Left out is a review whose call does not say which program it was about: a pipeline's own step may not.
    """
    read = {task: run.records.about(review) for task, review in first_reviews(run).items()}
    return {task: programs[0] for task, programs in read.items() if programs}


def known_truths(run: Run, others: Sequence[Run]) -> dict[str, bool]:
    """Return, for each task whose reviewed draft was graded, whether it is right on the run's hardest part.

    `others` count where they were made with the same data. The run's own verdicts win; a draft on which
    others contradict each other is not known. An empty draft is wrong.
    """
    heard: dict[Key, set[bool]] = {}
    for other in others:
        if (other.records.manifest.configuration.data, other.hardest) == (_data(run), run.hardest):
            for key, right in _graded(other).items():
                heard.setdefault(key, set()).add(right)
    agreed = {key: True in said for key, said in heard.items() if len(said) == 1}
    return _found(reviewed_drafts(run), agreed | _graded(run))


def _found(drafts: Mapping[str, str], graded: Mapping[Key, bool]) -> dict[str, bool]:
    truths = {task: graded.get(Draft(task, text).key) if text else False for task, text in drafts.items()}
    return {task: right for task, right in truths.items() if right is not None}


def _data(run: Run) -> str:
    return run.records.manifest.configuration.data


def _graded(run: Run) -> dict[Key, bool]:
    """Return what the run knows of programs: its own samples, and drafts graded for it."""
    samples, passed = run.records.samples, run.passed(run.hardest)
    own = {Draft(t, samples[t].solution).key: right for t, right in passed.items() if t in samples}
    return {key: verdict.passed(run.hardest) for key, verdict in kept_grades(run).items()} | own


def kept_grades(run: Run) -> dict[Key, Verdict]:
    """Return the verdicts in the run's `drafts.jsonl` on its data; a torn or damaged line is passed over."""
    grades = [each for each in _kept(run.folder / KEPT) if each.data == _data(run)]
    return {(each.task_id, each.program): each.verdict for each in grades}


def _kept(path: Path) -> Iterator[DraftGrade]:
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return
    for line in lines:
        try:
            yield DraftGrade.model_validate_json(line)
        except ValidationError:  # what is lost is graded once more
            continue


def keep_grade(run: Run, draft: Draft, verdict: Verdict) -> None:
    """Append a grade to the run's `drafts.jsonl`. Raises OSError if the folder cannot be written."""
    task, program = draft.key
    line = DraftGrade(task_id=task, program=program, data=_data(run), verdict=verdict).to_line()
    from dualcode.runs.seal import adding_draft  # it brings the sandbox, which reading grades does without

    # One write of a whole line, as in a run's records; it begins with a newline so that a torn line before
    # it stays alone.
    with (run.folder / KEPT).open("ab", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # others may add theirs
        with adding_draft(run.folder):
            file.write(f"\n{line}\n".encode("utf-8", "surrogatepass"))


def find_suite(run: Run, data: Path | None = None) -> "Suite":
    """Return the suite that the run was made with, as `suite_of` does: nothing is downloaded."""
    from dualcode.suites.registry import suite_of

    return suite_of(run.id, run.dataset, run.records.manifest.source, data)


async def grade_drafts(
    suite: "Suite", drafts: Collection[Draft], keep: Callable[[Draft, Verdict], None]
) -> None:
    """Grade drafts in the sandbox and give each verdict to `keep`, the errored ones left out.

    Raises SandboxError if this machine has no sandbox.
    """
    from dualcode.grading.grader import SandboxGrader, all_cores
    from dualcode.sandbox import open_sandbox

    async def grade(draft: Draft) -> None:
        verdict = await grader.grade(draft.task_id, draft.text)
        if not verdict.errored:
            keep(draft, verdict)

    async with (
        open_sandbox(all_cores()) as sandbox,
        SandboxGrader(suite, sandbox, workers=sandbox.workers) as grader,
    ):
        await asyncio.gather(*(grade(draft) for draft in drafts))


def _tell_stderr(message: str) -> None:
    print(message, file=sys.stderr)  # noqa: T201 - what stays unknown must not stay unsaid


async def truths(
    runs: Sequence[Run], *, grade: bool, data: Path | None = None, tell: Tell = _tell_stderr
) -> dict[str, dict[str, bool]]:
    """Return run id -> task -> whether the reviewed draft is right; unknown ones are left out.

    Runs know each other's programs. With `grade`, what none of them knows is graded in the sandbox and kept;
    `data` is the benchmark's own file where it is not found otherwise. `tell` hears what is being graded,
    and why something stays unknown. Runs without reviews have no drafts.
    """
    known = {run.id: known_truths(run, runs) for run in runs}
    missing = {run.id: _missing(run, known[run.id]) for run in runs} if grade else {}
    for group in _by_data(run for run in runs if missing.get(run.id)):
        graded = await _graded_anew(group, missing, data, tell)
        for run in group:
            found = {key: verdict.passed(run.hardest) for key, verdict in graded.items()}
            known[run.id] |= _found({each.task_id: each.text for each in missing[run.id].values()}, found)
    return known


def _missing(run: Run, known: Mapping[str, bool]) -> dict[Key, Draft]:
    drafts = (Draft(task, text) for task, text in reviewed_drafts(run).items() if task not in known)
    return {draft.key: draft for draft in drafts}


def _by_data(runs: Iterator[Run]) -> list[list[Run]]:
    """Return runs in groups of the same suite and data."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.dataset, _data(run)), []).append(run)
    return list(groups.values())


async def _graded_anew(
    runs: Sequence[Run], missing: Mapping[str, Mapping[Key, Draft]], data: Path | None, tell: Tell
) -> dict[Key, Verdict]:
    """Grade what is missing of runs on the same data, each draft once, and keep it with every run of it."""
    drafts = {key: draft for run in runs for key, draft in missing[run.id].items()}
    graded: dict[Key, Verdict] = {}
    refused: dict[str, OSError] = {}

    def keep(draft: Draft, verdict: Verdict) -> None:
        graded[draft.key] = verdict
        for run in runs:
            if draft.key in missing[run.id]:
                try:
                    keep_grade(run, draft, verdict)
                except OSError as error:
                    refused[run.id] = error

    what = f"{len(drafts)} of the reviewed drafts on {runs[0].dataset}"
    tell(f"no run graded {what}; grading them now")
    try:
        await grade_drafts(find_suite(runs[0], data), list(drafts.values()), keep)
    except (SuiteError, SandboxError, GraderError, UnknownNameError) as error:
        hint = "give the run that the drafts are from as well, or " + (error.hint or "dualcode sandbox")
        tell(f"{len(drafts) - len(graded)} of them stay unknown: {error.message}\n  try: {hint}")
    else:
        if faults := len(drafts) - len(graded):
            tell(f"{faults} of them stay unknown: the sandbox broke while they were graded")
    for run_id, error in refused.items():
        tell(f"{run_id}: the grades are not kept and will be made again: {error}")
    return graded
