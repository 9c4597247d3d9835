"""The whole matrix, from the models' commands to the records."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from dualcode.duels.preparing import Prepared
from dualcode.duels.records import DuelRecords
from dualcode.duels.store import read_duel
from dualcode.issues.task import IssueTask
from tests.duels.acting import Ground, write_duel
from tests.duels.scripted import REVISED, Script, ScriptedModel

MEND = "printf 'def total(prices):\\n    return sum(prices)\\n' > shop/price.py"
SPOIL = "printf 'def total(prices):\\n    return sum(prices) + 1\\n' > shop/price.py"
RIGHT = Script(edits=(MEND,), fixes=(MEND,))
WRONG = Script(edits=(SPOIL,), fixes=(MEND,), review=REVISED)


def models() -> dict[str, ScriptedModel]:
    return {"right": ScriptedModel("right", RIGHT.play), "wrong": ScriptedModel("wrong", WRONG.play)}


class Fought:
    """A duel that has ended."""

    def __init__(self, prepared: Prepared, folder: Path, chats: Mapping[str, ScriptedModel]) -> None:
        self.prepared, self.folder, self.chats = prepared, folder, chats
        self.told = list[str]()

    @property
    def records(self) -> DuelRecords:
        return read_duel(self.folder)


@pytest.fixture(scope="module")
def fought(ground: Ground, issue: IssueTask, tmp_path_factory: pytest.TempPathFactory) -> Fought:
    folder = tmp_path_factory.mktemp("duel") / "with 'blanks' and \"quotes\""
    path = write_duel(
        folder, ("right", "wrong"), issue.folder, arms=["pair", "solo", "no-plan", "review", "drawn"]
    )
    found = Fought(ground.prepared(path), folder / "duels" / "duel", models())
    assert ground.run(found.prepared, found.folder, found.chats, told=found.told) == []
    return found


def test_every_condition_is_fought_and_the_hidden_tests_decide(fought: Fought) -> None:
    assert {cell.condition: cell.solved for cell in fought.records.cells if cell.status == "complete"} == {
        "right->right": True,
        "right->wrong": False,
        "wrong->right": True,
        "wrong->wrong": False,
        "no-plan:right": True,
        "no-plan:wrong": False,
        "review:right+right": True,
        "review:wrong+right": False,  # the reviewer approves what is wrong
        "review:right+wrong": True,
        "review:wrong+wrong": True,  # the reviewer finds it, and it is mended
        "drawn:right+wrong": fought.records.cells[-1].solved,
    }
