"""A shop's repository with a fault, a jail, and a site for workflows in it."""

from collections.abc import Generator
from pathlib import Path

import pytest

from dualcode.issues.bases import Base, open_base
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.jail.room import Room
from dualcode.issues.packages import Environment
from dualcode.issues.task import IssueTask, Limits
from dualcode.issues.worktrees import Worktree, worktree
from dualcode.workflows.hands import Site
from tests.issues.conftest import (
    _own_cache,  # pyright: ignore[reportPrivateUsage]
    environment,
    jail,
    made_repository,
    repository,
    task,
)

__all__ = ["_own_cache", "environment", "jail", "made_repository", "repository", "task"]


@pytest.fixture
def base(task: IssueTask) -> Base:
    return open_base(task)


@pytest.fixture
def tree(base: Base) -> Generator[Worktree]:
    with worktree(base, "workflow") as made:
        yield made


@pytest.fixture
def site(tree: Worktree, jail: CommandJail, environment: Environment, tmp_path: Path) -> Site:
    folder = tmp_path / "records"
    folder.mkdir()
    return Site(jail, Room(tree, environment), Limits(command_seconds=60.0), folder)
