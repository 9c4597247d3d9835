"""Everything that a set of runs says, in one value; the runs are synthetic."""

from pathlib import Path

import pytest

from dualcode.analysis import drafts
from dualcode.analysis.analyse import analyse
from dualcode.analysis.comparisons import compare_runs
from dualcode.analysis.drafts import known_truths
from dualcode.analysis.runs import Run, load_runs
from dualcode.analysis.statistics import holm
from dualcode.errors import InputError, RunError
from dualcode.report.page import headline
from dualcode.verdict import Verdict
from tests.equal import coloured
from tests.figures.synthetic import analysis
from tests.made import Story, write_run

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


def test_p_is_corrected_for_all_that_is_shown_together(tmp_path: Path) -> None:
    found = analysis(tmp_path, ["raw-coder", "review-fix", "enriched"], count=40)
    shown = [made["plus"] for made in found.comparisons.values()]
    assert {each.family for each in shown} == {found.family} == {4}
    assert [each.p_holm for each in shown] == holm([each.p_value for each in shown])
    lesser = [made["base"] for made in found.comparisons.values()]
    assert [each.p_holm for each in lesser] == holm([each.p_value for each in lesser])
    assert [each.p_holm for each in found.gaps] == holm([each.p_value for each in found.gaps])


def test_the_analysis_and_the_command_compare_by_one_engine(tmp_path: Path) -> None:
    found = analysis(tmp_path, ["raw-coder", "review-fix", "enriched"], count=40)
    told = compare_runs(found.runs)
    made = {each.run: each for suite in told.suites for each in suite.comparisons}
    assert made == {run: each["plus"] for run, each in found.comparisons.items()}
    assert told.gaps == found.gaps
    assert all(gap.rich == made[gap.rich.run] for gap in told.gaps)


def test_only_the_corrected_p_may_claim(tmp_path: Path) -> None:
    found = analysis(tmp_path, ["raw-coder", "review-fix"], ["humaneval"], count=40)
    (made,) = (each["plus"] for each in found.comparisons.values())
    for p_holm, delta, standing in ((0.04, 0.1, "better"), (0.04, -0.1, "worse"), (0.06, 0.1, "unclear")):
        changed = made.model_copy(update={"p_value": 0.001, "p_holm": p_holm, "delta": delta})
        assert changed.standing == standing


def test_a_study_looks_at_each_runs_seal_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for pipeline in ("raw-coder", "review-fix", "enriched", "gated"):
        write_run(tmp_path, pipeline, {f"HumanEval/{n}": PASSED for n in range(3)})
    looked: list[Path] = []

    def broken(folder: Path) -> list[str]:
        looked.append(folder)
        return []

    monkeypatch.setattr("dualcode.runs.seal.broken", broken)
    found = analyse(load_runs([tmp_path]))
    headline(found)
    assert len(looked) == len(set(looked)) == 4


def test_a_study_reads_each_runs_kept_grades_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for pipeline in ("raw-coder", "review-fix", "enriched"):
        write_run(tmp_path, pipeline, {"HumanEval/1": Story(True, draft="x", review="revise")})
    read: list[str] = []

    def kept_grades(run: Run) -> dict[drafts.Key, Verdict]:
        read.append(run.id)
        return {}

    monkeypatch.setattr(drafts, "kept_grades", kept_grades)
    known_truths(load_runs([tmp_path]))
    assert len(read) == len(set(read)) == 3


def test_studies_of_equal_pipelines_colour_a_bar_in_at_most_5_percent() -> None:
    shown = coloured(studies=400, changed=0.1, seed=1)
    assert shown["p"] > 0.4
    assert shown["p_holm"] <= 0.05
