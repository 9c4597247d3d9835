"""Workflows at work, by scripted hands."""

import asyncio
import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode.agents.records import AgentRun
from dualcode.errors import RunError, WorkflowError
from dualcode.workflows.records import NodeResult, Work
from dualcode.workflows.running import blocked, run_workflow
from dualcode.workflows.workflow import TriggerRule
from tests.workflows.made import Did, ScriptedHands, always, completed, failed, made

CHAIN = """\
- {id: a, prompt: one}
- {id: b, prompt: $a.output, depends_on: [a]}
- {id: c, bash: 'true', depends_on: [b]}
"""
DIAMOND = """\
- {id: top, prompt: x}
- {id: left, prompt: x, depends_on: [top]}
- {id: right, prompt: x, depends_on: [top]}
- {id: join, prompt: $left.output $right.output, depends_on: [left, right]}
"""


class Slept:
    """Remembers how long it was to sleep."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def statuses(results: Mapping[str, NodeResult]) -> dict[str, str]:
    return {name: each.status for name, each in results.items()}


async def test_nodes_are_done_in_order_with_the_outputs_of_those_before(tmp_path: Path) -> None:
    hands, kept = ScriptedHands(), list[NodeResult]()
    results = await run_workflow(made(tmp_path, CHAIN), hands, inputs={}, record=kept.append)
    assert hands.nodes == ["a", "b", "c"]
    assert hands.work("b").text == "a done"
    assert statuses(results) == dict.fromkeys("abc", "completed")
    assert kept == list(results.values())
    assert [each.role for each in kept] == ["worker", "worker", None]


async def test_what_is_independent_is_done_side_by_side(tmp_path: Path) -> None:
    both, seen = asyncio.Event(), set[str]()

    class Meeting(ScriptedHands):
        async def do(self, work: Work) -> NodeResult:
            if work.node in ("left", "right"):
                seen.add(work.node)
                if seen == {"left", "right"}:
                    both.set()
                await both.wait()  # neither ends before the other has begun
            return await super().do(work)

    results = await asyncio.wait_for(run_workflow(made(tmp_path, DIAMOND), Meeting(), inputs={}), 60)
    assert set(statuses(results).values()) == {"completed"}
    assert results["join"].output == "join done"


async def test_a_failure_stops_what_depends_on_it_and_nothing_else(tmp_path: Path) -> None:
    hands = ScriptedHands(lambda work: failed(work, "too hard") if work.node == "left" else "fine")
    results = await run_workflow(made(tmp_path, DIAMOND), hands, inputs={})
    assert statuses(results) == {
        "top": "completed",
        "left": "failed",
        "right": "completed",
        "join": "skipped",
    }
    assert results["join"].reason == "all_success: left failed"
    assert results["join"].failed_upstream == "left"


# Trigger rules.

RULES: tuple[TriggerRule, ...] = ("all_success", "one_success", "none_failed_min_one_success", "all_done")
OUTCOMES = ("completed", "failed", "skipped", "skipped for a failure")


def result(number: int, outcome: str) -> NodeResult:
    status = "skipped" if outcome.startswith("skipped") else outcome
    cause = "above" if outcome == "skipped for a failure" else None
    return NodeResult.model_validate({"node": f"n{number}", "status": status, "failed_upstream": cause})


def oracle(rule: TriggerRule, outcomes: tuple[str, ...]) -> bool:
    """Say whether the node is done, rule by rule, as the page has it."""
    if not outcomes:
        return True
    match rule:
        case "all_success":
            return set(outcomes) == {"completed"}
        case "one_success":
            return "completed" in outcomes
        case "none_failed_min_one_success":
            return "completed" in outcomes and not {"failed", "skipped for a failure"} & set(outcomes)
        case "all_done":
            return True


@pytest.mark.parametrize("rule", RULES)
def test_each_trigger_rule_on_all_outcomes_of_up_to_three_nodes(rule: TriggerRule) -> None:
    for count in range(4):
        for outcomes in itertools.product(OUTCOMES, repeat=count):
            block = blocked(rule, [result(n, each) for n, each in enumerate(outcomes)])
            assert (block is None) == oracle(rule, outcomes), (rule, outcomes)
            if block is not None:
                bad = [n for n, each in enumerate(outcomes) if each in OUTCOMES[1::2]]
                cause = None if not bad else f"n{bad[0]}" if outcomes[bad[0]] == "failed" else "above"
                assert block.failed_upstream == cause


@given(
    links=st.lists(st.sets(st.integers(0, 5)), min_size=6, max_size=6),
    rules=st.lists(st.sampled_from(RULES), min_size=6, max_size=6),
    fails=st.sets(st.integers(0, 5)),
)
@settings(max_examples=40, deadline=None)
def test_in_any_graph_each_node_ends_as_its_rule_says(
    tmp_path_factory: pytest.TempPathFactory, links: list[set[int]], rules: list[TriggerRule], fails: set[int]
) -> None:
    above = {n: sorted(each for each in links[n] if each < n) for n in range(6)}
    nodes = "".join(
        f"- {{id: n{n}, prompt: x, trigger_rule: {rules[n]}, depends_on: {[f'n{a}' for a in above[n]]}}}\n"
        for n in reversed(range(6))  # written in any order
    )
    workflow = made(tmp_path_factory.mktemp("graph"), nodes)
    hands = ScriptedHands(lambda work: failed(work) if int(work.node[1:]) in fails else "")
    results = asyncio.run(run_workflow(workflow, hands, inputs={}))
    outcomes: dict[int, str] = {}
    for n in range(6):
        before = tuple(outcomes[each] for each in above[n])
        if oracle(rules[n], before):
            outcomes[n] = "failed" if n in fails else "completed"
        else:
            bad = any(each in ("failed", "skipped for a failure") for each in before)
            outcomes[n] = "skipped for a failure" if bad else "skipped"
        got = results[f"n{n}"]
        told = "skipped for a failure" if got.failed_upstream else got.status
        assert told == outcomes[n]
    assert hands.nodes == sorted(hands.nodes, key=lambda name: hands.nodes.index(name))
    assert len(set(hands.nodes)) == len(hands.nodes)  # nothing is done twice


# Conditions.

BRANCHES = """\
- id: sort
  prompt: x
  output_format: {type: object, properties: {kind: {enum: [bug, idea]}}, required: [kind]}
- {id: look, prompt: x, depends_on: [sort], when: $sort.output.kind == 'bug'}
- {id: plan, prompt: x, depends_on: [sort], when: $sort.output.kind == 'idea'}
- id: do
  prompt: "[$look.output][$plan.output]"
  depends_on: [look, plan]
  trigger_rule: none_failed_min_one_success
- {id: after, prompt: x, depends_on: [plan]}
"""


async def test_the_branch_that_is_not_taken_is_skipped_and_branches_meet_again(tmp_path: Path) -> None:
    hands = ScriptedHands(lambda work: {"kind": "bug"} if work.node == "sort" else work.node)
    results = await run_workflow(made(tmp_path, BRANCHES), hands, inputs={})
    assert statuses(results) == {
        "sort": "completed", "look": "completed", "plan": "skipped", "do": "completed", "after": "skipped",
    }  # fmt: skip
    assert hands.work("do").text == "[look][]"
    assert results["plan"].reason == "when: $sort.output.kind == 'idea' does not hold"
    assert results["after"].failed_upstream is None


async def test_what_cannot_be_evaluated_fails_its_node(tmp_path: Path) -> None:
    nodes = """\
- {id: a, bash: x}
- {id: low, prompt: x, depends_on: [a], when: $a.output < 5}
- {id: field, prompt: $a.output.count, depends_on: [a]}
- {id: bad, prompt: x}
- {id: late, prompt: $bad.output, depends_on: [bad], trigger_rule: all_done}
"""
    hands = ScriptedHands(lambda work: failed(work) if work.node == "bad" else "many")
    results = await run_workflow(made(tmp_path, nodes), hands, inputs={})
    assert {name: each.reason for name, each in results.items() if each.status == "failed"} == {
        "low": "$a.output < …: 'many' is no number",
        "field": "$a.output.count: the output of a has no field 'count'",
        "bad": "it failed",
        "late": "$bad.output: bad failed",
    }
    assert hands.nodes == ["a", "bad"]


async def test_an_answer_that_is_not_of_its_schema_fails_the_node(tmp_path: Path) -> None:
    for did, told in (("words", "there is no object"), ({"kind": "other"}, "kind: 'other' is not one of")):
        results = await run_workflow(
            made(tmp_path, BRANCHES), ScriptedHands(lambda _, did=did: did), inputs={}
        )
        assert results["sort"].status == "failed"
        assert results["sort"].reason.startswith(f"output_format: {told}")
        assert {results[name].status for name in ("look", "plan", "do", "after")} == {"skipped"}


# Retries.


async def test_a_fault_is_tried_again_as_often_as_it_says_and_the_time_doubles(tmp_path: Path) -> None:
    nodes = "- {id: a, prompt: x, retry: {max_attempts: 3, delay_ms: 2000}}\n"
    slept, kept = Slept(), list[NodeResult]()
    run = AgentRun(node="a", role="worker", ending="endpoint")
    hands = ScriptedHands(lambda work: failed(work, fault=True).model_copy(update={"runs": (run,)}))
    results = await run_workflow(made(tmp_path, nodes), hands, inputs={}, sleep=slept, record=kept.append)
    assert slept.seconds == [2.0, 4.0, 8.0]
    assert [work.attempt for work in hands.works] == [1, 2, 3, 4]
    assert (results["a"].status, results["a"].fault, results["a"].attempts) == ("failed", True, 4)
    assert results["a"].runs == (run,)  # the last has what the others began
    assert kept == [results["a"]]


@pytest.mark.parametrize(
    ("node", "fault", "attempts"),
    [
        ("{id: a, prompt: x}", True, 3),
        ("{id: a, prompt: x}", False, 1),
        ("{id: a, prompt: x, retry: {max_attempts: 2, on_error: all}}", False, 3),
        ("{id: a, prompt: x, retry: {max_attempts: 1}}", False, 1),
        ("{id: a, bash: x}", True, 1),
        ("{id: a, bash: x, retry: {max_attempts: 1, on_error: all}}", False, 2),
    ],
)
async def test_who_is_tried_again(tmp_path: Path, node: str, fault: bool, attempts: int) -> None:
    hands = ScriptedHands(lambda work: failed(work, fault=fault))
    results = await run_workflow(made(tmp_path, f"- {node}\n"), hands, inputs={}, sleep=Slept())
    assert len(hands.works) == results["a"].attempts == attempts
    assert results["a"].fault is fault


async def test_a_success_ends_the_attempts_and_all_failed_agents_are_on_record(tmp_path: Path) -> None:
    nodes = "- {id: a, prompt: x, retry: {max_attempts: 5, on_error: all}}\n"

    def does(work: Work) -> Did:
        run = AgentRun(node="a", role="worker", ending="format" if work.attempt < 3 else "submitted")
        did = failed(work) if work.attempt < 3 else completed(work, "done")
        return did.model_copy(update={"runs": (run,)})

    results = await run_workflow(made(tmp_path, nodes), ScriptedHands(does), inputs={}, sleep=Slept())
    assert (results["a"].output, results["a"].attempts) == ("done", 3)
    assert [run.ending for run in results["a"].runs] == ["format", "format", "submitted"]


async def test_a_hand_that_says_cancelled_or_skipped_has_failed_by_a_fault(tmp_path: Path) -> None:
    hands = ScriptedHands(lambda work: NodeResult(node=work.node, status="skipped"))
    results = await run_workflow(made(tmp_path, "- {id: a, bash: x}\n"), hands, inputs={})
    assert (results["a"].status, results["a"].fault) == ("failed", True)


# Loops.


def looping(end: str, more: str = "") -> str:
    return f"- id: a\n  loop: {{prompt: after $LOOP_PREV_OUTPUT, max_iterations: 3, {end}}}\n{more}"


@pytest.mark.parametrize("answer", ["so\n  DONE  \nit is", "<promise>DONE</promise>"])
async def test_a_loop_ends_by_its_word(tmp_path: Path, answer: str) -> None:
    hands = ScriptedHands(lambda work: answer if work.turn == 2 else "not DONE yet")
    results = await run_workflow(made(tmp_path, looping("until: DONE")), hands, inputs={})
    assert [work.text for work in hands.works] == ["after ", "after not DONE yet"]
    assert [work.context for work in hands.works] == ["fresh", "a"]
    assert results["a"].output == answer


async def test_a_loop_may_begin_a_fresh_conversation_each_time(tmp_path: Path) -> None:
    hands = ScriptedHands()
    results = await run_workflow(made(tmp_path, looping("until: X, fresh_context: true")), hands, inputs={})
    assert [work.context for work in hands.works] == ["fresh"] * 3
    assert results["a"].status == "failed"
    assert results["a"].reason == "no end after 3 turns"
    assert results["a"].attempts == 3


async def test_a_loop_ends_by_a_command_that_sees_the_last_answer(tmp_path: Path) -> None:
    def does(work: Work) -> Did:
        if work.kind == "prompt":
            return f"it's {work.turn}"
        return completed(work) if work.turn == 2 else failed(work, code=1)

    hands = ScriptedHands(does)
    nodes = looping("until_bash: test $LOOP_PREV_OUTPUT")
    results = await run_workflow(made(tmp_path, nodes), hands, inputs={})
    assert results["a"].output == "it's 2"
    assert [work.text for work in hands.works if work.kind == "bash"] == [
        "test 'it'\"'\"'s 1'",
        "test 'it'\"'\"'s 2'",
    ]


@pytest.mark.parametrize("fault", [True, False])
async def test_a_command_that_cannot_say_whether_a_loop_ends_fails_it(tmp_path: Path, fault: bool) -> None:
    told = "the command timed out after 120 s"
    hands = ScriptedHands(lambda work: "x" if work.kind == "prompt" else failed(work, told, fault=fault))
    results = await run_workflow(made(tmp_path, looping("until_bash: sleep 999")), hands, inputs={})
    assert (results["a"].status, results["a"].fault) == ("failed", fault)
    assert results["a"].reason == f"until_bash: {told}"
    assert len(hands.works) == 2


async def test_a_loop_ends_by_a_field(tmp_path: Path) -> None:
    schema = "  output_format: {type: object, properties: {good: {type: boolean}}, required: [good]}\n"
    hands = ScriptedHands(lambda work: {"good": work.turn == 3})
    results = await run_workflow(made(tmp_path, looping("until_field: good", schema)), hands, inputs={})
    assert (results["a"].status, results["a"].data, len(hands.works)) == ("completed", {"good": True}, 3)


async def test_a_turn_that_fails_fails_the_loop(tmp_path: Path) -> None:
    hands = ScriptedHands(lambda work: failed(work, "stalled") if work.turn == 2 else "x")
    results = await run_workflow(made(tmp_path, looping("until: X")), hands, inputs={})
    assert (results["a"].reason, len(hands.works)) == ("turn 2: stalled", 2)


# Approvals, and the end of a workflow by one of its nodes.

GATE = """\
- {id: plan, prompt: x}
- {id: gate, depends_on: [plan], approval: {message: "Do $plan.output?"MORE}}
- {id: do, prompt: "as $gate.output", depends_on: [gate]}
"""


async def test_an_approval_lets_the_work_go_on_and_shows_what_it_is_about(tmp_path: Path) -> None:
    hands = ScriptedHands(says=always("approve", "gently"))
    results = await run_workflow(made(tmp_path, GATE.replace("MORE", "")), hands, inputs={})
    assert hands.asked == [("gate", "Do plan done?")]
    assert results["gate"].data == {"decision": "approve", "response": "gently"}
    assert hands.work("do").text == "as approve"
    captured = made(tmp_path, GATE.replace("MORE", ", capture_response: true"))
    await run_workflow(captured, hands, inputs={})
    assert hands.work("do").text == "as gently"


async def test_any_decision_but_the_last_goes_on_and_can_be_compared(tmp_path: Path) -> None:
    nodes = GATE.replace("MORE", ", decisions: [now, later, never]")
    nodes += "- {id: rush, prompt: x, depends_on: [gate], when: $gate.output.decision == 'now'}\n"
    hands = ScriptedHands(says=always("later"))
    results = await run_workflow(made(tmp_path, nodes), hands, inputs={})
    assert statuses(results) == {
        "plan": "completed",
        "gate": "completed",
        "do": "completed",
        "rush": "skipped",
    }


async def test_a_rejection_ends_the_workflow(tmp_path: Path) -> None:
    kept = list[NodeResult]()
    hands = ScriptedHands(says=always("reject", "too much"))
    results = await run_workflow(
        made(tmp_path, GATE.replace("MORE", "")), hands, inputs={}, record=kept.append
    )
    assert statuses(results) == {"plan": "completed", "gate": "cancelled", "do": "cancelled"}
    assert results["gate"].reason == "rejected: too much"
    assert results["do"].reason == "gate ended the workflow"
    again = await run_workflow(
        made(tmp_path, GATE.replace("MORE", "")),
        ScriptedHands(),
        inputs={},
        done={each.node: each for each in kept},
    )
    assert again == results


async def test_a_rejection_is_worked_on_and_asked_again_as_often_as_it_says(tmp_path: Path) -> None:
    more = ', on_reject: {prompt: "mend: $REJECTION_REASON", max_attempts: 2}'
    workflow = made(tmp_path, GATE.replace("MORE", more))
    answers = iter([("reject", "no tests"), ("approve", "")])
    hands = ScriptedHands(says=lambda _node, _message: next(answers))
    results = await run_workflow(workflow, hands, inputs={})
    assert results["gate"].status == "completed"
    assert [work.text for work in hands.works if work.node == "gate"] == ["mend: no tests"]
    hands = ScriptedHands(says=always("reject", "no"))
    results = await run_workflow(workflow, hands, inputs={})
    assert results["gate"].status == "cancelled"
    assert [work.turn for work in hands.works if work.node == "gate"] == [1, 2]
    assert len(hands.asked) == 3
    hands = ScriptedHands(
        lambda work: failed(work) if work.node == "gate" else "x", says=always("reject", "no")
    )
    results = await run_workflow(workflow, hands, inputs={})
    assert statuses(results) == {"plan": "completed", "gate": "failed", "do": "skipped"}


async def test_a_decision_that_is_none_is_refused(tmp_path: Path) -> None:
    hands = ScriptedHands(says=always("perhaps"))
    with pytest.raises(WorkflowError, match="'perhaps' is no decision of gate; there are: approve, reject"):
        await run_workflow(made(tmp_path, GATE.replace("MORE", "")), hands, inputs={})


async def test_a_cancel_node_stops_what_is_being_done(tmp_path: Path) -> None:
    nodes = """\
- {id: check, bash: x}
- {id: stop, cancel: $check.output is wrong, depends_on: [check], when: $check.output == 'all'}
- {id: long, prompt: x}
- {id: after, prompt: x, depends_on: [long]}
"""
    cancelled = list[str]()

    class Long(ScriptedHands):
        async def do(self, work: Work) -> NodeResult:
            if work.node == "long":
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    cancelled.append(work.node)
                    raise
            return await super().do(work)

    hands = Long(lambda _: "all")
    results = await asyncio.wait_for(run_workflow(made(tmp_path, nodes), hands, inputs={}), 60)
    assert cancelled == ["long"]
    assert statuses(results) == {
        "check": "completed",
        "stop": "cancelled",
        "long": "cancelled",
        "after": "cancelled",
    }
    assert results["stop"].reason == "all is wrong"
    results = await run_workflow(made(tmp_path, nodes), ScriptedHands(), inputs={})
    assert statuses(results)["stop"] == "skipped"


# Interruption, and going on.


@pytest.mark.parametrize("at", ["top", "left", "right", "join"])
async def test_an_interrupted_run_goes_on_at_its_node(tmp_path: Path, at: str) -> None:
    workflow, kept, reached = made(tmp_path, DIAMOND), list[NodeResult](), asyncio.Event()

    class Stuck(ScriptedHands):
        async def do(self, work: Work) -> NodeResult:
            if work.node == at:
                reached.set()
                await asyncio.Event().wait()
            return await super().do(work)

    stuck = Stuck()
    others, settled = {"top", "left", "right", "join"} - workflow.downstream([at]), asyncio.Event()

    def keep(each: NodeResult) -> None:
        kept.append(each)
        if {every.node for every in kept} == others:
            settled.set()

    running = asyncio.create_task(run_workflow(workflow, stuck, inputs={}, record=keep))
    await reached.wait()
    if others:
        await settled.wait()  # the other branch comes to its end
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    done = {each.node: each for each in kept}
    hands = ScriptedHands()
    results = await run_workflow(workflow, hands, inputs={}, done=done, record=kept.append)
    assert set(hands.nodes) == workflow.downstream([at])
    assert sorted(each.node for each in kept) == ["join", "left", "right", "top"]
    assert set(statuses(results).values()) == {"completed"}
    assert hands.work("join").text == "left done right done"


async def test_faults_and_what_was_decided_on_them_are_done_again_and_failures_are_not(
    tmp_path: Path,
) -> None:
    nodes = """\
- {id: a, bash: x}
- {id: b, prompt: x, depends_on: [a]}
- {id: c, prompt: x, depends_on: [a], trigger_rule: all_done}
- {id: bad, bash: x}
- {id: d, prompt: x, depends_on: [bad]}
- {id: e, bash: x, always_run: true}
"""
    workflow = made(tmp_path, nodes)

    def does(work: Work) -> Did:
        return failed(work, fault=work.node == "a") if work.node in ("a", "bad") else "x"

    first = await run_workflow(workflow, ScriptedHands(does), inputs={})
    assert statuses(first)["b"] == "skipped"
    again, told = ScriptedHands(), list[str]()
    second = await run_workflow(workflow, again, inputs={}, done=first, tell=told.append)
    assert sorted(again.nodes) == ["a", "b", "c", "e"]
    assert (second["bad"], second["d"]) == (first["bad"], first["d"])
    assert "bad: on record" in told


async def test_nodes_that_cells_share_are_given_as_done(tmp_path: Path) -> None:
    hands = ScriptedHands()
    shared = {
        "a": NodeResult(node="a", status="completed", output="the plan"),
        "of another": failed(Work(node="z", kind="bash", text="")),
    }
    results = await run_workflow(made(tmp_path, CHAIN), hands, inputs={}, done=shared)
    assert hands.work("b").text == "the plan"
    assert list(results) == ["a", "b", "c"]


async def test_what_the_hands_raise_stops_everything_and_is_raised_alone(tmp_path: Path) -> None:
    def does(work: Work) -> Did:
        if work.node == "left":
            raise RunError("the disk is full")
        return "x"

    kept = list[NodeResult]()
    with pytest.raises(RunError, match="the disk is full"):
        await run_workflow(made(tmp_path, DIAMOND), ScriptedHands(does), inputs={}, record=kept.append)
    assert "join" not in {each.node for each in kept}


async def test_work_says_all_that_its_node_says(tmp_path: Path) -> None:
    nodes = """\
- {id: a, prompt: x}
- id: b
  prompt: x
  role: other
  depends_on: [a]
  context: shared
  writable: false
  timeout: 90000
  idle_timeout: 1500
  output_format: {type: object}
- {id: c, bash: x, depends_on: [b], timeout: 250}
- {id: d, prompt: x, depends_on: [c], context: {resume: b}}
"""
    hands = ScriptedHands(lambda work: {} if work.node == "b" else "")
    await run_workflow(made(tmp_path, nodes), hands, inputs={})
    limits = {"timeout": 90.0, "idle_timeout": 1.5}
    assert hands.work("b") == Work(
        node="b", kind="prompt", text="x", role="other", context="a", output_format={"type": "object"},
        writable=False, limits=limits,
    )  # fmt: skip
    assert hands.work("c").limits == {"timeout": 0.25}
    assert hands.work("d").context == "b"
