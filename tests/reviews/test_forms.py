"""The forms of a review, each against what its reader demands of it."""

import json
import re
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dualcode.reviews.forms import FORMS, summary, to_github, to_gitlab, to_sarif, to_text
from dualcode.reviews.review import Found, Reviewed

NASTY = "it prints \x1b[31mred\x1b[0m,\nand 100 %: a::b"
FOUND = (
    Found(path="a b/x.py", line=3, where="x", actual=NASTY, expected="no", call="f(1)", does="returns 1",
          ought="returns 2", outcome="returned 1", status="confirmed"),
    Found(path="a b/x.py", line=4, where="y", actual="wrong", expected="right", status="untried",
          why="it names no call"),
    Found(path="a b/x.py", line=5, where="z", actual="misread", expected="right", call="f(2)",
          does="returns 1", ought="returns 2", outcome="returned 2", status="refuted"),
)  # fmt: skip
REVIEWED = Reviewed(findings=FOUND, pieces=2, left_out=("b.bin: a binary file",), errored=("c.py:1-2: lost",))


def required(value: Any, *names: str) -> None:
    assert set(names) <= set(value), names


def test_sarif_has_what_the_schema_of_2_1_0_requires() -> None:
    log = json.loads(to_sarif(REVIEWED))
    required(log, "version", "runs")
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    required(run, "tool", "results")
    driver = run["tool"]["driver"]
    required(driver, "name", "rules")
    for rule in driver["rules"]:
        required(rule, "id", "shortDescription")
        assert rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")
    for result in run["results"]:
        required(result, "message")
        assert result["message"]["text"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert place["region"]["startLine"] >= 1
        assert re.fullmatch(r"[\w./%~-]+", place["artifactLocation"]["uri"])  # a URI, not a path
        for each in result.get("suppressions", ()):
            assert each["kind"] in ("inSource", "external")
            assert each["status"] in ("accepted", "underReview", "rejected")
    [invocation] = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert {"message"} <= set(invocation["toolExecutionNotifications"][0])
    allowed = {"$schema", "version", "runs", "inlineExternalProperties", "properties"}
    assert set(log) <= allowed  # additionalProperties is false
    assert set(run) <= {"tool", "results", "invocations", "columnKind", "originalUriBaseIds", "artifacts"}


def test_sarif_suppresses_what_is_refuted_and_grades_the_rest() -> None:
    results = json.loads(to_sarif(REVIEWED))["runs"][0]["results"]
    assert [(each["level"], "suppressions" in each) for each in results] == [
        ("error", False), ("warning", False), ("note", True),
    ]  # fmt: skip
    assert "returned 2" in results[2]["suppressions"][0]["justification"]


def test_github_s_commands_are_one_line_each_whatever_a_model_says() -> None:
    lines = to_github(REVIEWED).splitlines()
    assert len(lines) == 2
    for line in lines:
        assert re.fullmatch(r"::(error|warning) file=a b/x\.py,line=\d,title=review%3A \w+::[^\r\n]+", line)
    assert "%0A" in lines[0]
    assert "100 %25" in lines[0]


def test_a_path_cannot_end_a_property_of_github_s_command() -> None:
    said = to_github(Reviewed(findings=(FOUND[1].model_copy(update={"path": "a,line=1::x"}),), pieces=1))
    assert said.startswith("::warning file=a%2Cline=1%3A%3Ax,line=4,")


def test_gitlab_s_report_has_its_five_fields_and_fingerprints_of_their_own() -> None:
    rows = json.loads(to_gitlab(REVIEWED))
    for row in rows:
        required(row, "description", "check_name", "fingerprint", "severity", "location")
        assert row["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert row["location"]["lines"]["begin"] >= 1
    assert len({row["fingerprint"] for row in rows}) == len(rows) == 2


def test_a_fingerprint_stays_when_lines_move() -> None:
    moved = tuple(each.model_copy(update={"line": each.line + 9}) for each in FOUND)
    before, after = (json.loads(to_gitlab(Reviewed(findings=each, pieces=1))) for each in (FOUND, moved))
    assert [each["fingerprint"] for each in before] == [each["fingerprint"] for each in after]


def test_people_get_80_columns_without_what_a_terminal_obeys() -> None:
    long = FOUND[0].model_copy(update={"actual": "word " * 60})
    text = to_text(REVIEWED.model_copy(update={"findings": (*FOUND, long)}))
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "f(2)" not in text  # refuted: counted, not told
    assert "not reviewed: b.bin: a binary file" in text
    assert "errored: c.py:1-2: lost" in text


@pytest.mark.parametrize("form", FORMS)
def test_a_review_without_findings_is_a_valid_report(form: str) -> None:
    text = FORMS[form](Reviewed(pieces=1), ())
    assert form != "sarif" or json.loads(text)["runs"][0]["results"] == []
    assert form != "gitlab" or json.loads(text) == []
    assert form != "github" or text == ""


def test_an_empty_diff_is_said_to_be_one() -> None:
    assert summary(Reviewed(pieces=0)) == ["nothing to review: the diff is empty"]


def table(properties: dict[str, Any], *names: str, more: bool = False) -> dict[str, Any]:
    return {"type": "object", "required": [*names], "properties": properties, "additionalProperties": more}


TEXT = table({"text": {"type": "string"}}, "text")
LEVEL = {"enum": ["none", "note", "warning", "error"]}
PLACE = table(
    {
        "artifactLocation": table({"uri": {"type": "string"}, "uriBaseId": {"type": "string"}}),
        "region": table({"startLine": {"type": "integer", "minimum": 1}}),
    }
)
RULE = table(
    {
        "id": {"type": "string"}, "name": {"type": "string"}, "shortDescription": TEXT,
        "fullDescription": TEXT, "defaultConfiguration": table({"level": LEVEL}),
    },
    "id",
)  # fmt: skip
SUPPRESSION = table(
    {
        "kind": {"enum": ["inSource", "external"]}, "justification": {"type": "string"},
        "status": {"enum": ["accepted", "underReview", "rejected"]},
    },
    "kind",
)  # fmt: skip
RESULT = table(
    {
        "ruleId": {"type": "string"}, "ruleIndex": {"type": "integer", "minimum": -1}, "level": LEVEL,
        "message": TEXT, "locations": {"type": "array", "items": table({"physicalLocation": PLACE})},
        "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
        "suppressions": {"type": "array", "items": SUPPRESSION}, "properties": table({}, more=True),
    },
    "message",
)  # fmt: skip
NOTICE = table({"level": LEVEL, "message": TEXT}, "message")
INVOCATION = table(
    {
        "executionSuccessful": {"type": "boolean"},
        "toolExecutionNotifications": {"type": "array", "items": NOTICE},
    },
    "executionSuccessful",
)
DRIVER = table(
    {
        "name": {"type": "string"}, "version": {"type": "string"},
        "rules": {"type": "array", "uniqueItems": True, "items": RULE},
    },
    "name",
)  # fmt: skip
RUN = table(
    {
        "tool": table({"driver": DRIVER}, "driver"),
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "invocations": {"type": "array", "items": INVOCATION},
        "results": {"type": ["array", "null"], "items": RESULT},
    },
    "tool",
)
LOG = table(
    {
        "$schema": {"type": "string", "format": "uri"}, "version": {"enum": ["2.1.0"]},
        "runs": {"type": "array", "items": RUN},
    },
    "version", "runs",
)  # fmt: skip
"""Of the schema of SARIF 2.1.0 (OASIS) the objects that are written here, with its demands on each."""
WORDS = st.text(max_size=12)
SOME = st.builds(
    Found, path=st.text(min_size=1, max_size=12), line=st.integers(1, 10**6), where=WORDS, actual=WORDS,
    expected=WORDS, call=WORDS, does=WORDS, ought=WORDS, outcome=WORDS, why=WORDS,
    status=st.sampled_from(["confirmed", "refuted", "untried"]),
)  # fmt: skip


ENDS = FOUND[0].model_copy(update={"path": "a\r\nb", "actual": "a\rb\r\n::error::c", "status": "untried"})


@example([ENDS], ["a\r::b"], ["\x1b[2J"])
@given(st.lists(SOME, max_size=3), st.lists(WORDS, max_size=2), st.lists(WORDS, max_size=2))
@settings(deadline=None, max_examples=60)
def test_whatever_is_found_each_form_is_one_that_its_reader_takes(
    found: list[Found], left_out: list[str], errored: list[str]
) -> None:
    reviewed = Reviewed(findings=tuple(found), pieces=1, left_out=tuple(left_out), errored=tuple(errored))
    jsonschema.validate(json.loads(to_sarif(reviewed)), LOG)
    told = sum(each.status != "refuted" for each in found)
    assert len(json.loads(to_gitlab(reviewed))) == told
    said = to_github(reviewed)
    assert (said.count("\n"), "\r" in said) == (told, False)
    assert all(line.startswith("::") for line in said.split("\n")[:-1])
    shown = to_text(reviewed)
    assert all(each.isprintable() or each in "\n\t" for each in shown)
