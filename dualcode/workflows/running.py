"""A workflow at work: each node begins when what it depends on has ended, what is independent side by side.

What cannot be evaluated fails its node. A failure stops nothing but what depends on it; a `cancel` node, or a
rejection, ends everything. Nodes that are on record are not done again, but for those in which a fault of
ours came in between, and what was decided on that.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dualcode.config import TeamConfig
from dualcode.errors import WorkflowError
from dualcode.issues.task import IssueTask
from dualcode.together import first_failure
from dualcode.workflows.conditions import parse_condition
from dualcode.workflows.records import Hands, NodeResult, Work, misfit
from dualcode.workflows.variables import UnresolvedError, Values, fill
from dualcode.workflows.workflow import Approval, Loop, Node, TriggerRule, Workflow

ARGUMENTS = "ARGUMENTS"
"""The input that `$ARGUMENTS` stands for."""
VISIBLE_TEST = "VISIBLE_TEST"
"""The input that is the shell line of the tree's own tests."""


async def run_workflow(
    workflow: Workflow,
    hands: Hands,
    *,
    inputs: Mapping[str, str],
    done: Mapping[str, NodeResult] | None = None,
    record: Callable[[NodeResult], None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Mapping[str, NodeResult]:
    """Do the nodes, and return what came of each, by id in order.

    `inputs` has the declared ones, and `ARGUMENTS`. `done` are nodes on record, of this run or of another
    that shares them: they are kept, but for faults of ours and what depends on those, and nodes with
    `always_run`. `record` hears each result as it comes; where a node comes twice, the later one holds.
    Cancelled, it cancels what is being done, and records nothing of it. Raises WorkflowError for inputs that
    do not fit, and what the hands raise.
    """
    words, given = check_inputs(workflow, inputs)
    run = _Run(workflow, hands, words, given, record, tell, sleep, kept(workflow, done or {}))
    await run.everything()
    return {node.id: run.results[node.id] for node in workflow.nodes}


def inputs_of(workflow: Workflow, task: IssueTask, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what a workflow is told of an issue, where it asks for it, and `more` that it is given."""
    known = {VISIBLE_TEST: task.settings.visible_test}
    own = {name: each for name, each in known.items() if name in workflow.inputs}
    return {ARGUMENTS: task.instruction, **own, **(more or {})}


def check_inputs(workflow: Workflow, inputs: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the words and the inputs that a run's variables stand for. Raises WorkflowError."""
    named = ", ".join((*workflow.inputs, ARGUMENTS))
    for name in inputs:
        if name not in workflow.inputs and name != ARGUMENTS:
            raise WorkflowError(
                f"{workflow.path}: {name!r} is no input of {workflow.name}; there are: {named}",
                hint=f"dualcode workflow show {workflow.name}",
            )
    missing = [name for name, each in workflow.inputs.items() if each.required and name not in inputs]
    missing += [ARGUMENTS] if workflow.wants_arguments and ARGUMENTS not in inputs else []
    if missing:
        raise WorkflowError(
            f"{workflow.path}: {workflow.name} needs the input {missing[0]!r}",
            hint=f"--input {missing[0]}=VALUE",
        )
    defaults = {name: each.default for name, each in workflow.inputs.items() if each.default is not None}
    words = {name: inputs[ARGUMENTS] for name in (ARGUMENTS, "USER_MESSAGE") if ARGUMENTS in inputs}
    return words, defaults | {name: value for name, value in inputs.items() if name != ARGUMENTS}


def kept(workflow: Workflow, done: Mapping[str, NodeResult]) -> dict[str, NodeResult]:
    """Return the results on record that stand: a fault of ours, and all that depends on it, is done again."""
    faulted = workflow.downstream([name for name, each in done.items() if each.fault])
    again = faulted | {node.id for node in workflow.nodes if node.always_run}
    return {node.id: done[node.id] for node in workflow.nodes if node.id in done and node.id not in again}


def rehearse(workflow: Workflow, inputs: Mapping[str, str], team: TeamConfig | None) -> list[dict[str, Any]]:
    """Return what each node would do, in order: by whom, when, and told what, as far as that is known.

    Raises WorkflowError for inputs that do not fit.
    """
    values = Values(*check_inputs(workflow, inputs))
    found: list[dict[str, Any]] = []
    own = {"id", "role", "depends_on", "when", "trigger_rule", "writable"}
    for node in workflow.nodes:
        endpoint = team.roles.get(node.role) if team and node.role else None
        texts = {
            ".".join(keys): fill(text, values, shell=keys[-1] in ("bash", "until_bash"), known_only=True)
            for keys, text in node.texts()
        }
        who = {"endpoint": endpoint, "model": team.endpoints[endpoint].model if team and endpoint else None}
        more = {"body": node.body, "context": node.continues or "fresh", "texts": texts}
        found.append({**node.model_dump(mode="json", include=own), **who, **more})
    return found


@dataclass(frozen=True)
class Blocked:
    """Why a node is skipped."""

    reason: str
    failed_upstream: str | None
    """The failed node that it comes from; None where a branch was only not taken."""


def blocked(rule: TriggerRule, upstream: Sequence[NodeResult]) -> Blocked | None:
    """Return why a node is skipped; None if it is done.

    | rule | done if |
    |---|---|
    | `all_success` | all completed |
    | `one_success` | one completed |
    | `none_failed_min_one_success` | one completed, none failed, none was skipped for a failure |
    | `all_done` | always |
    """
    if not upstream or rule == "all_done":
        return None
    completed = [each for each in upstream if each.status == "completed"]
    failed = [each for each in upstream if each.status == "failed" or each.failed_upstream is not None]
    done = {
        "all_success": len(completed) == len(upstream),
        "one_success": bool(completed),
        "none_failed_min_one_success": bool(completed) and not failed,
    }[rule]
    if done:
        return None
    others = [each for each in upstream if each.status != "completed"]
    told = ", ".join(f"{each.node} {each.status}" for each in others)
    cause = failed[0] if failed else None
    return Blocked(f"{rule}: {told}", cause and (cause.failed_upstream or cause.node))


class _EndedError(Exception):
    """The workflow was cancelled by one of its nodes."""


@dataclass
class _Run:
    workflow: Workflow
    hands: Hands
    words: Mapping[str, str]
    inputs: Mapping[str, str]
    record: Callable[[NodeResult], None]
    tell: Callable[[str], None]
    sleep: Callable[[float], Awaitable[None]]
    results: dict[str, NodeResult]
    _ended: dict[str, asyncio.Event] = field(default_factory=dict[str, asyncio.Event])

    async def everything(self) -> None:
        self._ended = {node.id: asyncio.Event() for node in self.workflow.nodes}
        for name in self.results:
            self._ended[name].set()
            self.tell(f"{name}: on record")
        if not self._cancelled():
            try:
                async with asyncio.TaskGroup() as group:
                    for node in self.workflow.nodes:
                        if node.id not in self.results:
                            group.create_task(self._node(node))
            except BaseExceptionGroup as failures:
                left = failures.split(_EndedError)[1]
                if left is not None:
                    raise first_failure(left) from None
        if by := self._cancelled():
            for node in self.workflow.nodes:
                if node.id not in self.results:
                    self._keep(
                        NodeResult(node=node.id, status="cancelled", reason=f"{by} ended the workflow")
                    )

    def _cancelled(self) -> str | None:
        return next((name for name, each in self.results.items() if each.status == "cancelled"), None)

    async def _node(self, node: Node) -> None:
        for name in node.depends_on:
            await self._ended[name].wait()
        began = time.monotonic()
        result = await self._decided(node)
        self._keep(result.model_copy(update={"seconds": time.monotonic() - began}))
        if result.status == "cancelled":
            raise _EndedError

    def _keep(self, result: NodeResult) -> None:
        self.record(result)
        self.results[result.node] = result
        if result.status != "cancelled":  # else nobody goes on behind it
            self._ended[result.node].set()
        why = f": {result.reason}" if result.reason else ""
        self.tell(f"{result.node}: {result.status}, {result.seconds:.1f} s{why}")

    async def _decided(self, node: Node) -> NodeResult:
        """Do a node, or say why it is skipped, or why that cannot be said."""
        block = blocked(node.trigger_rule, [self.results[name] for name in node.depends_on])
        if block is not None:
            cause = block.failed_upstream
            return NodeResult(node=node.id, status="skipped", reason=block.reason, failed_upstream=cause)
        try:
            if node.when is not None and not parse_condition(node.when).holds(self._values()):
                return NodeResult(node=node.id, status="skipped", reason=f"when: {node.when} does not hold")
            return await self._body(node)
        except UnresolvedError as error:
            return NodeResult(node=node.id, status="failed", reason=str(error), role=node.role)

    async def _body(self, node: Node) -> NodeResult:
        self.tell(f"{node.id}: begins ({node.role or node.body})")
        if node.cancel is not None:
            return NodeResult(node=node.id, status="cancelled", reason=fill(node.cancel, self._values()))
        if node.approval is not None:
            return await self._approved(node, node.approval)
        if node.loop is not None:
            return await self._looped(node, node.loop)
        if node.bash is not None:
            return await self._tried(node, _work(node, fill(node.bash, self._values(), shell=True)))
        return await self._tried(node, _work(node, fill(node.prompt or "", self._values())))

    async def _tried(self, node: Node, work: Work) -> NodeResult:
        """Do a piece of work, and again as often as its node says."""
        retry, attempt, runs = node.retries, 1, ()
        while True:
            result = _checked(work, await self.hands.do(work.model_copy(update={"attempt": attempt})))
            failed = result.status == "failed" and (result.fault or (retry and retry.on_error == "all"))
            if not failed or retry is None or attempt > retry.max_attempts:
                about = {
                    "node": node.id,
                    "runs": (*runs, *result.runs),
                    "attempts": attempt,
                    "role": work.role,
                }
                return result.model_copy(update=about)
            # What a fault broke off, the next attempt takes up, and its record holds both.
            runs = runs if result.fault else (*runs, *result.runs)
            seconds = retry.delay_ms / 1000 * 2 ** (attempt - 1)
            self.tell(f"{node.id}: {result.reason}; again in {seconds:g} s")
            await self.sleep(seconds)
            attempt += 1

    async def _looped(self, node: Node, loop: Loop) -> NodeResult:
        """Do a loop's turns until its end; a turn that fails, fails the node."""
        previous, runs, attempts = "", (), 0
        for turn in range(1, loop.max_iterations + 1):
            text = fill(loop.prompt or "", self._values(LOOP_PREV_OUTPUT=previous))
            own = turn > 1 and not loop.fresh_context
            more = {"turn": turn, **({"context": node.id} if own else {})}
            result = await self._tried(node, _work(node, text).model_copy(update=more))
            runs, attempts, previous = (*runs, *result.runs), attempts + result.attempts, result.output
            result = result.model_copy(update={"runs": runs, "attempts": attempts})
            if result.status != "completed":
                return result.model_copy(update={"reason": f"turn {turn}: {result.reason}"})
            ends = await self._ends(node, loop, result, turn)
            if isinstance(ends, NodeResult):
                update = {"status": "failed", "fault": ends.fault, "reason": f"until_bash: {ends.reason}"}
                return result.model_copy(update=update)
            if ends:
                return result
            self.tell(f"{node.id}: turn {turn} of {loop.max_iterations} is done")
        told = f"no end after {loop.max_iterations} turns"
        return NodeResult(
            node=node.id,
            status="failed",
            reason=told,
            output=previous,
            role=node.role,
            runs=runs,
            attempts=attempts,
        )

    async def _ends(self, node: Node, loop: Loop, result: NodeResult, turn: int) -> bool | NodeResult:
        """Tell whether a turn was the last, or return what kept the command that says so from saying it."""
        if loop.until_field is not None:
            return (result.data or {}).get(loop.until_field) is True
        if loop.until is not None:
            lines = {line.strip() for line in result.output.splitlines()}
            return loop.until in lines or f"<promise>{loop.until}</promise>" in result.output
        text = fill(loop.until_bash or "", self._values(LOOP_PREV_OUTPUT=result.output), shell=True)
        work = Work(node=node.id, kind="bash", text=text, turn=turn, writable=node.writable)
        asked = await self.hands.do(work)
        if asked.status == "completed":
            return True
        return False if asked.exit_code is not None else asked

    async def _approved(self, node: Node, approval: Approval) -> NodeResult:
        """Ask a person; a rejection ends the workflow, after as much rework as the node says."""
        rework, runs, rejections = approval.on_reject, (), 0
        while True:
            message = fill(approval.message, self._values())
            decision, said = await self.hands.approve(node.id, message, approval.decisions)
            if decision not in approval.decisions:
                raise WorkflowError(
                    f"{decision!r} is no decision of {node.id}; there are: {', '.join(approval.decisions)}",
                    hint=f"--approve {node.id}={approval.decisions[0]}",
                )
            if decision != approval.decisions[-1]:
                data = {"decision": decision, "response": said}
                output = said if approval.capture_response else decision
                return NodeResult(node=node.id, status="completed", output=output, data=data, runs=runs)
            if rework is None or rejections == rework.max_attempts:
                reason = f"rejected: {said}" if said else "rejected"
                return NodeResult(node=node.id, status="cancelled", reason=reason, runs=runs)
            rejections += 1
            text = fill(rework.prompt, self._values(REJECTION_REASON=said))
            result = await self._tried(node, _work(node, text).model_copy(update={"turn": rejections}))
            runs = (*runs, *result.runs)
            if result.status != "completed":
                return result.model_copy(update={"runs": runs})

    def _values(self, **words: str) -> Values:
        return Values({**self.words, **words}, self.inputs, self.results)


def _work(node: Node, text: str) -> Work:
    return Work(
        node=node.id,
        kind="prompt" if node.bash is None else "bash",
        text=text,
        role=node.role,
        context=node.continues or "fresh",
        output_format=node.output_format,
        writable=node.writable,
        thinking=node.thinking,
        limits=node.limits,
    )


def _checked(work: Work, result: NodeResult) -> NodeResult:
    """Return what the hands say, if it can be so."""
    if result.status not in ("completed", "failed"):
        told = {"status": "failed", "fault": True, "reason": result.reason or f"it was {result.status}"}
        return result.model_copy(update=told)
    asked = work.output_format is not None and result.status == "completed"
    if asked and (told := misfit(work.output_format or {}, result.data)):
        return result.model_copy(update={"status": "failed", "reason": f"output_format: {told}"})
    return result
