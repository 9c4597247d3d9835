"""A repository, a task, an environment and a jail for the tests of issues."""

import asyncio
import shutil
from pathlib import Path

import pytest

from dualcode.errors import SandboxError
from dualcode.issues.grading import Bench
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.jail.tiers import open_jail
from dualcode.issues.packages import Environment
from dualcode.issues.task import IssueTask
from tests.issues import shop


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.setenv("DUALCODE_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def jail() -> CommandJail:
    try:
        return asyncio.run(open_jail())
    except SandboxError as error:
        pytest.skip(f"no jail for commands holds here: {error.message}")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return shop.make_environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture(scope="session")
def made_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "repository"
    shop.make_repository(folder)
    return folder


@pytest.fixture
def repository(tmp_path: Path, made_repository: Path) -> Path:
    """A repository whose path has blanks, quotes and a colon; HEAD has the fix."""
    return shutil.copytree(made_repository, tmp_path / 'the user\'s "own" repository')


@pytest.fixture
def task(tmp_path: Path, repository: Path) -> IssueTask:
    """A task made of the commit before HEAD."""
    shown = str(repository).replace('"', '\\"')
    revision = shop.git(repository, "rev-parse", "HEAD~1").strip()
    return shop.make_task(tmp_path / "shop-1", Path(shown), revision)


@pytest.fixture
def bench(task: IssueTask, environment: Environment, jail: CommandJail) -> Bench:
    return shop.make_bench(task, environment, jail)
