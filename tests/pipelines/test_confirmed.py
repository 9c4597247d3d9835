"""Pipelines that run what a review says before they believe it."""

import json

import pytest

from dualcode.bench.bench import ScriptedBench
from dualcode.task import Task
from tests.pipelines.test_pipelines import (
    APPROVE,
    DRAFT,
    EXAMPLES,
    FAILS,
    FINDING,
    FIXED,
    PROBES,
    REVISE,
    SEEN,
    run,
    steps,
)

OTHER_FINDING = {"where": "the signature", "actual": "it takes no float", "expected": "a float"}


def claims(*stated: tuple[int, str, str, str]) -> str:
    keys = ("finding", "call", "does", "ought")
    return json.dumps({"claims": [dict(zip(keys, each, strict=True)) for each in stated]})


def revise(*findings: dict[str, str]) -> str:
    return json.dumps({"verdict": "revise", "findings": findings})


TRUE = claims((1, "double(3)", "returns 3", "returns 6"))
FALSE = claims((1, "double(3)", "returns 4", "returns 6"))
BENCH = ScriptedBench(outcomes=SEEN)


async def test_a_finding_whose_claim_holds_is_fixed_by_the_request_of_review_fix() -> None:
    program, calls = await run("review-fix-confirmed", [DRAFT, FIXED], [REVISE, TRUE], BENCH)
    _, plain = await run("review-fix", [DRAFT, FIXED], [REVISE])
    assert steps(calls) == ["coder write", "reviewer review", "reviewer claim", "coder fix"]
    assert [calls[0].request, calls[1].request, calls[3].request] == [each.request for each in plain]
    assert "return 2 * n" in program.text


async def test_a_draft_stands_whose_every_finding_misreads_it() -> None:
    program, calls = await run("review-fix-confirmed", [DRAFT], [REVISE, FALSE], BENCH)
    assert steps(calls)[-1] == "reviewer claim"
    assert "n * 1" in program.text


async def test_only_what_is_refuted_is_kept_from_the_coder() -> None:
    both = revise(FINDING, OTHER_FINDING)
    _, calls = await run("review-fix-confirmed", [DRAFT, FIXED], [both, FALSE], BENCH)
    asked = calls[-1].request.messages[-1].content
    assert OTHER_FINDING["actual"] in asked  # it names no input: nobody could try it
    assert FINDING["actual"] not in asked


@pytest.mark.parametrize("said", ["none", claims((1, "open('x')", "returns 1", "returns 2")), claims()])
async def test_findings_that_are_no_calls_of_the_program_are_believed_as_in_review_fix(said: str) -> None:
    answers = [said, said] if said == "none" else [said]
    bench = ScriptedBench(outcomes=SEEN)
    program, calls = await run("review-fix-confirmed", [DRAFT, FIXED], [REVISE, *answers], bench)
    assert steps(calls)[-1] == "coder fix"
    assert "return 2 * n" in program.text


async def test_an_approved_draft_states_nothing() -> None:
    _, calls = await run("review-fix-confirmed", [DRAFT], [APPROVE], BENCH)
    assert len(calls) == 2


async def test_the_claims_go_on_from_the_review_itself() -> None:
    _, calls = await run("review-fix-confirmed", [DRAFT], [REVISE, FALSE], BENCH)
    review, claim = calls[1:]
    assert claim.request.messages[:2] == review.request.messages
    assert FINDING["actual"] in claim.request.messages[2].content
    assert not claim.request.thinking
    assert claim.value is not None
    assert claim.value.data["claims"][0]["call"] == "double(3)"


async def test_a_fix_that_is_right_where_the_draft_is_not_passes_the_filter() -> None:
    program, calls = await run("review-fix-filtered", [DRAFT, FIXED], [REVISE, PROBES], BENCH)
    assert steps(calls) == ["coder write", "reviewer review", "coder fix", "reviewer probe"]
    assert "return 2 * n" in program.text


@pytest.mark.parametrize(
    "probes",
    [
        [{"call": "double(0)", "asserted": "0"}],  # both do it
        [{"call": "double(3)", "asserted": "3"}],  # the draft does it
        [{"call": "double(3)", "asserted": "5"}],  # neither does it
    ],
)
async def test_a_fix_that_no_allowed_test_tells_for_the_better_is_filtered(
    probes: list[dict[str, str]],
) -> None:
    said = json.dumps({"probes": probes})
    program, _ = await run("review-fix-filtered", [DRAFT, FIXED], [REVISE, said], BENCH)
    assert "n * 1" in program.text


async def test_what_the_prompt_refutes_is_no_test_that_the_specification_allows() -> None:
    task = Task(id="T/3", prompt=EXAMPLES, entry_point="double")
    said = json.dumps({"probes": [{"call": "double(2)", "asserted": "5"}]})
    outcomes = {("n * 1", "double(2)"): "returned 2", ("return 2 * n", "double(2)"): "returned 5"}
    bench = ScriptedBench(outcomes=outcomes)
    program, _ = await run("review-fix-filtered", [DRAFT, FIXED], [REVISE, said], bench, task=task)
    assert "n * 1" in program.text


async def test_a_test_of_the_prompt_that_only_the_fix_passes_decides_without_a_call() -> None:
    program, calls = await run("review-fix-filtered", [DRAFT, FIXED], [REVISE], ScriptedBench(FAILS))
    assert steps(calls)[-1] == "coder fix"
    assert "return 2 * n" in program.text
