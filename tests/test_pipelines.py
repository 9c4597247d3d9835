"""The built-in pipelines on scripted models: who is asked what, in which order, with which thinking."""

import json

import pytest

from dualcode.call import Call
from dualcode.errors import UnknownNameError
from dualcode.pipelines import find_pipeline, pipelines
from dualcode.program import Program
from dualcode.sampling import PAPER
from dualcode.scripted import Answer, ScriptedChat
from dualcode.task import Task
from dualcode.team import Seat, Team

TASK = Task(id="T/1", prompt='def double(n: int) -> int:\n    """Return 2 n."""\n', entry_point="double")
DRAFT = "```python\ndef double(n):\n    return n\n```"
FIXED = "```python\ndef double(n):\n    return 2 * n\n```"
FINDING = {"where": "return n", "actual": "returns 3 for 3", "expected": "6"}
APPROVE = json.dumps({"verdict": "approve", "findings": []})
REVISE = json.dumps({"verdict": "revise", "findings": [FINDING]})


async def run(name: str, coder: list[Answer], reviewer: list[Answer]) -> tuple[Program, list[Call]]:
    calls: list[Call] = []
    team = Team(
        {
            "coder": Seat("coder", ScriptedChat(coder, name="c"), PAPER, 100, None),
            "reviewer": Seat("reviewer", ScriptedChat(reviewer, name="r"), PAPER, 2000, 64),
        }
    )
    return await find_pipeline(name)(TASK, team.for_task(TASK.id, calls.append)), calls


def transcript(calls: list[Call]) -> list[tuple[str, str, bool]]:
    return [(call.role, call.step, call.request.thinking) for call in calls]


async def test_raw_coder_asks_the_coder_once() -> None:
    program, calls = await run("raw-coder", [DRAFT], [])
    assert transcript(calls) == [("coder", "write", False)]
    assert "return n" in program.text


async def test_raw_planner_asks_the_reviewer_once_without_thinking() -> None:
    program, calls = await run("raw-planner", [], [FIXED])
    assert transcript(calls) == [("reviewer", "write", False)]
    assert "return 2 * n" in program.text


async def test_an_approved_draft_stands_after_two_calls() -> None:
    program, calls = await run("review-fix", [DRAFT], [APPROVE])
    assert transcript(calls) == [("coder", "write", False), ("reviewer", "review", True)]
    assert "return n" in program.text


async def test_a_found_bug_is_fixed_by_the_coder_in_a_third_call() -> None:
    program, calls = await run("review-fix", [DRAFT, FIXED], [REVISE])
    assert transcript(calls) == [
        ("coder", "write", False),
        ("reviewer", "review", True),
        ("coder", "fix", False),
    ]
    assert "return 2 * n" in program.text


async def test_the_reviewer_sees_specification_and_draft() -> None:
    _, calls = await run("review-fix", [DRAFT], [APPROVE])
    asked = calls[1].request.messages[-1].content
    assert '"""Return 2 n."""' in asked
    assert "return n" in asked


async def test_the_fix_continues_the_coders_own_conversation() -> None:
    _, calls = await run("review-fix", [DRAFT, FIXED], [REVISE])
    write, _, fix = calls
    assert fix.request.messages[:2] == write.request.messages
    assert "return n" in fix.request.messages[2].content
    assert all(text in fix.request.messages[3].content for text in FINDING.values())


async def test_the_draft_request_is_the_raw_baselines() -> None:
    _, raw = await run("raw-coder", [DRAFT], [])
    _, reviewed = await run("review-fix", [DRAFT], [APPROVE])
    assert raw[0].request == reviewed[0].request


async def test_a_review_that_stays_off_the_schema_counts_as_approval_and_says_so() -> None:
    program, calls = await run("review-fix", [DRAFT], ["Looks good!", "Really."])
    assert len(calls) == 2
    assert calls[1].notes == ("off-schema",)
    assert "return n" in program.text


async def test_a_draft_without_program_is_still_reviewed() -> None:
    _, calls = await run("review-fix", [None, FIXED], [REVISE])
    assert "the reply held no program" in calls[1].request.messages[-1].content


def test_pipelines_are_listed_with_section_and_summary() -> None:
    assert list(pipelines()) == ["raw-coder", "raw-planner", "review-fix"]
    assert all(each.paper.startswith("§") and each.summary for each in pipelines().values())


def test_unknown_pipeline_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="nearest: review-fix"):
        find_pipeline("reviewfix")
