"""A dry run: in which order, by whom, when, and what each is told as far as that is known."""

from collections.abc import Mapping
from typing import Any

from dualcode.config import TeamConfig
from dualcode.workflows.running import check_inputs
from dualcode.workflows.variables import Values, fill
from dualcode.workflows.workflow import Node, Workflow


def rehearse(workflow: Workflow, inputs: Mapping[str, str], team: TeamConfig | None) -> list[dict[str, Any]]:
    """Return what each node would do, in order. Raises WorkflowError for inputs that do not fit."""
    words, given = check_inputs(workflow, inputs)
    values = Values(words, given)
    return [_told(node, values, team) for node in workflow.nodes]


def _told(node: Node, values: Values, team: TeamConfig | None) -> dict[str, Any]:
    shell = node.bash is not None
    texts = {
        ".".join(keys): fill(text, values, shell=shell or keys[-1] == "until_bash", known_only=True)
        for keys, text in node.texts()
    }
    endpoint = team.roles.get(node.role) if team and node.role else None
    return {
        "id": node.id,
        "body": node.body,
        "role": node.role,
        "endpoint": endpoint,
        "model": team.endpoints[endpoint].model if team and endpoint else None,
        "depends_on": list(node.depends_on),
        "when": node.when,
        "trigger_rule": node.trigger_rule,
        "context": node.continues or "fresh",
        "writable": node.writable,
        "texts": texts,
    }
