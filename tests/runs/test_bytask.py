"""A run read task by task says what the same run says when it is read at once."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from dualcode.errors import RunError
from dualcode.pipelines.find import find_pipeline
from dualcode.runs.recovery import survey
from dualcode.runs.store import read_run
from dualcode.runs.stored import StoredRun, TaskRecords, by_task
from dualcode.runs.summary import Sums, summarize
from tests.scripted_runs import make_run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asyncio.run(make_run(tmp_path_factory.mktemp("made"), find_pipeline("review-fix-retry")))


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / made.name))


def streamed(folder: Path) -> tuple[list[TaskRecords], StoredRun]:
    found = StoredRun(folder)
    tasks = list(found)
    found.close()
    return tasks, found


def plain(tasks: list[TaskRecords]) -> list[list[object]]:
    return [[list(value) for value in vars(each).values()] for each in tasks]


def test_it_holds_every_record_in_its_tasks_order(run: Path) -> None:
    tasks, _ = streamed(run)
    assert plain(tasks) == plain(by_task(read_run(run)))
    assert sum(len(each.calls) for each in tasks) == len(read_run(run).calls) > 8


def test_its_sums_are_the_summary(run: Path) -> None:
    sums = Sums(read_run(run).manifest)
    for task in streamed(run)[0]:
        sums.add(task.once())
    assert sums.summary([], read_run(run).manifest) == summarize(read_run(run))


@pytest.mark.parametrize("name", ["tasks", "programs", "calls", "shown", "samples", "verdicts"])
@pytest.mark.parametrize(
    "broken",
    [
        b"nonsense\n",
        b'{"task_id":"MiniRich/0","id":1\n',
        b"{}\n",
        b'{"task_id":"\xff"}\n',
        b'{"task_id":"\\x"}\n',
    ],
)
def test_damage_is_what_reading_at_once_finds(run: Path, name: str, broken: bytes) -> None:
    path = run / f"{name}.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], broken, *lines[1:], b'{"task_id":"torn']))
    tasks, found = streamed(run)
    assert found.damage == read_run(run).damage
    assert len(found.damage) == 1
    assert plain(tasks) == plain(by_task(read_run(run)))


def test_keys_in_another_order_change_nothing(run: Path) -> None:
    path = run / "verdicts.jsonl"
    before = plain(streamed(run)[0])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(f"{json.dumps(dict(reversed(line.items())))}\n" for line in lines))
    assert plain(streamed(run)[0]) == before


def test_a_line_that_names_two_tasks_is_damage_and_no_tasks_record(run: Path) -> None:
    path = run / "verdicts.jsonl"
    first, second, *rest = path.read_text().splitlines()
    other = second.partition(",")[0].removeprefix("{")
    path.write_text("\n".join([f"{first[:-1]},{other}}}", *rest, ""]))
    tasks, found = streamed(run)
    assert [each.why for each in found.damage] == ["it names two tasks"]
    assert sum(len(each.verdicts) for each in tasks) == len(rest)


def test_what_stands_there_twice_is_there_twice_and_once_in_once(run: Path) -> None:
    path = run / "calls.jsonl"
    path.write_text(path.read_text() * 2)
    for task in streamed(run)[0]:
        assert len(task.calls) == 2 * len(task.once().calls)


def test_a_file_of_another_version_is_refused(run: Path) -> None:
    path = run / "samples.jsonl"
    path.write_text(path.read_text().replace('"solution"', '"answer"'))
    for read in (StoredRun, read_run, survey):
        with pytest.raises(RunError, match=r"samples\.jsonl is of another version"):
            read(run)


def test_a_survey_says_what_reading_at_once_says(run: Path) -> None:
    path = run / "verdicts.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    found, records = survey(run), read_run(run)
    assert found.done == records.done
    assert found.whole is records.whole is False
    assert found.solutions == {
        id_: each.solution for id_, each in records.samples.items() if id_ not in records.done
    }
    assert sum(found.calls.values()) == len(records.calls)
