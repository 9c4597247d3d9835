"""The field: a sandbox under attack, with a grader on top of it, and the outside around it."""

import asyncio
import contextlib
import ctypes
import json
from collections.abc import Coroutine, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar, cast

from dualcode.grading.grader import SandboxGrader
from dualcode.sandbox import open_sandbox
from dualcode.sandbox.job import Expressions, Job, Ran
from dualcode.sandbox.sandbox import Sandbox
from dualcode.suites.registry import load_suite
from dualcode.verdict import Verdict
from tests.contracts.attacks import forging
from tests.contracts.attacks.attack import Attack
from tests.contracts.attacks.outside import Outside, descendants
from tests.suites.data import write_rows

PATIENCE = 900.0
"""Seconds after which a job counts as hung: far beyond any limit that one is given, on busy machines, too."""

_SUBREAPER = 36
_TEXT_HEAD = 5
"""Bytes before the text of a marshalled `str`: its kind and its length."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Outcomes:
    """What came of an attack."""

    harm: tuple[str, ...]
    """What was done to the outside, leaked, left behind or broken; nothing, if the jail held."""
    end: str
    """How it ended, in a word or two, for the table."""


class Field:
    """A sandbox of one tier with the outside around it. Use it as a context manager."""

    def __init__(self, tier: str, folder: Path) -> None:
        self._parts = contextlib.ExitStack()
        try:
            self.outside = self._parts.enter_context(Outside(folder))
            self._parts.enter_context(_adopting_orphans())
            self._runner = self._parts.enter_context(asyncio.Runner())
            self.sandbox: Sandbox = self._open(tier)
            self.graders = self._graders(folder)
            self.check_honest()
            self._crew = len(descendants(2))
        except BaseException:
            self._parts.close()
            raise

    def _open(self, tier: str) -> Sandbox:
        opening = contextlib.AsyncExitStack()
        self._parts.callback(lambda: self._do(opening.aclose()))
        return self._do(opening.enter_async_context(open_sandbox(1, tier=tier, unsafe=tier == "unsafe")))

    def _graders(self, folder: Path) -> dict[str, SandboxGrader]:
        """Return a grader of each suite by the first part of its tasks' ids."""
        rows = load_suite("humaneval", data=write_rows(folder / "suite.jsonl", *forging.ROWS))
        rows = replace(rows, terms=forging.TERMS)
        (folder / "written" / "triple").mkdir(parents=True)
        for name, text in forging.WRITTEN.items():
            (folder / "written" / "triple" / name).write_text(text)
        graders: dict[str, SandboxGrader] = {}
        for suite in (rows, load_suite(str(folder / "written"))):
            grader = SandboxGrader(suite, self.sandbox, workers=1)
            self._parts.callback(self._close, grader)
            graders[suite.tasks[0].id.partition("/")[0]] = grader
        return graders

    def _close(self, grader: SandboxGrader) -> None:
        self._do(grader.close())

    def _do(self, work: Coroutine[Any, Any, _T]) -> _T:
        return self._runner.run(asyncio.wait_for(work, PATIENCE))

    def run(self, job: Job) -> Ran:
        """Run a job."""
        return self._do(self.sandbox.run(job))

    def grade(self, task_id: str, program: str) -> Verdict:
        """Grade a program."""
        return self._do(self.graders[task_id.partition("/")[0]].grade(task_id, program))

    def value(self, program: str, expression: str, **options: Any) -> Any:
        """Return what an expression comes to in a program, or a description of why it did not."""
        ran = self.run(Job(program, Expressions((f"__import__('json').dumps({expression})",)), **options))
        found = _returned(ran)
        return f"{ran.ending}: {ran.detail} {ran.told()}" if found is None else found

    def attack(self, attack: Attack) -> Outcomes:
        """Make an attack and see what came of it."""
        known = self.outside.known()
        if (before := attack.job_before(known)) is not None:
            self.run(before)
        ran = self.run(attack.job(known))
        report = _report(ran)
        admitted = attack.admitted and any(attack.admitted in lack for lack in self.sandbox.tier.lacks)
        harm = [] if admitted else [f"achieved: {what}" for what in report.get("achieved", [])]
        if self.outside.secret.encode() in ran.stream:
            harm.append("the secret came out")
        end = "possible, and said so" if admitted else _end(ran, report)
        return Outcomes((*harm, *self.trespasses()), end)

    def trespasses(self) -> list[str]:
        """Return what is not as it was, inside and outside; the sandbox must do honest work."""
        harm = self.outside.harm()
        try:
            self.check_honest()
        except (AssertionError, TimeoutError) as error:
            harm.append(f"honest work fails afterwards: {error}")
        left = len(descendants(self._crew)) - self._crew
        return harm + ([f"{left} processes were left"] if left > 0 else [])

    def check_honest(self) -> None:
        """Run an honest program that also looks whether its folder is clean and can be used."""
        ran = self.run(Job(_HONEST, Expressions(("honest()",))))
        told = ran.told()
        assert ran.ending == "finished" and not told, f"{ran.ending} {ran.detail} {told}"
        assert _returned(ran) == {"answer": 42, "files": [], "threads": 1}, str(_returned(ran))

    def close(self) -> None:
        """Close the sandbox and take the outside down."""
        self._parts.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_HONEST = """
import json, os, threading
def honest():
    files = os.listdir(".")
    with os.fdopen(os.open("note", os.O_CREAT | os.O_WRONLY), "w") as note:
        note.write("x")
    os.rmdir is None or os.listdir(".")
    return json.dumps({"answer": 6 * 7, "files": files, "threads": threading.active_count()})
"""


def _returned(ran: Ran) -> Any:
    """Return what the first call returned as JSON text; None if it did not."""
    frames = ran.returned()
    if not frames or frames[0].kind != "V" or frames[0].payload[:1] != b"u":
        return None
    try:
        return json.loads(frames[0].payload[_TEXT_HEAD:])
    except ValueError:
        return None


def _report(ran: Ran) -> dict[str, list[str]]:
    report = _returned(ran)
    return cast("dict[str, list[str]]", report) if isinstance(report, dict) else {}


def _end(ran: Ran, report: dict[str, list[str]]) -> str:
    """Say in a word or two how an attack ended."""
    if ran.ending != "finished":
        return (
            f"{ran.ending.replace('_', ' ')} ({ran.detail})" if ran.detail else ran.ending.replace("_", " ")
        )
    if told := ran.told():
        return f"raised {told.type}"
    names = sorted({part.split(": ")[1] for part in report.get("refused", []) if part.count(": ") >= 2})
    return f"denied ({', '.join(names)})" if names else "nothing came of it"


def forged(verdict: Verdict) -> list[str]:
    """Return which sides of the verdict on a wrong program are not failures."""
    sides = verdict.parts.items()
    return [f"{name}: {side.status} ({side.reason})" for name, side in sides if side.status != "failed"]


@contextlib.contextmanager
def _adopting_orphans() -> Generator[None]:
    """Let every descendant whose parent ends become a child of this process, so that none can hide."""
    libc = ctypes.CDLL(None)
    libc.prctl(_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(_SUBREAPER, 0, 0, 0, 0)
