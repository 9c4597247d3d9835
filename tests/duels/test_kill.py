"""Killed at any moment and gone on with: the same records, nothing paid twice, nothing left behind."""

import signal
from collections.abc import Generator

import pytest

from tests.duels.acting import Ground
from tests.duels.killing import Scene, scene

MATRIX = {
    "arms": ["review"],
    "implementers": ["right"],
    "reviewers": ["wrong"],
}
MOMENTS = (
    ("while a model answers", "asked", "2"),
    ("while a step is written", "torn", "steps.jsonl", "2"),
    ("while a fix is graded", "graded", "1"),
)


@pytest.fixture(scope="module")
def here(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Generator[Scene]:
    with scene(tmp_path_factory.mktemp("kills"), ground, **MATRIX) as made:
        made.fight("whole")
        yield made


def test_one_that_nobody_killed_leaves_nothing_behind(here: Scene) -> None:
    assert here.left_behind() == []
    assert set(here.asked("whole").values()) == {1}


def test_killed_three_times_and_gone_on_with(here: Scene) -> None:
    for _, *moment in MOMENTS:
        assert here.child("killed", *moment).wait() == -signal.SIGKILL
        here.wait_for_commands()
    assert not list(here.duel("killed").glob("cells/*/*/*/cell.json"))
    here.fight("killed")
    assert here.shape("killed") == here.shape("whole")
    assert here.asked("killed") == here.asked("whole")
    assert here.left_behind() == []
