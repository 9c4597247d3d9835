"""Trigger rules: whether a node is done, after what became of the nodes that it depends on."""

from collections.abc import Sequence
from dataclasses import dataclass

from dualcode.workflows.records import NodeResult
from dualcode.workflows.workflow import TriggerRule


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
