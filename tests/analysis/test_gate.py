"""The gate's curve follows from paired runs."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dualcode.analysis.runs import Run, load_run
from dualcode.analysis.statistics import Curve, Step, gate_curve
from tests.made import Story, write_run

RICHNESS = {"HumanEval/0": 0.2, "HumanEval/1": 0.4, "HumanEval/2": 0.4, "HumanEval/3": 0.7}


def made(folder: Path, pipeline: str, passed: str) -> Run:
    states = {"+": True, "-": False, "?": None}
    stories = {f"HumanEval/{n}": Story(plus=states[each]) for n, each in enumerate(passed)}
    return load_run(write_run(folder, pipeline, stories))


def curve(folder: Path, raw: str, review: str) -> Curve:
    found = gate_curve(made(folder, "raw-coder", raw), made(folder, "review-fix", review), RICHNESS)
    assert found is not None
    return found


def test_each_task_has_the_outcome_of_review_from_its_richness_on(tmp_path: Path) -> None:
    found = curve(tmp_path, "+--+", "-++-")
    steps = [(each.threshold, each.reviewed, each.passed) for each in found.steps]
    assert steps == [(0.2, 4, 2), (0.4, 3, 3), (0.7, 1, 1), (1.01, 0, 2)]


def test_the_ends_are_the_runs_themselves(tmp_path: Path) -> None:
    found = curve(tmp_path, "+--+", "+++-")
    assert (found.steps[0].passed, found.steps[-1].passed) == (3, 2)


def test_a_threshold_between_two_tasks_is_that_of_the_richer(tmp_path: Path) -> None:
    found = curve(tmp_path, "+--+", "-++-")
    assert [found.at(each).reviewed for each in (0.0, 0.2, 0.3, 0.4, 0.41, 0.9, 2.0)] == [4, 4, 3, 3, 1, 0, 0]


def test_the_best_is_a_gate_of_the_curve(tmp_path: Path) -> None:
    assert curve(tmp_path, "+--+", "-++-").best == Step(threshold=0.4, reviewed=3, passed=3)


def test_tasks_without_a_verdict_or_a_richness_are_in_no_gate(tmp_path: Path) -> None:
    assert curve(tmp_path, "?--+-", "+?+--").tasks == 2


def test_without_a_shared_task_there_is_no_curve(tmp_path: Path) -> None:
    assert gate_curve(made(tmp_path, "raw-coder", "+"), made(tmp_path, "review-fix", "?"), RICHNESS) is None
    assert gate_curve(made(tmp_path, "gated", "+"), made(tmp_path, "enriched", "+"), {}) is None


@given(st.floats(0, 1.5))
def test_every_threshold_is_answered_by_a_step_that_reviews_no_more(threshold: float) -> None:
    steps = tuple(Step(threshold=t, reviewed=n, passed=n) for t, n in ((0.1, 3), (0.5, 2), (1.01, 0)))
    found = Curve(raw="a", review="b", tasks=3, steps=steps).at(threshold)
    assert found.reviewed <= sum(t >= threshold for t in (0.1, 0.5, 0.5))
