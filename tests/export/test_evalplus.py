"""`samples.jsonl` scores the same with `evalplus.evaluate`: the real one, task by task."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from dualcode.analysis.runs import Run, load_run
from dualcode.errors import ConfigError, RunError
from dualcode.export.evalplus import write_samples
from dualcode.grading.calibration_cache import CalibrationCache
from dualcode.grading.grader import SandboxGrader
from dualcode.grading.samples import read_samples
from dualcode.sandbox import open_sandbox
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from dualcode.verdict import Verdict
from tests.export.runs import with_records
from tests.made import Story, write_run
from tests.suites.data import HUMANEVAL_PLUS, MBPP_PLUS, needs_data, problem, write_rows

PROGRAMS: Mapping[str, str] = {
    "HumanEval/0": "def triple(n):\n    return 3 * n\n",
    "HumanEval/1": "def triple(n):\n    return 3 * abs(n)\n",  # passes base, fails plus on -1
    "HumanEval/2": "def triple(n):\n    return 2 * n\n",
    "HumanEval/3": "def triple(n):\n    return 3 * m\n",
    "HumanEval/4": "def triple(n)\n",
    "HumanEval/5": "def triple(n):\n    return {1: 3, 2: 6}[n]\n",  # raises on plus
    "HumanEval/6": "def triple(n):\n    while True:\n        pass\n",
}

EVALUATE = """
import os, sys
from evalplus.evaluate import evaluate
evaluate(sys.argv[1], samples=sys.argv[2], parallel=1)
sys.stdout.flush()
os._exit(0)  # its watcher would sleep for 20 s
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    rows = [problem(number) for number in range(len(PROGRAMS))]
    return load_suite("humaneval", data=write_rows(tmp_path_factory.mktemp("data") / "d.jsonl", *rows))


async def graded(programs: Mapping[str, str], suite: Suite, folder: Path) -> Run:
    """Return a synthetic run of these programs whose verdicts are dualcode's own."""
    stories = {task: Story(plus=True, program=program) for task, program in programs.items()}
    made = write_run(
        folder / "runs",
        "raw-coder",
        stories,
        dataset=suite.name,
        data=suite.data.sha256,
    )
    cache = CalibrationCache("tests", "key", "machine", root=folder / "cache")
    async with open_sandbox(2) as sandbox, SandboxGrader(suite, sandbox, workers=2, cache=cache) as grader:
        verdicts = [await grader.grade(task, text) for task, text in programs.items()]
    return with_records(load_run(made), "verdicts.jsonl", verdicts)


def evaluated(samples: Path, problems: Path, dataset: str, variable: str) -> dict[str, tuple[str, str]]:
    """Run EvalPlus's own evaluation, and return (base, plus) of each task."""
    home = problems.parent / "home"
    home.mkdir()
    environment = {**os.environ, variable: str(problems), "HOME": str(home), "XDG_CACHE_HOME": str(home)}
    command = [sys.executable, "-c", EVALUATE, dataset, str(samples)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=home, check=False)
    assert done.returncode == 0, done.stderr
    folder = samples.is_dir()
    results = samples / "eval_results.json" if folder else samples.with_name("samples_eval_results.json")
    told = json.loads(results.read_text())["eval"]
    assert all(len(entries) == 1 for entries in told.values())
    return {task: (entry["base_status"], entry["plus_status"]) for task, (entry,) in told.items()}


def statuses(verdicts: Mapping[str, Verdict]) -> dict[str, tuple[bool, bool]]:
    return {
        task: (verdict.base.status == "passed", verdict.plus is not None and verdict.plus.status == "passed")
        for task, verdict in verdicts.items()
    }


def passing(told: Mapping[str, tuple[str, str]]) -> dict[str, tuple[bool, bool]]:
    return {task: (base == "pass", plus == "pass") for task, (base, plus) in told.items()}


async def test_a_run_s_own_samples_score_the_same_with_evalplus(suite: Suite, tmp_path: Path) -> None:
    run = await graded(PROGRAMS, suite, tmp_path)
    assert statuses(run.records.verdicts) == {
        "HumanEval/0": (True, True),
        "HumanEval/1": (True, False),
        "HumanEval/2": (False, False),
        "HumanEval/3": (False, False),
        "HumanEval/4": (False, False),
        "HumanEval/5": (True, False),
        "HumanEval/6": (False, False),
    }
    done = write_samples(run, suite, tmp_path / "out")
    told = evaluated(run.folder / "samples.jsonl", done.problems, done.dataset, done.variable)
    assert passing(told) == statuses(run.records.verdicts)


async def test_samples_as_files_score_the_same_with_evalplus_and_here(suite: Suite, tmp_path: Path) -> None:
    run = await graded({task: PROGRAMS[task] for task in list(PROGRAMS)[:3]}, suite, tmp_path)
    done = write_samples(run, suite, tmp_path / "out", as_folder=True)
    assert (done.samples / "HumanEval_0" / "0.py").read_text() == PROGRAMS["HumanEval/0"]
    assert {each.task_id: each.program for each in read_samples(done.samples, suite)} == {
        task: PROGRAMS[task] for task in list(PROGRAMS)[:3]
    }
    told = evaluated(done.samples, done.problems, done.dataset, done.variable)
    assert passing(told) == statuses(run.records.verdicts)
    assert write_samples(run, suite, tmp_path / "out", as_folder=True).state == "unchanged"


async def test_exported_samples_score_the_same_without_the_errored_tasks(
    suite: Suite, tmp_path: Path
) -> None:
    run = await graded({task: PROGRAMS[task] for task in list(PROGRAMS)[:3]}, suite, tmp_path)
    errored = Verdict.of_error("HumanEval/1", "the sandbox broke", plus=True)
    verdicts = [*run.records.verdicts.values(), errored]
    run = with_records(run, "verdicts.jsonl", verdicts)
    done = write_samples(run, suite, tmp_path / "out")
    assert done.errored == ("HumanEval/1",)
    told = evaluated(done.samples, done.problems, done.dataset, done.variable)
    assert passing(told) == {"HumanEval/0": (True, True), "HumanEval/2": (False, False)}


@needs_data
@pytest.mark.parametrize("dataset", ["humaneval", "mbpp"])
async def test_a_part_of_a_real_benchmark_scores_the_same(dataset: str, tmp_path: Path) -> None:
    suite = load_suite(dataset, data=HUMANEVAL_PLUS if dataset == "humaneval" else MBPP_PLUS)
    programs: dict[str, str] = {}
    for number, task in enumerate(suite.select(6).tasks):
        text = suite.hidden[task.id].reference()
        programs[task.id] = text if number % 2 else f"{text}\n{task.entry_point} = lambda *given: None\n"
    run = await graded(programs, suite, tmp_path)
    done = write_samples(run, suite, tmp_path / "out")
    told = evaluated(done.samples, done.problems, done.dataset, done.variable)
    assert passing(told) == statuses(run.records.verdicts)
    assert set(passing(told).values()) == {(True, True), (False, False)}


def plain_run(folder: Path, suite: Suite, data: str | None = None) -> Run:
    stories = {"HumanEval/0": Story(plus=True)}
    return load_run(
        write_run(folder, "raw-coder", stories, dataset=suite.name, data=data or suite.data.sha256)
    )


def test_other_data_than_the_run_s_is_refused(suite: Suite, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="other data"):
        write_samples(plain_run(tmp_path, suite, "f" * 64), suite, tmp_path / "out")


def test_a_suite_without_evalplus_s_tests_is_refused(tmp_path: Path) -> None:
    suite = load_suite("humaneval-base")
    with pytest.raises(ConfigError, match="none of EvalPlus's tests"):
        write_samples(plain_run(tmp_path, suite), suite, tmp_path / "out")


def test_a_run_without_a_grade_is_refused(suite: Suite, tmp_path: Path) -> None:
    folder = write_run(tmp_path, "raw-coder", {"HumanEval/0": Story(plus=None)}, data=suite.data.sha256)
    with pytest.raises(RunError, match="no graded task"):
        write_samples(load_run(folder), suite, tmp_path / "out")


def test_a_second_export_changes_nothing(suite: Suite, tmp_path: Path) -> None:
    run = plain_run(tmp_path, suite)
    assert write_samples(run, suite, tmp_path / "out").state == "written"
    assert write_samples(run, suite, tmp_path / "out").state == "unchanged"


def test_results_of_replaced_samples_do_not_stay(suite: Suite, tmp_path: Path) -> None:
    run = plain_run(tmp_path, suite)
    done = write_samples(run, suite, tmp_path / "out")
    results = done.samples.with_name("samples_eval_results.json")
    results.write_text("{}")
    write_samples(run, suite, tmp_path / "out")
    assert results.exists()
    changed = run.records.samples["HumanEval/0"].model_copy(update={"solution": "x = 1\n"})
    again = with_records(run, "samples.jsonl", [changed])
    with pytest.raises(ConfigError, match="differs"):
        write_samples(again, suite, tmp_path / "out")
    assert write_samples(again, suite, tmp_path / "out", replace=True).state == "replaced"
    assert not results.exists()
