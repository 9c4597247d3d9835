"""The record of an exchange: what was asked, what came back, what it took, and what it was read as."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dualcode.call import Attempt, Call, Message, Reply, Request, Usage, Value
from dualcode.record import Record
from dualcode.sampling import PAPER
from dualcode.solution import Program

ASKED = Request(
    messages=(Message(role="user", content="hi"),),
    sampling=PAPER.plain,
    answer_tokens=50,
    json_schema={"a": 1},
)
PROGRAM = Program(text="x = 1\n", compiles=True, defines_entry_point=False, how="block")


class Review(Record):
    verdict: str
    findings: tuple[dict[str, str], ...] = ()


class Plan(Record):
    text: str


def attempt(tokens: int = 0, **more: Any) -> Attempt:
    values: dict[str, Any] = {"kind": "chat", "started": 1.0, "seconds": 2.0, "outcome": "ok"}
    values["usage"] = Usage(completion_tokens=tokens)
    return Attempt(**(values | more))


def reply(*attempts: Attempt, **more: Any) -> Reply:
    values: dict[str, Any] = {"content": "a", "finish_reason": "stop", "started": 1.0, "seconds": 2.0}
    values |= {"usage": sum((each.usage for each in attempts), Usage()), "attempts": attempts}
    return Reply(**(values | more))


def call(answered: Reply | None = None, value: Record | None = None, **more: Any) -> Call:
    values: dict[str, Any] = {
        "task_id": "T/1",
        "number": 1,
        "step": "review",
        "role": "reviewer",
        "endpoint": "e",
        "model": "m",
        "request": ASKED,
        "reply": answered,
        "value": None if value is None else Value.of(value),
    }
    return Call(**(values | more))


def test_a_thought_has_tokens_beside_the_answers() -> None:
    assert ASKED.max_tokens == 50
    assert ASKED.model_copy(update={"thinking": True, "thinking_budget": 30}).max_tokens == 80


@pytest.mark.parametrize("role", ["tool", "System", ""])
def test_a_message_of_another_role_is_refused(role: str) -> None:
    with pytest.raises(ValidationError, match="role"):
        Message.model_validate({"role": role, "content": "hi"})


def test_nothing_is_left_to_a_servers_defaults() -> None:
    with pytest.raises(ValidationError, match="sampling"):
        Request.model_validate({"messages": [], "answer_tokens": 1})


def test_usages_add_up_field_by_field() -> None:
    fields = list(Usage.model_fields)
    one = Usage(**{name: 10**place for place, name in enumerate(fields)})
    two = Usage(**{name: 2 * 10**place for place, name in enumerate(fields)})
    assert (one + two).model_dump() == {name: 3 * 10**place for place, name in enumerate(fields)}


def test_what_one_reply_leaves_untold_is_untold_in_the_sum() -> None:
    whole = Usage(prompt_tokens=5, completion_tokens=3) + Usage(untold=1)
    assert (whole.prompt_tokens, whole.completion_tokens, whole.untold) == (5, 3, 1)


def test_a_call_costs_all_its_attempts_also_when_it_failed() -> None:
    assert call(reply(attempt(3), attempt(4))).usage.completion_tokens == 7
    failed = call(error="down", failed_attempts=(attempt(3), attempt(0, outcome="503 busy")))
    assert failed.usage.completion_tokens == 3
    assert [each.outcome for each in failed.attempts] == ["ok", "503 busy"]


def test_a_replayed_reply_keeps_its_tokens_and_times() -> None:
    paid = reply(attempt(3, waited=0.5), attempt(4))
    again = paid.replayed()
    assert again.from_ledger
    assert not paid.from_ledger
    assert [each.model_copy(update={"from_ledger": False}) for each in again.attempts] == list(paid.attempts)
    assert (again.usage, again.seconds) == (paid.usage, paid.seconds)


def test_a_reply_that_was_asked_for_in_part_is_no_replay() -> None:
    assert not reply(attempt(from_ledger=True), attempt()).from_ledger
    assert not reply().from_ledger  # of a script, say
    assert not call(error="down", failed_attempts=(attempt(from_ledger=True),)).from_ledger
    assert call(reply(attempt(from_ledger=True))).from_ledger


def test_attempts_with_what_they_asked_can_stand_in_a_set() -> None:
    asked = attempt(kind="repair", request=ASKED)
    assert len({asked, asked.model_copy(), attempt()}) == 2


def test_a_program_is_on_record_by_its_checksum_alone() -> None:
    value = Value.of(PROGRAM)
    assert value.kind == "program"
    assert value.data == {
        "checksum": PROGRAM.checksum, "compiles": True, "defines_entry_point": False, "how": "block",
    }  # fmt: skip


def test_any_other_value_is_on_record_whole() -> None:
    review = Review(verdict="revise", findings=({"where": "x", "actual": "1", "expected": "2"},))
    assert Value.of(review) == Value(kind="review", data=review.model_dump(mode="json"))


def test_a_call_that_wrote_a_program_names_it_and_has_no_verdict() -> None:
    wrote = call(reply(attempt()), PROGRAM)
    assert (wrote.program, wrote.verdict, list(wrote.findings)) == (PROGRAM.checksum, None, [])


def test_a_review_has_its_verdict_and_findings() -> None:
    finding = {"where": "x", "actual": "1", "expected": "2"}
    reviewed = call(reply(attempt()), Review(verdict="revise", findings=(finding,)))
    assert (reviewed.program, reviewed.verdict, list(reviewed.findings)) == (None, "revise", [finding])


@pytest.mark.parametrize("value", [None, Plan(text="approve")])
def test_only_a_review_can_approve(value: Record | None) -> None:
    read = call(reply(attempt()), value)
    assert (read.program, read.verdict, list(read.findings)) == (None, None, [])


def test_a_line_of_the_record_is_read_back_as_it_was() -> None:
    whole = call(
        reply(attempt(3, left_out=("top_k",), request=ASKED), reasoning="hm"),
        Review(verdict="approve"),
        about=(PROGRAM.checksum,),
        notes=("off-schema", "repaired"),
    )
    assert Call.model_validate_json(whole.to_line()) == whole
    assert "\n" not in whole.to_line()


def test_programs_travel_with_a_call_but_stand_in_a_file_of_their_own() -> None:
    travelling = call(reply(attempt()), PROGRAM, programs=(PROGRAM,))
    assert "x = 1" not in travelling.to_line()
    assert "x = 1" not in repr(travelling)
    assert Call.model_validate_json(travelling.to_line()).programs == ()


def test_a_field_that_nobody_knows_is_refused() -> None:
    line = json.loads(call().to_line())
    with pytest.raises(ValidationError, match="mood"):
        Call.model_validate(line | {"mood": "good"})


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        call().notes = ("cut",)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ("review", "review"),
        ("choose", "choice"),
        ("enrich", "enrichment"),
        ("probe", "probes"),
        ("x", "answer"),
    ],
)
def test_a_structured_answer_of_an_older_run_has_the_kind_of_its_step(step: str, kind: str) -> None:
    line = json.loads(call(reply(attempt()), step=step).to_line())
    del line["value"]
    older = json.dumps(line | {"parsed": {"verdict": "revise"}})
    assert Call.model_validate_json(older).value == Value(kind=kind, data={"verdict": "revise"})


@pytest.mark.parametrize("line", ["[]", "7", '{"parsed": 1}', "{", '{"parsed": null}'])
def test_a_line_that_is_no_call_of_any_version_is_refused(line: str) -> None:
    with pytest.raises(ValidationError):
        Call.model_validate_json(line)


@pytest.mark.parametrize("field", ["left_out", "request", "waited", "content"])
def test_an_attempt_of_an_older_run_lacks_what_is_newer(field: str) -> None:
    line = attempt().model_dump(mode="json")
    del line[field]
    assert Attempt.model_validate(line) == attempt()


COUNTS = st.integers(0, 10**9)
USAGES = st.builds(
    Usage,
    prompt_tokens=COUNTS,
    completion_tokens=COUNTS,
    untold=st.integers(0, 3),
    cost=st.none() | st.integers(0, 1000).map(float),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(USAGES, max_size=5))
def test_what_was_paid_is_the_same_in_whatever_order_it_is_added(usages: list[Usage]) -> None:
    whole = sum(usages, Usage())
    assert sum(reversed(usages), Usage()) == whole == sum([Usage(), *usages, Usage()], Usage())
    told = [each.cost for each in usages if not (each.cost is None and each.nothing)]
    assert whole.cost == (sum(filter(None, told)) if told and None not in told else None)
