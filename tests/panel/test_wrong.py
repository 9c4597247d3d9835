"""The shipped wrong fix is wrong: graded as any fix is, it fails hidden tests and breaks none."""

from pathlib import Path

import pytest

from dualcode.issues.checking import open_bench
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.packages import Environment
from dualcode.issues.task import IssueTask, find_task
from dualcode.panel.calibration import calibrations_of
from tests.issues.conftest import environment, jail
from tests.pages import ROOT

__all__ = ["environment", "jail"]
ARCHIVES = ROOT / "tests" / "issues" / "data"


async def test_the_wrong_fix_fails_hidden_tests_and_breaks_none(
    tmp_path: Path, jail: CommandJail, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(_: IssueTask) -> Environment:
        return environment

    monkeypatch.setenv("DUALCODE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("dualcode.issues.packages.environment", made)
    task = find_task("sqlparse-742")
    bench = await open_bench(task, jail, near=[ARCHIVES])
    _, wrong, instruction = calibrations_of(task)
    for exhibit in (wrong, instruction):
        verdict = await bench.grade(exhibit.diff)
        assert verdict.solved is False and verdict.failing and not verdict.broken
