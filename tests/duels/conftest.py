"""A jail, an environment and the shop's issue for duels."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.packages import Environment
from dualcode.issues.task import IssueTask
from tests.duels.acting import VISIBLE, Ground
from tests.issues import shop
from tests.issues.conftest import environment, jail

__all__ = ["environment", "jail"]


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:  # pyright: ignore[reportUnusedFunction]
    before = os.environ.get("DUALCODE_CACHE_DIR")
    os.environ["DUALCODE_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["DUALCODE_CACHE_DIR"]
    else:
        os.environ["DUALCODE_CACHE_DIR"] = before


@pytest.fixture(scope="module")
def issue(tmp_path_factory: pytest.TempPathFactory) -> IssueTask:
    """The shop's issue, in a folder whose path has blanks and quotes."""
    folder = tmp_path_factory.mktemp("issue") / 'the user\'s "own" issues'
    repository = folder / "repository"
    faulty = shop.make_repository(repository)
    path = Path(str(repository).replace('"', '\\"'))
    return shop.make_task(folder / "shop-1", path, faulty, VISIBLE)


@pytest.fixture(scope="module")
def ground(jail: CommandJail, environment: Environment) -> Ground:
    return Ground(jail, environment)
