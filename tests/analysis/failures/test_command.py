"""Regressions of whole runs, and the command that shows them. The runs are synthetic."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dualcode.analysis.failures import regressions
from dualcode.analysis.failures.regression import case_of, find_baseline
from dualcode.analysis.runs import load_run
from dualcode.cli.failures import failures
from dualcode.errors import RunError, UnknownNameError
from tests.made import Story, write_run

TASKS = [f"HumanEval/{number}" for number in range(5)]
FINDING = {"where": "return 3 * n", "actual": "misses \x1b[31mnegative numbers", "expected": "abs(n)"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The raw coder passes 0, 1, 2 and 4; review-fix passes 0, loses 1 and 2, and errs on 4."""
    raw = {task: Story(plus=task != TASKS[3]) for task in TASKS}
    write_run(tmp_path, "raw-coder", raw)
    fixed = {
        TASKS[0]: Story(plus=True),
        TASKS[1]: Story(
            plus=False, draft="def solve(n):\n    return 3 * n\n", review="revise", findings=[FINDING],
            program="def solve(n):\n    return math.prod([3, n])\n", cause="raised",
            reason="raised NameError: name 'math' is not defined",
        ),
        TASKS[2]: Story(plus=False, base=True),
        TASKS[3]: Story(plus=False),
        TASKS[4]: Story(plus=None),
    }  # fmt: skip
    write_run(tmp_path, "review-fix", fixed)
    return tmp_path


def own(folder: Path, pipeline: str = "review-fix") -> Path:
    return next(folder.glob(f"*-{pipeline}-*"))


def call(*arguments: str | Path) -> str:
    done = CliRunner().invoke(failures, [str(each) for each in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_only_what_the_baseline_solved_can_be_lost(folder: Path) -> None:
    found = regressions(load_run(own(folder, "raw-coder")), load_run(own(folder)), "plus")
    assert [(each.task_id, each.primary) for each in found.regressions] == [
        (TASKS[1], "missing import"),
        (TASKS[2], "wrong result"),
        (TASKS[4], "infrastructure"),
    ]
    assert found.counts() == {"missing import": 1, "wrong result": 1, "infrastructure": 1}


def test_a_part_decides_by_its_own_tests(folder: Path) -> None:
    found = regressions(load_run(own(folder, "raw-coder")), load_run(own(folder)), "base")
    assert [each.task_id for each in found.regressions] == [TASKS[1], TASKS[4]]


def test_a_task_that_the_run_never_came_to_is_no_failure_of_a_program(tmp_path: Path) -> None:
    raw = write_run(tmp_path, "raw-coder", {task: Story(plus=True) for task in TASKS})
    half = write_run(tmp_path, "plan-code", {TASKS[0]: Story(plus=True)}, tasks=TASKS)
    found = regressions(load_run(raw), load_run(half), "plus")
    assert found.counts() == {"infrastructure": 4}
    assert "ended before" in found.regressions[0].signs[0].evidence


def test_prompt_and_entry_point_are_those_of_the_runs_own_tasks(folder: Path) -> None:
    case = case_of(load_run(own(folder, "raw-coder")), load_run(own(folder)), TASKS[1], "plus")
    assert case.entry_point == "solve"
    assert case.prompt.text.startswith("def solve(n):\n")


def test_the_baseline_is_found_beside_the_run(folder: Path) -> None:
    assert find_baseline(load_run(own(folder))).pipeline == "raw-coder"


def test_of_two_baselines_the_one_with_the_runs_tasks_is_taken(folder: Path) -> None:
    write_run(folder, "raw-coder", {task: Story(plus=True) for task in TASKS[:2]})
    assert find_baseline(load_run(own(folder))).tasks == tuple(TASKS)


def test_a_damaged_baseline_is_passed_over_for_an_older_one(folder: Path) -> None:
    newer = write_run(folder / "n", "raw-coder", {task: Story(plus=True) for task in TASKS}, price={})
    newer = newer.rename(folder / "newer-raw-coder-x")
    (newer / "verdicts.jsonl").write_text("{}\n")
    assert find_baseline(load_run(own(folder))).folder.name.startswith("synthetic")


def test_a_missing_baseline_names_the_run_and_says_what_to_do(tmp_path: Path) -> None:
    run = write_run(tmp_path, "review-fix", {TASKS[0]: Story(plus=True)})
    write_run(tmp_path, "raw-coder", {TASKS[0]: Story(plus=True)}, data="1" * 64)
    with pytest.raises(RunError, match=run.name) as caught:
        find_baseline(load_run(run))
    assert "--pipeline raw-coder --dataset humaneval" in (caught.value.hint or "")
    with pytest.raises(RunError, match="is itself"):
        find_baseline(load_run(own(tmp_path, "raw-coder")))


def test_runs_of_two_datasets_are_not_compared(folder: Path, tmp_path: Path) -> None:
    other = write_run(tmp_path / "m", "raw-coder", {"Mbpp/1": Story(plus=True)}, dataset="mbpp")
    with pytest.raises(RunError, match="of mbpp"):
        regressions(load_run(other), load_run(own(folder)), "plus")


def test_a_part_that_a_run_lacks_is_refused(tmp_path: Path) -> None:
    runs = [
        load_run(
            write_run(tmp_path, name, {TASKS[0]: Story(plus=True)}, has_plus=False, dataset="humaneval-base")
        )
        for name in ("raw-coder", "review-fix")
    ]
    with pytest.raises(RunError, match="no plus tests"):
        regressions(runs[0], runs[1], "plus")
    assert regressions(runs[0], runs[1], "base").regressions == ()


def test_the_command_counts_classes_and_lists_tasks(folder: Path) -> None:
    shown = call(own(folder))
    assert "3 of 4 tasks lost" in shown
    assert "missing import" in shown
    assert "math.prod([3, n])" in shown.replace("\n", "")
    assert f"--explain {TASKS[1]}" in shown


def test_json_holds_the_counts_and_the_signs(folder: Path) -> None:
    found = json.loads(call(own(folder), "--json", "--part", "base"))
    assert found["counts"]["any"] == {"missing import": 1, "infrastructure": 1}
    assert found["regressions"][0]["signs"][0]["kind"] == "missing import"


def test_explain_shows_programs_change_input_signs_and_findings(folder: Path) -> None:
    shown = call(own(folder), "--explain", TASKS[1])
    for expected in (
        "passed in the baseline, failed in the run",
        "-    return 3 * n",
        "+    return math.prod([3, n])",
        "input: 3",
        "missing import: line 2",
        "Expected: abs(n)",
    ):
        assert expected in shown, expected
    assert "\x1b" not in shown


def test_explain_names_a_teams_own_suite_by_its_path(tmp_path: Path) -> None:
    for pipeline, story in (("raw-coder", Story(plus=True)), ("review-fix", Story(plus=False))):
        run = write_run(tmp_path, pipeline, {"mine/1": story}, dataset="mine")
        manifest = json.loads((run / "manifest.json").read_text())
        manifest["source"]["path"] = "/suites/mine"
        (run / "manifest.json").write_text(json.dumps(manifest))
    shown = call(own(tmp_path), "--explain", "mine/1").replace("\n", " ")
    assert "--dataset /suites/mine --explain mine/1" in shown


def test_explain_works_for_a_task_that_is_no_regression(folder: Path) -> None:
    shown = call(own(folder), "--explain", TASKS[0])
    assert "no regression" in shown
    assert "text for text" in shown


def test_explain_of_an_unknown_task_lists_the_nearest(folder: Path) -> None:
    with pytest.raises(UnknownNameError, match="HumanEval/1"):
        call(own(folder), "--explain", "HumanEval/11")


def test_a_run_that_lost_nothing_says_so(tmp_path: Path) -> None:
    write_run(tmp_path, "raw-coder", {TASKS[0]: Story(plus=True)})
    write_run(tmp_path, "review-fix", {TASKS[0]: Story(plus=True)})
    assert "0 of 1 tasks lost" in call(own(tmp_path))
