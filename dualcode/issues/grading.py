"""Whether a diff solves an issue: the hidden tests on a fresh tree, run by us, in the jail.

The tree is the base with what counts of the diff (`screen`); the graded tests and their machinery are the
base's and the task's own. Into every hidden file of tests two more are written: one passes, and one fails,
under names drawn at random. Code under test shares a process with pytest and could change what it reports;
then the one that must fail passes, too. That is a tripwire, and no proof.
"""

import asyncio
import json
import os
import re
import secrets
import shutil
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dualcode.errors import RunError, SandboxError, SuiteError
from dualcode.issues.bases import Base
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.jail.room import Ended, Room
from dualcode.issues.packages import Environment
from dualcode.issues.screen import Screened, screen
from dualcode.issues.task import IssueTask
from dualcode.issues.verdict import IssueVerdict, Phases
from dualcode.issues.worktrees import Worktree, give, temporary_folder, worktree

INSIDE = Path(__file__).with_name("inside.py")
_REPORT = "report.xml"
_OUTPUT = 4_000
MOST_BYTES = 64 << 20
"""Of a report."""
Status = Literal["passed", "failed", "error", "skipped"]
_TAGS: tuple[tuple[str, Status], ...] = (("error", "error"), ("failure", "failed"), ("skipped", "skipped"))
_WORSE = {"passed": 0, "skipped": 1, "failed": 2, "error": 3}
_CANARY = """

def {passes}():
    assert {value!r} == {value!r}


def {fails}():
    assert not {value!r}, {value!r}
"""


@dataclass(frozen=True)
class Case:
    """One test of a run."""

    status: Status
    text: str
    """What pytest says of a failure; empty if it passed."""


@dataclass(frozen=True)
class TestRun:
    """One run of a task's tests on one tree."""

    __test__ = False  # no test of pytest's

    ended: Ended
    cases: Mapping[str, Case] | None
    """By id, without the canaries; None if there is no report."""
    quiet: bool
    """Whether every canary was reported as what it is."""
    forged: bool
    """Whether one that must fail is reported to have passed."""

    def passed(self, test: str) -> bool:
        """Whether a test ran and passed."""
        return self.cases is not None and test in self.cases and self.cases[test].status == "passed"


@dataclass
class Bench:
    """All that a task's fixes are graded with."""

    task: IssueTask
    base: Base
    environment: Environment
    jail: CommandJail

    async def grade(self, diff: str, *, name: str = "") -> IssueVerdict:
        """Grade a diff. Trouble of ours is tried again once, and then the verdict has `solved` None."""
        verdict = await self._grade(diff, name)
        if verdict.solved is None:
            again = await self._grade(diff, name)
            return again.model_copy(update={"attempts": 2})
        return verdict

    async def _grade(self, diff: str, name: str) -> IssueVerdict:
        began = time.monotonic()
        try:
            with worktree(self.base, name or f"grade-{secrets.token_hex(6)}") as tree:
                made = time.monotonic()
                try:
                    screened = await asyncio.to_thread(screen, tree, diff, self.task, self.environment)
                except SuiteError as error:
                    return self._verdict(False, error.message)
                applied = time.monotonic()
                run = await self.run(tree)
                phases = Phases(worktree=made - began, apply=applied - made, tests=time.monotonic() - applied)
        except (SandboxError, RunError, OSError) as error:
            return self._verdict(None, f"the grader had trouble: {error}")
        return await self._judge(run, screened, phases)

    async def _judge(self, run: TestRun, screened: Screened, phases: Phases) -> IssueVerdict:
        """Say what a run of a fix's tests means. Without a result, the base tells whose trouble it is."""
        failing = tuple(each for each in self.task.fail_to_pass if not run.passed(each))
        broken = tuple(each for each in self.task.pass_to_pass if not run.passed(each))
        about = {
            "dropped": screened.dropped,
            "counted": screened.counted,
            "out_of_scope": tuple(path for path in screened.counted if not self.task.in_scope(path)),
            "scope": self.task.scope_score(screened.counted),
            "output": _shortened(run.ended.output),
            "phases": phases,
            "failing": failing,
            "broken": broken,
        }
        if run.forged:
            return self._verdict(False, "a test that must fail was reported to pass", tampered=True, **about)
        if run.ended.ending != "finished" or run.cases is None or not run.quiet:
            if trouble := await self.trouble():
                return self._verdict(None, trouble, **about)
            why = (
                f"the tests {run.ended.ending}" if run.ended.ending != "finished" else "the tests did not run"
            )
            return self._verdict(False, why, **about)
        if failing or broken:
            first = (failing or broken)[0]
            told = (
                f"{len(failing)} of {len(self.task.fail_to_pass)} tests of the issue fail" if failing else ""
            )
            lost = f"{len(broken)} tests that passed before fail" if broken else ""
            return self._verdict(False, f"{'; '.join(filter(None, (told, lost)))}, such as {first}", **about)
        return self._verdict(True, "solved", **about)

    def _verdict(self, solved: bool | None, reason: str, **about: object) -> IssueVerdict:
        return IssueVerdict.model_validate(
            {"task": self.task.name, "solved": solved, "reason": reason, **about}
        )

    async def trouble(self) -> str:
        """Return what keeps the base's own tests from being run here; empty if nothing does."""
        with worktree(self.base, f"base-{secrets.token_hex(6)}") as tree:
            run = await self.run(tree)
        if run.ended.ending != "finished":
            return f"the base's own tests {run.ended.ending}"
        if run.cases is None or not any(case.status == "passed" for case in run.cases.values()):
            if not self.task.pass_to_pass and run.cases is not None:
                return ""
            return f"the base's own tests did not run: {_shortened(run.ended.output)[-300:]}"
        return ""

    async def run(self, tree: Worktree) -> TestRun:
        """Lay the hidden tests over a tree and run all graded ones."""
        with temporary_folder() as results, temporary_folder() as given:
            give(results)
            canaries = await asyncio.to_thread(lay_tests, tree, self.task)
            room = self._room(tree, results, given)
            limits = self.task.limits
            limits = limits.model_copy(update={"command_seconds": limits.test_seconds})
            places = self.jail.places(room)
            command = f"exec python -I -S -B {places.given}/inside.py {places.given}/spec.json"
            ended = await self.jail.run(command, room, limits)
            return _read(ended, results / _REPORT, canaries)

    def _room(self, tree: Worktree, results: Path, given: Path) -> Room:
        given.chmod(0o755)
        shutil.copyfile(INSIDE, given / "inside.py")
        files = tuple((given / name, name) for name in ("inside.py", "spec.json"))
        roots = self.task.settings.pythonpath
        room = Room(tree, self.environment, roots, results=results, files=files)
        places = self.jail.places(room)
        wanted = {each.partition("::")[0] for each in (*self.task.fail_to_pass, *self.task.pass_to_pass)}
        spec = {
            "tree": places.tree,
            "packages": places.packages,
            "roots": [places.tree if each == "." else f"{places.tree}/{each}" for each in roots],
            "report": f"{places.results}/{_REPORT}",
            "arguments": sorted(wanted),
        }
        (given / "spec.json").write_text(json.dumps(spec))
        for file, _ in files:
            file.chmod(0o644)
        return room


@dataclass(frozen=True)
class Canaries:
    """The two tests that were written into each hidden file."""

    passes: frozenset[str]
    fails: Mapping[str, str]
    """The id, and the word that its failure must show."""


def lay_tests(tree: Worktree, task: IssueTask) -> Canaries:
    """Write the hidden tests over a tree, no link followed, with a canary that passes and one that fails."""
    passes: set[str] = set()
    fails: dict[str, str] = {}
    tested = {each.partition("::")[0] for each in task.fail_to_pass}
    for name, source in task.hidden_files():
        path = tree.path
        for part in Path(name).parts[:-1]:
            path /= part
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                path.unlink()
            path.mkdir(exist_ok=True)
        path /= Path(name).name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        content = source.read_bytes()
        if name in tested:
            good, bad, word = (f"test_{secrets.token_hex(5)}" for _ in range(3))
            content += _CANARY.format(passes=good, fails=bad, value=word).encode()
            passes.add(f"{name}::{good}")
            fails[f"{name}::{bad}"] = word
        path.write_bytes(content)
    tree.give()
    return Canaries(frozenset(passes), fails)


def read_report(path: Path) -> dict[str, Case] | None:
    """Return the cases of JUnit's XML by pytest's id; None if there is no report that can be read.

    A file that could not be imported stands among them under its dotted name, as an error.
    An id that comes twice has the worse of its outcomes: a test can pass, and fail in its teardown.
    """
    try:
        flags = os.O_NOFOLLOW | os.O_NONBLOCK
        with open(path, "rb", opener=lambda name, how: os.open(name, how | flags)) as file:
            content = file.read(MOST_BYTES + 1) or b""  # a pipe that somebody holds has nothing yet
    except OSError:
        return None
    if len(content) > MOST_BYTES or re.search(rb"<!(DOCTYPE|ENTITY)|\0", content):
        return None  # pytest escapes all that is not its own: this was written by somebody else
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, LookupError, ValueError):
        return None
    found: dict[str, Case] = {}
    for element in root.iter("testcase"):
        case = Case("passed", "")
        for tag, status in _TAGS:
            if (child := element.find(tag)) is not None:
                expected = status == "skipped" and child.get("type") == "pytest.xfail"
                text = f"{child.get('message') or ''}\n{child.text or ''}".strip()
                case = Case("passed" if expected else status, text)
                break
        name = next(
            (each.get("value") for each in element.iter("property") if each.get("name") == "nodeid"), None
        )
        name = name or ".".join(filter(None, (element.get("classname"), element.get("name"))))
        if name not in found or _WORSE[found[name].status] < _WORSE[case.status]:
            found[name] = case
    return found


def _read(ended: Ended, report: Path, canaries: Canaries) -> TestRun:
    cases = read_report(report)
    if cases is None:
        return TestRun(ended, None, quiet=False, forged=False)
    seen = {name: cases.get(name) for name in (*canaries.passes, *canaries.fails)}
    unread = {name for name, case in cases.items() if case.status == "error" and "::" not in name}

    def quiet(name: str, case: Case | None) -> bool:
        if case is None:  # its file could not be imported: all its tests are missing, and count as failed
            return name.partition("::")[0].removesuffix(".py").replace("/", ".") in unread
        if name in canaries.passes:
            return case.status == "passed"
        return case.status == "failed" and canaries.fails[name] in case.text

    must_fail = (seen[name] for name in canaries.fails)
    forged = any(case is not None and case.status == "passed" for case in must_fail)
    forged |= ended.ending == "finished" and ended.exit_code == 0
    heard = all(quiet(name, case) for name, case in seen.items())
    return TestRun(ended, {n: case for n, case in cases.items() if n not in seen}, quiet=heard, forged=forged)


def _shortened(output: str) -> str:
    text = re.sub(r"\x1b\[[0-9;]*m", "", output)
    return text if len(text) <= _OUTPUT else f"{text[: _OUTPUT // 2]}\n[…]\n{text[-_OUTPUT // 2 :]}"
