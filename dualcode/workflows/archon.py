"""Archon's keys that dualcode does not have, and what is written instead."""

from collections.abc import Mapping

_MODEL = "use role:, and bind that role in the team's file"
_TOOLS = "use writable: false for a node that may only read"
_LATER = "its nodes have to be written out"
_SANDBOX = "every command runs in the jail, in a worktree"

REPLACED: Mapping[str, str] = {
    "provider": _MODEL,
    "model": _MODEL,
    "fallbackModel": _MODEL,
    "effort": "use the sampling of the role in the team's file",
    "betas": "use the endpoint in the team's file",
    "settingSources": "a prompt says all that a model is told",
    "webSearchMode": "there is no network",
    "allowed_tools": _TOOLS,
    "denied_tools": _TOOLS,
    "mutates_checkout": _TOOLS,
    "hooks": "use a bash node before or after",
    "mcp": "there is no network; use bash",
    "skills": "write it into the prompt",
    "plugins": "write it into the prompt",
    "agents": "use nodes",
    "systemPrompt": "write it into the prompt",
    "maxBudgetUsd": "use timeout, or a limit of the run",
    "script": "use bash",
    "runtime": "use bash",
    "deps": "the task's environment is fixed",
    "on_timeout": "what timed out has failed",
    "loop_group": _LATER,
    "include": _LATER,
    "workflow": _LATER,
    "fan_out": _LATER,
    "with": "use $ID.output and inputs",
    "wait": "use approval",
    "interactive": "use an approval node",
    "gate_message": "use an approval node",
    "output_type": "use output_format",
    "returns": "every node's output is on record",
    "outcome_field": "every node's output is on record",
    "persist_session": "use context within a run",
    "persist_sessions": "use context within a run",
    "worktree": _SANDBOX,
    "container": _SANDBOX,
    "sandbox": _SANDBOX,
    "evidence_policy": "a fix is graded by hidden tests",
    "requires": "nothing outside is needed",
    "tags": "write it into the description",
    "deprecated": "write it into the description",
    "steps": "use nodes with depends_on",
}
NODE_KEYS: Mapping[str, str] = {
    key: REPLACED[key] for key in ("script", "loop_group", "include", "workflow", "wait")
}
"""Those that are a node's body."""
