"""Decisions at a workflow's approval nodes: said beforehand, or asked for at the terminal."""

import asyncio
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from dualcode.cli.approvals import approver, decisions_of
from dualcode.errors import UnknownNameError, WorkflowError
from dualcode.workflows.workflow import Workflow
from tests.workflows.made import made

GATES = """\
  - id: plan
    prompt: Plan it.
  - id: gate
    depends_on: [plan]
    approval: {message: "Is it good?", decisions: [approve, again]}
"""


@pytest.fixture
def workflow(tmp_path: Path) -> Workflow:
    return made(tmp_path, GATES)


def test_what_was_said_beforehand_is_the_decision_with_its_words(workflow: Workflow) -> None:
    assert decisions_of(workflow, {"gate": "approve"}) == {"gate": ("approve", "")}
    assert decisions_of(workflow, {"gate": "again: mind: the tests "}) == {
        "gate": ("again", "mind: the tests")
    }


@pytest.mark.parametrize(
    ("given", "told", "way"),
    [
        ({"gates": "approve"}, "no approval node is named 'gates'; nearest: gate", "dualcode workflow show"),
        ({"plan": "approve"}, "no approval node is named 'plan'", "dualcode workflow show"),
        ({"gate": "aprove"}, "no decision is named 'aprove'; nearest: approve", "--approve gate=DECISION"),
        ({"gate": ""}, "no decision is named ''", "--approve gate=DECISION"),
    ],
)
def test_a_node_or_a_decision_that_there_is_not_is_named(
    workflow: Workflow, given: dict[str, str], told: str, way: str
) -> None:
    with pytest.raises(UnknownNameError) as refused:
        decisions_of(workflow, given)
    assert told in refused.value.message and way in str(refused.value.hint)


@pytest.mark.parametrize("terminal", [True, False])
def test_where_nobody_sits_work_that_would_wait_is_refused_before_it_begins(
    workflow: Workflow, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    class Stdin(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    monkeypatch.setattr(sys, "stdin", Stdin())
    if terminal:
        assert decisions_of(workflow, {}) == {}
        return
    with pytest.raises(WorkflowError, match="node 'gate' asks for a decision, and stdin is no") as refused:
        decisions_of(workflow, {})
    assert refused.value.hint == "--approve gate=approve"


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Let somebody type something, and then nothing more."""
    reading, writing = os.pipe()

    def said(text: str) -> None:
        os.write(writing, text.encode())
        os.close(writing)

    with os.fdopen(reading, "r") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield said


async def ask(*nodes: str, decided: dict[str, tuple[str, str]] | None = None) -> list[tuple[str, str]]:
    asks = approver(decided or {})
    return list(await asyncio.gather(*(asks(node, "Is it good?\n", ("approve", "again")) for node in nodes)))


def test_a_decision_that_was_made_is_told_and_nobody_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert asyncio.run(ask("gate", decided={"gate": ("again", "why")})) == [("again", "why")]
    assert capsys.readouterr().err == "gate: again, as --approve says\n"


def test_it_asks_until_a_decision_is_one_and_keeps_the_words(
    types: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    types("yes\nagain  mind the tests \n")
    assert asyncio.run(ask("gate")) == [("again", "mind the tests")]
    out, err = capsys.readouterr()
    assert out == "" and err.count("gate: approve | again [words]? ") == 2
    assert err.startswith("\nIs it good?\n\n")


def test_two_questions_are_asked_one_after_the_other(
    types: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    types("approve\nagain\n")
    assert asyncio.run(ask("one", "two")) == [("approve", ""), ("again", "")]
    err = capsys.readouterr().err
    assert err.index("one: approve") < err.index("two: approve")


def test_the_end_of_what_is_typed_is_no_decision(types: Callable[[str], None]) -> None:
    types("")
    with pytest.raises(click.Abort):
        asyncio.run(ask("gate"))
