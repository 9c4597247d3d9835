"""Pieces reviewed on scripted models and a scripted bench: places, statuses, faults."""

import json
from dataclasses import replace
from typing import Any

import pytest

from dualcode.bench.bench import ScriptedBench
from dualcode.call import Call
from dualcode.errors import EndpointError
from dualcode.journal import Findings
from dualcode.models.scripted import Answer, ScriptedChat
from dualcode.reviews.mending import Mend
from dualcode.reviews.review import Found, Reviewed, review
from dualcode.reviews.sources import Source, cut
from dualcode.reviews.work import FailOn, failing
from dualcode.sampling import PAPER
from dualcode.team import Seat

TEXT = "def f(n):\n    m = n\n    return m\n\n\ndef g(n):\n    return m\n"


def said(*findings: dict[str, Any]) -> str:
    return json.dumps({"verdict": "revise" if findings else "approve", "findings": findings})


def finding(line: int, where: str = "return m", **more: Any) -> dict[str, Any]:
    plain = {"where": where, "actual": "a", "expected": "b", "call": "f(1)", "does": "returns 1"}
    return {"line": line, **plain, "ought": "returns 2", **more}


async def reviewed(
    *answers: Answer, text: str = TEXT, changed: tuple[int, ...] | None = None, most: int = 12_000
) -> tuple[Reviewed, list[Call], ScriptedChat]:
    chat, calls = ScriptedChat(answers), list[Call]()
    seat = Seat("reviewer", chat, PAPER, 4000, 64)
    made = await review(
        cut([Source(path="a.py", text=text, changed=changed)], most),
        "the specification",
        lambda place, keep: replace(seat, task_id=place, record=keep),
        ScriptedBench(outcomes={("def f", "f(1)"): "returned 1"}),
        at_once=1,
        record=calls.append,
    )
    return made, calls, chat


@pytest.mark.parametrize(
    ("line", "where", "expected"),
    [
        (3, "return m", 3),  # as it says
        (2, "return m", 3),  # the nearest line with that text
        (6, "return m", 7),
        (3, "`m = n`", 2),  # its text is believed before its number
        (2, "what stands nowhere", 2),
        (99, "what stands nowhere", 1),
        (99, "m = n", 2),
    ],
)
async def test_a_finding_is_put_where_its_expression_stands(line: int, where: str, expected: int) -> None:
    made, _, _ = await reviewed(said(finding(line, where)))
    assert made.findings[0].line == expected


async def test_the_reviewer_sees_the_specification_and_numbered_lines_and_thinks() -> None:
    made, calls, chat = await reviewed(said())
    asked = chat.requests[0].messages[-1].content
    assert "the specification" in asked
    assert "3      return m" in asked
    assert chat.requests[0].thinking
    assert (calls[0].step, calls[0].verdict, calls[0].task_id) == ("review", "approve", "a.py:1-7")
    assert made == made.model_copy(update={"findings": (), "pieces": 1, "unread": (), "errored": ()})


async def test_without_a_specification_the_code_s_own_words_are_one() -> None:
    chat = ScriptedChat([said()])
    seat = Seat("reviewer", chat, PAPER, 4000)
    made = cut([Source(path="a.py", text=TEXT)])
    await review(made, "", lambda _, keep: replace(seat, record=keep), ScriptedBench())
    assert "docstrings, comments, names and types promise" in chat.requests[0].messages[-1].content


async def test_a_reply_off_the_schema_is_repaired_once_and_then_unread() -> None:
    repaired, calls, _ = await reviewed("prose", said(finding(3)))
    assert (len(repaired.findings), len(calls), repaired.unread) == (1, 1, ())
    assert calls[0].notes == ("off-schema", "repaired")
    unread, _, _ = await reviewed("prose", "more prose")
    assert (unread.findings, unread.unread) == ((), ("a.py:1-7",))


async def test_a_verdict_and_findings_that_contradict_each_other_are_no_review() -> None:
    contradiction = json.dumps({"verdict": "approve", "findings": [finding(3)]})
    made, _, _ = await reviewed(contradiction, contradiction)
    assert made.unread


async def test_a_lost_server_costs_its_piece_alone() -> None:
    functions = "\n\n".join(f"def f{n}(x):\n" + "    x = 1\n" * 30 for n in range(3))
    made, _, _ = await reviewed(said(), EndpointError("connection lost"), said(), text=functions, most=400)
    assert made.pieces == 3
    assert len(made.errored) == 1
    assert made.errored[0].endswith("connection lost")


async def test_findings_outside_a_diff_are_counted_and_not_told() -> None:
    made, _, _ = await reviewed(said(finding(3), finding(7)), changed=(6, 7))
    assert ([each.line for each in made.findings], made.outside) == ([7], 1)


async def test_findings_come_by_file_and_line() -> None:
    made, _, _ = await reviewed(said(finding(7), finding(3)))
    assert [each.line for each in made.findings] == [3, 7]
    assert made.counts == Findings(confirmed=2)


async def test_what_reviews_took_is_summed() -> None:
    made, calls, _ = await reviewed(said(finding(3)))
    assert made.calls == len(calls) == 1
    assert made.usage.completion_tokens == len(said(finding(3)).split())


FOUND = {
    status: Found(path="a.py", line=1, where="x", actual="a", expected="b", status=status)  # type: ignore[arg-type]
    for status in ("confirmed", "untried", "refuted")
}


@pytest.mark.parametrize(("fail_on", "left"), [("confirmed", 1), ("any", 2), ("never", 0)])
def test_what_fails_the_command_is_what_was_asked_for_and_never_what_is_refuted(
    fail_on: FailOn, left: int
) -> None:
    assert failing(Reviewed(findings=tuple(FOUND.values()), pieces=1), [], fail_on) == left


def test_what_was_mended_fails_nothing_any_more_and_what_was_refused_does() -> None:
    made = Reviewed(findings=(FOUND["confirmed"],), pieces=1)
    written = Mend(path="a.py", name="f", findings=(FOUND["confirmed"],), outcome="written")
    refused = written.model_copy(update={"outcome": "refused"})
    assert failing(made, [written], "any") == 0
    assert failing(made, [refused], "any") == 1
