"""The hand-labelled cases, and the verdicts that the real grader gives them."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dualcode.analysis.failures.case import Case
from dualcode.analysis.failures.regression import outcome_of
from dualcode.analysis.failures.source import Source
from dualcode.analysis.failures.taxonomy import FailureClass
from dualcode.errors import ReplyError, SandboxError, UnreachableError
from dualcode.grading.calibration_cache import CalibrationCache
from dualcode.grading.grader import SandboxGrader
from dualcode.sandbox.job import Job, Ran
from dualcode.sandbox.sandbox import Sandbox, Tier
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from dualcode.verdict import Verdict
from tests.suites.data import problem, write_rows

CASES = Path(__file__).parent / "cases"
FAULTS = {
    "server": UnreachableError("lost http://127.0.0.1:8002/v1: connection refused").message,
    "reply": ReplyError("http://127.0.0.1:8001/v1 answered 500: internal error").message,
    "pipeline": "pipeline raised KeyError: 'verdict' (mine.py:12)",
}
"""What a run records where it was no program's fault that a task has no verdict."""


@dataclass(frozen=True)
class Labelled:
    """A pair of programs, and what a reader says of it."""

    name: str
    entry_point: str
    prompt: str
    baseline: str
    program: str
    how: str
    inputs: list[Any]
    fault: str
    primary: FailureClass
    labels: frozenset[FailureClass]


def read(name: str) -> list[Labelled]:
    """Return the cases of one half, `first` or `held_out`."""
    rows = tomllib.loads((CASES / f"{name}.toml").read_text())["case"]
    return [_labelled(row) for row in rows]


def _labelled(row: dict[str, Any]) -> Labelled:
    texts = {key: cast("str", row.get(key, "")).lstrip("\n") for key in ("prompt", "baseline", "program")}
    return Labelled(
        name=row["name"], entry_point=row["entry_point"], inputs=row.get("inputs", [[1]]),
        how=row.get("how", "block"), fault=row.get("fault", ""), primary=row["primary"],
        labels=frozenset(row["labels"]), **texts,
    )  # fmt: skip


class Broken:
    """A sandbox that breaks at the program that it is told of."""

    def __init__(self, real: Sandbox, program: str) -> None:
        self._real, self._program = real, program

    @property
    def tier(self) -> Tier:
        return self._real.tier

    async def run(self, job: Job) -> Ran:
        if job.program == self._program:
            raise SandboxError("a worker of the sandbox ended twice")
        return await self._real.run(job)

    async def close(self) -> None:
        await self._real.close()


async def graded(each: Labelled, folder: Path, sandbox: Sandbox) -> Case:
    """Return the case with the verdict that the grader gives, after seeing that the baseline passes."""
    verdict = (
        None if each.fault == "not done" else await _verdict(each, _suite(each, folder), sandbox, folder)
    )
    return Case(
        task_id="HumanEval/0", entry_point=each.entry_point, prompt=Source(each.prompt),
        baseline=Source(each.baseline), program=Source(each.program), verdict=verdict,
        how=each.how if each.program else "none",
        outcome=outcome_of(verdict, "plus"),
    )  # fmt: skip


def _suite(each: Labelled, folder: Path) -> Suite:
    row = problem(
        prompt="", canonical_solution=each.baseline, entry_point=each.entry_point,
        base_input=each.inputs[:1], plus_input=each.inputs[1:],
    )  # fmt: skip
    return load_suite("humaneval", data=write_rows(folder / "data.jsonl", row))


async def _verdict(each: Labelled, suite: Suite, sandbox: Sandbox, folder: Path) -> Verdict:
    if each.fault in FAULTS:
        return Verdict.of_error("HumanEval/0", FAULTS[each.fault], plus=True)
    used = Broken(sandbox, each.program) if each.fault == "sandbox" else sandbox
    cache = CalibrationCache("tests", "key", "machine", root=folder / "cache")
    async with SandboxGrader(suite, used, workers=2, cache=cache) as grader:
        right = await grader.grade("HumanEval/0", each.baseline)
        assert right.passed_plus, f"{each.name}: the baseline does not pass: {right}"
        verdict = await grader.grade("HumanEval/0", each.program)
    assert not verdict.passed_plus, f"{each.name}: the program passes"
    return verdict
