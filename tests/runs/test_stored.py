"""A run whose records stay where they lie says what the same run says when it is held."""

import asyncio
import shutil
from pathlib import Path

import pytest

from dualcode.analysis.facts import facts_of
from dualcode.errors import RunError
from dualcode.pipelines.find import find_pipeline
from dualcode.runs.store import RunRecords, read_run
from dualcode.runs.stored import StoredRun
from dualcode.runs.summary import summarize
from tests.scripted_runs import make_run

PARTS = ("base", "plus")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asyncio.run(make_run(tmp_path_factory.mktemp("made"), find_pipeline("review-fix-retry")))


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / made.name))


def said(records: RunRecords | StoredRun) -> list[object]:
    """All that can be asked of a run."""
    tasks = list(records.tasks)
    calls = [call for own in records.calls_by_task.values() for call in own]
    return [
        records.manifest,
        dict(records.tasks),
        dict(records.samples),
        dict(records.verdicts),
        [task in records.verdicts for task in tasks],
        dict(records.calls_by_task),
        [records.calls, records.superseded, records.shown],
        [list(records.shown_of(task)) for task in tasks],
        [records.about(call) for call in calls],
        [records.program(call.task_id, call.program) for call in calls],
        records.done,
    ]


def test_every_record_is_that_of_the_run_when_held(run: Path) -> None:
    stored, held = StoredRun(run), read_run(run)
    assert said(stored) == said(held)
    assert list(stored.tasks) == list(held.tasks)
    assert len(stored.calls_by_task) == len(held.manifest.configuration.tasks)
    assert "nowhere" not in stored.samples
    with pytest.raises(KeyError):
        stored.calls_by_task["nowhere"]


@pytest.mark.parametrize("name", ["tasks", "programs", "calls", "shown", "samples", "verdicts"])
def test_a_damaged_line_is_named_and_no_record(run: Path, name: str) -> None:
    path = run / f"{name}.jsonl"
    first, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([first[: len(first) // 2] + b"\n", *rest]))
    stored, held = StoredRun(run), read_run(run)
    for _ in stored:
        pass
    assert stored.damage == held.damage
    assert len(stored.damage) == 1
    assert said(stored) == said(held)


def test_its_facts_are_those_of_the_run_when_held(run: Path) -> None:
    stored, held = facts_of(StoredRun(run), PARTS), facts_of(read_run(run), PARTS)
    assert dict(stored.tasks) == dict(held.tasks)
    assert stored.summary == held.summary == summarize(read_run(run))
    assert vars(stored.requests) == vars(held.requests)
    assert any(each.review and each.review.draft for each in stored.tasks.values())


def test_files_that_change_under_it_are_no_records(run: Path) -> None:
    stored, path = StoredRun(run), run / "samples.jsonl"
    task = next(iter(stored.samples))
    path.write_bytes(b" " + path.read_bytes()[::-1])
    with pytest.raises(RunError, match=r"samples\.jsonl was changed while it was read"):
        stored.samples[task]
    path.unlink()
    with pytest.raises(RunError, match=r"samples\.jsonl cannot be read"):
        stored.samples[task]
