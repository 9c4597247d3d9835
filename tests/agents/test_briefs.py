"""What agents are told of the place that they are in, as it is."""

from dataclasses import replace
from pathlib import Path

from dualcode.agents.agent import answered, surroundings
from dualcode.agents.changes import NOTHING
from dualcode.agents.commands import blocks, read_turn
from dualcode.agents.records import AgentLimits, Workplace
from dualcode.agents.work import MARKER
from tests.agents.acting import act, reading, says
from tests.issues import shop

LIMITS = AgentLimits()


def test_the_surroundings_are_told_as_they_are(place: Workplace, tmp_path: Path) -> None:
    told = surroundings(place, LIMITS, visible_test="python -m pytest -q tests")
    places = place.jail.places(place.room)
    for each in (
        f"`{places.tree}`",
        MARKER,
        "60 seconds",
        "2048 MB",
        "10,000 characters",
        "60 replies",
        "python -m pytest",
    ):
        assert each in told, each
    assert "are yours to change" in told
    assert "is empty at the beginning of every command" in told
    only_reads = surroundings(reading(place), LIMITS)
    assert "cannot be changed by you" in only_reads
    assert "How to change files" not in only_reads
    kept = replace(place, room=replace(place.room, scratch=tmp_path))
    assert "is kept from one command to the next" in surroundings(kept, LIMITS)


def test_the_examples_are_readable_as_commands_one_a_block(place: Workplace) -> None:
    examples = blocks(surroundings(place, LIMITS))
    assert len(examples) == 4
    assert all(read_turn(says(each)).command == each for each in examples)


async def test_the_examples_work_in_the_place_that_they_speak_of(place: Workplace) -> None:
    """The search, the edit and the submission that a model may copy word for word do what they say."""
    look, line, passage, submit = blocks(surroundings(place, LIMITS))
    line = line.replace("12s", "2s").replace("8,16p", "1,9p")  # the fault is in another line here
    acted = await act(
        place,
        [
            says(look),
            says(line),
            says("git show HEAD:shop/price.py > shop/price.py; git diff; echo undone"),
            says(passage),
            says(submit),
        ],
    )
    assert "return sum(prices)" in acted.observations[1]
    assert acted.steps[1].change != acted.steps[0].change
    assert acted.observations[2] == "exit code 0\n<output>\nundone\n</output>"
    assert acted.steps[2].change == NOTHING
    assert acted.run.answer == "Your answer, as long as it needs to be."
    assert (place.room.worktree.path / "shop/price.py").read_text() == shop.RIGHT["shop/price.py"]


def test_an_empty_answer_is_refused_where_others_build_on_it() -> None:
    assert MARKER in answered("")
    assert answered("An answer.") == ""
