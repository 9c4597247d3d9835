"""What agents are told: of the place that they are in, as it is, and of their work."""

from dataclasses import replace
from pathlib import Path

import jinja2
import pytest

from dualcode import prompts
from dualcode.agents.agent import AgentLimits, Workplace
from dualcode.agents.briefs import PHASES, WRITING, brief, instruction, surroundings
from dualcode.agents.changes import NOTHING
from dualcode.agents.commands import blocks, read_turn
from dualcode.agents.records import Phase
from dualcode.agents.work import MARKER
from dualcode.errors import UnknownNameError
from tests.agents.acting import act, reading, says
from tests.issues import shop

ISSUE = "# The first price is not counted\n\n`{{ total }}` of {% raw %} is wrong.\n"
KNOWN = {
    "exploration": "It is in shop/price.py.",
    "plan": "1. Mend it.",
    "review": "REVISE\n1. no",
    "diff": "- a\n+ b",
}
LIMITS = AgentLimits()


@pytest.mark.parametrize("phase", PHASES)
def test_each_phase_has_the_issue_word_for_word_and_what_others_found(phase: Phase) -> None:
    text = instruction(
        phase,
        ISSUE,
        exploration=KNOWN["exploration"],
        plan=KNOWN["plan"],
        review=KNOWN["review"],
        diff=KNOWN["diff"],
    )
    assert f"<issue>\n{ISSUE.strip()}\n</issue>" in text
    needed: dict[str, set[str]] = {
        "explore": set(), "plan": {"exploration"}, "implement": {"exploration", "plan"},
        "self-review": {"plan"}, "review": {"plan", "diff"}, "fix": {"review"},
    }  # fmt: skip
    assert {name for name, value in KNOWN.items() if value in text} == needed[phase]
    assert "None" not in text


@pytest.mark.parametrize("phase", [phase for phase in PHASES if phase != "fix"])
def test_what_is_not_known_is_not_spoken_of(phase: Phase) -> None:
    text = instruction(phase, ISSUE)
    assert not [name for name in ("<exploration>", "<plan>", "<review>", "<diff>", "None") if name in text]


def test_a_fix_without_a_review_is_refused() -> None:
    with pytest.raises(jinja2.UndefinedError):
        instruction("fix", ISSUE)


def test_an_unknown_phase_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="'planning'; nearest: plan"):
        instruction("planning", ISSUE)


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


def test_who_writes_may_end_without_a_word_and_others_may_not(place: Workplace) -> None:
    for phase in PHASES:
        made = brief(phase, ISSUE, place, LIMITS, review="REVISE")
        assert made.node == phase
        assert bool(made.check("")) == (phase not in WRITING) or phase == "self-review"
        assert made.check("An answer.") == ""


def test_texts_of_a_folder_take_the_place_of_the_house_s(place: Workplace, tmp_path: Path) -> None:
    (tmp_path / "agent_plan.md").write_text("Plan, please: {{ issue }}")
    made = brief("plan", "the issue", place, LIMITS, node="plan-2", folder=tmp_path)
    assert (made.node, made.instance) == ("plan-2", "Plan, please: the issue")
    assert made.system == surroundings(place, LIMITS)


def test_each_phase_has_a_prompt_of_its_name() -> None:
    assert {f"agent_{phase}" for phase in PHASES} <= set(prompts.names())
