"""Workflows written for a test, and hands that work from a script."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dualcode.workflows.loading import load_workflow
from dualcode.workflows.records import NodeResult, Work
from dualcode.workflows.workflow import Workflow

HEAD = "name: made\ndescription: for a test\nrole: worker\n"
Did = NodeResult | str | Mapping[str, Any]
"""A result; or an output; or a node's data."""


def written(folder: Path, text: str, *, head: str = HEAD) -> Path:
    """Write a workflow's file; its nodes begin on line 5."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "made.yaml"
    path.write_text(head + text, "utf-8")
    return path


def made(folder: Path, nodes: str, *, inputs: str = "") -> Workflow:
    """Return a workflow of these nodes."""
    return load_workflow(written(folder, f"{inputs}nodes:\n{nodes}"))


def completed(work: Work, output: str = "", data: Mapping[str, Any] | None = None) -> NodeResult:
    """Return what well-done work comes to."""
    code = 0 if work.kind == "bash" else None
    own = None if data is None else dict(data)
    return NodeResult(node=work.node, status="completed", output=output, data=own, exit_code=code)


def failed(
    work: Work, reason: str = "it failed", *, fault: bool = False, code: int | None = None
) -> NodeResult:
    """Return what failed work comes to."""
    return NodeResult(node=work.node, status="failed", reason=reason, fault=fault, exit_code=code)


def always(decision: str, said: str = "") -> Callable[[str, str], tuple[str, str]]:
    """Return somebody who always decides so."""
    return lambda _node, _message: (decision, said)


APPROVES = always("approve")


class ScriptedHands:
    """Does each piece of work as a function says, and remembers what it was given."""

    def __init__(
        self,
        does: Callable[[Work], Did] = lambda work: f"{work.node} done",
        *,
        says: Callable[[str, str], tuple[str, str]] = APPROVES,
    ) -> None:
        self.works: list[Work] = []
        self.asked: list[tuple[str, str]] = []
        self._does, self._says = does, says

    @property
    def nodes(self) -> list[str]:
        """The nodes that were worked on, in order."""
        return [work.node for work in self.works]

    def work(self, node: str) -> Work:
        """Return the last work of a node."""
        return next(each for each in reversed(self.works) if each.node == node)

    async def do(self, work: Work) -> NodeResult:
        self.works.append(work)
        await asyncio.sleep(0)
        did = self._does(work)
        if isinstance(did, NodeResult):
            return did
        return completed(work, did) if isinstance(did, str) else completed(work, str(dict(did)), did)

    async def approve(self, node: str, message: str, decisions: tuple[str, ...]) -> tuple[str, str]:
        self.asked.append((node, message))
        return self._says(node, message)
