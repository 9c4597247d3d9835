"""The drafts that reviews read: found in real pipelines' calls, and their truth. All runs are synthetic."""

import contextlib
import inspect
import json
import shutil
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from dualcode.analysis import drafts
from dualcode.analysis.drafts import (
    KEPT,
    Draft,
    find_suite,
    first_reviews,
    grade_drafts,
    keep_grade,
    kept_grades,
    known_truths,
    reviewed_drafts,
    truths,
)
from dualcode.analysis.facts import Reviewed
from dualcode.analysis.runs import Run, load_run
from dualcode.bench.bench import Bench, ScriptedBench
from dualcode.cli.reviewer import REVIEWING
from dualcode.errors import SandboxError, SuiteError
from dualcode.extraction import extract
from dualcode.models.scripted import Answer
from dualcode.pipelines import builtins
from dualcode.sandbox import open_sandbox
from dualcode.solution import checksum
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from dualcode.verdict import Outcome, Verdict
from tests.made import SOURCES, Story, held, write_run
from tests.pipelines.test_pipelines import APPROVE, DRAFT, FIXED, OTHER, REVISE, TASK
from tests.pipelines.test_pipelines import run as run_pipeline
from tests.suites.data import problem, write_rows

ENRICHMENT = json.dumps(
    {"types": "int", "examples": [{"call": "double(0)", "result": "0"}], "edge_cases": ["zero"]}
)
PROBES = json.dumps({"probes": [{"call": "double(3)", "asserted": "6"}]})
FAILING = ScriptedBench({"return": "double(1)\nexpected 2"})
THIRD = "def solve(n):\n    return n + n + n\n"

WAYS: Mapping[str, tuple[list[Answer], list[Answer], Bench | None]] = {
    "review-fix": ([DRAFT, FIXED], [REVISE], None),
    "review-fix-retry": ([DRAFT, FIXED], [REVISE], ScriptedBench()),
    "adversarial": ([DRAFT, FIXED], [OTHER, REVISE, APPROVE], FAILING),
    "enriched": ([DRAFT, FIXED], [ENRICHMENT, REVISE], None),
    "gated": ([DRAFT, FIXED], [REVISE], None),
    "self-review": ([DRAFT, REVISE, FIXED], [], None),
    "swapped": ([REVISE], [DRAFT, FIXED], None),
    "review-fix-guarded": ([DRAFT, FIXED], [REVISE], ScriptedBench()),
    "review-fix-tests": ([DRAFT, FIXED], [PROBES, REVISE], ScriptedBench()),
    "review-fix-confirmed": ([DRAFT, FIXED], [REVISE, '{"claims": []}'], ScriptedBench()),
    "review-fix-filtered": ([DRAFT, FIXED], [REVISE, PROBES], ScriptedBench()),
}
"""What coder and reviewer answer in turn; the draft is always DRAFT."""


@pytest.mark.parametrize("name", REVIEWING)
async def test_the_first_review_is_about_the_program_that_was_read_from_the_writers_reply(
    name: str,
) -> None:
    coder, reviewer, bench = WAYS[name]
    _, calls = await run_pipeline(name, coder, reviewer, bench, gate=0.0)
    first = next(call for call in calls if call.step == "review")
    assert first.about == (extract(DRAFT, TASK).checksum,)


def test_the_list_of_reviewing_pipelines_is_that_of_the_package() -> None:
    words = ("critique(", "review_fix(task")
    found = {
        name
        for name, each in builtins().items()
        if any(word in inspect.getsource(each.solve) for word in words)
    }
    assert set(REVIEWING) == found == set(WAYS)


def run_of(folder: Path, stories: Mapping[str, Story], pipeline: str = "review-fix", **more: Any) -> Run:
    return load_run(write_run(folder, pipeline, stories, **more))


REVISED = Story(True, draft=SOURCES["wrong"], review="revise")


def test_only_the_first_answered_review_of_a_task_counts(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"T/1": REVISED, "T/2": Story(True)})
    write, review, fix = run.calls["T/1"]
    lost = review.model_copy(update={"reply": None, "error": "lost", "number": 2})
    answered = review.model_copy(update={"number": 3})
    later = review.model_copy(update={"number": 5})
    calls = (write, lost, answered, fix.model_copy(update={"number": 4}), later)
    records = held(run).model_copy(update={"calls": calls})
    assert first_reviews(Run(run.folder, records)) == {"T/1": Reviewed("revise", *answered.about * 2)}


def test_a_review_that_does_not_say_what_it_is_about_has_no_draft(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"T/1": REVISED})
    calls = tuple(call.model_copy(update={"about": ()}) for call in run.records.calls)
    silent = Run(run.folder, held(run).model_copy(update={"calls": calls}))
    assert (reviewed_drafts(silent), known_truths([silent, run])[0]) == ({}, {})


def test_an_approved_draft_is_its_runs_own_sample_and_a_revised_one_is_not(tmp_path: Path) -> None:
    stories = {"T/1": Story(False, review="approve"), "T/2": REVISED, "T/3": Story(True, review="approve")}
    run = run_of(tmp_path, stories)
    assert reviewed_drafts(run)["T/2"] == checksum(SOURCES["wrong"])
    assert known_truths([run])[0] == {"T/1": False, "T/3": True}


def test_the_baselines_sample_tells_what_a_revised_draft_is(tmp_path: Path) -> None:
    base = run_of(tmp_path, {"T/1": Story(False)}, "raw-coder")
    assert known_truths([run_of(tmp_path, {"T/1": REVISED}), base])[0] == {"T/1": False}


def test_the_hardest_part_decides(tmp_path: Path) -> None:
    stories = {"T/1": Story(False, base=True, review="approve")}
    assert known_truths([run_of(tmp_path, stories)])[0] == {"T/1": False}
    bare = run_of(tmp_path / "base", stories, has_plus=False)
    assert known_truths([bare])[0] == {"T/1": True}


def test_runs_on_other_data_errored_samples_and_other_tasks_tell_nothing(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"T/1": REVISED})
    other = run_of(tmp_path, {"T/1": Story(False)}, "raw-coder", data="1" * 64)
    errored = run_of(tmp_path, {"T/1": Story(None, program=SOURCES["wrong"])}, "raw-retry")
    elsewhere = run_of(tmp_path, {"T/2": Story(False)}, "best-of-k")
    assert known_truths([run, other, errored, elsewhere])[0] == {}


def test_a_draft_on_which_other_runs_disagree_is_unknown_and_the_own_verdict_wins(tmp_path: Path) -> None:
    yes = run_of(tmp_path, {"T/1": Story(True, program=THIRD), "T/2": Story(False, program=THIRD)}, "a")
    no = run_of(tmp_path, {"T/1": Story(False, program=THIRD), "T/2": Story(False, program=THIRD)}, "b")
    stories = {
        "T/1": Story(True, draft=THIRD, review="revise"),
        "T/2": Story(True, program=THIRD, review="approve"),
    }
    assert known_truths([run_of(tmp_path, stories), yes, no])[0] == {"T/2": True}


def test_an_empty_draft_is_wrong_without_being_graded(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"T/1": Story(True, draft="", review="revise")})
    assert reviewed_drafts(run) == {"T/1": ""}
    assert known_truths([run])[0] == {"T/1": False}


# Grading anew

Grading = Callable[[Suite, Collection[Draft], Callable[[Draft, Verdict], None]], Any]


def verdict(task: str, status: Any) -> Verdict:
    return Verdict.of(task, base=Outcome(status=status), plus=Outcome(status=status))


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    rows = [problem(number, prompt="def solve(n):\n", entry_point="solve") for number in range(3)]
    return load_suite("humaneval", data=write_rows(tmp_path / "data.jsonl", *rows))


@pytest.fixture
def graded(monkeypatch: pytest.MonkeyPatch) -> list[Draft]:
    """Grading without a sandbox: a draft is right if it says 3; what was graded, in order."""
    seen: list[Draft] = []

    async def grade(_: Suite, asked: Collection[Draft], keep: Callable[[Draft, Verdict], None]) -> None:
        seen.extend(asked)
        for draft in asked:
            keep(draft, verdict(draft.task_id, "passed" if "3" in draft.text else "failed"))

    monkeypatch.setattr(drafts, "grade_drafts", grade)
    return seen


def asking(folder: Path, suite: Suite, pipeline: str = "review-fix") -> Run:
    """A run with a revised draft that nobody else knows, and one that it knows itself."""
    stories = {
        "HumanEval/0": Story(True, draft=SOURCES["wrong"], review="revise", program=THIRD),
        "HumanEval/1": Story(True, review="approve"),
    }
    return run_of(folder, stories, pipeline, data=suite.data.sha256)


BOTH = {"HumanEval/0": False, "HumanEval/1": True}


async def test_an_unknown_draft_is_graded_once_for_all_runs_and_never_again(
    tmp_path: Path, suite: Suite, graded: list[Draft]
) -> None:
    runs = [asking(tmp_path, suite), asking(tmp_path, suite, "enriched")]
    told: list[str] = []
    for _ in range(2):
        found = await truths(runs, grade=True, data=suite.data.path, tell=told.append)
        assert found == {run.id: BOTH for run in runs}
    assert graded == [Draft("HumanEval/0", SOURCES["wrong"])]
    assert known_truths([runs[1]])[0] == BOTH, "each run keeps it, and needs no other later"
    assert told == ["no run graded 1 of the reviewed drafts on humaneval; grading them now"]


async def test_without_grading_unknown_drafts_stay_unknown(
    tmp_path: Path, suite: Suite, graded: list[Draft]
) -> None:
    run = asking(tmp_path, suite)
    assert await truths([run], grade=False) == {run.id: {"HumanEval/1": True}}
    assert graded == []
    assert not (run.folder / KEPT).exists()


async def test_without_the_data_drafts_stay_unknown_and_it_is_said(
    tmp_path: Path, suite: Suite, graded: list[Draft], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_rows(tmp_path / "other.jsonl", problem(7))
    monkeypatch.setenv("HUMANEVAL_OVERRIDE_PATH", str(other))
    run, told = asking(tmp_path, suite), list[str]()
    assert await truths([run], grade=True, data=other, tell=told.append) == {run.id: {"HumanEval/1": True}}
    assert graded == []
    assert f"other.jsonl is not the data that {run.id} was made with" in told[1]
    assert "1 of them stay unknown" in told[1]
    assert "no --data" in told[1]


async def test_without_a_sandbox_drafts_stay_unknown_and_it_is_said(
    tmp_path: Path, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise SandboxError("no sandbox holds here")

    monkeypatch.setattr(drafts, "grade_drafts", refuse)
    run, told = asking(tmp_path, suite), list[str]()
    found = await truths([run], grade=True, data=suite.data.path, tell=told.append)
    assert found == {run.id: {"HumanEval/1": True}}
    assert "stay unknown: no sandbox holds here" in told[1]


async def test_a_folder_that_cannot_be_written_costs_only_the_keeping(
    tmp_path: Path, suite: Suite, graded: list[Draft]
) -> None:
    run, told = asking(tmp_path, suite), list[str]()
    (run.folder / KEPT).mkdir()
    assert await truths([run], grade=True, data=suite.data.path, tell=told.append) == {run.id: BOTH}
    assert "not kept" in told[-1]


class Broken:
    """A grader whose sandbox breaks on one task."""

    def __init__(self, *_: object, **__: object) -> None: ...

    async def __aenter__(self) -> "Broken":
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def grade(self, task: str, _: str) -> Verdict:
        if task == "HumanEval/0":
            return Verdict.of_error(task, "SandboxError: the jail is gone", plus=True)
        return verdict(task, "failed")


async def test_a_sandbox_fault_leaves_a_draft_unknown_and_never_wrong(
    tmp_path: Path, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Empty:
        workers = 1

    @contextlib.asynccontextmanager
    async def opened(_: int) -> AsyncGenerator[Empty]:
        yield Empty()

    monkeypatch.setattr("dualcode.grading.grader.SandboxGrader", Broken)
    monkeypatch.setattr("dualcode.sandbox.open_sandbox", opened)
    kept: list[str] = []
    both = [Draft("HumanEval/0", "x"), Draft("HumanEval/1", "x")]
    await grade_drafts(suite, both, lambda draft, _: kept.append(draft.task_id))
    assert kept == ["HumanEval/1"]
    run, told = asking(tmp_path, suite), list[str]()
    found = await truths([run], grade=True, data=suite.data.path, tell=told.append)
    assert found == {run.id: {"HumanEval/1": True}}
    assert told[-1] == "1 of them stay unknown: the sandbox broke while they were graded"


async def test_the_real_sandbox_says_whether_a_draft_is_right(
    tmp_path: Path, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        await (await open_sandbox(1)).close()
    except SandboxError as error:
        pytest.skip(f"this machine has no sandbox: {error}")
    monkeypatch.setenv("DUALCODE_CACHE_DIR", str(tmp_path / "cache"))
    stories = {
        f"HumanEval/{number}": Story(True, draft=text, review="revise", program=THIRD)
        for number, text in enumerate((SOURCES["wrong"], SOURCES["right"], "def solve(n) return\n"))
    }
    run = run_of(tmp_path, stories, data=suite.data.sha256)
    found = await truths([run], grade=True, data=suite.data.path, tell=lambda _: None)
    assert found[run.id] == {"HumanEval/0": False, "HumanEval/1": True, "HumanEval/2": False}
    assert len(kept_grades(run)) == 3


def test_a_torn_line_loses_itself_alone(tmp_path: Path, suite: Suite) -> None:
    run, first, last = asking(tmp_path, suite), Draft("T/1", "a"), Draft("T/1", "b")
    keep_grade(run, first, verdict("T/1", "failed"))
    with (run.folder / KEPT).open("a") as file:
        file.write('{"task_id": "T/1", "progr')
    assert list(kept_grades(run)) == [first.key]
    keep_grade(run, last, verdict("T/1", "passed"))
    assert list(kept_grades(run)) == [first.key, last.key]


def test_a_kept_grade_counts_on_the_hardest_part(tmp_path: Path, suite: Suite) -> None:
    run = asking(tmp_path, suite)
    half = Verdict.of("HumanEval/0", base=Outcome(status="passed"), plus=Outcome(status="failed"))
    keep_grade(run, Draft("HumanEval/0", SOURCES["wrong"]), half)
    assert known_truths([run])[0] == BOTH


def test_grades_on_other_data_are_not_taken(tmp_path: Path, suite: Suite) -> None:
    run, other = asking(tmp_path, suite), run_of(tmp_path, {"HumanEval/0": REVISED}, "a", data="1" * 64)
    keep_grade(other, Draft("HumanEval/0", SOURCES["wrong"]), verdict("HumanEval/0", "passed"))
    shutil.copy(other.folder / KEPT, run.folder / KEPT)
    assert kept_grades(run) == {}


def test_the_suite_is_the_one_with_the_runs_checksum_wherever_it_lies(
    tmp_path: Path, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = asking(tmp_path, suite)
    monkeypatch.setenv("HUMANEVAL_OVERRIDE_PATH", str(suite.data.path))
    assert find_suite(run).data.sha256 == suite.data.sha256
    monkeypatch.setenv("HUMANEVAL_OVERRIDE_PATH", str(tmp_path / "absent"))
    assert find_suite(run, suite.data.path).data.sha256 == suite.data.sha256
    with pytest.raises(SuiteError, match=run.id):
        find_suite(run)


def test_a_file_of_another_benchmark_is_refused(tmp_path: Path, suite: Suite) -> None:
    mbpp = write_rows(tmp_path / "mbpp.jsonl", problem(task_id="Mbpp/2"))
    with pytest.raises(SuiteError, match="does not belong to"):
        find_suite(run_of(tmp_path, {"HumanEval/0": REVISED}), mbpp)


def test_drafts_of_one_text_differ_by_task_and_not_by_outer_blanks() -> None:
    assert Draft("T/1", "\nx = 1\n\n").key == Draft("T/1", "x = 1").key
    assert Draft("T/1", "x = 1").key != Draft("T/2", "x = 1").key
