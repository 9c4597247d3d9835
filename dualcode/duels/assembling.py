"""From what is on record of a cell to the cell: its phases with their price, and how it ended."""

from collections.abc import Mapping, Sequence

from dualcode.agents.records import AgentEnding
from dualcode.call import Call, Usage
from dualcode.config import Price
from dualcode.duels.records import Cell, Condition, Kind, Phase
from dualcode.pricing import bill
from dualcode.workflows.records import NodeResult
from dualcode.workflows.workflow import Node, Workflow, upstream

_OF_ENDING: Mapping[AgentEnding, str] = {
    "submitted": "stopped",  # by its own words: what it submitted is no answer that the node takes
    "steps": "timeout",
    "tokens": "timeout",
    "time": "timeout",
    "stalled": "stalled",
    "format": "stopped",
    "endpoint": "errored",
    "cancelled": "errored",
    "infrastructure": "errored",
}
"""What a node that failed makes of its cell, by how its last agent ended."""


def phases_of(
    condition: Condition,
    workflow: Workflow,
    results: Mapping[str, NodeResult],
    calls: Sequence[Call],
    prices: Mapping[str, Price | None],
    *,
    shared: frozenset[str] = frozenset(),
) -> tuple[Phase, ...]:
    """Return a cell's phases in the workflow's order; `calls` are its own and those of the plan it has.

    All before the first change counts as the plan.

    `shared` names the nodes that other cells of the duel paid for, too.
    """
    found: list[Phase] = []
    changing = {each.id for each in workflow.nodes if each.asks and each.writable}
    above = upstream(workflow.nodes)
    for node in workflow.nodes:
        if (result := results.get(node.id)) is None:
            continue
        own = [call for call in calls if call.step == node.id]
        money, source = bill(own, prices)
        role = result.role or node.role
        kind: Kind = "implement" if node.writable else "review" if changing & above[node.id] else "plan"
        kind = kind if node.asks else "check"
        found.append(
            Phase(
                name=node.id,
                kind=kind,
                role=role,
                model=condition.roles.get(role) if role else None,
                status=result.status,
                runs=result.runs,
                calls=len(own),
                usage=sum((call.usage for call in own), Usage()),
                seconds=result.seconds,
                money=money,
                source=source,
                shared=node.id in shared,
            )
        )
    return tuple(found)


def ending_of(workflow: Workflow, results: Mapping[str, NodeResult]) -> tuple[str, str]:
    """Return the status of a cell, in the words of `Cell.status`, and its reason.

    Commands do not decide: whether tests pass is not whether a model came to its end.
    """
    for node in workflow.nodes:
        result = results.get(node.id)
        if result is None:
            return "errored", f"{node.id} was not done"
        if result.fault or result.status == "cancelled":
            return "errored", f"{node.id}: {result.reason or result.status}"
        if node.asks and result.status == "failed":
            ending = result.runs[-1].ending if result.runs else "submitted"
            return _OF_ENDING[ending], f"{node.id}: {result.reason or ending}"
    return "complete", ""


def plan_of(workflow: Workflow, results: Mapping[str, NodeResult]) -> str | None:
    """Return the plan: what the last node before the first change said, of those whose role plans."""
    said = [
        results[node.id].output
        for node in workflow.nodes
        if node.role == "planner" and node.id in results and results[node.id].status == "completed"
    ]
    return said[-1] if said else None


def shared_nodes(workflow: Workflow) -> tuple[Node, ...]:
    """Return the nodes that one plan for all implementers consists of.

    Those are the nodes of explorer and planner that only read, with what they depend on, as long as nothing
    of that is anybody else's.
    """
    free: dict[str, Node] = {}
    for node in workflow.nodes:
        reads = node.body != "approval" and not node.writable
        own = node.role in ("explorer", "planner") or not node.asks
        if reads and own and all(each in free for each in node.depends_on):
            free[node.id] = node
    above = upstream(workflow.nodes)
    planning = [each for each in free.values() if each.role in ("explorer", "planner")]
    wanted = {each.id for each in planning}.union(*(above[each.id] for each in planning))
    return tuple(node for node in workflow.nodes if node.id in wanted)


def cost_of(cells: Sequence[Cell]) -> tuple[dict[str, float], int]:
    """Return the money of cells by currency, and how many have a phase of unknown cost."""
    total: dict[str, float] = {}
    unknown = 0
    for cell in cells:
        unknown += any(phase.money is None for phase in cell.phases)
        for phase in cell.phases:
            for currency, amount in (phase.money or {}).items():
                total[currency] = total.get(currency, 0.0) + amount
    return total, unknown
