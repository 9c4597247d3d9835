"""Real hands: scripted models that edit files by real commands, in a real jail, in a real tree."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from dualcode.agents.records import AgentLimits, Step
from dualcode.agents.work import MARKER
from dualcode.call import Call, Request
from dualcode.errors import EndpointError, WorkflowError
from dualcode.issues.worktrees import Worktree
from dualcode.models.scripted import Answer, ScriptedChat
from dualcode.sampling import PAPER
from dualcode.team import Seat, Team
from dualcode.workflows.find import find_workflow
from dualcode.workflows.hands import RepositoryHands, Site, restore
from dualcode.workflows.loading import load_workflow
from dualcode.workflows.records import NodeResult
from dualcode.workflows.running import run_workflow
from dualcode.workflows.workflow import Workflow
from tests.workflows.made import made

MEND = "sed -i 's/prices\\[1:\\]/prices/' shop/price.py"
TESTS = "python -m pytest -q tests"


def says(command: str) -> str:
    """Return a reply with one command."""
    return f"I try this.\n\n```bash\n{command}\n```\n"


def submits(answer: str) -> str:
    """Return a reply that submits an answer."""
    return says(f"cat <<'EOF'\n{MARKER}\n{answer}\nEOF")


Models = Mapping[str, Iterable[Answer]]
"""By role, what each model answers in order."""


@dataclass
class Workshop:
    """A workflow's run on a site: its records are kept here, as a folder would."""

    site: Site
    nodes: list[NodeResult] = field(default_factory=list[NodeResult])
    steps: list[Step] = field(default_factory=list[Step])
    calls: list[Call] = field(default_factory=list[Call])
    chats: dict[str, ScriptedChat] = field(default_factory=dict[str, ScriptedChat])
    told: list[str] = field(default_factory=list[str])

    def hands(self, models: Models, **limits: float) -> RepositoryHands:
        self.chats = {role: ScriptedChat(answers, name=role) for role, answers in models.items()}
        seats = {
            role: Seat(role=role, chat=chat, sampling=PAPER, answer_tokens=512)
            for role, chat in self.chats.items()
        }
        team = Team(seats).for_task("shop-1", self.calls.append)
        return RepositoryHands(
            team,
            self.site,
            list(self.steps),
            self.steps.append,
            limits=AgentLimits.model_validate(limits),
            tell=self.told.append,
        )

    async def run(
        self,
        workflow: Workflow,
        models: Models,
        *,
        inputs: dict[str, str] | None = None,
        **limits: float,
    ) -> dict[str, NodeResult]:
        async def at_once(_: float) -> None:
            return

        found = await run_workflow(
            workflow,
            self.hands(models, **limits),
            inputs=inputs or {},
            done={each.node: each for each in self.nodes},
            record=self.nodes.append,
            tell=self.told.append,
            sleep=at_once,
        )
        return dict(found)

    def asked(self, role: str, number: int = -1) -> str:
        """Return all that a role's model was told in one of its requests."""
        return "\n".join(each.content for each in self.chats[role].requests[number].messages)


@pytest.fixture
def shop(site: Site) -> Workshop:
    return Workshop(site)


async def test_the_default_mends_the_shop_by_a_plan(shop: Workshop, tree: Worktree) -> None:
    results = await shop.run(
        load_workflow(find_workflow("plan-implement")),
        {
            "planner": [
                says("cat shop/price.py"),
                submits("total() leaves out prices[0]: shop/price.py:2"),
                submits("In shop/price.py sum all prices."),
            ],
            "implementer": [says(MEND), submits("mended"), says("git diff --stat"), submits("it is right")],
        },
        inputs={"ARGUMENTS": "# The first price is not counted", "VISIBLE_TEST": TESTS},
    )
    assert {name: each.status for name, each in results.items()} == {
        "explore": "completed", "plan": "completed", "implement": "completed", "self-review": "completed",
        "validate": "completed",
    }, results  # fmt: skip
    assert results["plan"].output == "In shop/price.py sum all prices."
    assert "2 passed" in results["validate"].output
    assert tree.commit().files == ("shop/price.py",)
    assert "leaves out prices[0]" in shop.asked("planner")
    assert "In shop/price.py sum all prices." in shop.asked("implementer", 0)
    assert "cannot be changed by you" in shop.asked("planner", 0)
    # The self-review goes on in the implementer's own conversation.
    assert "shop/price.py" in shop.asked("implementer")
    assert "mended" in shop.asked("implementer", 2)
    assert {call.step for call in shop.calls} == {"explore", "plan", "implement", "self-review"}
    assert [run.ending for each in results.values() for run in each.runs] == ["submitted"] * 4


REVIEWED = {"VISIBLE_TEST": "test -f shop/price.py", "ARGUMENTS": "The first price is not counted."}


async def test_a_review_by_another_model_makes_the_first_one_mend(shop: Workshop, tree: Worktree) -> None:
    finding = {"where": "shop/price.py:2", "actual": "adds 1", "expected": "the sum"}
    wrong = "sed -i 's/sum(prices\\[1:\\])/sum(prices) + 1/' shop/price.py"
    right = "sed -i 's/ + 1//' shop/price.py"
    review = json.dumps({"verdict": "revise", "findings": [finding]})
    results = await shop.run(
        load_workflow(find_workflow("implement-review-fix")),
        {
            "implementer": [
                says(wrong),
                submits("done"),
                says(right),
                submits("mended"),
            ],
            "reviewer": [says("git diff"), submits("REVISE: it adds 1"), f"Here it is:\n{review}"],
        },
        inputs=REVIEWED,
    )
    assert {each.status for each in results.values()} == {"completed"}
    assert results["review"].data == {"verdict": "revise", "findings": [finding]}
    assert json.loads(results["review"].output) == results["review"].data
    assert '"actual": "adds 1"' in shop.asked("implementer")
    assert "+ 1" in shop.asked("reviewer", 1)  # what git diff showed it
    asked = shop.chats["reviewer"].requests[-1]
    assert asked.json_schema is not None
    assert asked.json_schema["required"] == ["verdict", "findings"]
    assert results["review"].runs[0].calls == 3
    assert "return sum(prices)" in tree.commit().diff


async def test_an_approving_review_leaves_the_change_alone(shop: Workshop) -> None:
    results = await shop.run(
        load_workflow(find_workflow("implement-review-fix")),
        {
            "implementer": [says(MEND), submits("done")],
            "reviewer": [submits("APPROVE"), '{"verdict": "approve", "findings": []}'],
        },
        inputs=REVIEWED,
    )
    assert (results["fix"].status, results["validate"].status) == ("skipped", "completed")


async def test_an_answer_without_the_form_is_asked_for_once_more_and_then_fails(shop: Workshop) -> None:
    results = await shop.run(
        load_workflow(find_workflow("implement-review-fix")),
        {
            "implementer": [says(MEND), submits("done")],
            "reviewer": [submits("APPROVE"), "it is fine", '{"verdict": "fine", "findings": []}'],
        },
        inputs=REVIEWED,
    )
    assert results["review"].status == "failed"
    assert results["review"].reason == "output_format: there is no object of its schema in the answer"
    assert (results["fix"].status, results["validate"].status) == ("skipped", "skipped")


async def test_a_fault_while_the_form_is_asked_for_runs_no_command_again(
    shop: Workshop, tmp_path: Path
) -> None:
    nodes = "- id: a\n  prompt: x\n  output_format: {type: object, required: [n]}\n"
    count, done = says("echo x >> count"), submits("it is 3")
    models = {"worker": [count, done, EndpointError("lost"), count, done, '{"n": 3}']}
    results = await shop.run(made(tmp_path, nodes), models)
    assert (results["a"].status, results["a"].data, results["a"].attempts) == ("completed", {"n": 3}, 2)
    assert (shop.site.room.worktree.path / "count").read_text() == "x\n"
    assert [(step.agent, step.number) for step in shop.steps] == [(1, 1), (1, 2)]


async def test_another_attempt_at_a_form_is_told_what_was_wrong(shop: Workshop, tmp_path: Path) -> None:
    nodes = "- id: a\n  prompt: x\n  output_format: {type: object, required: [n]}\n"
    nodes += "  retry: {max_attempts: 1, on_error: all}\n"
    models = {"worker": [submits("3"), "{}", "{}", submits("3"), '{"n": 3}']}
    results = await shop.run(made(tmp_path, nodes), models)
    assert (results["a"].status, results["a"].attempts) == ("completed", 2)
    assert "An earlier attempt at this failed: output_format: there is no object" in shop.asked("worker", 3)


async def test_a_command_s_output_end_and_time_are_told(shop: Workshop, tmp_path: Path) -> None:
    nodes = """\
- id: good
  bash: echo '{"n":' 3'}'
- {id: uses, bash: echo $good.output.n $INPUTS.odd, depends_on: [good]}
- {id: bad, bash: "echo why; exit 3"}
- {id: slow, bash: sleep 600, timeout: 200}
- {id: reads, bash: touch new, writable: false}
"""
    workflow = made(tmp_path, nodes, inputs='inputs: {odd: {default: "it\'s; $(touch x)"}}\n')
    results = await shop.run(workflow, {})
    assert results["uses"].output == "3 it's; $(touch x)"
    assert (results["bad"].output, results["bad"].reason, results["bad"].exit_code) == (
        "why",
        "exit code 3",
        3,
    )
    assert (results["slow"].reason, results["slow"].exit_code) == ("the command timed out after 0.2 s", None)
    assert (
        "Read-only file system" in results["reads"].output or "Permission denied" in results["reads"].output
    )
    assert not any(each.fault for each in results.values())


async def test_one_who_changes_the_tree_has_it_alone(shop: Workshop, tmp_path: Path) -> None:
    turn = "mkdir busy && sleep 0.2 && rmdir busy"
    nodes = "".join(f"- {{id: n{n}, bash: {turn}}}\n" for n in range(3))
    results = await shop.run(made(tmp_path, nodes), {})
    assert {each.status for each in results.values()} == {"completed"}


async def test_an_agent_at_its_limit_has_failed_and_its_next_attempt_begins_anew(
    shop: Workshop, tmp_path: Path, tree: Worktree
) -> None:
    nodes = "- {id: a, prompt: Mend it., retry: {max_attempts: 1, on_error: all}}\n"
    models = {"worker": [says("echo >> shop/price.py"), says("echo >> new"), says(MEND), submits("done")]}
    results = await shop.run(made(tmp_path, nodes), models, steps=2)
    assert (results["a"].status, results["a"].attempts) == ("completed", 2)
    assert [run.ending for run in results["a"].runs] == ["steps", "submitted"]
    assert tree.commit().files == ("shop/price.py",)
    assert tree.commit().diff.count("\n+") == 2  # the header, and the mended line
    assert "An earlier attempt at this failed: steps: " in shop.asked("worker")
    assert [(step.agent, step.number) for step in shop.steps] == [(1, 1), (1, 2), (2, 3), (2, 4)]
    once = Workshop(replace(shop.site, folder=tmp_path / "once"))
    one = made(tmp_path, "- {id: a, prompt: Mend it.}\n")
    results = await once.run(one, {"worker": [says("ls"), says("ls")]}, steps=2)
    assert (results["a"].status, results["a"].fault, results["a"].attempts) == ("failed", False, 1)
    assert results["a"].reason.startswith("steps: ")


async def test_a_fault_of_the_server_is_taken_up_where_it_broke_off(shop: Workshop, tmp_path: Path) -> None:
    """Without a ledger the script is asked again; the commands on record are not run again."""
    count = says("echo x >> count")
    models = {"worker": [count, EndpointError("lost"), count, submits("done")]}
    results = await shop.run(made(tmp_path, "- {id: a, prompt: x}\n"), models)
    assert (results["a"].status, results["a"].attempts) == ("completed", 2)
    assert (shop.site.room.worktree.path / "count").read_text() == "x\n"
    assert [step.number for step in shop.steps] == [1, 2]
    assert [run.ending for run in results["a"].runs] == ["submitted"]
    lost = Workshop(replace(shop.site, folder=tmp_path / "lost"))
    results = await lost.run(
        made(tmp_path, "- {id: a, prompt: x}\n"), {"worker": [EndpointError("lost")] * 9}
    )
    assert (results["a"].status, results["a"].fault, results["a"].attempts) == ("failed", True, 3)
    assert results["a"].reason == "endpoint: lost"


NODES = """\
- {id: first, bash: echo 1 >> log}
- {id: second, prompt: Go on., depends_on: [first]}
- {id: third, prompt: And again., depends_on: [second], context: {resume: second}}
"""
SCRIPT = [says("echo 2 >> log"), submits("two"), says("echo 3 >> log"), submits("three")]


@pytest.mark.parametrize("calls", [0, 1, 3])
async def test_an_interrupted_run_goes_on_without_a_command_run_twice(
    shop: Workshop, tmp_path: Path, tree: Worktree, calls: int
) -> None:
    workflow, reached, never = made(tmp_path, NODES), asyncio.Event(), asyncio.Event()

    class Stuck(ScriptedChat):
        async def complete(self, request: Request) -> object:  # type: ignore[override]
            if len(self.requests) == calls:
                reached.set()
                await never.wait()
            return await super().complete(request)

    hands = shop.hands({"worker": SCRIPT})
    stuck = Stuck(SCRIPT)
    seat = replace(hands.team["worker"], chat=stuck)  # pyright: ignore[reportArgumentType]
    hands.team = Team({"worker": seat})
    running = asyncio.create_task(run_workflow(workflow, hands, inputs={}, record=shop.nodes.append))
    await reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    # Another session: a tree as the base has it, made what the record says.
    tree.restore("")
    restore(tree, shop.site.folder, shop.nodes)
    left = SCRIPT[2:] if calls >= 2 else SCRIPT  # what is on record of a node is asked of the ledger again
    results = await shop.run(workflow, {"worker": left})
    assert {each.status for each in results.values()} == {"completed"}
    assert (tree.path / "log").read_text() == "1\n2\n3\n"
    assert "echo 2 >> log" in shop.asked("worker")


async def test_a_loop_of_agents_goes_on_in_its_turn(shop: Workshop, tmp_path: Path) -> None:
    nodes = "- id: a\n  loop: {prompt: After $LOOP_PREV_OUTPUT, max_iterations: 4, until_bash: test -f end}\n"
    script = [says("echo 1 >> log"), submits("one"), says("echo 2 >> log; touch end"), submits("two")]
    whole = await shop.run(made(tmp_path, nodes), {"worker": script})
    assert (whole["a"].status, whole["a"].output, len(whole["a"].runs)) == ("completed", "two", 2)
    assert [step.number for step in shop.steps] == [1, 2, 3, 4]
    tree = shop.site.room.worktree
    tree.restore("")
    again = Workshop(shop.site, steps=shop.steps[:3])  # killed before the last reply
    results = await again.run(made(tmp_path, nodes), {"worker": script})
    assert results["a"].output == "two"
    assert [step.number for step in again.steps] == [1, 2, 3, 4]
    assert (tree.path / "log").read_text() == "1\n2\n"


async def test_cancelling_ends_the_command_that_runs(shop: Workshop, tmp_path: Path) -> None:
    begun = asyncio.Event()

    def told(line: str) -> None:
        if "sleep 600" in line:
            begun.set()

    hands = shop.hands({"worker": [says("sleep 600")]})
    hands.tell = told
    running = asyncio.create_task(run_workflow(made(tmp_path, "- {id: a, prompt: x}\n"), hands, inputs={}))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 60)
    assert shop.steps == []


async def test_a_question_to_nobody_is_refused_with_what_to_try(shop: Workshop, tmp_path: Path) -> None:
    workflow = made(tmp_path, "- {id: gate, approval: {message: Well}}\n")
    with pytest.raises(WorkflowError, match=r"nobody is here to make it: Well\n.*--approve gate=approve"):
        await shop.run(workflow, {})
