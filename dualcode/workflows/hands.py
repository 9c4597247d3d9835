"""Hands for real work: models of a team and commands in the jail, in one worktree.

A node's agents (its retries, the turns of its loop) have their steps on record one after the other, numbered
through, so that an interrupted node goes on where it was: its replies come from the ledger, its observations
from the record, and no command is run twice.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from dualcode.agents.agent import answered, run_agent, surroundings
from dualcode.agents.changes import Changes
from dualcode.agents.records import AgentLimits, AgentRun, Brief, Step, Workplace
from dualcode.call import Call, Message
from dualcode.errors import EndpointError, RunError, SandboxError, WorkflowError
from dualcode.issues.grading import Bench
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.jail.room import Room
from dualcode.issues.task import Limits
from dualcode.issues.worktrees import Worktree
from dualcode.record import Record
from dualcode.runs.lines import replace as replace_file
from dualcode.steps.schema import read_object
from dualcode.team import Seat, Team
from dualcode.workflows.records import NodeResult, Work, misfit

CHANGES, CONVERSATIONS = "changes", "conversations"
"""Folders beside a run's records: what its tree held, by checksum; what was said, by node."""
Approver = Callable[[str, str, tuple[str, ...]], Awaitable[tuple[str, str]]]
_MESSAGES = TypeAdapter(tuple[Message, ...])


async def nobody(node: str, message: str, decisions: tuple[str, ...]) -> tuple[str, str]:
    """Refuse to decide: for work that nobody sits at."""
    raise WorkflowError(
        f"{node} asks for a decision, and nobody is here to make it: {message}",
        hint=f"--approve {node}={decisions[0]}",
    )


class SharedTree:
    """One tree for several nodes: any number may read it at a time, and who may change it has it alone."""

    def __init__(self) -> None:
        self._free = asyncio.Condition()
        self._readers = 0
        self._alone = False

    @contextlib.asynccontextmanager
    async def lent(self, *, alone: bool) -> AsyncGenerator[None]:
        """Lend the tree as soon as nobody is in the way."""
        async with self._free:
            await self._free.wait_for(lambda: not self._alone and not (alone and self._readers))
            if alone:
                self._alone = True
            else:
                self._readers += 1
        try:
            yield
        finally:
            await asyncio.shield(self._give_back(alone))

    async def _give_back(self, alone: bool) -> None:
        async with self._free:
            if alone:
                self._alone = False
            else:
                self._readers -= 1
            self._free.notify_all()


class Answer(Record):
    """What a node with `output_format` answered."""

    data: dict[str, Any]


@dataclass(frozen=True)
class Site:
    """Where a workflow works: a tree, what its commands find, and the folder of its records."""

    jail: CommandJail
    room: Room
    limits: Limits
    """Of a command."""
    folder: Path
    """Gets `changes` and `conversations`."""
    visible_test: str = ""
    """The shell line that runs the tree's own tests."""
    elsewhere: Sequence[Path] = ()
    """Folders with conversations of nodes that others did."""

    @classmethod
    def of(cls, bench: Bench, tree: Worktree, folder: Path, elsewhere: Sequence[Path] = ()) -> "Site":
        """Return the site of work on a bench's issue, in a worktree of its base."""
        settings = bench.task.settings
        room = Room(tree, bench.environment, settings.pythonpath)
        return cls(bench.jail, room, settings.limits, folder, settings.visible_test, elsewhere)


@dataclass
class RepositoryHands:
    """Does the work of nodes. `steps` are those on record, in order; `record` gets new ones."""

    team: Team
    site: Site
    steps: Sequence[Step]
    record: Callable[[Step], None]
    limits: AgentLimits = field(default_factory=AgentLimits)
    approver: Approver = nobody
    tell: Callable[[str], None] = lambda _: None
    _nodes: dict[str, "_AtNode"] = field(default_factory=dict[str, "_AtNode"])
    _tree: SharedTree = field(default_factory=SharedTree)

    async def do(self, work: Work) -> NodeResult:
        """Do a piece of work: a command, or an agent; alone in the tree if it may change it."""
        if work.node not in self._nodes:
            self._nodes[work.node] = _AtNode([step for step in self.steps if step.node == work.node])
        async with self._tree.lent(alone=work.writable):
            changes = Changes(self.site.room.worktree, self.site.folder / CHANGES) if work.writable else None
            if changes is not None:
                self._prepare(work, changes)
            result = await (self._ran(work) if work.kind == "bash" else self._asked(work))
            if changes is not None:
                changes.look()
                result = result.model_copy(update={"change": changes.checksum})
            return result

    async def approve(self, node: str, message: str, decisions: tuple[str, ...]) -> tuple[str, str]:
        """Let the approver decide."""
        return await self.approver(node, message, decisions)

    def _prepare(self, work: Work, changes: Changes) -> None:
        """Note the tree before a piece of work, and make it that again before another attempt."""
        at = self._nodes[work.node]
        if work.attempt == 1:
            changes.look()
            at.before = changes.checksum
        else:
            changes.restore(at.before)  # an agent that goes on makes it what its last step left

    # Commands.

    async def _ran(self, work: Work) -> NodeResult:
        seconds = (work.limits or {}).get("timeout", self.site.limits.command_seconds)
        limits = self.site.limits.model_copy(update={"command_seconds": seconds})
        try:
            ended = await self.site.jail.run(work.text, self._place(work).room, limits)
        except SandboxError as error:
            return NodeResult(node=work.node, status="failed", reason=error.message, fault=True)
        if ended.succeeded:
            reason = ""
        elif ended.ending == "timed out":
            reason = f"the command timed out after {seconds:g} s"
        else:
            reason = f"exit code {ended.exit_code}" if ended.ending == "finished" else ended.ending
        return NodeResult(
            node=work.node,
            status="completed" if ended.succeeded else "failed",
            reason=reason,
            output=ended.output.rstrip("\n"),
            exit_code=ended.exit_code,
        )

    def _place(self, work: Work) -> Workplace:
        site = self.site
        return Workplace(
            site.jail, replace(site.room, writable=work.writable), site.limits, site.folder / CHANGES
        )

    # Agents.

    async def _asked(self, work: Work) -> NodeResult:
        at, place = self._nodes[work.node], self._place(work)
        calls: list[Call] = []
        seat = self._seat(work, at, calls)
        names = {"timeout": "seconds", "idle_timeout": "idle_seconds"}
        own = {names[name]: each for name, each in (work.limits or {}).items()}
        limits = self.limits.model_copy(update=own)
        brief = Brief(
            node=work.node,
            system=surroundings(place, limits, visible_test=self.site.visible_test),
            instance=work.text + at.told(work),
            continuing=self._conversation(work),
            thinking=work.thinking,
            check=(lambda _: "") if work.writable else answered,
        )
        run, said = await run_agent(
            seat,
            place,
            brief,
            limits,
            record=lambda step: self._keep(at, step),
            replay=at.replay(),
            tell=self.tell,
        )
        result = await self._result(work, seat, brief, run, said, calls)
        at.ended(run, result)
        return result

    async def _result(
        self,
        work: Work,
        seat: Seat,
        brief: Brief,
        run: AgentRun,
        said: tuple[Message, ...],
        calls: list[Call],
    ) -> NodeResult:
        """Return what an agent's end comes to, in the form that its node wants."""
        if not run.succeeded:
            fault = run.ending in ("endpoint", "cancelled", "infrastructure")
            reason = f"{run.ending}: {run.why}" if run.why else run.ending
            return NodeResult(node=work.node, status="failed", reason=reason, runs=(run,), fault=fault)
        folder = self.site.folder / CONVERSATIONS
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / f"{work.node}.json", [_MESSAGES.dump_json(said)])
        result = NodeResult(node=work.node, status="completed", output=run.answer or "", runs=(run,))
        if work.output_format is not None:
            return await self._formed(work, seat, brief, result, calls)
        return result

    def _seat(self, work: Work, at: "_AtNode", calls: list[Call]) -> Seat:
        """Return the seat of a node's role; what another attempt only repeats is not recorded again."""
        seat = self.team[work.role or ""]
        repeating = at.broken_off

        def heard(call: Call) -> None:
            calls.append(call)
            if not (repeating and call.from_ledger):
                seat.record(call)

        return replace(seat, record=heard)

    def _keep(self, at: "_AtNode", step: Step) -> None:
        """Record a step by its number among all of its node's."""
        numbered = step.model_copy(update={"number": at.past + step.number, "agent": at.agent})
        at.steps = [*at.steps[: numbered.number - 1], numbered]
        self.record(numbered)

    async def _formed(
        self, work: Work, seat: Seat, brief: Brief, result: NodeResult, calls: list[Call]
    ) -> NodeResult:
        """Ask for what an agent found in the form that its node wants."""
        schema = work.output_format or {}
        told = json.dumps(schema, ensure_ascii=False)
        asked = f"Give your answer as one JSON object of this schema, and nothing else:\n{told}"
        messages = (
            Message(role="system", content="You put an answer into the form that is asked for."),
            Message(role="user", content=f"{brief.instance}\n\nThe answer:\n\n{result.output}\n\n{asked}"),
        )

        def fit(found: dict[str, Any]) -> Answer:
            if why := misfit(schema, found):
                raise ValueError(why)
            return Answer(data=found)

        before = len(calls)
        try:
            answer = await seat.ask(
                work.node,
                messages,
                read=lambda text: read_object(text, fit),
                schema=schema,
                repair=f"That is no object of the schema. {asked}",
            )
        except EndpointError as error:
            return result.model_copy(update={"status": "failed", "reason": error.message, "fault": True})
        (run,) = result.runs
        usage = sum((call.usage for call in calls[before:]), run.usage)
        more = {"calls": run.calls + len(calls) - before, "usage": usage}
        about: dict[str, Any] = {"runs": (run.model_copy(update=more),)}
        if answer is None:
            told = "output_format: there is no object of its schema in the answer"
            return result.model_copy(update={**about, "status": "failed", "reason": told})
        text = json.dumps(answer.data, ensure_ascii=False)
        return result.model_copy(update={**about, "data": answer.data, "output": text})

    # Conversations.

    def _conversation(self, work: Work) -> tuple[Message, ...]:
        """Return what the node said that this one continues. Raises RunError if it is not kept."""
        if work.context == "fresh":
            return ()
        for folder in (self.site.folder, *self.site.elsewhere):
            path = folder / CONVERSATIONS / f"{work.context}.json"
            if path.exists():
                return _MESSAGES.validate_json(path.read_bytes())
        raise RunError(
            f"{work.node} continues the conversation of {work.context}, which is not in {self.site.folder}",
            hint="begin the run anew",
        )


@dataclass
class _AtNode:
    """What is known of a node at work: its steps, and which of its agents is at work."""

    steps: list[Step]
    agent: int = 1
    past: int = 0
    """Steps of agents that have ended."""
    before: str = ""
    broken_off: bool = False
    """Whether a fault broke its last agent off, so that the next attempt takes it up."""
    _why: str = ""

    def replay(self) -> list[Step]:
        """Return the steps on record of the agent that begins now, numbered from 1."""
        own = (step for step in self.steps[self.past :] if step.agent == self.agent)
        return [step.model_copy(update={"number": step.number - self.past}) for step in own]

    def ended(self, run: AgentRun, result: NodeResult) -> None:
        """Note an agent's end; what a fault broke off is taken up by the next attempt."""
        self.broken_off = result.fault
        if not result.fault:
            self.agent, self.past = self.agent + 1, self.past + run.steps
            self._why = result.reason

    def told(self, work: Work) -> str:
        """Return what another attempt is told of the one before, without which it would go the same way."""
        if work.attempt == 1 or not self._why:
            return ""
        return f"\n\n(An earlier attempt at this failed: {self._why}. The files are as before it.)"


def restore(tree: Worktree, folder: Path, done: Iterable[NodeResult]) -> None:
    """Make a tree what it was after these nodes, in the order of their record; `folder` is the site's."""
    changed = [result.change for result in done if result.change is not None]
    if changed:
        Changes(tree, folder / CHANGES).restore(changed[-1])
