"""EvalPlus's result file: its own reader takes ours, and prints the same pass@k."""

import contextlib
import importlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from dualcode.errors import InputError
from dualcode.grading.samples import Sample, check_output, evalplus_results, write_results
from dualcode.grading.score import score
from dualcode.sandbox.sandbox import Tier
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from dualcode.verdict import Cause, Outcome, Verdict
from tests.suites.data import HUMANEVAL_PLUS, needs_data, problem, write_rows

TASK = "HumanEval/0"
PASSED = Outcome(status="passed")


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return load_suite("humaneval", data=write_rows(tmp_path / "d.jsonl", problem(), problem(1)))


def failed(cause: Cause, at: int | None) -> Outcome:
    return Outcome(status="failed", cause=cause, at=at, reason="…")


def entry(suite: Suite, base: Outcome, plus: Outcome | None = PASSED) -> dict[str, Any]:
    verdict = Verdict.of(TASK, base=base, plus=plus)
    return evalplus_results(suite, [Sample(TASK, "x")], [verdict])["eval"][TASK][0]


def test_an_entry_is_evalplus_s(suite: Suite) -> None:
    assert entry(suite, PASSED, failed("raised", 1)) == {
        "task_id": TASK,
        "solution": "x",
        "base_status": "pass",
        "plus_status": "fail",
        "base_fail_tests": [],
        "plus_fail_tests": [[-1]],
    }


@pytest.mark.parametrize(
    ("cause", "at", "status", "tests"),
    [
        ("wrong_output", 0, "fail", [[1]]),
        ("time_out", 1, "fail", [[2]]),
        ("total_time_out", 1, "timeout", [[2]]),
        ("died", None, "timeout", []),
        ("not_loaded", None, "fail", []),
    ],
)
def test_a_status_is_evalplus_s(
    suite: Suite, cause: Cause, at: int | None, status: str, tests: list[Any]
) -> None:
    told = entry(suite, failed(cause, at))
    assert (told["base_status"], told["base_fail_tests"]) == (status, tests)


def test_without_plus_tests_their_status_is_null(suite: Suite) -> None:
    assert entry(suite, PASSED, None)["plus_status"] is None


def test_a_sample_that_could_not_be_graded_is_left_out(suite: Suite) -> None:
    verdict = Verdict.of_error(TASK, "broken", plus=True)
    assert evalplus_results(suite, [Sample(TASK, "x")], [verdict])["eval"] == {}


def test_samples_of_a_task_stay_in_order(suite: Suite) -> None:
    samples = [Sample(TASK, "a"), Sample("HumanEval/1", "b"), Sample(TASK, "c")]
    verdicts = [Verdict.of(sample.task_id, base=PASSED, plus=PASSED) for sample in samples]
    told = evalplus_results(suite, samples, verdicts)["eval"]
    assert [each["solution"] for each in told[TASK]] == ["a", "c"]


def test_the_file_is_written_whole_and_a_bad_place_is_refused_before(suite: Suite, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    write_results(path, suite, [Sample(TASK, "\ud800")], [Verdict.of(TASK, base=PASSED, plus=PASSED)])
    assert json.loads(path.read_text())["eval"][TASK][0]["solution"] == "\ud800"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["d.jsonl", "r.json"]
    with pytest.raises(InputError, match="would replace them"):
        check_output(path, path)
    for bad in (tmp_path, tmp_path / "nowhere" / "r.json"):
        with pytest.raises(InputError, match="cannot be written"):
            check_output(bad, path)


@needs_data
def test_evalplus_reads_the_file_and_prints_the_same_pass_at_k(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = load_suite("humaneval", data=HUMANEVAL_PLUS)
    kinds = [(PASSED, PASSED), (PASSED, failed("wrong_output", 0)), (failed("raised", 0), PASSED)]
    samples = [Sample(task.id, f"{number}") for task in suite.tasks for number in range(10)]
    verdicts: list[Verdict] = []
    for number, sample in enumerate(samples):
        base, plus = kinds[number * number % 7 % 3]
        verdicts.append(Verdict.of(sample.task_id, base=base, plus=plus))
    path = tmp_path / "s.jsonl"
    write_results(tmp_path / "s_eval_results.json", suite, samples, verdicts)
    evaluate: Any = importlib.import_module("evalplus.evaluate")
    monkeypatch.setenv("HUMANEVAL_OVERRIDE_PATH", str(HUMANEVAL_PLUS))
    with contextlib.redirect_stdout(io.StringIO()) as said:
        evaluate.evaluate("humaneval", samples=str(path))
    printed = [float(number) for number in re.findall(r"pass@\d+:\s+([\d.]+)", said.getvalue())]
    ours = score(verdicts, suite, 1.0, sandbox=Tier(name="", holds=()))
    assert ours.plus is not None
    assert len(printed) == 4
    assert printed == [round(side.pass_at[k].value, 3) for side in (ours.base, ours.plus) for k in (1, 10)]
    hashed: Any = importlib.import_module("evalplus.data")
    humaneval = importlib.import_module("evalplus.data.humaneval")
    monkeypatch.setattr(humaneval, "HUMANEVAL_OVERRIDE_PATH", str(HUMANEVAL_PLUS))
    told = json.loads((tmp_path / "s_eval_results.json").read_text())
    assert told["hash"] == hashed.get_human_eval_plus_hash()
