"""A duel's folder: what a kill tears, what comes twice, what no text can hold; and the seats of its cells."""

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode.agents.records import Step
from dualcode.call import Message, Request
from dualcode.duels.records import Cell, Duel, Judgement
from dualcode.duels.seats import DrawnChat
from dualcode.duels.store import DuelStore, read_cell, read_duel
from dualcode.errors import RunError
from dualcode.models.scripted import ScriptedChat
from dualcode.sampling import PAPER
from dualcode.workflows.find import find_workflow
from dualcode.workflows.loading import load_workflow
from dualcode.workflows.records import NodeResult
from dualcode.workflows.store import CALLS, DIFF, NODES, STEPS, Place
from tests.duels.made import JUDGES, cell, condition, judgement
from tests.duels.test_assembling import call

WORKFLOW = load_workflow(find_workflow("plan-implement"))
PAIR = condition("pair", "opus", "kimi")
DUEL = Duel(
    name="d", conditions=(PAIR, condition("no-plan", "kimi")), issues=("a", "b"), trials=2, judges=JUDGES
)


def same(*_: object) -> list[str]:
    return []


def other(*_: object) -> list[str]:
    return ["trials was 2, is 1"]


@pytest.fixture
def store(tmp_path: Path) -> Generator[DuelStore]:
    with contextlib.closing(DuelStore.open(tmp_path / "duel", DUEL, same)) as opened:
        yield opened


def done(node: str, **changes: Any) -> NodeResult:
    return NodeResult(node=node, status="completed", **changes)


def step(node: str, number: int, said: str = "") -> Step:
    return Step(node=node, number=number, call=number, said=said, command=None, observation="")


def test_what_a_kill_tore_and_the_calls_of_what_was_not_done_are_dropped(tmp_path: Path) -> None:
    place = Place(tmp_path / "cell")
    assert place.begin(WORKFLOW) == {}
    place.add(NODES, done("explore"))
    for each in (call("explore", "opus", 1), call("plan", "opus", 1)):
        place.add(CALLS, each)
    place.add(STEPS, step("plan", 1))
    for name in (NODES, CALLS, STEPS):
        path = place.folder / name
        path.write_bytes(path.read_bytes() + b'{"node": "torn')
    assert list(place.begin(WORKFLOW)) == ["explore"]
    assert [each.step for each in place.calls()] == ["explore"]
    assert [each.node for each in place.steps()] == ["plan"]  # an agent that was broken off is replayed
    before = {each.name: each.read_bytes() for each in place.folder.iterdir()}
    place.begin(WORKFLOW)
    assert {each.name: each.read_bytes() for each in place.folder.iterdir()} == before


def test_a_fault_of_ours_is_done_again_with_all_that_depends_on_it(tmp_path: Path) -> None:
    place = Place(tmp_path / "cell")
    place.begin(WORKFLOW)
    for each in (done("explore"), done("plan", fault=True), done("implement")):
        place.add(NODES, each)
    assert list(place.begin(WORKFLOW)) == ["explore"]
    assert list(place.nodes()) == ["explore"]


def test_what_was_skipped_for_a_fault_does_not_stand_once_the_fault_is_mended(tmp_path: Path) -> None:
    place = Place(tmp_path / "run")
    place.begin(WORKFLOW)
    skipped = NodeResult(node="plan", status="skipped", failed_upstream="explore")
    for each in (NodeResult(node="explore", status="failed", fault=True), skipped):
        place.add(NODES, each)
    place.begin(WORKFLOW)
    place.add(NODES, done("explore"))  # and then it is killed
    assert list(place.begin(WORKFLOW)) == ["explore"]


def test_of_two_results_of_one_node_the_later_one_holds(tmp_path: Path) -> None:
    place = Place(tmp_path / "cell")
    place.begin(WORKFLOW)
    for output in ("first", "second"):
        place.add(NODES, done("explore", output=output))
    assert place.begin(WORKFLOW)["explore"].output == "second"
    assert [each.output for each in place.nodes().values()] == ["second"]


def test_the_steps_that_count_are_told_node_by_node(tmp_path: Path) -> None:
    place = Place(tmp_path / "cell")
    place.begin(WORKFLOW)
    for each in (step("a", 1), step("b", 1), step("a", 2, "old"), step("a", 2, "new"), step("b", 2)):
        place.add(STEPS, each)
    assert [(each.node, each.number, each.said) for each in place.steps()] == [
        ("a", 1, ""), ("a", 2, "new"), ("b", 1, ""), ("b", 2, ""),
    ]  # fmt: skip


@settings(max_examples=30)
@given(st.binary(max_size=60))
def test_any_bytes_of_a_change_are_kept_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    place = Place(tmp_path_factory.getbasetemp() / "any")
    place.folder.mkdir(exist_ok=True)
    text = content.decode("utf-8", "surrogateescape")
    place.write(DIFF, text)
    assert (place.folder / DIFF).read_bytes() == content
    assert place.read(DIFF) == text
    assert place.read("gone") is None


def test_a_cell_whose_change_is_no_text_can_be_put_on_record(store: DuelStore) -> None:
    latin = "+gr\udcf6\udcdfe\n"
    store.keep(cell(PAIR, "a", diff=latin, files=("shop/\udcf6.txt",)))
    kept = store.cell((PAIR.id, "a", 1))
    assert kept is not None
    assert (kept.diff, kept.files) == ("+gr��e\n", ("shop/�.txt",))


def test_cells_come_in_the_order_of_the_matrix_however_they_were_done(store: DuelStore) -> None:
    second = DUEL.conditions[1]
    keys = [(PAIR.id, "a", 1), (PAIR.id, "a", 2), (PAIR.id, "b", 1), (second.id, "a", 1)]
    for key in reversed(keys):
        of = PAIR if key[0] == PAIR.id else second
        store.keep(cell(of, key[1], key[2]))
    assert [each.key for each in store.cells()] == keys
    assert [each.key for each in read_duel(store.folder).cells] == keys


def test_a_cell_that_cannot_be_read_says_how_to_have_it_done_again(store: DuelStore) -> None:
    store.keep(cell(PAIR, "a"))
    path = store.place((PAIR.id, "a", 1)).folder / "cell.json"
    path.write_text('{"condition": 1}')
    with pytest.raises(RunError, match=r"cell.json cannot be read") as error:
        read_cell(store.folder, (PAIR.id, "a", 1))
    assert error.value.hint is not None and f"rm '{path}'" in error.value.hint


def test_judgements_that_count_are_the_last_to_each_question_of_the_duel_s_own(store: DuelStore) -> None:
    def said(score: int | None, **changes: Any) -> Judgement:
        return judgement(PAIR.id, "a", 1, "gpt", score, **changes)

    for each in (said(None, cause="server"), said(3), said(4, rendering="other"), said(9, rubric="mine")):
        store.add_judgement(each)
    store.add_judgement(judgement(PAIR.id, "a", 1, "nobody", 9))
    store.add_judgement(judgement("", "a", 1, "gpt", 5, calibration="right"))
    store.add_judgement(said(7))
    found = [
        (each.rendering, each.calibration, (each.scores or {})["correctness"]) for each in store.judgements()
    ]
    assert found == [("plain", None, 7), ("other", None, 4), ("plain", "right", 5)]


def test_a_duel_is_opened_again_as_it_was_made(store: DuelStore) -> None:
    store.close()
    again = DuelStore.open(store.folder, DUEL.model_copy(update={"created": 5.0, "note": "new"}), same)
    assert (again.duel.created, again.duel.note) == (DUEL.created, "new")
    again.close()
    with pytest.raises(RunError, match="is a duel of another configuration: trials was 2, is 1"):
        DuelStore.open(store.folder, DUEL, other)
    DuelStore.open(store.folder, DUEL, same).close()  # who was refused holds no lock


def asking(*contents: str) -> Request:
    messages = tuple(Message(role="user", content=each) for each in contents)
    return Request(messages=messages, sampling=PAPER.plain, answer_tokens=16)


@settings(max_examples=20)
@given(st.lists(st.text(max_size=9), min_size=1, max_size=3), st.text(max_size=5))
def test_who_is_drawn_is_told_by_the_seed_and_by_what_was_said_alone(said: list[str], seed: str) -> None:
    chats = [ScriptedChat([], name=name) for name in "ab"]
    drawn = DrawnChat(chats, seed).draw(asking(*said))
    assert drawn is DrawnChat(chats, seed).draw(asking(*said))
    assert drawn in chats


def test_draws_are_about_even_and_differ_by_trial() -> None:
    chats = [ScriptedChat([], name=name) for name in "abc"]
    draws = {
        seed: [DrawnChat(chats, seed).draw(asking(f"step {at}")).name for at in range(300)]
        for seed in ("0/a/1", "0/a/2")
    }
    assert draws["0/a/1"] != draws["0/a/2"]
    for each in draws.values():
        assert all(70 < each.count(name) < 130 for name in "abc")


async def test_the_one_who_is_drawn_answers() -> None:
    chats = [ScriptedChat(lambda _, name=name: f"I am {name}", name=name) for name in "ab"]  # pyright: ignore
    both = DrawnChat(chats, "0/a/1")
    assert (both.name, both.model) == ("a+b", "scripted+scripted")
    for at in range(8):
        request = asking(str(at))
        assert (await both.complete(request)).content == f"I am {both.draw(request).name}"


def test_a_cell_that_is_not_on_record_is_none(store: DuelStore) -> None:
    found: Cell | None = store.cell((PAIR.id, "b", 2))
    assert found is None
