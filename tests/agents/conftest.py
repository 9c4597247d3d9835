"""A shop's repository with a fault, made once; a jail, and a place for agents in a tree of its own."""

from collections.abc import Generator
from pathlib import Path

import pytest

from dualcode.agents.records import Workplace
from dualcode.issues.bases import Base, open_base
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.jail.room import Room
from dualcode.issues.packages import Environment
from dualcode.issues.task import Limits
from dualcode.issues.worktrees import Worktree, worktree
from tests.issues import shop
from tests.issues.conftest import environment, jail

__all__ = ["environment", "jail"]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:  # pyright: ignore[reportUnusedFunction]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUALCODE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    folder = tmp_path_factory.mktemp("shop")
    faulty = shop.make_repository(folder / "repository")
    return open_base(shop.make_task(folder / "shop-1", folder / "repository", faulty))


@pytest.fixture
def tree(base: Base) -> Generator[Worktree]:
    with worktree(base, "agent") as made:
        yield made


@pytest.fixture
def place(tree: Worktree, jail: CommandJail, environment: Environment, tmp_path: Path) -> Workplace:
    """Where an agent may change the tree; its changes are kept."""
    limits = Limits(command_seconds=60.0)
    return Workplace(jail, Room(tree, environment), limits, tmp_path / "changes")
