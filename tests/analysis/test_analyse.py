"""Everything that a set of runs says, in one value; the runs are synthetic."""

from pathlib import Path

import pytest

from benchmarks.synthetic_runs import Story, write_run
from dualcode.analysis.analyse import analyse
from dualcode.analysis.runs import load_runs
from dualcode.errors import InputError, RunError

PASSED, FAILED = Story(plus=True), Story(plus=False)


def write(folder: Path, *datasets: str) -> None:
    for dataset in datasets:
        tasks = [f"{dataset}/{n}" for n in range(4)]
        write_run(folder, "raw-coder", dict.fromkeys(tasks, FAILED), dataset=dataset)
        write_run(folder, "review-fix", dict.fromkeys(tasks, PASSED), dataset=dataset)


@pytest.mark.parametrize(
    ("richness", "rich"),
    [
        ({}, "humaneval"),  # the paper's order
        ({"humaneval/0": 0.6, "mbpp/0": 0.2}, "humaneval"),
        ({"humaneval/0": 0.2, "mbpp/0": 0.6}, "mbpp"),
        ({"mbpp/0": 0.9}, "humaneval"),  # a suite whose prompts are not at hand is not the leaner for it
    ],
)
def test_the_gap_is_the_richer_suite_less_the_leaner(
    tmp_path: Path, richness: dict[str, float], rich: str
) -> None:
    write(tmp_path, "mbpp", "humaneval")
    (gap,) = analyse(load_runs([tmp_path]), richness=richness).gaps
    assert f"-{rich}-" in gap.rich.run
    assert f"-{rich}-" not in gap.lean.run


def test_every_run_is_compared_with_its_suites_baseline_and_the_baseline_with_none(tmp_path: Path) -> None:
    write(tmp_path, "mbpp", "humaneval")
    runs = load_runs([tmp_path])
    found = analyse(runs)
    assert set(found.comparisons) == {run.id for run in runs if run.pipeline == "review-fix"}
    assert all(each["plus"].gained for each in found.comparisons.values())


def test_a_missing_baseline_is_named_with_those_that_ran(tmp_path: Path) -> None:
    write(tmp_path, "mbpp")
    with pytest.raises(InputError, match="baseline swapped") as refused:
        analyse(load_runs([tmp_path]), baseline="swapped")
    assert "raw-coder, review-fix" in (refused.value.hint or "")


def test_two_runs_of_one_pipeline_are_refused_by_name(tmp_path: Path) -> None:
    one = write_run(tmp_path, "raw-coder", {"T/1": PASSED})
    two = write_run(tmp_path, "raw-coder", {"T/1": PASSED, "T/2": FAILED})
    with pytest.raises(RunError, match=r"are both raw-coder on humaneval") as refused:
        analyse(load_runs([one, two]))
    assert str(one) in refused.value.message
    assert str(two) in refused.value.message
