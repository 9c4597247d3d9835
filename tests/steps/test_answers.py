"""Structured answers: schemas that bound them, and readers that take what fits and nothing else."""

import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from dualcode.call import Call
from dualcode.solution import Program
from dualcode.steps import choose, critique, enrich, probe, schema
from dualcode.steps.enrichment import (
    MOST_PROBES,
    TOKENS,
    enrichment_schema,
    normalized,
    probes_schema,
    read_enrichment,
    read_probes,
)
from dualcode.steps.review import (
    CHOICE_TOKENS,
    REVIEW_TOKENS,
    choice_schema,
    read_choice,
    read_review,
    review_schema,
)
from tests.steps.asking import TASK, Desk, program

FIRST, SECOND = program("first = 1"), program("second = 2")


def instance(form: schema.Schema, text: str = "area([1])", most: bool = False) -> Any:
    """The shortest value that a schema allows, or the longest."""
    if "const" in form:
        return form["const"]
    if "enum" in form:
        return form["enum"][0]
    if form["type"] == "string":
        return "x" * form["maxLength"] if most else text
    if form["type"] == "integer":
        return form.get("maximum", 9999) if most else form["minimum"]
    if form["type"] == "array":
        count = form["maxItems"] if most else form["minItems"]
        return [instance(form["items"], text, most) for _ in range(count)]
    return {key: instance(each, text, most) for key, each in form["properties"].items()}


APPROVE, REVISE = review_schema()["anyOf"]
FORMS: dict[str, tuple[schema.Schema, int, Callable[[str], object]]] = {
    "approve": (APPROVE, REVIEW_TOKENS, read_review),
    "revise": (REVISE, REVIEW_TOKENS, read_review),
    "choice": (choice_schema(), CHOICE_TOKENS, read_choice),
    "enrichment": (enrichment_schema(), TOKENS, lambda text: read_enrichment(text, {})),
    "probes": (probes_schema(), TOKENS, lambda text: read_probes(text, "area")),
}


@pytest.mark.parametrize("name", FORMS)
def test_what_the_schema_allows_fits_its_tokens_at_its_longest(name: str) -> None:
    form, tokens, _ = FORMS[name]
    longest = json.dumps(instance(form, most=True))
    assert len(longest) / 2.3 < tokens  # English and code have over 2.3 characters a token


@pytest.mark.parametrize("name", FORMS)
def test_what_the_schema_allows_is_read(name: str) -> None:
    form, _, read = FORMS[name]
    assert read(json.dumps(instance(form))) is not None


@pytest.mark.parametrize("name", FORMS)
def test_an_answer_without_a_key_or_with_another_is_none(name: str) -> None:
    form, _, read = FORMS[name]
    whole = instance(form)
    for key in whole:
        assert read(json.dumps({other: value for other, value in whole.items() if other != key})) is None
    assert read(json.dumps(whole | {"another": 1})) is None


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("value", [None, 7, [[]], {"call": 1}, ""])
def test_a_value_of_another_type_is_none(name: str, value: object) -> None:
    form, _, read = FORMS[name]
    whole = instance(form)
    for key in whole:
        if not isinstance(value, str) or not isinstance(whole[key], str):
            assert read(json.dumps(whole | {key: value})) is None


@pytest.mark.parametrize("name", FORMS)
def test_schemas_name_every_key_and_allow_no_other(name: str) -> None:
    def records(form: Any) -> list[schema.Schema]:
        if not isinstance(form, dict | list):
            return []
        whole = cast("schema.Schema | list[Any]", form)
        below = list(whole.values()) if isinstance(whole, dict) else whole
        own = [whole] if isinstance(whole, dict) and whole.get("type") == "object" else []
        return [*own, *(each for part in below for each in records(part))]

    for each in records(FORMS[name][0]):
        assert each["required"] == list(each["properties"])
        assert each["additionalProperties"] is False


def test_an_object_may_stand_between_words_and_the_last_that_fits_counts() -> None:
    texts = ('{"n": 1} no: {"n": 2}, or {"m": 3}', '```json\n{"n": 2}\n```', 'so {"n": 2}. {"n": 3')
    assert [schema.read_object(text, count) for text in texts] == [2, 2, 2]
    assert schema.read_object("[1, 2]", count) is None
    assert schema.read_object('{"outer": {"n": 1}}', count) is None  # part of another answer


def count(said: dict[str, Any]) -> int:
    if "n" not in said:
        raise ValueError("not this one")
    return said["n"]


@pytest.mark.parametrize(
    ("call", "usable"),
    [
        ("area([1, 2])", True),
        ("  area(sides=[1.5, -2])  ", True),
        ("area({'a': (1, None, True)}, b'x', ...)", True),
        ("area()", True),
        ("perimeter([1])", False),
        ("area(area([1]))", False),
        ("area([x])", False),
        ("area(open('/etc/passwd'))", False),
        ("area([1]) + 1", False),
        ("math.area([1])", False),
        ("area(*[1])", False),
        ("area(**{'a': 1})", True),
        ("area([1", False),
        ("x = area([1])", False),
        ("area([1]); area([2])", False),
        ("", False),
        ("area(" + "[" * 5000 + "]" * 5000 + ")", False),
    ],
)
def test_a_probe_is_one_call_of_the_function_with_literals_alone(call: str, usable: bool) -> None:
    found = read_probes(json.dumps({"probes": [{"call": call, "asserted": "1"}]}), "area")
    assert (found is not None) == usable


def test_of_probes_with_the_same_call_the_last_stands_and_useless_ones_are_left_out() -> None:
    said = [("area([1,2])", "2"), ("area([1, 2])", "3"), ("print(1)", "None"), ("area([3])", "9")]
    found = read_probes(json.dumps({"probes": [{"call": c, "asserted": a} for c, a in said]}), "area")
    assert found is not None
    assert [(each.call, each.asserted) for each in found.probes] == [
        ("area([1, 2])", "3"),
        ("area([3])", "9"),
    ]


@pytest.mark.parametrize(
    ("source", "spelled"),
    [
        ("f( [1,2] )", "f([1, 2])"),
        ('"a"', "'a'"),
        (" 1 ", "1"),
        ("not python (", "not python ("),
        ("x = 1", "x = 1"),
        ("\0", "\0"),
    ],
)
def test_expressions_are_compared_in_pythons_own_spelling(source: str, spelled: str) -> None:
    assert normalized(source) == spelled


def test_examples_that_the_prompt_refutes_are_set_apart_and_others_kept() -> None:
    said = {
        "types": "floats",
        "examples": [
            {"call": "area( [2.0,3.0] )", "result": "5.0"},
            {"call": "area([2.0, 3.0])", "result": " 6.0 "},
            {"call": "area([1.0, 1.0])", "result": "1.0"},
        ],
        "edge_cases": ["a side of 0"],
    }
    found = read_enrichment(json.dumps(said), {"area([2.0, 3.0])": "6.0"})
    assert found is not None
    assert [each.result for each in found.contradicted] == ["5.0"]
    assert [each.result for each in found.examples] == [" 6.0 ", "1.0"]


def test_a_model_cannot_say_itself_what_is_refuted() -> None:
    said = {"types": "t", "examples": [], "edge_cases": [], "contradicted": [{"call": "a", "result": "1"}]}
    found = read_enrichment(json.dumps(said), {})
    assert found is None or found.contradicted == ()


async def test_a_choice_shows_both_programs_and_where_they_were_seen_to_differ() -> None:
    desk = Desk(json.dumps({"reason": "3", "better": "B"}))
    chosen = await choose(desk.seat, TASK, FIRST, SECOND, evidence=["`area([])`: A raised; B returned 0"])
    assert chosen is SECOND
    first, second = desk.said.split("Program B:")
    assert "first = 1" in first
    assert "second = 2" in second
    assert "- `area([])`: A raised; B returned 0" in second
    assert desk.call.about == (FIRST.checksum, SECOND.checksum)
    assert desk.call.request.thinking


@pytest.mark.parametrize("replies", [("A!", "A, I said"), ("", None), ('{"better": "C"}', "{}")])
async def test_without_a_choice_the_first_stands(replies: tuple[str | None, str | None]) -> None:
    desk = Desk(*replies)
    assert await choose(desk.seat, TASK, FIRST, SECOND) is FIRST
    assert desk.call.notes[-1] == "off-schema"
    assert "They differ here" not in desk.call.request.messages[-1].content


async def ask_review(desk: Desk) -> object:
    return await critique(desk.seat, TASK, FIRST)


async def ask_enrichment(desk: Desk) -> object:
    return await enrich(desk.seat, TASK, {})


async def ask_probes(desk: Desk) -> object:
    return await probe(desk.seat, TASK)


async def ask_choice(desk: Desk) -> object:
    return await choose(desk.seat, TASK, FIRST, SECOND)


STEPS = {"review": ask_review, "enrichment": ask_enrichment, "probes": ask_probes, "choice": ask_choice}
GOOD = {
    "review": instance(APPROVE),
    "enrichment": instance(FORMS["enrichment"][0]),
    "probes": instance(FORMS["probes"][0]),
    "choice": instance(FORMS["choice"][0]),
}


@pytest.mark.parametrize("name", STEPS)
async def test_a_reply_off_the_schema_is_asked_for_once_more_and_its_value_is_on_record(name: str) -> None:
    desk = Desk("Well …", json.dumps(GOOD[name]))
    await STEPS[name](desk)
    call = desk.call
    assert call.notes == ("off-schema", "repaired")
    assert call.value is not None
    assert call.value.kind == name
    repair = call.attempts[1].request
    assert repair is not None
    assert repair.messages[-2].content == "Well …"
    assert "not the JSON object asked for" in repair.messages[-1].content
    assert all(f"`{key}`" in repair.messages[-1].content for key in GOOD[name])
    assert not repair.thinking
    assert repair.json_schema == call.request.json_schema


@pytest.mark.parametrize(
    ("name", "value"), [("review", "approve"), ("enrichment", None), ("probes", ()), ("choice", FIRST)]
)
async def test_a_reply_that_stays_off_the_schema_changes_nothing_and_is_no_value(
    name: str, value: object
) -> None:
    desk = Desk("Well …", "Well then.")
    found = await STEPS[name](desk)
    assert (found.verdict if hasattr(found, "verdict") else found) == value  # pyright: ignore
    assert desk.call.value is None
    assert desk.call.notes == ("off-schema",)


async def test_probes_are_asked_for_with_their_number_and_the_functions_name() -> None:
    desk = Desk(json.dumps(GOOD["probes"]))
    [found] = await probe(desk.seat, TASK)
    assert found.call == "area([1])"
    assert f"at most {MOST_PROBES} calls" in desk.said
    assert "area(…)" in desk.said


async def test_a_review_sees_the_enrichment_and_what_the_program_did() -> None:
    added = read_enrichment(json.dumps(GOOD["enrichment"] | {"edge_cases": ["no sides"]}), {})
    desk = Desk(json.dumps(GOOD["review"]))
    await critique(desk.seat, TASK, FIRST, enrichment=added, evidence=["`area([])` raised IndexError"])
    assert all(part in desk.said for part in ("- no sides", "- `area([])` raised IndexError", "first = 1"))
    plain = Desk(json.dumps(GOOD["review"]))
    await critique(plain.seat, TASK, FIRST)
    assert all(part not in plain.said for part in ("An analyst reads", "The program was run"))


def programs(call: Call) -> list[Program]:
    return list(call.programs)


async def test_what_a_step_is_about_is_handed_to_the_record_with_it() -> None:
    desk = Desk(json.dumps(GOOD["review"]))
    await critique(desk.seat, TASK, FIRST)
    assert programs(desk.call) == [FIRST]
