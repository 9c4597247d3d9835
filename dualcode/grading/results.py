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
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dualcode.errors import InputError
from dualcode.grading.problem import Problem
from dualcode.grading.samples import Sample
from dualcode.suites.suite import Suite
from dualcode.verdict import Outcome, Part, Verdict


def evalplus_results(suite: Suite, samples: Sequence[Sample], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return the object that EvalPlus would write for these samples and their verdicts, in order."""
    by_task: dict[str, list[dict[str, Any]]] = {}
    problems: dict[str, Problem] = {}
    for sample, verdict in zip(samples, verdicts, strict=True):
        if not verdict.errored:
            known = problems.get(sample.task_id)
            problem = known or Problem.of(sample.task_id, suite.hidden[sample.task_id])
            problems[sample.task_id] = problem
            by_task.setdefault(sample.task_id, []).append(_entry(problem, sample, verdict))
    return {"date": time.strftime("%Y-%m-%d %H:%M"), "hash": _data_hash(suite), "eval": by_task}


def write_results(path: Path, suite: Suite, samples: Sequence[Sample], verdicts: Sequence[Verdict]) -> None:
    """Write the result file, whole or not at all; an InputError if it cannot be written."""
    content = json.dumps(evalplus_results(suite, samples, verdicts))
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".new", delete=False) as file:
            file.write(content)
        fresh = Path(file.name)
        fresh.chmod(0o644)
        fresh.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error}", hint="--output FILE") from error


def check_output(path: Path, samples: Path) -> None:
    """Refuse, before anything is graded, a place where the result file cannot lie."""
    if path.resolve() == samples.resolve():
        raise InputError(f"{path} holds the samples; the results would replace them", hint="--output FILE")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise InputError(f"{path} cannot be written: no such folder", hint="--output FILE")


def _entry(problem: Problem, sample: Sample, verdict: Verdict) -> dict[str, Any]:
    return {
        "task_id": sample.task_id,
        "solution": sample.program,
        "base_status": _status(verdict.base),
        "plus_status": _status(verdict.plus) if verdict.plus else None,
        "base_fail_tests": _failing(problem, "base", verdict.base),
        "plus_fail_tests": _failing(problem, "plus", verdict.plus),
    }


def _status(outcome: Outcome) -> str:
    if outcome.status == "passed":
        return "pass"
    return "timeout" if outcome.cause in ("total_time_out", "died", "flooded") else "fail"


def _failing(problem: Problem, part: Part, outcome: Outcome | None) -> list[Any]:
    rows = problem.rows.get(part, [])
    if outcome is None or outcome.at is None or outcome.at >= len(rows):
        return []
    return [rows[outcome.at]]


def _data_hash(suite: Suite) -> str:
    """Return EvalPlus's hash: the MD5 of the file as it lies on the disk, packed or not."""
    try:
        return hashlib.md5(suite.data.path.read_bytes(), usedforsecurity=False).hexdigest()
    except OSError:
        return ""
