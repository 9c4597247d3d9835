"""The proof of an issue task: its tests tell a fix from none, its solution is one, and nobody can read it.

Nothing of a model's is involved. Everything runs in the jail, without a network, twice.
"""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from pathlib import Path

from dualcode.errors import SuiteError
from dualcode.issues import packages
from dualcode.issues.bases import Base, open_base
from dualcode.issues.git import git
from dualcode.issues.grading import Bench, TestRun
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.jail.room import Room
from dualcode.issues.task import IssueTask
from dualcode.issues.worktrees import worktree
from dualcode.record import Record

TIMES = 2
_SEARCH = Path(__file__).with_name("searching.py")
_SHORTEST = 24
"""Characters of a line that is taken for the fix's own, where another file has it."""


class IssueProof(Record):
    """What was found out of one task."""

    task: str
    fail_to_pass: int
    pass_to_pass: int
    has_solution: bool
    faults: tuple[str, ...]
    """What has to be mended, for people."""
    seconds: dict[str, float]
    """Of the source and base, the environment, a worktree, a run of the tests, and the search for the fix."""


async def open_bench(task: IssueTask, jail: CommandJail, near: Sequence[Path] = ()) -> Bench:
    """Return all that a task's fixes are graded with, made where it is not there yet.

    Raises SuiteError if source or packages cannot be had.
    """
    base = await asyncio.to_thread(open_base, task, near)
    return Bench(task, base, await asyncio.to_thread(packages.environment, task), jail)


async def prove_issue(
    task: IssueTask,
    jail: CommandJail,
    *,
    near: Sequence[Path] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> IssueProof:
    """Check one task; `tell` hears what is being done. Raises SandboxError if the jail broke."""
    seconds: dict[str, float] = {}
    faults: list[str] = []

    tell("source and base")
    try:
        with _timed(seconds, "base"):
            base = await asyncio.to_thread(open_base, task, near)
        tell("environment")
        with _timed(seconds, "environment"):
            environment = await asyncio.to_thread(packages.environment, task)
    except SuiteError as error:
        faults.append(str(error))
        return _proof(task, faults, seconds)
    bench = Bench(task, base, environment, jail)
    solution = task.solution.read_text("utf-8", "surrogateescape") if task.solution.exists() else None
    fixes = {"base": "", "solution": solution}
    if task.wrong.exists():
        fixes["wrong fix"] = task.wrong.read_text("utf-8", "surrogateescape")
    for number in range(TIMES):
        for what, diff in fixes.items():
            if diff is not None:
                tell(f"tests of the {what}, run {number + 1} of {TIMES}")
                faults += [each async for each in _tested(bench, what, diff, seconds)]
    tell("a copy of the fix that could be read")
    with _timed(seconds, "search"):
        faults += await _readable(bench, solution or "")
    return _proof(task, list(dict.fromkeys(faults)), seconds)


@contextlib.contextmanager
def _timed(seconds: dict[str, float], what: str) -> Generator[None]:
    """Note how long the block takes, unless it fails."""
    began = time.monotonic()
    yield
    seconds[what] = round(time.monotonic() - began, 3)


def _proof(task: IssueTask, faults: Sequence[str], seconds: dict[str, float]) -> IssueProof:
    return IssueProof(
        task=task.name,
        fail_to_pass=len(task.fail_to_pass),
        pass_to_pass=len(task.pass_to_pass),
        has_solution=task.solution.exists(),
        faults=tuple(faults),
        seconds=seconds,
    )


async def _tested(bench: Bench, what: str, diff: str, seconds: dict[str, float]) -> AsyncGenerator[str]:
    """Yield what is wrong with one run of the tests on the base, or on the base with one of the two fixes."""
    began = time.monotonic()
    with worktree(bench.base, f"check-{what.replace(' ', '-')}") as tree:
        seconds["worktree"] = round(time.monotonic() - began, 3)
        try:
            await asyncio.to_thread(tree.apply, diff)
        except SuiteError as error:
            patch = bench.task.solution if what == "solution" else bench.task.wrong
            yield f"{patch}: {error.message}"
            return
        with _timed(seconds, f"tests of the {what}"):
            run = await bench.run(tree)
    for each in _faults(bench.task, what, run):
        yield each


def _faults(task: IssueTask, what: str, run: TestRun) -> Iterator[str]:
    named = f"the {what}"
    if run.ended.ending != "finished" or run.cases is None:
        tail = " ".join(run.ended.output.split())[-300:]
        yield f"the tests of {named} did not run ({run.ended.ending}, code {run.ended.exit_code}): {tail}"
        return
    if run.forged or not run.quiet:
        yield f"a test that must fail, or one that must pass, did not with {named}"
    if what == "wrong fix":
        if all(map(run.passed, (*task.fail_to_pass, *task.pass_to_pass))):
            yield f"{task.wrong}: every hidden test passes with it, so it is not known to be wrong"
        return
    for test in task.fail_to_pass:
        if run.passed(test) == (what == "base"):
            yield f"{test} {'passes' if what == 'base' else 'does not pass'} with {named}"
    for test in task.pass_to_pass:
        if not run.passed(test):
            state = run.cases[test].status if test in run.cases else "is not there"
            yield f"{test} is to pass with {named}: {state}"


async def _readable(bench: Bench, solution: str) -> list[str]:
    """Return the places, beside the tree, where a command of the jail could read the fix, or the package."""
    found: list[str] = []
    reached = git(bench.base.git_dir, "rev-list", "--all", "--count").decode().strip()
    kinds = git(bench.base.git_dir, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)")
    commits = kinds.split().count(b"commit")
    if reached != "1" or commits != 1:
        found.append(f"the base has {commits} commits, and may have one")
    with worktree(bench.base, "check-search") as tree:
        files, lines = _of_fix(solution, bench.base)
        spec = tree.base.folder / "search.json"
        packs = sorted(
            path.name
            for root in bench.task.settings.pythonpath
            for path in (tree.path / root).iterdir()
            if (path / "__init__.py").is_file() and path.name not in ("tests", "test", "docs")
        )
        spec.write_text(json.dumps({"names": packs, "files": files, "lines": lines}))
        given = ((_SEARCH, "searching.py"), (spec, "search.json"))
        room = Room(tree, bench.environment, bench.task.settings.pythonpath, files=given)
        places = bench.jail.places(room)
        skipped = f"{places.tree} {places.given}"
        command = f"python -I -S {places.given}/searching.py {places.given}/search.json {skipped}"
        ended = await bench.jail.run(
            command, room, bench.task.limits.model_copy(update={"command_seconds": 300.0})
        )
    if not ended.succeeded:
        return [*found, f"the search for copies of the fix {ended.ending}: {ended.output[-300:]}"]
    return found + [f"a command can read {line}" for line in ended.output.splitlines() if line]


def _of_fix(solution: str, base: Base) -> tuple[list[str], list[str]]:
    """Return the names of the files that a fix changes, and lines that only it has."""
    given = solution.encode("utf-8", "surrogateescape")
    told = git(None, "apply", "--numstat", "-z", "-", given=given, allowed=(0, 1, 128))
    paths = (os.fsdecode(each.split(b"\t", 2)[2]) for each in told.split(b"\0") if each)
    files = [path.rpartition("/")[2] for path in paths]
    added = {line[1:].strip() for line in solution.split("\n") if line.startswith("+") and line[1:2] != "+"}
    lines = sorted(line for line in added if len(line) >= _SHORTEST and any(map(str.isalpha, line)))
    if not lines:
        return files, []
    sought = [part for line in lines for part in ("-e", line)]
    told = git(base.git_dir, "grep", "-h", "-F", *sought, base.commit, allowed=(0, 1))
    known = told.decode(errors="replace")
    return files, [line for line in lines if line not in known]
