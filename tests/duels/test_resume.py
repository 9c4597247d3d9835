"""What ends a duel early can be gone on with: a fault of ours, the money limit, another owner, growth."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from dualcode.call import Request
from dualcode.duels.duel import folder_of, left_of, refuse_other
from dualcode.duels.forecast import forecast
from dualcode.duels.preparing import Prepared
from dualcode.duels.running import MOST_ERRORED
from dualcode.duels.store import read_duel
from dualcode.errors import EndpointError, MoneyError, RunError
from dualcode.issues.bases import open_base
from dualcode.issues.task import IssueTask
from tests.duels.acting import Ground, write_duel
from tests.duels.plays import RIGHT
from tests.duels.scripted import PHASES, ScriptedModel

SOLO: dict[str, Any] = {"arms": ["no-plan"], "workflows": {"unplanned": "short.yaml"}}
SHORT = """\
name: short
description: one node
nodes:
  - id: implement
    role: implementer
    retry: {max_attempts: 1, delay_ms: 1000}
    prompt: |
      IMPLEMENT $ARGUMENTS
"""

PLANNED = """\
name: planned
description: two nodes
nodes:
  - id: plan
    role: planner
    writable: false
    retry: {max_attempts: 1, delay_ms: 1000}
    prompt: |
      PLAN $ARGUMENTS
  - id: implement
    role: implementer
    depends_on: [plan]
    prompt: |
      IMPLEMENT # $plan.output
"""
PHASES["IMPLEMENT #"] = "implement"
PHASES["PLAN #"] = "plan"


def prepared(
    ground: Ground, folder: Path, issue: IssueTask, models: tuple[str, ...], **keys: Any
) -> Prepared:
    folder.mkdir(exist_ok=True)
    (folder / "short.yaml").write_text(SHORT)
    return ground.prepared(write_duel(folder, models, issue.folder, **{**SOLO, **keys}))


def test_a_duel_goes_on_from_a_fault_a_limit_and_another_size(
    ground: Ground, issue: IssueTask, tmp_path: Path
) -> None:
    """One duel through all of it: each step of it pays only for what is new."""
    folder, faults, log = tmp_path / "duels" / "duel", [2], tmp_path / "log"

    def play(request: Request) -> str:
        if log.exists() and len(log.read_text().splitlines()) == 1 and faults[0]:
            faults[0] -= 1
            raise EndpointError("the server burns")
        return RIGHT.play(request)

    chats = {"a": ScriptedModel("a", play, log)}
    # A fault of ours, which the node's own second attempt meets, too: errored, and not the model's.
    (cell,) = ground.run(prepared(ground, tmp_path, issue, ("a",)), folder, chats)
    assert (cell.status, cell.solved, cell.diff != "") == ("errored", None, True)
    assert "the server burns" in cell.reason
    assert left_of(prepared(ground, tmp_path, issue, ("a",)), folder) == 1
    # Done again: what was paid for is the ledger's, and no command runs twice.
    assert ground.run(prepared(ground, tmp_path, issue, ("a",)), folder, chats) == []
    assert read_duel(folder).cells[0].solved is True
    assert len(log.read_text().splitlines()) == 2
    # It grows by a trial, and stops at its money limit before the end.
    low = {"trials": 2, "limits": {"money": {"$": 1e-9}}}
    with pytest.raises(MoneyError, match=r"1 of 2 cells are not done") as told:
        ground.run(prepared(ground, tmp_path, issue, ("a",), **low), folder, chats)
    assert told.value.exit_code == 7
    assert len(log.read_text().splitlines()) == 2
    # With more money it goes on.
    high = {"trials": 2, "limits": {"money": {"$": 1.0}}}
    assert ground.run(prepared(ground, tmp_path, issue, ("a",), **high), folder, chats) == []
    assert [cell.solved for cell in read_duel(folder).cells] == [True, True]
    assert len(log.read_text().splitlines()) == 4  # a trial has a seed of its own
    assert list((open_base(issue).folder / "trees").glob("*")) == []
    # Another configuration is refused with what differs, before any server is asked; --fresh goes beside it.
    other = prepared(ground, tmp_path, issue, ("a",), seed=4)
    assert folder_of(other, tmp_path / "duels") == folder
    assert folder_of(other, tmp_path / "duels", fresh=True) == tmp_path / "duels" / "duel-2"
    with pytest.raises(RunError, match=r"trials was 2, is 1; config.seed was 0, is 4"):
        refuse_other(other, folder)
    # What is on record is what a forecast goes by.
    grown = forecast(prepared(ground, tmp_path, issue, ("a",), trials=3), read_duel(folder).cells)
    (model,) = grown.models
    assert (grown.cells, grown.of, model.measured, model.calls.least, model.calls.most) == (1, 3, 2, 2, 2)
    spent = read_duel(folder).cells[0].phases[0].money
    assert model.money is not None
    assert spent is not None
    assert model.money.most == pytest.approx(spent["$"], rel=0.1)


def test_cells_that_error_one_after_another_end_it(ground: Ground, issue: IssueTask, tmp_path: Path) -> None:
    models = ("a", "b", "c", "d", "e")

    def broken(request: Request) -> str:
        raise ValueError("ours")

    chats = {name: ScriptedModel(name, broken) for name in models}
    with pytest.raises(RunError, match=f"{MOST_ERRORED} cells in a row errored"):
        ground.run(prepared(ground, tmp_path, issue, models), tmp_path / "duel", chats, concurrency=1)
    assert sum(chat.made for chat in chats.values()) < 2 * len(models)


def test_a_plan_that_met_a_fault_of_ours_is_no_model_s_failure_and_is_made_again(
    ground: Ground, issue: IssueTask, tmp_path: Path
) -> None:
    tmp_path.joinpath("planned.yaml").write_text(PLANNED)
    keys: dict[str, Any] = {"arms": ["solo"], "workflows": {"planned": "planned.yaml"}}
    burns = [True]

    def play(request: Request) -> str:
        if burns[0]:
            raise EndpointError("the server burns")
        return RIGHT.play(request)

    chats = {"a": ScriptedModel("a", play)}
    duel = prepared(ground, tmp_path, issue, ("a",), **keys)
    (cell,) = ground.run(duel, tmp_path / "duel", chats)
    assert (cell.status, cell.verdict) == ("errored", None)
    assert cell.reason == "the plan of a: plan: endpoint: the server burns"
    burns[0] = False
    assert ground.run(duel, tmp_path / "duel", chats) == []
    (cell,) = read_duel(tmp_path / "duel").cells
    assert (cell.solved, cell.plan) == (True, "Mend total().")


def test_two_processes_do_not_work_on_one_duel(ground: Ground, issue: IssueTask, tmp_path: Path) -> None:
    duel = prepared(ground, tmp_path, issue, ("a",))
    with (
        ground.opened(duel, tmp_path / "duel", {"a": ScriptedModel("a", RIGHT.play)}),
        pytest.raises(RunError, match=r"another process is working on .*: \d+"),
        ground.opened(duel, tmp_path / "duel", {}),
    ):
        pass


async def test_a_duel_that_is_cancelled_leaves_no_tree(
    ground: Ground, issue: IssueTask, tmp_path: Path
) -> None:
    from dualcode.duels.running import Duelling

    asked = asyncio.Event()

    class Waiting(ScriptedModel):
        async def complete(self, request: Request) -> Any:
            asked.set()
            await asyncio.Event().wait()

    duel = prepared(ground, tmp_path, issue, ("a",))
    with ground.opened(duel, tmp_path / "duel", {"a": Waiting("a", RIGHT.play)}) as means:
        work = Duelling(means, concurrency=1, tell=lambda _: None).run()
        fighting = asyncio.create_task(work)
        await asked.wait()
        assert len(list((open_base(issue).folder / "trees").glob("duel-*"))) == 2  # the tree, and its lock
        fighting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await fighting
    assert list((open_base(issue).folder / "trees").glob("*")) == []
    assert not list((tmp_path / "duel").glob("cells/*/*/*/cell.json"))
