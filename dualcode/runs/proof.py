"""The proof of a suite: that its tasks can be solved, say what is wanted, and give nothing away.

Nothing of a model's is involved. A task without a reference is checked as far as that goes.
"""

import ast
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from dualcode.bench.richness import Richness, richness
from dualcode.bench.visible import run_visible, visible_tests
from dualcode.errors import SuiteError
from dualcode.extraction.bounds import read_tree
from dualcode.grading.calibration import Calibration
from dualcode.grading.calibration_cache import CalibrationCache, content_key, machine_key
from dualcode.grading.grader import SandboxGrader
from dualcode.grading.problem import Problem
from dualcode.grading.turns import Turns
from dualcode.record import Record
from dualcode.runs.seal import hidden_tests
from dualcode.sandbox.sandbox import Sandbox
from dualcode.suites.suite import Suite
from dualcode.task import Task
from dualcode.together import all_or_nothing
from dualcode.verdict import Verdict

TIMES = 2
"""How often a reference has to pass, each time in a fresh process, and against what it returned before."""


class TaskProof(Record):
    """What was found out of one task."""

    task_id: str
    where: str
    """The file of its tests."""
    tests: int
    """Calls that the hidden tests make; 0 if they cannot be run."""
    repeated: int
    """How many of them the prompt shows as examples: these are graded, but hide nothing."""
    visible: int
    """Tests that the prompt shows."""
    has_reference: bool
    faults: tuple[str, ...]
    """What has to be mended, for people."""
    richness: Richness
    """How much the specification says, and what would make it say more."""


async def prove(suite: Suite, sandbox: Sandbox, workers: int) -> list[TaskProof]:
    """Check every task of a suite, `workers` at a time: nothing that earlier runs kept is taken for granted.

    Raises SandboxError if the sandbox broke.
    """
    with tempfile.TemporaryDirectory() as folder:
        key = content_key(suite.data.sha256)
        cache = CalibrationCache(suite.name, key, machine_key(), root=Path(folder))
        calibration = Calibration(suite, sandbox, Turns(workers + 1), cache)
        async with SandboxGrader(suite, sandbox, workers=workers, cache=cache) as grader:
            return await all_or_nothing(
                _prove(suite, task, sandbox, calibration, grader) for task in suite.tasks
            )


async def _prove(
    suite: Suite, task: Task, sandbox: Sandbox, calibration: Calibration, grader: SandboxGrader
) -> TaskProof:
    problem = Problem.of(task.id, suite.hidden[task.id])
    shown, faults, tests, repeated = visible_tests(task), list[str](), 0, 0
    examples = frozenset(_written(call) for test in shown.tests for call in test.calls)
    try:
        reference = (await calibration.of(task.id)).reference
        tests = sum(part.inputs.count for part in reference.tests.values())
        wanted = None if problem.reference else problem.wanted
        calls = [f"{task.entry_point}({each.arguments})" for each in hidden_tests(reference, wanted)]
        repeated = sum(_written(call) in examples for call in calls)
        faults += _exposed(task, calls, examples)
    except SuiteError as error:
        faults.append(error.message.removeprefix(f"{task.id}: "))
    if problem.reference and tests:
        verdicts = [await grader.grade(task.id, problem.reference) for _ in range(TIMES)]
        faults += dict.fromkeys(why for verdict in verdicts for why in _failures(verdict))
        seen = await run_visible(shown, problem.reference, sandbox)
        if seen.feedback is not None:
            faults.append(
                f"a test in the prompt and the reference disagree: {' '.join(seen.feedback.split())}"
            )
    return TaskProof(
        task_id=task.id,
        where=problem.where,
        tests=tests,
        repeated=repeated,
        visible=len(shown.tests),
        has_reference=bool(problem.reference),
        faults=tuple(faults),
        richness=richness(task),
    )


def _exposed(task: Task, calls: Sequence[str], examples: frozenset[str]) -> Iterator[str]:
    """Yield what the prompt gives away of the hidden calls.

    A call that stands in it as an example is a visible test that is graded, too, and hides nothing; but some
    have to be hidden, and those must not stand in it as any other text.
    """
    hidden = [call for call in dict.fromkeys(calls) if _written(call) not in examples]
    if not hidden:
        yield "the prompt shows every hidden test as an example"
    text = task.prompt.replace('"', "'")
    for call in hidden:
        if call.replace('"', "'") in text:
            yield f"the prompt shows a hidden test: {call:.80}"


def _written(call: str) -> str:
    tree = read_tree(call)
    try:
        return ast.unparse(tree) if tree else call
    except RecursionError:
        return call


def _failures(verdict: Verdict) -> Iterator[str]:
    """Yield why a reference did not pass."""
    for part in (verdict.base, verdict.plus):
        if part is not None and part.status != "passed":
            given = f" on {part.failing_input}" if part.failing_input else ""
            yield f"the reference fails its own tests when it is graded: {part.reason}{given}"
