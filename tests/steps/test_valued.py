"""Reviews with values, and claims: what of a reviewer's words can be run, and is."""

import json
from typing import Any

import pytest

from dualcode.bench.bench import ScriptedBench
from dualcode.steps import Claim, Finding, Review, state, try_claims, try_findings, valued
from dualcode.steps.claims import MOST_STATED, claims_schema, defined, read_claims
from dualcode.steps.review import FINDING_CHARACTERS, MOST_FINDINGS
from tests.steps.asking import TASK, Desk, program
from tests.steps.test_answers import instance

WORDS = {"where": "return 1", "actual": "1 for []", "expected": "0"}
VALUES = {"call": "area([])", "does": "returns 1", "ought": "returns 0"}
FINDING = Finding(**WORDS)
AREA = program("def area(sides):\n    return 1\n")


def review(verdict: str, *findings: dict[str, Any]) -> str:
    return json.dumps({"verdict": verdict, "findings": findings})


@pytest.mark.parametrize("lines", [True, False])
def test_a_review_with_values_is_read_as_its_schema_allows_it(lines: bool) -> None:
    approve, revise = valued.review_schema(lines=lines)["anyOf"]
    assert valued.read_review(json.dumps(instance(approve))) == valued.Review(verdict="approve", findings=())
    longest = json.dumps(instance(revise, most=True))
    found = valued.read_review(longest)
    assert found is not None and len(found.findings) == MOST_FINDINGS
    assert len(longest) / 2.3 < valued.REVIEW_TOKENS  # English and code have over 2.3 characters a token
    assert len(found.findings[0].where) == FINDING_CHARACTERS
    assert ("line" in revise["properties"]["findings"]["items"]["required"]) is lines


@pytest.mark.parametrize(
    "text",
    [
        review("approve", WORDS | VALUES),
        review("revise"),
        review("perhaps", WORDS | VALUES),
        review("revise", {"where": "x"}),
        review("revise", WORDS | {"line": "ten"}),
        "The code is fine.",
        None,
    ],
)
def test_a_review_that_contradicts_itself_or_is_off_the_schema_is_none(text: str | None) -> None:
    assert valued.read_review(text) is None


@pytest.mark.parametrize("nothing", ["", "-", " none ", "N/A", "None"])
def test_words_for_no_call_are_no_call_and_the_numbers_of_the_others_stay(nothing: str) -> None:
    found = valued.read_review(review("revise", WORDS | VALUES | {"call": nothing}, WORDS | VALUES))
    assert found is not None
    assert [(each.finding, each.call) for each in found.claims] == [(2, "area([])")]


def test_a_value_that_is_none_in_a_sentence_is_kept() -> None:
    found = valued.read_review(review("revise", WORDS | VALUES | {"ought": "returns None"}))
    assert found is not None and found.claims[0].ought == "returns None"


def claim(number: int, call: str = "area([])", **more: str) -> dict[str, Any]:
    return {"finding": number, "call": call, "does": "returns 1", "ought": "returns 0", **more}


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        ([claim(1), claim(2)], [1, 2]),
        ([claim(2), claim(1)], [1, 2]),
        ([claim(1, "area([1])"), claim(1)], [1]),
        ([claim(0), claim(3), claim(-1)], []),
        ([claim(1, "print(1)"), claim(1, "area(open('x'))"), claim(1, "area([")], []),
        ([claim(1, "helper(2)")], [1]),
        ([], []),
    ],
)
def test_of_claims_the_first_that_can_be_run_of_each_finding_counts(
    said: list[dict[str, Any]], numbers: list[int]
) -> None:
    found = read_claims(json.dumps({"claims": said}), {"area", "helper"}, 2)
    assert found is not None
    assert [each.finding for each in found.claims] == numbers


@pytest.mark.parametrize("text", [None, "", '{"claims": [{}]}', '{"claims": 1}', json.dumps([claim(1)])])
def test_claims_off_the_schema_are_none(text: str | None) -> None:
    assert read_claims(text, {"area"}, 2) is None


def test_claims_are_as_many_as_findings_and_may_be_none() -> None:
    most = instance(claims_schema(), "area([])", most=True)["claims"]
    assert (len(most), {each["finding"] for each in most}) == (MOST_FINDINGS, {MOST_STATED})
    assert instance(claims_schema()) == {"claims": []}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("def f(): ...\nclass A: ...\nasync def g(): ...\nx = 1\n", {"f", "A", "g"}),
        ("def f(): ...\n    def inner(): ...\n", set[str]()),  # does not parse
        ("if 1:\n    def f(): ...\n", set[str]()),
        ("\0", set[str]()),
        ("(" * 10_000, set[str]()),
    ],
)
def test_names_at_a_programs_margin_are_what_claims_may_call(text: str, names: set[str]) -> None:
    assert defined(text) == names


async def test_claims_go_on_from_the_review_without_its_thought() -> None:
    desk = Desk(json.dumps({"claims": [claim(1)]}))
    said = Review(verdict="revise", findings=(FINDING,))
    [found] = await state(desk.seat, TASK, AREA, said)
    assert (found.call, found.does) == ("area([])", "returns 1")
    *_, answer, asked = desk.call.request.messages
    assert (answer.role, answer.content) == ("assistant", said.model_dump_json())
    assert "area" in asked.content
    assert (desk.call.about, desk.call.request.thinking) == ((AREA.checksum,), False)


async def test_findings_without_a_claim_are_untried_and_nothing_is_run_for_them() -> None:
    claims = [Claim(finding=2, call="area([])", does="returns 1", ought="returns 0")]
    first, second = await try_claims(ScriptedBench({}), TASK, AREA, [FINDING, FINDING], claims)
    assert (first.status, first.claim, first.outcome) == ("untried", None, "")
    assert second.claim == claims[0]
    assert second.outcome


async def test_an_approval_is_asked_for_no_claims() -> None:
    desk = Desk()
    approval = Review(verdict="approve", findings=())
    assert await try_findings(desk.seat, ScriptedBench({}), TASK, AREA, approval) == ()
    assert desk.calls == []
