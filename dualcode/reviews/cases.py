"""Programs whose truth is known: a suite's own solutions, and mutants of them that its hidden tests fail."""

import ast
import random
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from dualcode.errors import InputError
from dualcode.grading.grader import Grader
from dualcode.record import Record
from dualcode.reviews.mutants import operated
from dualcode.runs.lines import append_whole, read_lines
from dualcode.solution import checksum
from dualcode.suites.suite import Suite
from dualcode.together import all_or_nothing

TRIES = 4
"""Candidates that are made for each mutant that is wanted; many change nothing that a test sees."""


Status = Literal["passed", "failed", "errored"]


class Case(Record):
    """A program and whether it is right."""

    task_id: str
    program: str
    right: bool
    """Whether it is the task's own solution; a mutant that passes the tests is no case."""
    change: str
    """Which operator made it; empty for the solution."""

    @property
    def key(self) -> str:
        """What tells the case from others."""
        return checksum(f"{self.task_id}\0{self.program}")


class Tried(Record):
    """What the tests said of one candidate: a line of `cases.jsonl`."""

    task_id: str
    program: str
    change: str
    status: Status


async def make_cases(
    suite: Suite,
    grader: Grader,
    file: Path,
    *,
    mutants: int,
    seed: int,
    tell: Callable[[str], None],
) -> tuple[list[Case], list[str]]:
    """Return each task's solution and up to `mutants` wrong programs; and what is missing, for people.

    All are written alike, without comments and docstrings, so that nothing but the change tells them apart.
    What was graded before is read from `file`. Raises InputError if nothing is left.
    """
    known = {(each.task_id, each.program): each for each in read_lines(file, Tried, [])}
    missing: list[str] = []
    graded: list[str] = []
    done: list[str] = []

    async def status(task_id: str, program: str, change: str) -> Status:
        if (task_id, program) not in known:
            verdict = await grader.grade(task_id, program)
            passed = all(outcome.status == "passed" for outcome in verdict.parts.values())
            found: Status = "errored" if verdict.errored else "passed" if passed else "failed"
            tried = Tried(task_id=task_id, program=program, change=change, status=found)
            known[task_id, program] = tried
            if found != "errored":
                append_whole(file, f"{tried.to_line()}\n")
            graded.append(task_id)
            tell(f"making programs: {len(graded)} tested, {len(done)} of {len(suite.tasks)} tasks done")
        return known[task_id, program].status

    async def of_task(task_id: str) -> list[Case]:
        right = plain(suite.hidden[task_id].reference())
        if not right or await status(task_id, right, "") != "passed":
            missing.append(f"{task_id}: its own solution does not pass")
            return []
        chosen = [Case(task_id=task_id, program=right, right=True, change="")]
        for each in operated(right, TRIES * mutants, random.Random(f"{seed}/{task_id}")):
            if len(chosen) > mutants:
                break
            if await status(task_id, each.program, each.family) == "failed":
                name = each.family.removeprefix("operator/")
                chosen.append(Case(task_id=task_id, program=each.program, right=False, change=name))
        if len(chosen) <= mutants:
            missing.append(f"{task_id}: {len(chosen) - 1} of {mutants} mutants; the tests pass the others")
        done.append(task_id)
        return chosen

    made = await all_or_nothing(of_task(task.id) for task in suite.tasks)
    cases = [case for chosen in made for case in chosen]
    if not cases:
        raise InputError(f"{suite.title} has no solution to make programs of", hint="dualcode datasets")
    return cases, sorted(missing)


def plain(program: str) -> str:
    """Return a program as the syntax tree has it, without docstrings; empty for what does not parse."""
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError):
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or ([] if isinstance(node, ast.Module) else [ast.Pass()])
    return ast.unparse(tree) + "\n"
