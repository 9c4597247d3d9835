"""Drafts, plans and corrections: what a writer is sent, and what it is held to."""

import pytest

from dualcode import prompts
from dualcode.steps import Failed, Finding, Review, fix, implement, mend, plan, synthesize, write
from dualcode.steps.conversation import TaskView, answered, imports_of, writing
from dualcode.steps.review import APPROVAL
from dualcode.steps.writing import PLAN_TOKENS, read_plan
from dualcode.task import Task
from tests.steps.asking import PROMPT, RIGHT, TASK, Desk, program

LEAN = Task(id="T/2", prompt="Write a function to add two numbers.", entry_point="add")
FINDING = Finding(where="return 1", actual="1 for []", expected="0")
REVISE = Review(verdict="revise", findings=(FINDING, FINDING.model_copy(update={"where": "line 2"})))


def test_inventory_lists_the_prompts_imports() -> None:
    assert imports_of(PROMPT) == ["from typing import List", "import math"]


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("import math\ndef broken(:\n", ["import math"]),
        ("from a import b\n  import c\nnot python", ["from a import b"]),
        ("Write a function to import goods.", []),
        ("import os, re as r", ["import os, re as r"]),
        ("\0import os", []),
        ("", []),
    ],
)
def test_inventory_survives_a_prompt_that_does_not_parse(prompt: str, found: list[str]) -> None:
    assert imports_of(prompt) == found


async def test_a_draft_is_asked_for_by_the_prompt_and_its_name() -> None:
    desk = Desk(RIGHT)
    drafted = await write(desk.seat, TASK)
    assert "return sides[0] * sides[1]" in drafted.text
    system, user = desk.call.request.messages
    assert (system.role, system.content) == ("system", prompts.render("coder"))
    assert PROMPT.rstrip() in user.content
    assert "already imported" not in user.content  # of corrections alone
    assert "Keep the name and the parameters of `area`" in user.content
    assert not desk.call.request.thinking


def test_a_prompt_in_prose_is_not_shown_as_a_program_to_be_completed() -> None:
    said = writing(LEAN)[-1].content
    assert said.startswith("Write a Python function named `add` that solves this problem.")
    assert "```python\nWrite" not in said
    assert "already imported" not in said
    assert (TaskView(LEAN).completes, TaskView(TASK).completes) == (False, True)


async def test_every_draw_is_the_same_request_but_for_its_sampling() -> None:
    desk = Desk(RIGHT, RIGHT, RIGHT)
    for draw in range(3):
        await write(desk.seat, TASK, draw=draw)
    asked = [call.request for call in desk.calls]
    assert len({each.model_copy(update={"sampling": asked[0].sampling}).to_line() for each in asked}) == 1
    assert len({each.sampling.seed for each in asked}) == 3
    assert [each.sampling.temperature > 0 for each in asked] == [False, True, True]


async def test_a_plan_goes_into_the_request_that_a_draft_would_get() -> None:
    desk = Desk(RIGHT)
    await implement(desk.seat, TASK, "Multiply the two.")
    plain, analysed = writing(TASK)[-1].content, desk.said
    assert analysed.startswith(plain)
    assert analysed.endswith("Multiply the two.")
    assert desk.call.step == "implement"


async def test_a_plan_is_prose_thought_over_and_kept_short() -> None:
    desk = Desk("Multiply.")
    assert await plan(desk.seat, TASK) == "Multiply."
    assert desk.call.request.thinking
    assert desk.call.request.answer_tokens == PLAN_TOKENS
    assert "Do not write code" in desk.said
    assert desk.call.value is not None
    assert desk.call.value.kind == "plan"


@pytest.mark.parametrize("thought", ["<think>a {1: 2}</think>", "so `x`</think>", "[THINK]a[/THINK]"])
async def test_a_plan_is_handed_on_without_its_thought(thought: str) -> None:
    assert await plan(Desk(f"{thought}\nSort it.").seat, TASK) == "Sort it."


@pytest.mark.parametrize("text", [None, "", "  \n", "<think>only this</think>\n"])
def test_no_plan_is_none(text: str | None) -> None:
    assert read_plan(text) is None


async def test_a_correction_shows_the_conversation_the_program_and_each_finding_in_order() -> None:
    desk = Desk(RIGHT)
    draft = program("def area(s):\n    return 1\n")
    await fix(desk.seat, TASK, draft, REVISE)
    messages = desk.call.request.messages
    assert list(messages[:2]) == writing(TASK)
    assert messages[2] == answered(draft)
    assert messages[2].content == "```python\ndef area(s):\n    return 1\n```"
    assert "1. `return 1`: 1 for [] Expected: 0\n2. `line 2`: 1 for [] Expected: 0" in desk.said
    assert "refused" not in desk.said
    assert desk.call.about == (draft.checksum,)


async def test_a_refused_correction_is_asked_for_with_the_reason() -> None:
    desk = Desk(RIGHT)
    await fix(desk.seat, TASK, program("x = 1"), REVISE, objection="it lost a test.")
    assert "A first correction was refused: it lost a test." in desk.said


async def test_mending_shows_the_failure_as_it_was_and_no_review() -> None:
    desk = Desk(RIGHT)
    failure = "area([])\nExpected: {{ 0 }} <b>&</b>"
    await mend(desk.seat, TASK, program("x = 1"), failure)
    assert failure in desk.said
    assert desk.call.step == "mend"


async def test_a_synthesis_shows_every_failed_program_with_its_failure_and_its_findings() -> None:
    desk = Desk(RIGHT)
    attempts = [
        Failed(program=program("x = 1"), failure="got 1", review=REVISE),
        Failed(program=program(""), failure="got nothing", review=APPROVAL),
    ]
    await synthesize(desk.seat, TASK, attempts)
    assert desk.said.startswith(writing(TASK)[-1].content)
    first, second = desk.said.split("Program 2:")
    assert all(part in first for part in ("x = 1", "got 1", "- `return 1`: 1 for [] Expected: 0"))
    assert all(part in second for part in ("# (the reply held no program)", "got nothing"))
    assert "A reviewer says" not in second
    assert desk.call.about == tuple(each.program.checksum for each in attempts)


@pytest.mark.parametrize("reply", [None, "", "I cannot.", "```\n```"])
async def test_a_reply_without_a_program_is_an_empty_one_on_record(reply: str | None) -> None:
    desk = Desk(reply)
    drafted = await write(desk.seat, TASK)
    assert not drafted.compiles
    assert desk.call.program == drafted.checksum
