"""`dualcode compare`, as it is called, on synthetic runs."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dualcode.cli.compare import compare
from dualcode.errors import DualcodeError, InputError, RunError
from dualcode.metrics import rate
from tests.made import Story, write_run

PROGRAM = "def solve(n):\n    return 3 * n\n"
"""The same first draft everywhere, so that no run differs from another by chance."""


def write(folder: Path, pipeline: str, passed: str, dataset: str = "humaneval", **options: Any) -> str:
    """Write a run, a character a task: `+` passed, `-` failed, `?` errored, space not selected."""
    prefix = {"mbpp": "Mbpp"}.get(dataset, "HumanEval")
    stories = {
        f"{prefix}/{number}": Story(plus={"+": True, "-": False, "?": None}[each], program=PROGRAM)
        for number, each in enumerate(passed)
        if each != " "
    }
    return write_run(folder, pipeline, stories, dataset=dataset, **options).name


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(compare, [str(each) for each in arguments])


def page(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exception is None, result.exception
    return " ".join(result.stdout.split())


def found(*arguments: str | Path) -> Any:
    result = run(*arguments, "--json")
    assert result.exception is None, result.exception
    return json.loads(result.stdout)


def refused(*arguments: str | Path) -> DualcodeError:
    error = run(*arguments).exception
    assert isinstance(error, DualcodeError)
    assert error.hint
    return error


def test_the_page_names_runs_rates_changes_and_tasks(tmp_path: Path) -> None:
    raw = write(tmp_path, "raw-coder", "+" * 10 + "-" * 10)
    fixed = write(tmp_path, "review-fix", "-" + "+" * 17 + "--")
    text = page(tmp_path / raw, tmp_path / fixed)
    own = rate(17, 20)
    assert f"raw-coder {raw[-8:]} 50.0 % [29.9, 70.1] baseline" in text
    assert f"85.0 % [{100 * own.low:.1f}, {100 * own.high:.1f}] +35.0 [" in text
    assert "8/1 0.0391" in text
    assert "gained 8: HumanEval/10, HumanEval/11" in text
    assert "HumanEval/15 and 2 more; lost 1: HumanEval/0" in text
    assert "HumanEval/17" not in text
    assert "HumanEval/16, HumanEval/17; lost" in page(tmp_path, "--tasks")


def test_raw_coder_is_the_baseline_wherever_it_stands(tmp_path: Path) -> None:
    for pipeline in ("enriched", "review-fix", "raw-coder"):
        write(tmp_path, pipeline, "+-")
    told = found(tmp_path)
    assert [each["pipeline"] for each in told["runs"] if each["baseline"]] == ["raw-coder"]
    assert len(told["comparisons"]) == 2


def test_without_raw_coder_the_first_run_is_the_baseline(tmp_path: Path) -> None:
    first, second = write(tmp_path, "review-fix", "+-"), write(tmp_path, "enriched", "+-")
    assert found(tmp_path / first, tmp_path / second)["comparisons"][0]["baseline"] == first


@pytest.mark.parametrize("how", ["pipeline", "id", "folder"])
def test_the_baseline_can_be_a_pipeline_an_id_or_a_folder(tmp_path: Path, how: str) -> None:
    write(tmp_path, "raw-coder", "+-")
    other = write(tmp_path, "review-fix", "++")
    asked = {"pipeline": "review-fix", "id": other, "folder": str(tmp_path / other)}[how]
    (comparison,) = found(tmp_path, "--baseline", asked)["comparisons"]
    assert comparison["baseline"] == other
    assert comparison["lost"] == ["HumanEval/1"]


def test_an_unknown_or_ambiguous_baseline_is_refused_with_what_there_is(tmp_path: Path) -> None:
    write(tmp_path, "raw-coder", "+-")
    one, two = (
        write(tmp_path, "review-fix", "+-"),
        write(tmp_path, "review-fix", "+- ", tasks=["HumanEval/0", "HumanEval/1", "HumanEval/2"]),
    )
    unknown = refused(tmp_path, "--baseline", "plan-code")
    assert "'plan-code' is neither a pipeline nor a run" in str(unknown)
    assert "raw-coder" in str(unknown)
    ambiguous = refused(tmp_path / one, tmp_path / two, tmp_path, "--baseline", "review-fix")
    assert one in str(ambiguous)
    assert two in str(ambiguous)


def test_a_suite_without_the_baseline_is_refused_with_its_runs(tmp_path: Path) -> None:
    for dataset, pipelines in (("humaneval", ("raw-coder", "enriched")), ("mbpp", ("gated", "review-fix"))):
        ids = [write(tmp_path, pipeline, "+-", dataset) for pipeline in pipelines]
    error = refused(tmp_path, "--baseline", "enriched")
    assert f"no run of enriched on mbpp to compare {ids[0]}, {ids[1]} with" in str(error)


def test_the_part_is_chosen_and_plus_without_plus_tests_is_refused(tmp_path: Path) -> None:
    for pipeline, base in (("raw-coder", False), ("review-fix", True)):
        write_run(tmp_path, pipeline, {"HumanEval/0": Story(plus=False, base=base)})
    assert found(tmp_path, "--part", "base")["comparisons"][0]["gained"] == ["HumanEval/0"]
    assert found(tmp_path)["comparisons"][0]["gained"] == []
    ids = [write(tmp_path, name, "+", "humaneval-base", has_plus=False) for name in ("raw-coder", "enriched")]
    assert "was not graded on plus" in str(refused(*(tmp_path / each for each in ids), "--part", "plus"))


def test_other_selections_are_said_loudly_and_only_shared_tasks_compared(tmp_path: Path) -> None:
    write(tmp_path, "raw-coder", "++--")
    write(tmp_path, "review-fix", " +++", data="ab" * 32)
    text = page(tmp_path)
    assert "NOT THE SAME TASKS AND TESTS" in text
    assert "not comparable: different data" in text
    assert "4 of 164 tasks" in text
    assert "3 of 164 tasks" in text
    assert "not in both 1: HumanEval/0" in text
    told = found(tmp_path)
    assert told["comparisons"][0]["tasks"] == 3
    assert [each["kind"] for each in told["differences"] if each["not_comparable"]] == ["data", "selection"]


def test_runs_alike_are_compared_without_a_warning(tmp_path: Path) -> None:
    write(tmp_path, "raw-coder", "+-")
    write(tmp_path, "review-fix", "++")
    text = page(tmp_path)
    assert "NOT THE SAME" not in text
    assert "differs" not in text
    assert "Holm" not in text
    assert "errored" not in text


def test_runs_that_share_no_task_or_no_suite_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a", "raw-coder", "++")
    write(tmp_path / "a", "review-fix", "  ++")
    assert isinstance(refused(tmp_path / "a"), InputError)
    first, second = write(tmp_path / "b", "raw-coder", "+"), write(tmp_path / "b", "review-fix", "+", "mbpp")
    error = refused(tmp_path / "b")
    assert error.exit_code == 2
    assert f"the suites differ (humaneval, mbpp), and {first} is the only run of humaneval" in str(error)
    assert second


def test_one_run_and_copies_of_one_are_refused(tmp_path: Path) -> None:
    only = write(tmp_path / "a", "raw-coder", "+")
    assert f"{only} is all there is to compare" in str(refused(tmp_path / "a"))
    write(tmp_path / "b", "raw-coder", "+")
    assert "copies of one run" in str(refused(tmp_path / "a", tmp_path / "b"))


def test_a_half_written_run_ends_with_3_and_its_name(tmp_path: Path) -> None:
    write(tmp_path, "raw-coder", "+")
    other = write(tmp_path, "review-fix", "+")
    (tmp_path / other / "verdicts.jsonl").write_text("")
    assert "all there is to compare" in str(refused(tmp_path))  # of a folder it is left out
    error = refused(tmp_path, tmp_path / other)
    assert isinstance(error, RunError)
    assert error.exit_code == 3
    assert other in str(error)
    assert refused(tmp_path / "nothing").exit_code == 3


def test_errored_tasks_are_shown_with_the_interval_that_they_leave(tmp_path: Path) -> None:
    write(tmp_path, "raw-coder", "+" * 10 + "-" * 10)
    write(tmp_path, "review-fix", "??" + "+" * 10 + "-" * 8)
    text = page(tmp_path)
    low, high = rate(10, 20).low, rate(12, 20).high
    assert f"2: [{100 * low:.1f}, {100 * high:.1f}]" in text
    assert "2 of 20 tasks have no verdict (HumanEval/0, HumanEval/1)" in text
    assert "not in both 2: HumanEval/0, HumanEval/1" in text


def test_several_comparisons_have_holm_s_p_values(tmp_path: Path) -> None:
    write(tmp_path, "raw-coder", "-" * 12)
    write(tmp_path, "review-fix", "+" * 8 + "-" * 4)
    write(tmp_path, "enriched", "+" * 6 + "-" * 6)
    told = {each["run"].split("-")[2]: each for each in found(tmp_path)["comparisons"]}
    assert told["review"]["p_holm"] == pytest.approx(2 * told["review"]["p_value"])
    assert told["enriched"]["p_holm"] == told["enriched"]["p_value"]
    assert "p Holm: corrected for 2 comparisons at once" in page(tmp_path)


def test_two_suites_are_grouped_and_have_gaps(tmp_path: Path) -> None:
    for dataset, gained in (("mbpp", 4), ("humaneval", 30)):
        write(tmp_path, "raw-coder", "-" * 60, dataset)
        write(tmp_path, "review-fix", "+" * gained + "-" * (60 - gained), dataset)
    told = found(tmp_path)
    (gap,) = told["gaps"]
    assert gap["rich"]["run"].startswith("synthetic-humaneval-review-fix")
    assert gap["difference"] == pytest.approx(26 / 60)
    assert gap["p_value"] < 0.001
    assert not any(each["kind"] == "suite" for each in told["differences"])
    text = page(tmp_path)
    assert text.index("HumanEval+, plus tests, against raw-coder") < text.index("MBPP+, plus tests")
    assert "+50.0 +6.7 +43.3 [" in text
    assert "< 0.001 none" in text


def test_542_tasks_in_14_runs_are_compared(tmp_path: Path) -> None:
    chance = random.Random(0)
    for dataset, tasks in (("humaneval", 164), ("mbpp", 378)):
        for number in range(14):
            passed = "".join(chance.choice("++-") for _ in range(tasks))
            write(tmp_path, f"p{number}" if number else "raw-coder", passed, dataset)
    told = found(tmp_path)
    assert len(told["comparisons"]) == 26
    assert len(told["gaps"]) == 13


def test_of_many_runs_the_comparison_is_printed_and_the_rest_on_request(tmp_path: Path) -> None:
    """Each run has first replies of its own, as without a ledger."""
    for number in range(8):
        passed = "+-" * number + "-+" * (8 - number)
        write(tmp_path, f"p{number}" if number else "raw-coder", passed, words=str(number))
    text = page(tmp_path)
    assert text.count("began with the same request") == 4
    assert "more like the last one" in text
    assert "gained 1:" not in text
    assert "gained 1:" in page(tmp_path, "--tasks")
    assert len(found(tmp_path)["differences"]) > 4


def test_the_same_runs_give_the_same_page(tmp_path: Path) -> None:
    write(tmp_path, "raw-coder", "+-+-+-")
    write(tmp_path, "review-fix", "++++--")
    assert run(tmp_path).stdout == run(tmp_path).stdout


def test_help_shows_an_example_and_imports_nothing_heavy() -> None:
    assert "dualcode compare runs" in page("--help")
    code = "import sys, dualcode.cli.compare;print(sorted({'scipy', 'numpy', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
