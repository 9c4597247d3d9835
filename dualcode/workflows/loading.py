"""A workflow's file becomes a workflow, or is refused with the line of every fault before anything runs."""

import difflib
import json
from collections.abc import Collection, Mapping
from graphlib import CycleError
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dualcode import resources
from dualcode.workflows.checks import check_node
from dualcode.workflows.source import Fault, Place, Source, read_source, refuse
from dualcode.workflows.variables import references
from dualcode.workflows.workflow import (
    BODIES,
    Approval,
    Loop,
    Node,
    Retry,
    Workflow,
    Written,
    ordered,
    upstream,
)

COMMANDS = "commands"
"""The folder of prompts beside a workflow."""
_INSTEAD: Mapping[str, tuple[str, ...]] = {
    "use role:, and bind that role in the team's file": ("provider", "model", "fallbackModel"),
    "use the sampling of the role in the team's file": ("effort",),
    "use the endpoint in the team's file": ("betas",),
    "a prompt says all that a model is told": ("settingSources",),
    "there is no network": ("webSearchMode",),
    "there is no network; use bash": ("mcp",),
    "use writable: false for a node that may only read": (
        "allowed_tools", "denied_tools", "mutates_checkout",
    ),
    "use a bash node before or after": ("hooks",),
    "write it into the prompt": ("skills", "plugins", "systemPrompt"),
    "use nodes": ("agents",),
    "use timeout, or a limit of the run": ("maxBudgetUsd",),
    "use bash": ("script", "runtime"),
    "the task's environment is fixed": ("deps",),
    "what timed out has failed": ("on_timeout",),
    "its nodes have to be written out": ("loop_group", "include", "workflow", "fan_out"),
    "use $ID.output and inputs": ("with",),
    "use approval": ("wait",),
    "use an approval node": ("interactive", "gate_message"),
    "use output_format": ("output_type",),
    "every node's output is on record": ("returns", "outcome_field"),
    "use context within a run": ("persist_session", "persist_sessions"),
    "every command runs in the jail, in a worktree": ("worktree", "container", "sandbox"),
    "a fix is graded by hidden tests": ("evidence_policy",),
    "nothing outside is needed": ("requires",),
    "write it into the description": ("tags", "deprecated"),
    "use nodes with depends_on": ("steps",),
}  # fmt: skip
REPLACED: Mapping[str, str] = {key: told for told, keys in _INSTEAD.items() for key in keys}
"""Archon's keys that dualcode does not have, and what is written instead."""
NODE_KEYS = {"script", "loop_group", "include", "workflow", "wait"}
"""Those that are a node's body."""
_KEYS: dict[str, Collection[str]] = {
    "loop": Loop.model_fields,
    "approval": Approval.model_fields,
    "retry": Retry.model_fields,
}


def load_workflow(path: Path) -> Workflow:
    """Read a workflow's file. Raises WorkflowError with file and line of what is wrong in it."""
    source = read_source(path)
    written = _validated(source)
    places = {node.id: ("nodes", number) for number, node in enumerate(written.nodes)}
    faults: list[Fault] = []
    texts: dict[str, Source] = {}
    nodes = tuple(
        _with_command(source, places[each.id], each, texts, faults).model_copy(
            update={"role": each.role or (written.role if each.needs_role else None)}
        )
        for each in _in_order(source, written.nodes, places)
    )
    above = upstream(nodes)
    for node in nodes:
        faults += check_node(source, places[node.id], node, nodes, above[node.id], written.inputs, texts)
    refuse(faults)
    role_lines: dict[str, tuple[str, int]] = {}
    for node in nodes:
        if node.role is not None:
            role_lines.setdefault(node.role, (node.id, source.line((*places[node.id], "role"))))
    used = (each.name for node in nodes for _, text in node.texts() for each in references(text))
    return Workflow(
        path=path,
        name=written.name,
        description=written.description,
        inputs=written.inputs,
        nodes=nodes,
        role_lines=role_lines,
        wants_arguments=not {"ARGUMENTS", "USER_MESSAGE"}.isdisjoint(used),
    )


def _validated(source: Source) -> Written:
    """Return the file's values, each node with one body, a name of its own, and known nodes before it."""
    faults: list[Fault] = []
    _check_bodies(source, faults)
    try:
        # As JSON, so that a list becomes a tuple and nothing else becomes anything else.
        written = Written.model_validate_json(json.dumps(source.content))
    except ValidationError as error:
        told = (each for each in error.errors() if each["type"] != "too_short" or not each["input"])
        refuse([*faults, *(_fault(source, each) for each in told)])  # without "no nodes" where each is faulty
        raise
    refuse(faults)
    _check_graph(source, written.nodes, faults)
    refuse(faults)
    return written


def _in_order(
    source: Source, nodes: tuple[Node, ...], places: dict[str, tuple[str, int]]
) -> tuple[Node, ...]:
    try:
        return ordered(nodes)
    except CycleError as error:
        # graphlib lists each before the one that waits for it, the first again at the end.
        circle = cast("list[str]", error.args[1])
        told = f"the nodes wait for each other in a circle: {' -> '.join(circle)}"
        refuse([source.fault((*places[circle[0]], "depends_on"), told)])
        raise


def check_roles(workflow: Workflow, bound: Collection[str]) -> None:
    """Refuse a team that leaves a role unbound, with the line that asks for it."""
    missing = {role: at for role, at in workflow.role_lines.items() if role not in bound}
    told = f"which the team leaves unbound; bound: {', '.join(bound) or 'none'}"
    faults = [
        Fault(str(workflow.path), line, f"node {node!r} needs the role {role!r}, {told}")
        for role, (node, line) in missing.items()
    ]
    first = next(iter(missing), "")
    refuse(faults, hint=f'{first} = "ENDPOINT" under [roles] of the team, or --role {first}=ENDPOINT')


def _check_bodies(source: Source, faults: list[Fault]) -> None:
    nodes = source.content.get("nodes")
    for number, node in enumerate(cast("list[Any]", nodes) if isinstance(nodes, list) else []):
        if not isinstance(node, dict):
            continue
        place, keys = ("nodes", number), cast("dict[str, Any]", node)
        bodies = [each for each in BODIES if each in keys]
        if len(bodies) > 1:
            told = f"{named(source, place)}has {len(bodies)} bodies, {' and '.join(bodies)}, and may have one"
            faults.append(source.fault((*place, bodies[1]), told))
        elif not bodies and not NODE_KEYS & keys.keys():
            told = f"{named(source, place)}does nothing; give it one of {', '.join(BODIES)}"
            faults.append(source.fault(place, told))


def named(source: Source, place: Place) -> str:
    """Return the words that name the node around a place; nothing for a place in none."""
    if len(place) < 2 or place[0] != "nodes":
        return ""
    nodes: Any = source.content["nodes"]
    node: Any = nodes[place[1]]
    name: Any = cast("dict[str, Any]", node).get("id") if isinstance(node, dict) else None
    return f"node {name!r} " if isinstance(name, str) else f"node {int(place[1]) + 1} "


def _fault(source: Source, detail: ErrorDetails) -> Fault:
    """Return what pydantic found, in words."""
    place: Place = tuple(detail["loc"])
    key, lead = str(place[-1]) if place else "", named(source, place)
    if detail["type"] == "extra_forbidden":
        told = _unknown_key(place, key)
    elif detail["type"] == "missing":
        told = f"{key} is missing"
    elif "context" in place:
        told = "context is fresh, shared or {resume: ID}"
    else:
        within = place[2:] if len(place) > 2 and place[0] == "nodes" else place
        found = repr(detail["input"])
        found = found if len(found) <= 60 else f"{found[:57]}…"
        told = f"{'.'.join(map(str, within))}: found {found}; {detail['msg'].lower()}"
    return source.fault(place, f"{lead.strip()}: {told}" if lead else told)


def _unknown_key(place: Place, key: str) -> str:
    if key in REPLACED and len(place) in (1, 3):
        return f"{key} is Archon's, and not done here: {REPLACED[key]}"
    table = next((each for each in reversed(place[:-1]) if isinstance(each, str)), "")
    inner = len(place) > 3
    if len(place) == 1:
        known: Collection[str] = Written.model_fields
    else:
        known = _KEYS.get(table, ()) if inner else Node.model_fields
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"; {near[0]} is nearest" if near else f"; known: {', '.join(known)}" if known else ""
    return f"unknown key {key!r}{hint}"


def _check_graph(source: Source, nodes: tuple[Node, ...], faults: list[Fault]) -> None:
    seen: dict[str, int] = {}
    ids = {node.id for node in nodes}
    for number, node in enumerate(nodes):
        place = ("nodes", number)
        if node.id in seen:
            told = f"the id {node.id!r} is taken by the node of line {seen[node.id]}"
            faults.append(source.fault((*place, "id"), told))
        seen.setdefault(node.id, source.line((*place, "id")))
        for at, each in enumerate(node.depends_on):
            told = f"node {node.id!r} depends on {each!r}"
            if each not in ids:
                near = difflib.get_close_matches(each, ids, n=1)
                told += ", which is no node" + (f"; {near[0]!r} is nearest" if near else "")
            elif each in node.depends_on[:at]:
                told += " twice"
            else:
                continue
            faults.append(source.fault((*place, "depends_on", at), told))


def _with_command(
    source: Source, place: Place, node: Node, texts: dict[str, Source], faults: list[Fault]
) -> Node:
    """Return a node with the text of its prompt's file in its place."""
    name = node.command or (node.loop.command if node.loop else None)
    if name is None:
        return node
    place = (*place, "command") if node.command else (*place, "loop", "command")
    path = find_command(source.path, name)
    try:
        written = path.read_text("utf-8") if path else ""
    except (OSError, UnicodeDecodeError) as error:
        faults.append(source.fault(place, f"node {node.id!r}: {path} cannot be read: {error}"))
        return node
    if path is None or not written.strip():
        beside = source.path.parent / COMMANDS / f"{name}.md"
        why = f"{path} is empty" if path else f"there is no prompt {name!r}; it would be {beside}"
        faults.append(source.fault(place, f"node {node.id!r}: {why}"))
        return node
    leading = len(written) - len(written.lstrip("\n"))
    texts[node.id] = Source(path, {}, {}, {(): 1 + leading})
    text = written.strip("\n")
    if node.command:
        return node.model_copy(update={"prompt": text})
    assert node.loop is not None
    return node.model_copy(update={"loop": node.loop.model_copy(update={"prompt": text})})


def find_command(workflow: Path, name: str) -> Path | None:
    """Return the file of a prompt: beside the workflow, or in `workflows/commands` of here or of dualcode."""
    if "/" in name or "\\" in name or name.startswith("."):
        return None
    folders = (workflow.parent, *resources.rooms("workflows"))
    return next((path for each in folders if (path := each / COMMANDS / f"{name}.md").is_file()), None)
