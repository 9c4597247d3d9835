"""The matrix, from the models' commands to the records."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dualcode.duels.preparing import Prepared
from dualcode.duels.records import Cell, DuelRecords
from dualcode.duels.scores import Spread
from dualcode.duels.standing import board
from dualcode.duels.store import read_duel
from dualcode.issues.bases import open_base
from dualcode.issues.task import IssueTask
from dualcode.workflows.store import Place
from tests.duels.acting import Ground, write_duel
from tests.duels.plays import CHEAT, PATCHER, RIGHT, SPRAWLER, WRONG, litterer
from tests.duels.scripted import ScriptedModel
from tests.issues.attacks import command_lines

MATRIX: dict[str, Any] = {
    "planners": ["right"],
    "implementers": ["right", "wrong"],
    "reviewers": ["wrong"],
    "arms": ["pair", "solo", "review", "drawn"],
}


class Fought:
    """A duel that has ended."""

    def __init__(self, prepared: Prepared, folder: Path, chats: Mapping[str, ScriptedModel]) -> None:
        self.prepared, self.folder, self.chats = prepared, folder, chats
        self.told = list[str]()

    @property
    def records(self) -> DuelRecords:
        return read_duel(self.folder)

    def cell(self, condition: str) -> Cell:
        return next(cell for cell in self.records.cells if cell.condition == condition)


@pytest.fixture(scope="module")
def fought(ground: Ground, issue: IssueTask, tmp_path_factory: pytest.TempPathFactory) -> Fought:
    folder = tmp_path_factory.mktemp("duel") / "with 'blanks' and \"quotes\""
    path = write_duel(folder, ("right", "wrong"), issue.folder, **MATRIX)
    scripts = {"right": RIGHT, "wrong": WRONG}
    chats = {name: ScriptedModel(name, script.play) for name, script in scripts.items()}
    found = Fought(ground.prepared(path), folder / "duels" / "duel", chats)
    assert ground.run(found.prepared, found.folder, found.chats, told=found.told) == []
    return found


def test_the_hidden_tests_decide(fought: Fought) -> None:
    solved = {cell.condition: cell.solved for cell in fought.records.cells}
    drawn = solved.pop("drawn:right+wrong")
    assert drawn in (True, False)
    assert solved == {
        "right->right": True,
        "right->wrong": False,
        "review:right+wrong": True,
        "review:wrong+wrong": True,  # the reviewer finds it, and it is mended
    }
    assert {cell.status for cell in fought.records.cells} == {"complete"}


def test_a_plan_is_made_once_and_counts_in_full_for_each(fought: Fought) -> None:
    plans = [
        [phase for phase in fought.cell(name).phases if phase.kind == "plan"]
        for name in ("right->right", "right->wrong")
    ]
    assert plans[0] == plans[1]
    assert [(phase.name, phase.calls, phase.shared) for phase in plans[0]] == [
        ("explore", 2, True), ("plan", 1, True),
    ]  # fmt: skip
    assert all(phase.money for phase in plans[0])
    planned = {step.node for key, steps in fought.records.steps.items() for step in steps if "->" in key[0]}
    assert planned == {"explore", "plan", "implement", "self-review"}
    assert fought.cell("right->wrong").plan == "Mend total()."
    assert fought.cell("review:right+wrong").plan is None


def test_each_phase_has_its_model_and_its_price(fought: Fought) -> None:
    phases = {phase.name: phase for phase in fought.cell("review:right+wrong").phases}
    assert [(phase.model, phase.kind) for phase in phases.values()] == [
        ("right", "implement"), ("wrong", "review"), ("right", "implement"), (None, "check"),
    ]  # fmt: skip
    for phase in phases.values():
        usage = phase.usage
        expected = (usage.prompt_tokens * 1.0 + usage.completion_tokens * 2.0) / 1e6
        assert sum((phase.money or {}).values()) == pytest.approx(expected)
        assert phase.source == ("tokens" if phase.calls else "unknown")


def test_who_was_drawn_is_on_record_of_each_call(fought: Fought) -> None:
    folder = fought.folder / "cells" / "drawn:right+wrong" / "shop-1" / "1"
    asked = [call.endpoint for call in Place(folder).calls()]
    assert set(asked) <= {"right", "wrong"}
    assert len(asked) == sum(phase.calls for phase in fought.cell("drawn:right+wrong").phases)


def test_nothing_is_done_twice_and_nothing_is_left(fought: Fought, ground: Ground, issue: IssueTask) -> None:
    made = {name: chat.made for name, chat in fought.chats.items()}
    before = fought.records
    assert ground.run(fought.prepared, fought.folder, fought.chats) == []
    assert {name: chat.made for name, chat in fought.chats.items()} == made
    assert fought.records == before
    assert list((open_base(issue).folder / "trees").glob("*")) == []


def test_progress_names_each_cell_and_how_it_ended(fought: Fought) -> None:
    assert any("of 5  right->wrong/shop-1/1  not solved" in line for line in fought.told)
    assert any("of 5  right->right/shop-1/1  solved" in line for line in fought.told)


@pytest.fixture(scope="module")
def attacked(ground: Ground, issue: IssueTask, tmp_path_factory: pytest.TempPathFactory) -> Fought:
    folder = tmp_path_factory.mktemp("attacks")
    outside = folder / "outside"
    outside.mkdir(mode=0o777)
    outside.chmod(0o777)
    scripts = {"cheat": CHEAT, "patcher": PATCHER, "litterer": litterer(str(outside), folder.name)}
    scripts["sprawler"] = SPRAWLER
    chats = {name: ScriptedModel(name, script.play) for name, script in scripts.items()}
    path = write_duel(folder, tuple(scripts), issue.folder, arms=["no-plan"])
    found = Fought(ground.prepared(path), folder / "duels" / "duel", chats)
    assert ground.run(found.prepared, found.folder, chats) == []
    return found


def test_what_makes_tests_pass_without_a_fix_does_not_count(attacked: Fought) -> None:
    verdict = attacked.cell("no-plan:cheat").verdict
    assert verdict is not None
    assert (verdict.solved, verdict.broken) == (False, ())
    assert {each.path for each in verdict.dropped} == {
        "conftest.py", "pytest.ini", "sitecustomize.py",
        "tests/conftest.py", "tests/test_issue.py", "tests/test_price.py",
    }  # fmt: skip


def test_ten_unrelated_files_lose_the_points_for_scope_and_solve_the_issue_all_the_same(
    attacked: Fought,
) -> None:
    verdict = attacked.cell("no-plan:sprawler").verdict
    assert verdict is not None
    assert (verdict.solved, verdict.scope, len(verdict.out_of_scope)) == (True, 1, 10)
    rows = {row.id: row for row in board(read_duel(attacked.folder)).standings}
    assert rows["no-plan:sprawler"].scope == Spread(mean=1, std=None, cells=1)
    assert rows["no-plan:patcher"].scope == Spread(mean=10, std=None, cells=1)


def test_a_package_that_patches_pytest_is_caught(attacked: Fought) -> None:
    verdict = attacked.cell("no-plan:patcher").verdict
    assert verdict is not None
    assert (verdict.solved, verdict.tampered) == (False, True)


def test_what_is_left_in_a_tree_does_nothing_to_the_host(attacked: Fought) -> None:
    cell = attacked.cell("no-plan:litterer")
    assert cell.solved is True
    assert {each.path for each in cell.left_out} == {"inner", "way-out"}
    outside = attacked.folder.parent.parent / "outside"
    assert list(outside.iterdir()) == []
    assert not any(attacked.folder.parent.parent.name in line and "sleep" in line for line in command_lines())
