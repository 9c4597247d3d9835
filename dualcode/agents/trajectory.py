"""An agent's records in the forms that other tools read: mini-swe-agent's trajectories, and ATIF."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from dualcode.agents.records import AgentRun, Step
from dualcode.call import Call, Message

MINI_FORMAT = "mini-swe-agent-1.1"
ATIF_FORMAT = "ATIF-v1.4"
_STATUS = {
    "submitted": "Submitted",
    "steps": "LimitsExceeded",
    "tokens": "LimitsExceeded",
    "time": "TimeExceeded",
    "format": "RepeatedFormatError",
}
"""Its words for endings; for the others it has none, and gets ours."""


def mini_trajectory(run: AgentRun, steps: Sequence[Step], opening: Sequence[Message]) -> dict[str, Any]:
    """Return a trajectory as mini-swe-agent writes it; `opening` is what came before the first reply.

    Costs are 0 there: what a run cost is told by whoever knows prices.
    """
    messages: list[dict[str, Any]] = [each.model_dump() for each in opening]
    for step in steps:
        actions = [{"command": step.command}] if step.command is not None else []
        messages.append(
            {"role": "assistant", "content": step.said, "extra": {"actions": actions, "cost": 0.0}}
        )
        if step.answer is None:
            told = {"raw_output": step.observation, "returncode": step.exit_code, "exception_info": ""}
            messages.append({"role": "user", "content": step.observation, "extra": told})
    status, answer = _STATUS.get(run.ending, run.ending), run.answer or ""
    last = {"exit_status": status, "submission": answer}
    messages.append({"role": "exit", "content": answer or run.why, "extra": last})
    ours = run.model_dump(mode="json", include={"node", "role", "ending", "why", "failed_edits", "seconds"})
    return {
        "info": {
            "model_stats": {"instance_cost": 0.0, "api_calls": run.calls},
            "config": {"agent_type": "dualcode", "dualcode": ours},
            "mini_version": version("mini-swe-agent"),
            **last,
        },
        "messages": messages,
        "trajectory_format": MINI_FORMAT,
    }


def atif_trajectory(
    run: AgentRun, steps: Sequence[Step], opening: Sequence[Message], calls: Sequence[Call], *, session: str
) -> dict[str, Any]:
    """Return a trajectory in ATIF. `calls` are the agent's own, for tokens and times; `session` names it."""
    by_number = {call.number: call for call in calls}
    told = [
        {"step_id": at, "source": _SOURCE[each.role], "message": each.content}
        for at, each in enumerate(opening, 1)
    ]
    told += [_atif_step(len(told) + at, step, by_number) for at, step in enumerate(steps, 1)]
    models = sorted({call.model for call in calls})
    usage = run.usage
    return {
        "schema_version": ATIF_FORMAT,
        "session_id": session,
        "agent": {
            "name": "dualcode",
            "version": version("dualcode"),
            **({"model_name": models[0]} if len(models) == 1 else {}),
            "extra": {
                "node": run.node,
                "role": run.role,
                "loop": f"mini-swe-agent {version('mini-swe-agent')}",
            },
        },
        "steps": told,
        "final_metrics": {
            **({} if usage.untold else _tokens(usage.model_dump(), "total_")),
            "total_steps": len(told),
        },
        "extra": {
            "ending": run.ending,
            "why": run.why,
            "answer": run.answer,
            "failed_edits": run.failed_edits,
        },
    }


_SOURCE = {"system": "system", "user": "user", "assistant": "agent"}


def _atif_step(at: int, step: Step, calls: Mapping[int, Call]) -> dict[str, Any]:
    told: dict[str, Any] = {"step_id": at, "source": "agent", "message": step.said}
    call = calls.get(step.call)
    if call is not None and call.reply is not None:
        told["timestamp"] = datetime.fromtimestamp(call.reply.started, UTC).isoformat()
        told["model_name"] = call.model
        if call.reply.reasoning:
            told["reasoning_content"] = call.reply.reasoning
        if not call.usage.untold:
            told["metrics"] = _tokens(call.usage.model_dump(), "")
    if step.command is not None:
        name = f"call_{step.number}"
        run = {"tool_call_id": name, "function_name": "bash", "arguments": {"command": step.command}}
        told["tool_calls"] = [run]
        told["observation"] = {"results": [{"source_call_id": name, "content": step.observation}]}
    elif step.observation:
        told["observation"] = {"results": [{"content": step.observation}]}
    own = {"ending", "exit_code", "failed_edit", "seconds", "change", "shortened"}
    return {**told, "extra": step.model_dump(mode="json", include=own)}


def _tokens(usage: dict[str, int], prefix: str) -> dict[str, int]:
    return {
        f"{prefix}{name}": usage[name] for name in ("prompt_tokens", "completion_tokens", "cached_tokens")
    }
