"""Decisions that a workflow asks for: said beforehand by `--approve`, or made at the terminal."""

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from dualcode.errors import UnknownNameError, WorkflowError

if TYPE_CHECKING:
    from dualcode.workflows.hands import Approver
    from dualcode.workflows.workflow import Workflow


def decisions_of(workflow: "Workflow", given: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return the decisions that were made beforehand; refuse work that would wait for nobody."""
    gates = {node.id: node.approval for node in workflow.nodes if node.approval is not None}
    found: dict[str, tuple[str, str]] = {}
    for name, text in given.items():
        if (gate := gates.get(name)) is None:
            raise UnknownNameError(
                "approval node", name, gates, hint=f"dualcode workflow show {workflow.path}"
            )
        decision, _, words = text.partition(":")
        if decision not in gate.decisions:
            raise UnknownNameError("decision", decision, gate.decisions, hint=f"--approve {name}=DECISION")
        found[name] = (decision, words.strip())
    missing = [name for name in gates if name not in found]
    if missing and not sys.stdin.isatty():
        raise WorkflowError(
            f"{workflow.path}: node {missing[0]!r} asks for a decision, and stdin is no terminal",
            hint=f"--approve {missing[0]}={gates[missing[0]].decisions[0]}",
        )
    return found


def approver(decided: dict[str, tuple[str, str]]) -> "Approver":
    """Return who decides: what was said beforehand, or whoever sits at the terminal."""
    one = asyncio.Lock()

    async def approve(node: str, message: str, decisions: tuple[str, ...]) -> tuple[str, str]:
        if node in decided:
            click.echo(f"{node}: {decided[node][0]}, as --approve says", err=True)
            return decided[node]
        async with one:  # two questions at a time are none
            click.echo(f"\n{message.rstrip()}\n", err=True)
            while True:
                click.echo(f"{node}: {' | '.join(decisions)} [words]? ", err=True, nl=False)
                word, _, words = (await _line()).strip().partition(" ")
                if word in decisions:
                    return word, words.strip()

    return approve


async def _line() -> str:
    """Return a line of the terminal; waiting for it can be interrupted."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(sys.stdin.fileno(), lambda: ready.done() or ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(sys.stdin.fileno())
    line = sys.stdin.readline()
    if not line:
        raise click.Abort
    return line
