"""The drafts that reviews read, and whether they are right.

A review's call says which program it was about, and the run's `programs.jsonl` has its text: that is what the
reviewer judged, whatever pipeline made it and in whatever words it was asked.

Whether a draft is right is known where the same text was graded: as the sample of this or of another run
(the ledger gives pipelines that begin alike the same draft, so the baseline's sample usually is it), or for
this very purpose, which a run's `drafts.jsonl` keeps.
"""

import contextlib
import fcntl
from collections import ChainMap
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from dualcode import machine
from dualcode.analysis.facts import Reviewed
from dualcode.analysis.runs import Run, Tell, tell_stderr
from dualcode.errors import GraderError, SandboxError, SuiteError, UnknownNameError
from dualcode.record import Record
from dualcode.runs.lines import append_whole
from dualcode.solution import checksum
from dualcode.together import all_or_nothing
from dualcode.verdict import Part, Verdict

if TYPE_CHECKING:
    from dualcode.suites.suite import Suite

KEPT = "drafts.jsonl"
"""In a run's folder: a line is the grade of a draft, sealed as it is added. Deleting the file costs time."""


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


def first_reviews(run: Run) -> dict[str, Reviewed]:
    """Return the first review of each task that got a reply, in the suite's order."""
    return {task: each.review for task, each in run.facts.tasks.items() if each.review is not None}


def reviewed_drafts(run: Run) -> dict[str, str]:
    """Return the checksum of the program that the first review of each task read; "" where there was none.

    Left out is a review whose call does not say which program it was about: a pipeline's own step may not.
    """
    return {task: each.draft for task, each in first_reviews(run).items() if each.draft is not None}


def _draft(run: Run, task: str) -> Draft:
    """Return the program of `reviewed_drafts`, read now."""
    review = next(each for each in run.calls[task] if each.step == "review" and each.reply is not None)
    return Draft(task, run.records.about(review)[0])


def known_truths(runs: Sequence[Run]) -> list[dict[str, bool]]:
    """Return, for each run, whether its reviewed drafts are right on its hardest part, by task; known ones.

    Runs on the same data know each other's programs. A run's own verdicts win; a draft on which others
    contradict each other is not known. An empty draft is wrong.
    """
    own = [_graded(run) for run in runs]
    heard: dict[tuple[str, Part], dict[Key, bool | None]] = {}
    for run, graded in zip(runs, own, strict=True):
        told = heard.setdefault((run.made.data, run.hardest), {})
        for key, right in graded.items():
            told[key] = right if told.get(key, right) is right else None
    return [
        _found(reviewed_drafts(run), ChainMap[Key, bool | None](graded, heard[run.made.data, run.hardest]))
        for run, graded in zip(runs, own, strict=True)
    ]


def _found(drafts: Mapping[str, str], graded: Mapping[Key, bool | None]) -> dict[str, bool]:
    truths = {task: graded.get((task, draft)) if draft else False for task, draft in drafts.items()}
    return {task: right for task, right in truths.items() if right is not None}


def _graded(run: Run) -> dict[Key, bool | None]:
    """Return what the run knows of programs: its own samples, and drafts graded for it."""
    part, facts = run.hardest, run.facts.tasks
    found: dict[Key, bool | None] = {key: each.passed(part) for key, each in kept_grades(run).items()}
    for task, right in run.passed(part).items():
        if (solution := facts[task].solution) is not None:
            found[task, solution] = right
    return found


def kept_grades(run: Run) -> dict[Key, Verdict]:
    """Return the verdicts in the run's `drafts.jsonl` on its data; a torn or damaged line is passed over."""
    lines, found = list[bytes](), dict[Key, Verdict]()
    with contextlib.suppress(OSError):
        lines = (run.folder / KEPT).read_bytes().split(b"\n")
    for line in lines:
        with contextlib.suppress(ValidationError):  # what is lost is graded once more
            grade = DraftGrade.model_validate_json(line)
            if grade.data == run.made.data:
                found[grade.task_id, grade.program] = grade.verdict
    return found


def keep_grade(run: Run, draft: Draft, verdict: Verdict) -> None:
    """Append a grade to the run's `drafts.jsonl`. Raises OSError if the folder cannot be written."""
    task, program = draft.key
    line = DraftGrade(task_id=task, program=program, data=run.made.data, verdict=verdict).to_line()
    from dualcode.runs.seal import adding_draft  # it brings the sandbox, which reading grades does without

    # It begins with a newline so that a line before it that a kill has torn stays alone.
    with (run.folder / KEPT).open("ab", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # others may add theirs
        with adding_draft(run.folder):
            append_whole(run.folder / KEPT, f"\n{line}\n")


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
    from dualcode.grading.grader import SandboxGrader
    from dualcode.sandbox import open_sandbox

    async def grade(draft: Draft) -> None:
        verdict = await grader.grade(draft.task_id, draft.text)
        if not verdict.errored:
            keep(draft, verdict)

    async with (
        open_sandbox(machine.cores()) as sandbox,
        SandboxGrader(suite, sandbox, workers=sandbox.workers) as grader,
    ):
        await all_or_nothing(grade(draft) for draft in drafts)


async def truths(
    runs: Sequence[Run], *, grade: bool, data: Path | None = None, tell: Tell = tell_stderr
) -> dict[str, dict[str, bool]]:
    """Return run id -> task -> whether the reviewed draft is right; unknown ones are left out.

    Runs know each other's programs. With `grade`, what none of them knows is graded in the sandbox and kept;
    `data` is the benchmark's own file where it is not found otherwise. `tell` hears what is being graded,
    and why something stays unknown. Runs without reviews have no drafts.
    """
    known = {run.id: truth for run, truth in zip(runs, known_truths(runs), strict=True)}
    missing: dict[str, dict[str, str]] = {}
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs if grade else ():
        drafts = reviewed_drafts(run).items()
        missing[run.id] = {task: draft for task, draft in drafts if task not in known[run.id]}
        if missing[run.id]:
            groups.setdefault((run.dataset, run.made.data), []).append(run)
    for group in groups.values():
        graded = await _graded_anew(group, missing, data, tell)
        for run in group:
            found = {key: verdict.passed(run.hardest) for key, verdict in graded.items()}
            known[run.id] |= _found(missing[run.id], found)
    return known


async def _graded_anew(
    runs: Sequence[Run], missing: Mapping[str, Mapping[str, str]], data: Path | None, tell: Tell
) -> dict[Key, Verdict]:
    """Grade what is missing of runs on the same data, each draft once, and keep it with every run of it."""
    drafts = {key: run for run in runs for key in missing[run.id].items()}
    graded: dict[Key, Verdict] = {}
    refused: dict[str, OSError] = {}

    def keep(draft: Draft, verdict: Verdict) -> None:
        graded[draft.key] = verdict
        for run in runs:
            if draft.key in missing[run.id].items():
                try:
                    keep_grade(run, draft, verdict)
                except OSError as error:
                    refused[run.id] = error

    what = f"{len(drafts)} of the reviewed drafts on {runs[0].dataset}"
    tell(f"no run graded {what}; grading them now")
    try:
        suite = find_suite(runs[0], data)
        await grade_drafts(suite, [_draft(run, task) for (task, _), run in drafts.items()], keep)
    except (SuiteError, SandboxError, GraderError, UnknownNameError) as error:
        hint = "give the run that the drafts are from as well, or " + (error.hint or "dualcode sandbox")
        tell(f"{len(drafts) - len(graded)} of them stay unknown: {error.message}\n  try: {hint}")
    else:
        if faults := len(drafts) - len(graded):
            tell(f"{faults} of them stay unknown: the sandbox broke while they were graded")
    for run_id, error in refused.items():
        tell(f"{run_id}: the grades are not kept and will be made again: {error}")
    return graded
