"""pass@1 against tokens: values of synthetic runs."""

from pathlib import Path

import pytest

from dualcode.analysis.costs import Costs, costs_of
from dualcode.analysis.efficiency import efficiencies
from dualcode.analysis.runs import Run, load_run
from dualcode.errors import RunError
from dualcode.metrics import rate
from tests.made import Story, write_run

TASKS = [f"HumanEval/{number}" for number in range(4)]


def run_of(folder: Path, pipeline: str, passed: int, *, dataset: str = "humaneval", words: str = "") -> Run:
    stories = {task: Story(plus=place < passed) for place, task in enumerate(TASKS)}
    return load_run(write_run(folder, pipeline, stories, dataset=dataset, words=words))


def costs(*runs: Run) -> dict[str, Costs]:
    return {run.id: costs_of(run) for run in runs}


def test_a_point_is_the_runs_score_and_its_completion_tokens_a_task(tmp_path: Path) -> None:
    run = run_of(tmp_path, "raw-coder", 3)
    (point,) = efficiencies([run], costs(run))
    assert (point.run, point.pipeline, point.score.rate) == (run.id, "raw-coder", rate(3, 4))
    tokens = sum(call.usage.completion_tokens for call in run.records.calls)
    assert point.completion_tokens == tokens / 4


def test_points_stand_by_dataset_and_then_by_tokens(tmp_path: Path) -> None:
    runs = [
        run_of(tmp_path, "review-fix", 3, words="long " * 40),
        run_of(tmp_path, "raw-coder", 2, dataset="mbpp", words="longer " * 90),
        run_of(tmp_path, "raw-coder", 2),
    ]
    found = efficiencies(runs, costs(*runs))
    assert [(point.dataset, point.pipeline) for point in found] == [
        ("humaneval", "raw-coder"), ("humaneval", "review-fix"), ("mbpp", "raw-coder"),
    ]  # fmt: skip


def test_thoughts_are_among_the_completion_tokens_and_told_apart(tmp_path: Path) -> None:
    run = run_of(tmp_path, "raw-thinker", 3)
    thinking = costs_of(run)
    server = thinking.alone[0].model_copy(update={"completion_tokens": 400, "reasoning_tokens": 300})
    told = thinking.model_copy(update={"alone": (server,)})
    (point,) = efficiencies([run], {run.id: told})
    assert (point.completion_tokens, point.thought_tokens) == (100, 75)


def test_runs_whose_tokens_nobody_told_are_no_free_lunch(tmp_path: Path) -> None:
    run, other = run_of(tmp_path, "raw-coder", 3), run_of(tmp_path, "review-fix", 4)
    silent = costs_of(run)
    none = [server.model_copy(update={"completion_tokens": 0}) for server in silent.alone]
    known = {run.id: silent.model_copy(update={"alone": tuple(none)})}
    assert efficiencies([run, other], known) == ()


def test_a_run_without_a_graded_task_is_refused_by_name(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path, "raw-coder", {TASKS[0]: Story(plus=None)}))
    with pytest.raises(RunError, match="no graded task"):
        efficiencies([run], costs(run))
