"""EvalPlus's result file (`eval_results.json`), so that what reads EvalPlus's results reads ours.

    {"date": …, "hash": MD5 of the data file, "eval": {task: [{"task_id", "solution", "base_status",
     "plus_status", "base_fail_tests", "plus_fail_tests"}, …]}}

A status is `pass`, `fail` or `timeout`; as in EvalPlus, one call that takes too long is a `fail`, and
`timeout` is for all calls together and for a process that died. The failing test is the first that failed, as
the data file has it (EvalPlus names the last that was finished, which in a `timeout` passed). EvalPlus has no
word for a sample that could not be graded: such samples are left out.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dualcode.errors import InputError
from dualcode.grading.problem import Problem
from dualcode.grading.samples import Sample
from dualcode.grading.whole import check_place, write_whole
from dualcode.suites.own import rows_file
from dualcode.suites.suite import Suite
from dualcode.verdict import Outcome, Part, Verdict


def evalplus_results(suite: Suite, samples: Sequence[Sample], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return the object that EvalPlus would write for these samples and their verdicts, in order."""
    by_task: dict[str, list[dict[str, Any]]] = {}
    problems: dict[str, Problem] = {}
    for (task_id, program), verdict in zip(samples, verdicts, strict=True):
        if verdict.errored:
            continue
        problem = problems.get(task_id) or Problem.of(task_id, suite.hidden[task_id])
        problems[task_id] = problem
        entry = {
            "task_id": task_id,
            "solution": program,
            "base_status": _status(verdict.base),
            "plus_status": _status(verdict.plus) if verdict.plus else None,
            "base_fail_tests": _failing(problem, "base", verdict.base),
            "plus_fail_tests": _failing(problem, "plus", verdict.plus),
        }
        by_task.setdefault(task_id, []).append(entry)
    try:  # EvalPlus's hash is of the file as it lies on the disk, packed or not
        path = suite.data.path
        path = (rows_file(path) or path) if path.is_dir() else path
        data = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    except OSError:
        data = ""
    return {"date": time.strftime("%Y-%m-%d %H:%M"), "hash": data, "eval": by_task}


def write_results(path: Path, suite: Suite, samples: Sequence[Sample], verdicts: Sequence[Verdict]) -> None:
    """Write the result file, whole or not at all; an InputError if it cannot be written."""
    write_whole(path, json.dumps(evalplus_results(suite, samples, verdicts)))


def check_output(path: Path, samples: Path) -> None:
    """Refuse, before anything is graded, a place where the result file cannot lie."""
    if path.resolve() == samples.resolve():
        raise InputError(f"{path} holds the samples; the results would replace them", hint="--output FILE")
    check_place(path)


def _status(outcome: Outcome) -> str:
    if outcome.status == "passed":
        return "pass"
    return "timeout" if outcome.cause in ("total_time_out", "died", "flooded") else "fail"


def _failing(problem: Problem, part: Part, outcome: Outcome | None) -> list[Any]:
    rows = problem.rows.get(part, [])
    if outcome is None or outcome.at is None or outcome.at >= len(rows):
        return []
    return [rows[outcome.at]]
