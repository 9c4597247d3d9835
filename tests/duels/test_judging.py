"""Judges before a duel's fixes: in two renderings, with calibrations, on record once, with its price."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from dualcode.call import Request
from dualcode.duels.duel import judge_duel, unjudged
from dualcode.duels.records import Cell, Judgement, Phase
from dualcode.duels.store import read_duel
from dualcode.errors import EndpointError
from dualcode.issues.task import IssueTask
from dualcode.issues.verdict import IssueVerdict
from dualcode.workflows.records import NodeResult
from dualcode.workflows.store import NODES
from tests.duels.acting import Ground, write_duel
from tests.duels.scripted import ScriptedModel

DIFF = """\
diff --git a/shop/price.py b/shop/price.py
--- a/shop/price.py
+++ b/shop/price.py
@@ -1,2 +1,2 @@
 def total(prices):
-    return sum(prices[1:])
+    return sum(prices)  # all of them
"""


def scores(request: Request) -> str:
    keys = (request.json_schema or {})["properties"]
    return json.dumps({key: {"reason": "It reads well.", "score": 7} for key in keys})


class Judged:
    """A duel with one cell done and one errored, and who judges it."""

    diff = DIFF

    def __init__(self, ground: Ground, issue: IssueTask, folder: Path) -> None:
        self.ground, self.folder = ground, folder / "duel"
        if not issue.solution.exists():
            issue.solution.parent.mkdir()
            issue.solution.write_text(DIFF)
        path = write_duel(folder, ("a", "b", "judge"), issue.folder, models=["a", "b"], judges=["judge", "b"])
        self.prepared = ground.prepared(path)

    def run(self, **plays: Any) -> dict[str, ScriptedModel]:
        """Let the judges at it, and return who was asked."""
        chats = {name: ScriptedModel(name, plays.get(name, scores)) for name in ("a", "b", "judge")}
        with self.ground.opened(self.prepared, self.folder, chats) as means:
            store = means.store
            cell = Cell(
                condition="a->b", issue="shop-1", trial=1, status="complete", diff=DIFF, plan="Mend it.",
                phases=(Phase(name="validate", kind="check"),),
                verdict=IssueVerdict(task="shop-1", solved=True, reason="solved"),
            )  # fmt: skip
            cell = cell.model_copy(update={"diff": self.diff})
            if store.cell(cell.key) is None:
                place = store.place(cell.key)
                place.folder.mkdir(parents=True)
                place.add(NODES, NodeResult(node="validate", status="completed", output="2 passed"))
                store.keep(cell)
                failed = cell.model_copy(update={"condition": "b->a", "status": "errored", "verdict": None})
                store.place(failed.key).folder.mkdir(parents=True)
                store.keep(failed)
            asyncio.run(judge_duel(means, self.prepared, lambda _: None))
        return chats

    @property
    def judgements(self) -> tuple[Judgement, ...]:
        return read_duel(self.folder).judgements


@pytest.fixture
def judged(ground: Ground, issue: IssueTask, tmp_path: Path) -> Judged:
    return Judged(ground, issue, tmp_path)


def test_every_judge_scores_each_fix_and_calibration_in_two_renderings(judged: Judged) -> None:
    judged.run()
    found = judged.judgements
    kinds = {(each.judge, each.rendering, each.calibration, each.condition) for each in found}
    assert kinds == {
        (judge, rendering, calibration, "" if calibration else "a->b")
        for judge in ("judge", "b")
        for rendering in ("plain", "other")
        for calibration in (None, "right", "wrong", "instruction")
    }
    assert len(found) == len(kinds)
    assert all(each.scores and set(each.scores.values()) == {7} for each in found)
    assert all(each.source == "tokens" and each.money and each.money["$"] > 0 for each in found)
    assert not unjudged(read_duel(judged.folder).duel, read_duel(judged.folder).cells, found)


def test_what_is_on_record_is_not_asked_again(judged: Judged) -> None:
    judged.run()
    before = judged.judgements
    assert {chat.made for chat in judged.run().values()} == {0}
    assert judged.judgements == before


def test_a_judge_whose_server_fails_is_missing_and_asked_again(judged: Judged) -> None:
    def burns(request: Request) -> str:
        raise EndpointError("the server burns")

    judged.run(judge=burns)
    missing = [each for each in judged.judgements if each.scores is None]
    assert {each.judge for each in missing} == {"judge"}
    assert {(each.why_missing, each.cause) for each in missing} == {("the server burns", "server")}
    chats = judged.run()
    assert chats["judge"].made > 0
    assert chats["b"].made == 0
    assert all(each.scores for each in judged.judgements)


def test_a_judge_that_answers_prose_is_missing_and_that_stands(judged: Judged) -> None:
    judged.run(judge=lambda _: "A fine change.")  # pyright: ignore[reportUnknownLambdaType]
    missing = [each for each in judged.judgements if each.scores is None]
    assert {(each.judge, each.cause) for each in missing} == {("judge", "judge")}
    assert {chat.made for chat in judged.run().values()} == {0}


def test_a_judge_sees_the_visible_tests_and_nobody_s_name(judged: Judged) -> None:
    seen = list[str]()

    def looks(request: Request) -> str:
        seen.append(request.messages[-1].content)
        return scores(request)

    judged.run(judge=looks)
    assert sum("2 passed" in each for each in seen) == 2
    assert not any("a->b" in each or str(judged.folder) in each for each in seen)


@pytest.mark.parametrize("diff", ["", " \n"])
def test_a_change_that_is_empty_is_shown_to_no_judge_and_has_the_lowest_score(
    judged: Judged, diff: str
) -> None:
    judged.diff = diff
    seen = list[str]()

    def looks(request: Request) -> str:
        seen.append(request.messages[-1].content)
        return scores(request)

    judged.run(judge=looks, b=looks)
    ruled = [each for each in judged.judgements if each.by_rule]
    assert {(each.condition, each.judge, each.rendering) for each in ruled} == {
        ("a->b", judge, rendering) for judge in ("judge", "b") for rendering in ("plain", "other")
    }
    assert {score for each in ruled for score in (each.scores or {}).values()} == {1}
    assert all(each.money == {} and not each.cause and "by rule" in str(each.reasons) for each in ruled)
    asked = [each for each in judged.judgements if not each.by_rule]
    assert all(each.calibration for each in asked)
    assert 0 < len(seen) <= len(asked) == 2 * 3 * 2  # who is asked the same twice is asked once
    before = (judged.folder / "judgements.jsonl").read_bytes()
    judged.run()
    assert (judged.folder / "judgements.jsonl").read_bytes() == before
