"""The reading of reviews."""

import json

import pytest

from dualcode.steps.review import (
    read_review,
    review_schema,
)
from dualcode.steps.schema import read_object

FINDING = {"where": "return 1", "actual": "1 for []", "expected": "0"}


def review(verdict: str, *findings: dict[str, str]) -> str:
    return json.dumps({"verdict": verdict, "findings": findings})


@pytest.mark.parametrize(
    "text",
    [
        review("approve"),
        review("revise", FINDING),
        f"Sure:\n```json\n{review('revise', FINDING)}\n```",
    ],
)
def test_a_review_on_the_schema_is_read(text: str) -> None:
    found = read_review(text)
    assert found is not None
    assert found.verdict in text


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "The code is fine.",
        '{"verdict": "approve"',
        review("maybe"),
        review("approve", FINDING),
        review("revise"),
        review("revise", {"where": "x"}),
        "[" * 50_000 + "{" * 50_000,
    ],
)
def test_a_review_off_the_schema_is_none(text: str | None) -> None:
    assert read_review(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "<think>Take d = {1: 2}.</think>REVISE",
        "<think>I could say APPROVE, but `x`</think>\nREVISE",
        "Take d = {1: 2}.\nREVISE",
        "REVISE\nNote: {x} is a set, and {'a': 1} a dict.",
        'REVISE {"note": 1}',
        "APPROVE\nNo, on second thoughts:\nREVISE",
        "[THINK]APPROVE[/THINK]```json\nREVISE\n```\nThat's {all}.",
        "<|channel|>analysis<|message|>APPROVE<|end|><|start|>assistant<|channel|>final<|message|>REVISE",
        "analysisWe say APPROVE.assistantfinalREVISE",
        "{{REVISE",
        '{"draft": APPROVE, REVISE',
        "REVISE</think>",
    ],
)
def test_the_last_whole_object_that_fits_counts(text: str) -> None:
    found = read_review(
        text.replace("REVISE", review("revise", FINDING)).replace("APPROVE", review("approve"))
    )
    assert found is not None
    assert found.verdict == "revise"


@pytest.mark.parametrize(
    "text",
    [
        f"<think>I could say {review('approve')}, hm",
        f"<think>{review('approve')}</think>The program is fine.",
        f"{review('approve')[:-1]}, then {{}}",
    ],
)
def test_an_object_in_a_thought_or_cut_off_is_no_review(text: str) -> None:
    assert read_review(text) is None


def test_a_mark_of_a_thought_inside_an_object_is_text() -> None:
    finding = FINDING | {"where": "s.split('</think>')", "actual": "no <think> at all"}
    for before in ("", "<think>hm</think>", "I look for `</think>` here: "):
        found = read_review(before + review("revise", finding))
        assert found is not None
        assert [each.model_dump() for each in found.findings] == [finding]


@pytest.mark.timeout(300)  # no speed is asserted: what is worse than linear never comes to an end here
@pytest.mark.parametrize("part", ["{", '{"a":', '{"a":[', '{"a":1}', '{"a":"', "{1} "])
def test_long_runs_of_braces_come_to_an_end(part: str) -> None:
    assert read_review(part * (50_000 // len(part))) is None


def test_schema_couples_verdict_and_findings() -> None:
    approve, revise = review_schema()["anyOf"]
    assert approve["properties"]["findings"]["maxItems"] == 0
    assert revise["properties"]["findings"]["minItems"] == 1


def test_half_a_surrogate_pair_in_a_structured_answer_can_be_recorded() -> None:
    found = read_object('{"verdict": "\\ud800 and \\ud83d\\ude00"}', dict[str, str])
    assert found == {"verdict": "\ufffd and \U0001f600"}
    assert json.dumps(found, ensure_ascii=False).encode()
