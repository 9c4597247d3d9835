"""Runs under work, read as they are written."""

import fcntl
import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dualcode.operating import work
from dualcode.operating.work import RunNow, Work
from tests.made import Story, write_run

STORIES = {
    "HumanEval/0": Story(True, review="approve"),
    "HumanEval/1": Story(False, review="revise", findings=[{"where": "a", "actual": "b", "expected": "c"}]),
    "HumanEval/2": Story(None, review="approve"),
}


@contextmanager
def held(run: Path) -> Generator[None]:
    """Hold a run's lock, as a process that works on it does."""
    with (run / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path, "review-fix", STORIES)


def only(watched: Work) -> RunNow:
    [found] = watched.read()
    return found


def test_a_run_that_somebody_works_on_is_told_with_its_rate_so_far(run: Path) -> None:
    with held(run):
        found = only(Work(run.parent))
    assert (found.run, found.pipeline, found.tasks, found.done) == (run.name, "review-fix", 3, 3)
    assert (found.hardest.passed, found.hardest.graded, found.base.errored) == (1, 2, 1)
    assert found.reviews == {"approve": 2, "revise": 1}
    assert (found.calls["write"], found.calls["fix"]) == (3, 1)
    assert (found.in_flight, found.grading, found.requests) == ({}, 0, {})


def test_runs_that_nobody_works_on_are_passed_over(run: Path) -> None:
    assert Work(run.parent).read() == []
    (run / ".lock").touch()
    assert Work(run.parent).read() == []


def test_looking_keeps_no_run_from_its_lock(run: Path) -> None:
    with held(run), (run / ".lock").open("w") as other:
        Work(run.parent).read()
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def keep_lines(file: Path, count: int) -> list[str]:
    """Cut a file of records to its first lines; return the others."""
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:count]))
    return lines[count:]


def add(file: Path, *lines: str) -> None:
    with file.open("a") as target:
        target.write("".join(lines))


def test_what_is_added_is_taken_in_and_a_half_line_waits(run: Path) -> None:
    later = {name: keep_lines(run / f"{name}.jsonl", 0) for name in ("calls", "samples", "verdicts")}
    with held(run):
        watched = Work(run.parent)
        assert (only(watched).done, only(watched).calls) == (0, {})
        add(run / "calls.jsonl", later["calls"][0])
        assert only(watched).in_flight == {"write": 1}
        add(run / "calls.jsonl", later["calls"][1][:40])
        assert only(watched).in_flight == {"write": 1}
        add(run / "calls.jsonl", later["calls"][1][40:])
        assert only(watched).in_flight == {"review": 1}
        add(run / "samples.jsonl", later["samples"][0])
        assert (only(watched).in_flight, only(watched).grading) == ({}, 1)
        add(run / "verdicts.jsonl", later["verdicts"][0])
        assert (only(watched).grading, only(watched).done) == (0, 1)


def test_a_resume_that_writes_records_anew_is_counted_once(run: Path) -> None:
    with held(run):
        watched = Work(run.parent)
        before = only(watched)
        draft = run / "draft"
        draft.write_bytes((run / "calls.jsonl").read_bytes())
        draft.replace(run / "calls.jsonl")
        assert only(watched) == before
        keep_lines(run / "verdicts.jsonl", 1)
        assert only(watched).done == 1


@pytest.mark.parametrize("line", ["{", "[]", "null", '{"task_id": 3}', '{"reply": [], "step": null}'])
def test_a_damaged_line_costs_itself_alone(run: Path, line: str) -> None:
    for name in ("calls", "samples", "verdicts", "servers"):
        add(run / f"{name}.jsonl", f"{line}\n")
    with held(run):
        assert only(Work(run.parent)).done == 3


def test_an_unread_review_is_no_approval(run: Path) -> None:
    lines = [json.loads(line) for line in (run / "calls.jsonl").read_text().splitlines()]
    told = [each | ({"value": None} if each["step"] == "review" else {}) for each in lines]
    (run / "calls.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in told))
    with held(run):
        assert only(Work(run.parent)).reviews == {"unread": 3}


def test_the_requests_that_wait_are_those_of_each_servers_last_reading(run: Path) -> None:
    readings: list[dict[str, Any]] = [
        {"at": 1.0, "endpoints": ["coder"], "in_flight": 9},
        {"at": 1.0, "endpoints": ["judge", "reviewer"], "in_flight": 2},
        {"at": 2.0, "endpoints": ["coder"], "in_flight": 4},
    ]
    add(run / "servers.jsonl", *(f"{json.dumps(each)}\n" for each in readings))
    with held(run):
        assert only(Work(run.parent)).requests == {"coder": 4, "judge, reviewer": 2}


def test_a_run_that_ends_is_told_once_more(run: Path) -> None:
    watched = Work(run.parent)
    with held(run):
        watched.read()
    assert len(watched.read()) == 1
    assert watched.read() == []


def test_where_the_system_tells_no_locks_a_run_without_a_seal_counts(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_LOCKS", run / "no-such-file")
    (run / ".lock").touch()
    assert len(Work(run.parent).read()) == 1
    (run / "seal.json").write_text("{}")
    assert Work(run.parent).read() == []


def test_a_manifest_that_cannot_be_read_is_passed_over(run: Path) -> None:
    (run / "manifest.json").write_text("{")
    with held(run):
        assert Work(run.parent).read() == []


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=4), st.just([]), st.just({}), st.just([[1]])
)
CALLS = st.fixed_dictionaries(
    {},
    optional={
        "task_id": ODD, "step": ODD, "value": ODD, "endpoints": ODD, "in_flight": ODD,
        "reply": st.one_of(ODD, st.fixed_dictionaries({"usage": st.one_of(
            ODD, st.fixed_dictionaries({"prompt_tokens": ODD, "completion_tokens": ODD})
        )})),
    },
)  # fmt: skip


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CALLS, min_size=1, max_size=4))
def test_no_line_whatever_stands_in_it_keeps_others_from_being_told(
    run: Path, lines: list[dict[str, Any]]
) -> None:
    """A field of another type, as a newer version or a broken disk may leave, is nobody's traceback."""
    for name in ("calls", "samples", "verdicts", "servers"):
        add(run / f"{name}.jsonl", *(f"{json.dumps(each)}\n" for each in lines))
    with held(run):
        assert only(Work(run.parent)).done == 3


def test_records_that_cannot_be_opened_are_none_yet(run: Path) -> None:
    (run / "servers.jsonl").mkdir()
    (run / "samples.jsonl").unlink()
    with held(run):
        found = only(Work(run.parent))
    assert (found.done, found.requests, found.grading) == (3, {}, 0)


LOCKED = "1: FLOCK  ADVISORY  WRITE 1234 fd:01:{} 0 EOF\n"


@pytest.mark.parametrize(
    ("locks", "works"),
    [
        (LOCKED, True),
        ("1: -> FLOCK  ADVISORY  WRITE 1234 fd:01:{} 0 EOF\n", False),  # one that waits for it
        ("1: POSIX  ADVISORY  WRITE 1234 fd:01:{} 0 EOF\n", False),
        ("1: OFDLCK ADVISORY  WRITE -1 fd:01:{} 0 0\n", False),
        ("1: FLOCK  ADVISORY  WRITE 0 <none>:0 0 EOF\n" + LOCKED, True),
        ("1: FLOCK  ADVISORY\n", False),
        ("", False),
    ],
)
def test_who_holds_a_lock_is_read_from_the_kernels_table(
    run: Path, monkeypatch: pytest.MonkeyPatch, locks: str, works: bool
) -> None:
    (run / ".lock").touch()
    table = run / "locks"
    table.write_text(locks.format((run / ".lock").stat().st_ino))
    monkeypatch.setattr(work, "_LOCKS", table)
    assert (len(Work(run.parent).read()) == 1) == works


def test_of_several_runs_each_is_told_by_its_name_in_order(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, "raw-coder", STORIES) for name in ("b", "a")]
    for at, each in enumerate(runs):
        each.replace(tmp_path / f"run-{2 - at}")
    with held(tmp_path / "run-1"), held(tmp_path / "run-2"):
        assert [each.run for each in Work(tmp_path).read()] == ["run-1", "run-2"]
