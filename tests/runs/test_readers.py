"""Whatever one byte of a run's files becomes: all readers find the same, and a resume leaves nothing torn."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dualcode.errors import RunError
from dualcode.pipelines.find import find_pipeline
from dualcode.runs.lines import Damage, drop_torn_line, read_lines
from dualcode.runs.recovery import survey
from dualcode.runs.session import RunStore
from dualcode.runs.store import KINDS, read_manifest, read_run
from dualcode.runs.stored import StoredRun, TaskRecords, by_task
from dualcode.suites.registry import load_suite
from dualcode.verdict import Verdict
from tests.scripted_runs import flaws, make_run

NAMES = [name for name in KINDS if name != "superseded"]
anywhere = st.tuples(st.sampled_from(NAMES), st.floats(0, 1, exclude_max=True), st.integers(0, 255))
odd = anywhere | st.tuples(st.sampled_from(NAMES), st.floats(0, 1, exclude_max=True), st.just(ord("\n")))
often = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asyncio.run(make_run(tmp_path_factory.mktemp("made"), find_pipeline("review-fix-retry")))


def damaged(made: Path, folder: Path, where: tuple[str, float, int]) -> Path:
    """Return a copy of a run with one byte changed."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made, folder)
    name, place, byte = where
    path = folder / f"{name}.jsonl"
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] = byte
    path.write_bytes(bytes(content))
    return folder


Found = tuple[list[list[Any]], set[tuple[str, int]]]


def told(tasks: list[TaskRecords], damage: list[Damage]) -> Found:
    """Return what a reader says: the last of each record where one is there twice, and the damaged lines."""
    records: list[list[Any]] = []
    for each in (task.once() for task in tasks):
        programs = {program.checksum: program for program in each.programs}
        rest = [list(each.calls), list(each.samples), list(each.verdicts), list(each.superseded)]
        if any((each.tasks, programs, each.shown, *rest)):
            records.append([each.task_id, list(each.tasks[-1:]), programs, list(each.shown), *rest])
    return records, {(one.file, one.line) for one in damage}


def at_once(folder: Path) -> Found | None:
    try:
        records = read_run(folder)
    except RunError:
        return None
    return told(by_task(records), list(records.damage))


def where_it_lies(folder: Path) -> Found | None:
    try:
        run = StoredRun(folder)
        tasks = list(run)
    except RunError:
        return None
    return told(tasks, list(run.damage))


@often
@given(odd)
def test_a_run_says_the_same_when_it_is_held_and_when_it_lies(
    made: Path, tmp_path: Path, where: tuple[str, float, int]
) -> None:
    folder = damaged(made, tmp_path / "run", where)
    assert at_once(folder) == where_it_lies(folder)


@often
@given(odd)
def test_a_survey_knows_what_is_done_and_what_is_damaged(
    made: Path, tmp_path: Path, where: tuple[str, float, int]
) -> None:
    folder = damaged(made, tmp_path / "run", where)
    held, found = read_run(folder), survey(folder)
    assert found.done == held.done
    assert {(each.file, each.line) for each in held.damage} <= {(e.file, e.line) for e in found.damage}
    assert found.whole == held.whole


@often
@given(odd)
def test_a_resume_leaves_records_that_answer_for_each_other_and_none_that_cannot_be_read(
    made: Path, tmp_path: Path, where: tuple[str, float, int]
) -> None:
    folder = damaged(made, tmp_path / made.name, where)
    before = read_run(folder)
    if not before.damage:
        return  # a text was changed that only a checksum knows: the audit's part
    store = RunStore.open(folder, read_manifest(folder))
    store.add_tasks(load_suite("mini").select(4).tasks)
    store.close()
    mended = read_run(folder)
    assert mended.damage == ()
    assert flaws(mended) == []
    assert mended.done <= before.done
    if all(each.tasks for each in before.damage):  # each damaged line says whose it is
        lost = {task for each in before.damage for task in each.tasks}
        assert before.done - mended.done <= lost


@often
@given(st.sampled_from(NAMES), st.floats(0, 1))
def test_a_file_that_ends_anywhere_holds_its_whole_lines_and_no_damage(
    made: Path, tmp_path: Path, name: str, place: float
) -> None:
    whole = (made / f"{name}.jsonl").read_bytes()
    end = int(place * len(whole))
    path = tmp_path / f"{name}.jsonl"
    path.write_bytes(whole[:end])
    damage, all_damage = list[Damage](), list[Damage]()
    count = whole[:end].count(b"\n")
    everything = read_lines(made / f"{name}.jsonl", KINDS[name], all_damage)
    assert read_lines(path, KINDS[name], damage) == everything[:count]
    assert damage == all_damage == []
    drop_torn_line(path)
    assert path.read_bytes() == b"".join(whole.splitlines(keepends=True)[:count])


@pytest.mark.parametrize("block", [65535, 65536, 65537, 3 * 65536])
def test_a_torn_line_longer_than_what_is_read_at_once_is_cut_off_at_its_beginning(
    tmp_path: Path, block: int
) -> None:
    path = tmp_path / "verdicts.jsonl"
    line = f"{Verdict.of_error('T/0', 'lost', plus=False).to_line()}\n".encode()
    path.write_bytes(line + b"x" * block)
    drop_torn_line(path)
    assert path.read_bytes() == line
    path.write_bytes(b"x" * block)
    drop_torn_line(path)
    assert path.read_bytes() == b""
