"""From what is on record of a cell to the cell: by hand, on workflows that dualcode carries."""

from typing import Any

import pytest

from dualcode.agents.records import AgentEnding, AgentRun
from dualcode.call import Attempt, Call, Message, Reply, Request, Usage
from dualcode.config import Price
from dualcode.duels.assembling import cost_of, ending_of, phases_of, plan_of, shared_nodes
from dualcode.duels.records import Cell
from dualcode.sampling import PAPER
from dualcode.workflows.find import find_workflow
from dualcode.workflows.loading import load_workflow
from dualcode.workflows.records import NodeResult
from tests.duels.made import cell, condition, phase

PLANNED = load_workflow(find_workflow("plan-implement"))
REVIEWED = load_workflow(find_workflow("implement-review-fix"))
PAIR = condition("pair", "opus", "kimi")


def results(**changes: NodeResult) -> dict[str, NodeResult]:
    """Return what came of each node of the planned workflow; all went well but for the changes."""
    found = {
        node.id: NodeResult(node=node.id, status="completed", output=f"{node.id} is done", role=node.role)
        for node in PLANNED.nodes
    }
    return found | {name.replace("_", "-"): each for name, each in changes.items()}


def failed(node: str, ending: AgentEnding | None = None, **changes: Any) -> NodeResult:
    runs = (AgentRun(node=node, role="implementer", ending=ending),) if ending else ()
    return NodeResult(node=node, status="failed", runs=runs, reason="why", **changes)


def call(step: str, endpoint: str, tokens: int) -> Call:
    """Return a call that a server answered, and told its tokens."""
    usage = Usage(prompt_tokens=tokens, completion_tokens=tokens // 10)
    attempt = Attempt(started=1.0, seconds=2.0, kind="chat", outcome="ok", usage=usage)
    request = Request(messages=(Message(role="user", content="x"),), sampling=PAPER.plain, answer_tokens=16)
    reply = Reply(
        content="y", finish_reason="stop", usage=usage, started=1.0, seconds=2.0, attempts=(attempt,)
    )
    return Call(
        task_id="t", number=1, step=step, role="r", endpoint=endpoint, model="m", request=request, reply=reply
    )


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("submitted", "stopped"),
        ("steps", "timeout"),
        ("tokens", "timeout"),
        ("time", "timeout"),
        ("stalled", "stalled"),
        ("format", "stopped"),
        ("endpoint", "errored"),
        ("cancelled", "errored"),
        ("infrastructure", "errored"),
        (None, "stopped"),
    ],
)
def test_a_node_that_failed_ends_its_cell_as_its_last_agent_ended(
    ending: AgentEnding | None, status: str
) -> None:
    found = ending_of(PLANNED, results(implement=failed("implement", ending)))
    assert found == (status, "implement: why")


def test_all_that_models_did_well_is_a_cell_that_is_complete_whatever_tests_say() -> None:
    broken = NodeResult(node="validate", status="failed", exit_code=1, reason="exit code 1")
    assert ending_of(PLANNED, results()) == ending_of(PLANNED, results(validate=broken)) == ("complete", "")


def test_a_fault_of_ours_in_any_node_is_no_model_s() -> None:
    fault = failed("validate", fault=True)
    assert ending_of(PLANNED, results(validate=fault)) == ("errored", "validate: why")
    ended = NodeResult(node="plan", status="cancelled")
    assert ending_of(PLANNED, results(plan=ended)) == ("errored", "plan: cancelled")
    gone = {name: each for name, each in results().items() if name != "implement"}
    assert ending_of(PLANNED, gone) == ("errored", "implement was not done")


def test_the_first_node_that_failed_says_why() -> None:
    found = results(plan=failed("plan", "time"), implement=failed("implement", "endpoint"))
    assert ending_of(PLANNED, found) == ("timeout", "plan: why")


def test_the_plan_is_what_the_last_planner_said_that_came_to_its_end() -> None:
    assert plan_of(PLANNED, results()) == "plan is done"
    assert plan_of(PLANNED, results(plan=failed("plan", "time"))) == "explore is done"
    assert plan_of(PLANNED, {}) is None
    everything = {node.id: NodeResult(node=node.id, status="completed") for node in REVIEWED.nodes}
    assert plan_of(REVIEWED, everything) is None


def test_only_what_reads_and_comes_before_any_change_is_shared() -> None:
    assert [node.id for node in shared_nodes(PLANNED)] == ["explore", "plan"]
    assert shared_nodes(REVIEWED) == ()


def test_phases_are_told_apart_by_what_they_come_before() -> None:
    kinds = {each.name: each.kind for each in phases_of(PAIR, PLANNED, results(), [], {})}
    assert kinds == {
        "explore": "plan", "plan": "plan", "implement": "implement", "self-review": "implement",
        "validate": "check",
    }  # fmt: skip
    review = condition("review", "kimi", "opus")
    everything = {node.id: NodeResult(node=node.id, status="completed") for node in REVIEWED.nodes}
    found = phases_of(review, REVIEWED, everything, [], {})
    assert {each.kind for each in found if each.role == "reviewer"} == {"review"}
    assert {each.model for each in found if each.role == "reviewer"} == {"opus"}


def test_each_phase_has_its_own_calls_and_their_price() -> None:
    calls = [call("plan", "opus", 1000), call("implement", "kimi", 2000), call("implement", "kimi", 3000)]
    price = Price(input_per_million=1.0, output_per_million=10.0, currency="$")
    found = {
        each.name: each
        for each in phases_of(
            PAIR, PLANNED, results(), calls, {"kimi": price, "opus": None}, shared=frozenset({"plan"})
        )
    }
    implement, plan, check = found["implement"], found["plan"], found["validate"]
    assert (implement.calls, implement.usage.prompt_tokens) == (2, 5000)
    assert implement.money == pytest.approx({"$": 5000 / 1e6 + 500 * 10 / 1e6})
    assert (implement.model, implement.source) == ("kimi", "tokens")
    assert (plan.model, plan.money, plan.source, plan.shared) == ("opus", None, "unknown", True)
    assert (check.calls, check.model, check.shared) == (0, None, False)


def test_a_node_that_was_not_done_is_no_phase() -> None:
    only = {name: each for name, each in results().items() if name in ("explore", "plan")}
    assert [each.name for each in phases_of(PAIR, PLANNED, only, [], {})] == ["explore", "plan"]


def test_money_is_added_by_currency_and_unknown_is_counted_by_cell() -> None:
    def spent(*amounts: dict[str, float] | None) -> Cell:
        return cell(PAIR, "a", phases=tuple(phase("plan", "plan", "kimi", money=each) for each in amounts))

    assert cost_of([]) == ({}, 0)
    found, unknown = cost_of([spent({"$": 1.0}, {"$": 2.0, "€": 3.0}), spent(None, None), spent({"$": 4.0})])
    assert (found, unknown) == ({"$": 7.0, "€": 3.0}, 1)
