"""Command lines as a user types them, and a scripted reviewer."""

import functools
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dualcode.reviews.enclosed import REFUSED
from tests.cli.conftest import run, team
from tests.fake_server import Answer, FakeServer, serve

__all__ = ["run", "team"]


@functools.cache
def _refusal() -> str:
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, "-m", "dualcode.reviews.enclosed", "20", folder, "true"]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode == REFUSED else ""


@pytest.fixture
def confined() -> None:
    """Skip the test, with the reason, on a machine that cannot confine a test command."""
    if why := _refusal():
        pytest.skip(why)


@pytest.fixture
def server(team: Callable[[FakeServer], Path]) -> Iterator[FakeServer]:
    """A scripted server that `team.toml` names."""
    with serve(Answer()) as found:
        team(found)
        yield found
