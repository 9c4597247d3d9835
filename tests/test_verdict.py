"""The verdict: named sets of tests in order, each passed only with those before it."""

import json

import pytest
from pydantic import ValidationError

from dualcode.verdict import Outcome, Verdict

PASSED, FAILED, ERRORED = Outcome(status="passed"), Outcome(status="failed"), Outcome(status="errored")


def test_a_part_is_passed_only_with_those_before_it() -> None:
    verdict = Verdict(task_id="T/1", parts={"fail_to_pass": PASSED, "pass_to_pass": FAILED, "more": PASSED})
    assert [verdict.passed(part) for part in (*verdict.parts, "plus")] == [True, False, False, False]
    assert not Verdict.of("T/1", base=FAILED, plus=PASSED).passed_plus
    assert not Verdict.of("T/1", base=PASSED).passed_plus


def test_a_line_keeps_the_order_of_the_parts() -> None:
    verdict = Verdict(task_id="T/1", parts={"second": PASSED, "first": PASSED})
    assert list(Verdict.model_validate_json(verdict.to_line()).parts) == ["second", "first"]


@pytest.mark.parametrize("plus", [None, PASSED])
def test_a_line_of_an_older_run_is_read(plus: Outcome | None) -> None:
    line = {"task_id": "T/1", "base": FAILED.model_dump(), "plus": plus and plus.model_dump()}
    assert Verdict.model_validate_json(json.dumps(line)) == Verdict.of("T/1", base=FAILED, plus=plus)


@pytest.mark.parametrize("parts", [{}, {"base": PASSED, "plus": ERRORED}])
def test_parts_are_errored_together_and_there_is_one_at_least(parts: dict[str, Outcome]) -> None:
    with pytest.raises(ValidationError, match="errored together"):
        Verdict(task_id="T/1", parts=parts)
