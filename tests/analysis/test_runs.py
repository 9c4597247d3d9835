"""Finished runs as they are read: what is scored, what is left out, and what is refused by name."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from dualcode.analysis.failures.regression import find_baseline
from dualcode.analysis.runs import load_run, load_runs
from dualcode.cli.show import show
from dualcode.errors import InputError, RunError
from dualcode.metrics import rate
from dualcode.runs.store import read_manifest
from dualcode.suites.registry import load_suite
from tests.made import Story, write_run

TASKS = [f"HumanEval/{number}" for number in range(10)]
RIGHT, WRONG, LOST = Story(plus=True), Story(plus=False), Story(plus=None)


def test_a_run_is_scored_among_its_graded_tasks(tmp_path: Path) -> None:
    stories = dict.fromkeys(TASKS[:6], RIGHT) | dict.fromkeys(TASKS[6:8], WRONG)
    score = load_run(write_run(tmp_path, "raw-coder", stories)).score("plus")
    assert score.rate == rate(6, 8)
    assert score.errored == ()
    assert score.widened == (score.rate.low, score.rate.high)


def test_errored_tasks_widen_the_interval_both_ways(tmp_path: Path) -> None:
    stories = dict.fromkeys(TASKS[:6], RIGHT) | {TASKS[6]: WRONG, TASKS[7]: LOST, TASKS[8]: LOST}
    score = load_run(write_run(tmp_path, "raw-coder", stories)).score("plus")
    assert (score.rate.passed, score.rate.total) == (6, 7)
    assert score.errored == (TASKS[7], TASKS[8])
    assert score.widened == (rate(6, 9).low, rate(8, 9).high)
    assert score.widened[0] < score.rate.low
    assert score.widened[1] > score.rate.high


def test_tasks_that_were_not_done_count_as_errored(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path, "raw-coder", {TASKS[0]: RIGHT}, tasks=TASKS[:3]))
    assert run.errored == (TASKS[1], TASKS[2])
    assert run.passed("plus") == {TASKS[0]: True}


def test_plus_takes_base_too(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path, "raw-coder", {TASKS[0]: Story(plus=False, base=True)}))
    assert run.passed("base") == {TASKS[0]: True}
    assert run.passed("plus") == {TASKS[0]: False}


def test_a_suite_without_plus_tests_has_no_plus_score(tmp_path: Path) -> None:
    run = load_run(
        write_run(tmp_path, "raw-coder", {TASKS[0]: RIGHT}, dataset="humaneval-base", has_plus=False)
    )
    assert (run.parts, run.hardest) == (("base",), "base")
    with pytest.raises(InputError, match="was not graded on plus"):
        run.score("plus")


def test_calls_are_of_their_task_in_their_order(tmp_path: Path) -> None:
    stories = {TASKS[0]: Story(plus=True, review="revise"), TASKS[1]: WRONG}
    run = load_run(write_run(tmp_path, "review-fix", stories, tasks=TASKS[:3]))
    assert [call.step for call in run.calls[TASKS[0]]] == ["write", "review", "fix"]
    assert len(run.calls[TASKS[1]]) == 1
    assert run.calls[TASKS[2]] == ()


def test_a_run_without_a_graded_task_has_no_score(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path, "raw-coder", {TASKS[0]: LOST}))
    with pytest.raises(RunError, match=f"{run.id} has no graded task") as refused:
        run.score("plus")
    assert "dualcode eval --pipeline raw-coder" in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("lost", "state"), [(["verdicts"], "half-written"), (["verdicts", "calls"], "empty")]
)
def test_an_unfinished_run_is_refused_by_name(tmp_path: Path, lost: list[str], state: str) -> None:
    folder = write_run(tmp_path, "raw-coder", {TASKS[0]: RIGHT})
    for name in lost:
        (folder / f"{name}.jsonl").unlink()
    with pytest.raises(RunError, match=f"{folder} is {state}") as refused:
        load_runs([tmp_path])
    assert "--dataset humaneval" in (refused.value.hint or "")


@pytest.mark.parametrize("lost", [["verdicts"], ["verdicts", "calls"], ["tasks"], ["manifest"]])
def test_a_run_that_cannot_be_read_stops_no_other_of_its_folder(tmp_path: Path, lost: list[str]) -> None:
    folder = write_run(tmp_path, "raw-coder", {TASKS[0]: RIGHT})
    whole = write_run(tmp_path, "review-fix", {TASKS[0]: RIGHT})
    for name in lost:
        file = folder / ("manifest.json" if name == "manifest" else f"{name}.jsonl")
        file.write_text("{" if name == "manifest" else "")
    said = list[str]()
    assert [run.folder for run in load_runs([tmp_path], tell=said.append)] == [whole]
    [left_out] = said
    assert left_out.startswith("left out: ")
    assert str(folder) in left_out
    with pytest.raises(RunError):  # named itself, it is what was asked for
        load_runs([whole, folder], tell=said.append)


def test_a_half_written_baseline_is_not_what_a_run_is_compared_with(tmp_path: Path) -> None:
    whole, half = [write_run(tmp_path / name, "raw-coder", {TASKS[0]: RIGHT}) for name in ("a", "b")]
    run = load_run(write_run(tmp_path, "review-fix", {TASKS[0]: RIGHT}))
    whole.rename(tmp_path / "whole")
    half.rename(tmp_path / "half")
    (tmp_path / "half" / "verdicts.jsonl").unlink()
    assert find_baseline(run).folder.name == "whole"


def test_a_damaged_line_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "raw-coder", dict.fromkeys(TASKS[:3], RIGHT))
    lines = (folder / "verdicts.jsonl").read_text().splitlines(keepends=True)
    (folder / "verdicts.jsonl").write_text("".join([lines[0], "nonsense\n", lines[2]]))
    said = list[str]()
    [run] = load_runs([folder], tell=said.append)
    assert run.errored == (TASKS[1],)
    assert said[0] == f"warning: {folder}: {run.records.damage[0]}"
    assert "verdicts.jsonl, line 2 is damaged and left out" in said[0]
    assert said[1].startswith("  try: dualcode eval --pipeline raw-coder") and "from a copy" in said[1]


def test_a_run_older_than_the_records_of_tasks_is_refused_by_name_and_can_be_shown(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "raw-coder", {TASKS[0]: RIGHT})
    for name in ("tasks", "programs"):
        (folder / f"{name}.jsonl").unlink()
    with pytest.raises(RunError, match=f"{folder} is older than the records of tasks") as refused:
        load_runs([tmp_path])
    assert f"dualcode show {folder}" in (refused.value.hint or "")
    shown = CliRunner().invoke(show, [str(folder), TASKS[0]], catch_exceptions=False)
    assert "return 3 * n" in shown.output


def test_richness_is_that_of_the_runs_own_tasks(tmp_path: Path) -> None:
    tasks = load_suite("mini").tasks
    prompts = {task.id: task.prompt for task in tasks}
    found = load_run(
        write_run(tmp_path, "raw-coder", dict.fromkeys(prompts, RIGHT), prompts=prompts)
    ).richness
    rich = [share for task, share in found.items() if task.startswith("MiniRich")]
    lean = [share for task, share in found.items() if task.startswith("MiniLean")]
    assert len(found) == 24
    assert min(rich) > max(lean)


def test_a_torn_last_line_is_passed_over(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "raw-coder", dict.fromkeys(TASKS[:2], RIGHT))
    file = folder / "verdicts.jsonl"
    file.write_bytes(file.read_bytes()[:-9])
    assert load_run(folder).errored == (TASKS[1],)


def test_a_folder_of_runs_stands_for_all_of_them_in_the_order_of_their_beginning(tmp_path: Path) -> None:
    for pipeline in ("review-fix", "raw-coder", "enriched"):
        write_run(tmp_path, pipeline, {TASKS[0]: RIGHT})
    (tmp_path / "ledger").mkdir()
    assert [run.pipeline for run in load_runs([tmp_path])] == ["review-fix", "raw-coder", "enriched"]


def test_of_several_runs_of_a_pipeline_the_one_with_most_graded_tasks_stands_and_then_the_newest(
    tmp_path: Path,
) -> None:
    """Wherever runs are set side by side; each that is left out is named."""
    first = write_run(tmp_path, "raw-coder", dict.fromkeys(TASKS, RIGHT))
    again, trial, torn = (first.with_name(f"{first.name}-{number}") for number in (2, 3, 4))
    for folder, later, kept in ((again, 1, len(TASKS)), (trial, 2, 1), (torn, 3, len(TASKS))):
        shutil.copytree(first, folder)
        made = read_manifest(first)
        made = made.model_copy(update={"id": folder.name, "created": made.created + later})
        (folder / "manifest.json").write_text(made.model_dump_json())
        lines = (folder / "verdicts.jsonl").read_text().splitlines(keepends=True)
        (folder / "verdicts.jsonl").write_text("".join(lines[:kept]))
    (torn / "calls.jsonl").write_text("broken\n" + (torn / "calls.jsonl").read_text())
    other = write_run(tmp_path, "review-fix", dict.fromkeys(TASKS, RIGHT))
    told = list[str]()
    stand = load_runs([tmp_path], one_each=True, tell=told.append)
    assert {run.folder for run in stand} == {again, other}
    left = {text.split(":")[1].strip(): text for text in told if text.startswith("left out")}
    assert left.keys() == {str(first), str(trial), str(torn)}
    assert "is newer" in left[str(first)] and "more graded tasks" in left[str(trial)]
    assert "is not damaged" in left[str(torn)]
    assert len(load_runs([tmp_path])) == 5, "each of them stands for itself in costs, say"
    assert len(load_runs([first, again], one_each=True)) == 2, "what is named is meant"


def test_a_run_that_is_given_twice_is_read_once(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "raw-coder", {TASKS[0]: RIGHT})
    other = write_run(tmp_path, "review-fix", {TASKS[0]: RIGHT})
    again = folder / ".." / folder.name
    assert [run.folder for run in load_runs([folder, tmp_path, again])] == [folder, other]


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_what_is_no_run_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match=f"{name} is no run"):
        load_runs([tmp_path / name])
