"""The page's example, and a workflow as it is written for Archon."""

import re
from pathlib import Path

import pytest

from dualcode.errors import WorkflowError
from dualcode.workflows.loading import load_workflow
from dualcode.workflows.records import Work
from dualcode.workflows.running import run_workflow
from dualcode.workflows.workflow import (
    BODIES,
    Approval,
    Input,
    Loop,
    Node,
    OnReject,
    Retry,
    Workflow,
    Written,
)
from tests.pages import ROOT
from tests.workflows.made import Did, ScriptedHands, always, completed, failed

PAGE = (ROOT / "docs" / "workflows.md").read_text()
GIVEN = {"ARGUMENTS": "the sum is wrong", "VISIBLE_TEST": "pytest -q"}


@pytest.fixture
def example(tmp_path: Path) -> Workflow:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "careful.yaml"
    path.write_text(text)
    return load_workflow(path)


def sorting(kind: str, passes: int) -> ScriptedHands:
    """Return hands for the example; the tests pass after so many turns."""

    def does(work: Work) -> Did:
        if work.node == "sort":
            return {"kind": kind, "why": "I saw it."}
        if work.kind == "bash":
            return completed(work) if work.turn >= passes else failed(work, code=1)
        return f"{work.node} {work.turn}"

    return ScriptedHands(does, says=always("approve" if passes < 9 else "reject"))


async def test_the_example_mends_a_bug_until_the_tests_pass(example: Workflow) -> None:
    hands = sorting("bug", 2)
    results = await run_workflow(example, hands, inputs=GIVEN)
    assert {name: each.status for name, each in results.items()} == {
        "sort": "completed", "ask": "skipped", "mend": "completed", "summary": "completed",
    }  # fmt: skip
    assert hands.asked == []
    assert hands.work("summary").text.endswith("The one who did it says mend 2")
    assert {work.text for work in hands.works if work.kind == "bash"} == {"bash -c 'pytest -q'"}
    assert [work.role for work in hands.works if work.kind == "prompt"] == [
        "planner", "implementer", "implementer", "planner",
    ]  # fmt: skip


async def test_the_example_asks_before_a_wish_is_done(example: Workflow) -> None:
    hands = sorting("wish", 1)
    results = await run_workflow(example, hands, inputs=GIVEN)
    assert hands.asked == [("ask", "It is a wish: I saw it. Do it all the same?")]
    assert results["summary"].status == "completed"
    results = await run_workflow(example, sorting("wish", 9), inputs=GIVEN)
    assert [each.status for each in results.values()] == ["completed", "cancelled", "cancelled", "cancelled"]
    results = await run_workflow(example, sorting("bug", 9), inputs=GIVEN)
    assert results["mend"].reason == "no end after 3 turns"


def test_the_page_names_every_key_of_the_language() -> None:
    tables = (Written, Input, Node, Loop, Approval, OnReject, Retry)
    keys = {key for table in tables for key in table.model_fields} | set(BODIES)
    told = re.findall(r"`([a-z_]+)[`:]|[{ ]([a-z_]+)[:,}]", PAGE)
    assert keys - {each for pair in told for each in pair} == set()


ARCHON = """\
name: fix-github-issue
description: |
  Classify, investigate or plan, implement, validate, review, report.
provider: claude
model: sonnet
interactive: true
tags: [GitHub]

nodes:
  - id: fetch
    bash: gh issue view "$ARGUMENTS" --json title,body
    timeout: 30000

  - id: classify
    prompt: Classify $fetch.output
    depends_on: [fetch]
    model: small
    allowed_tools: []
    output_format:
      type: object
      properties:
        type: {type: string, enum: [BUG, FEATURE]}
      required: [type]

  - id: investigate
    command: investigate-bug
    depends_on: [classify]
    when: $classify.output.type == 'BUG'
    context: fresh

  - id: plan
    prompt: Plan it, and write it to $ARTIFACTS_DIR/plan.md
    depends_on: [classify]
    when: $classify.output.type == 'FEATURE'

  - id: implement
    prompt: Implement $investigate.output$plan.output
    depends_on: [investigate, plan]
    trigger_rule: none_failed_min_one_success
    model: large
    hooks: {PreToolUse: []}

  - id: validate
    script: check.py
    runtime: uv
    depends_on: [implement]
"""
MENDED = (
    ("provider: claude\nmodel: sonnet\ninteractive: true\ntags: [GitHub]\n", "role: implementer\n"),
    ("    model: small\n    allowed_tools: []\n", "    role: planner\n    writable: false\n"),
    ("    model: large\n    hooks: {PreToolUse: []}\n", ""),
    ("    script: check.py\n    runtime: uv\n", "    bash: python check.py\n"),
    ('"$ARGUMENTS"', "$ARGUMENTS"),
    (", and write it to $ARTIFACTS_DIR/plan.md", ""),
)


async def test_what_archon_has_and_we_have_not_is_said_line_by_line_and_the_rest_runs(tmp_path: Path) -> None:
    path = tmp_path / "fix.yaml"
    (tmp_path / "commands").mkdir()
    (tmp_path / "commands" / "investigate-bug.md").write_text("Find the cause of $fetch.output\n")

    def refused(text: str) -> dict[int, str]:
        path.write_text(text)
        with pytest.raises(WorkflowError) as found:
            load_workflow(path)
        told = [re.fullmatch(r".*fix.yaml:(\d+): (.*)", line) for line in found.value.message.splitlines()]
        return {int(each[1]): each[2] for each in told if each}

    keys = refused(ARCHON)
    assert {line: re.sub("^node '.*?': ", "", told).split()[0] for line, told in keys.items()} == {
        4: "provider", 5: "model", 6: "interactive", 7: "tags", 17: "model", 18: "allowed_tools", 40: "model",
        41: "hooks", 44: "script", 45: "runtime",
    }  # fmt: skip
    assert all("is Archon's, and not done here: " in told for told in keys.values())
    text = ARCHON
    for old, new in MENDED[:4]:
        text = text.replace(old, new)
    meanings = refused(text)
    assert [told for _, told in sorted(meanings.items())] == [
        "node 'fetch': $ARGUMENTS is quoted when it is put in; take the quotes around it away",
        "node 'plan': $ARTIFACTS_DIR is Archon's, and not done here: nodes hand on by $ID.output",
    ]
    for old, new in MENDED[4:]:
        text = text.replace(old, new)
    path.write_text(text)
    hands = ScriptedHands(lambda work: {"type": "BUG"} if work.node == "classify" else f"[{work.node}]")
    results = await run_workflow(load_workflow(path), hands, inputs={"ARGUMENTS": "41; rm -rf /"})
    assert hands.work("fetch").text == "gh issue view '41; rm -rf /' --json title,body"
    assert hands.work("investigate").text == "Find the cause of [fetch]"
    assert hands.work("implement").text == "Implement [investigate]"
    assert [name for name, each in results.items() if each.status != "completed"] == ["plan"]
