"""An agent's work while it goes on: what its loop asks and runs, what is on record of it, and its limits.

The loop calls `query` and `execute` in its own thread.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, Literal, NoReturn, TypeVar

from dualcode import prompts
from dualcode.agents import mini
from dualcode.agents.bridge import Bridge
from dualcode.agents.changes import Changes
from dualcode.agents.commands import Turn, aims_at_tree, read_turn
from dualcode.agents.mini import Said
from dualcode.agents.records import AgentEnding, AgentLimits, AgentRun, Brief, Step, Workplace, standing
from dualcode.agents.window import FullError, Window, shorten
from dualcode.call import Call, Message, Usage
from dualcode.errors import ContextOverflowError
from dualcode.issues.jail.room import Ended
from dualcode.models.chat import Meter, listening
from dualcode.team import Seat

MARKER = "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"
"""The first line that a command prints to submit; what follows is the answer. mini-swe-agent's own word."""
_REFUSALS = 3
_SHARE = 4
"""What part of a context a reply may fill: in a small one, the conversation needs the room."""
T = TypeVar("T")
_MINI = {"Submitted": "submitted", "LimitsExceeded": "steps", "RepeatedFormatError": "format"}


class OverError(Exception):
    """A limit that ends an agent; `seconds` were spent on the request that it ended."""

    def __init__(self, ending: Literal["tokens", "time", "stalled"], why: str, seconds: float = 0.0) -> None:
        super().__init__(why)
        self.seconds = seconds
        self.ending: Literal["tokens", "time", "stalled"] = ending
        self.why = why


class WorkAtHand:
    """One agent's work; see `agent.run_agent` for what each part is."""

    def __init__(
        self,
        seat: Seat,
        place: Workplace,
        brief: Brief,
        limits: AgentLimits,
        bridge: Bridge,
        record: Callable[[Step], None],
        replay: Sequence[Step],
        tell: Callable[[str], None],
    ) -> None:
        self._seat = replace(seat, record=self._heard)
        self._passed_on = seat.record
        self._place, self._brief, self._limits, self._bridge = place, brief, limits, bridge
        self._record, self._tell = record, tell
        self._replay = {step.number: step for step in standing(replay)}
        self._changes = Changes(place.room.worktree, place.changes) if place.room.writable else None
        self._opening = _opening(brief)
        known = [each for each in (limits.context, seat.context) if each is not None]
        context = min(known, default=None)
        self._answer = seat.answer_tokens if context is None else min(seat.answer_tokens, context // _SHARE)
        thought = (seat.thinking_budget or 0) if brief.thinking else 0
        self._window = Window(context, self._answer + thought, len(self._opening))
        self._calls: list[Call] = []
        self._steps: list[Step] = []
        self._tokens = self._number = self._lost = 0
        self._seconds = 0.0

    def begin(self) -> None:
        """Look at the tree, and make it what it was after the last step on record."""
        if self._changes is not None:
            self._changes.look()
            self._first_change = self._changes.checksum
            self._restore()

    def how(self, exited: Said) -> tuple[AgentEnding, str]:
        """Return an ending, and why, for what the loop came back with."""
        status: str = exited["exit_status"]
        ending: Any = _MINI.get(status, status)
        told = {
            "submitted": "",
            "steps": f"it had no more than {self._limits.steps} replies",
            "format": f"{self._limits.format_errors} replies in a row had no readable command",
        }
        return ending, told.get(ending) or exited.get("why", "")

    def ended(self, ending: AgentEnding, why: str) -> AgentRun:
        """Return the record of the work so far."""
        return AgentRun(
            node=self._brief.node,
            role=self._seat.role,
            ending=ending,
            why=why,
            answer=self._steps[-1].answer if ending == "submitted" else None,
            steps=len(self._steps),
            failed_edits=sum(step.failed_edit for step in self._steps),
            calls=len(self._calls),
            usage=sum((call.usage for call in self._calls), Usage(untold=self._lost)),
            seconds=self._seconds,
        )

    def conversation(self, messages: Sequence[Said]) -> tuple[Message, ...]:
        """Return all that was said, from the loop's own list."""
        said = (each for each in messages[2:] if each["role"] != "exit")
        return (*self._opening, *(Message(role=each["role"], content=each["content"]) for each in said))

    # Asking.

    def query(self, messages: Sequence[Said]) -> Said:
        """Ask for the next turn, and return it with its command."""
        self._number += 1
        try:
            turn = self._bridge.call(self._asked(self.conversation(messages)))
        except OverError as over:
            self._seconds += over.seconds
            self._exit(over.ending, why=over.why)
        said = {"role": "assistant", "content": turn.said or "(empty)"}
        due = self._due(turn)
        if turn.command is None:
            told = due.observation if due else self._misread(turn)
            raise mini.load().format_error(said, {"role": "user", "content": told})
        return {**said, "extra": {"actions": [{"command": turn.command}]}}

    async def _asked(self, messages: tuple[Message, ...]) -> Turn:
        """Ask the seat, with what fits of the conversation."""
        refusals = 0
        while True:
            if self._tokens >= self._limits.tokens:
                told = f"its replies had {self._tokens:,} of {self._limits.tokens:,} tokens"
                raise OverError("tokens", told)
            if self._seconds >= self._limits.seconds:
                told = f"it worked for {self._seconds:.0f} of {self._limits.seconds:g} seconds"
                raise OverError("time", told)
            try:
                sent = self._window.fit(messages)
            except FullError:
                told = f"the conversation does not fit the context of {self._seat.endpoint}, even shortened"
                raise OverError("tokens", told) from None
            try:
                turn = await self._sent(sent)
            except ContextOverflowError:
                refusals += 1
                if refusals > _REFUSALS:
                    raise
                self._window.refused(sent)
            else:
                told = [
                    each.usage
                    for each in self._calls[-1].attempts
                    if each.outcome == "ok" and each.kind == "chat"
                ]
                self._window.learn(sent, told[-1].prompt_tokens if told and not told[-1].untold else 0)
                return turn

    async def _sent(self, messages: tuple[Message, ...]) -> Turn:
        asking = self._seat.ask(
            self._brief.node,
            messages,
            read=read_turn,
            thinking=self._brief.thinking,
            answer_tokens=min(self._answer, self._limits.tokens - self._tokens),
        )
        idle, left = self._limits.idle_seconds, self._limits.seconds - self._seconds
        try:
            return await watched(asking, self._seat.chat.meter, idle=idle, left=left)
        except (OverError, asyncio.CancelledError):
            self._lost += 1  # what was paid for it, nobody told
            raise

    def _heard(self, call: Call) -> None:
        self._calls.append(call)
        self._passed_on(call)
        usage = call.usage
        said = call.reply.content or "" if call.reply else ""
        self._tokens += usage.completion_tokens + (len(said) // 3 if usage.untold else 0)
        self._seconds += call.reply.seconds if call.reply else sum(each.seconds for each in call.attempts)

    def _misread(self, turn: Turn) -> str:
        """Record a reply without one command, and return what the model is told."""
        reply = self._calls[-1].reply
        cut = reply is not None and reply.finish_reason in ("length", "repetition")
        told = prompts.render("agent_format", cut=cut, found=turn.found, marker=MARKER)
        self._finish(turn, observation=told)
        return told

    # Running.

    def execute(self, action: Said) -> Said:
        """Run the turn's command, or take what is on record of it, and return what the model is told."""
        step = self._replay.get(self._number) or self._ran(action["command"])
        if step.answer is not None:
            self._exit("Submitted")
        return {"output": step.observation}

    def _ran(self, command: str) -> Step:
        """Run a command and record the step."""
        place, room = self._place, self._place.room
        left = max(1.0, self._limits.seconds - self._seconds)
        seconds = min(place.limits.command_seconds, left)
        limits = place.limits.model_copy(update={"command_seconds": seconds})
        self._say(shorten(command.splitlines()[0], 100))
        ended = self._bridge.call(place.jail.run(command, room, limits))
        changed = self._changes is not None and self._changes.look()
        elsewhere = (place.jail.places(room).scratch,)
        failed_edit = self._changes is not None and not changed and aims_at_tree(command, elsewhere)
        answer, complaint = self._submitted(ended)
        told = prompts.render(
            "agent_observation",
            **ended.model_dump(include={"ending", "exit_code"}),
            **limits.model_dump(include={"memory_mb", "disk_mb"}),
            seconds=f"{seconds:.3g}",
            failed_edit=failed_edit,
            complaint=complaint,
            output=shorten(ended.output.rstrip(), self._limits.observation_chars),
        )
        return self._finish(
            Turn(said=self._said, command=command, found=1),
            observation="" if answer is not None else told,
            ending=ended.ending,
            exit_code=ended.exit_code,
            failed_edit=failed_edit,
            seconds=ended.seconds,
            change=self._changes and self._changes.checksum,
            answer=answer,
        )

    def _submitted(self, ended: Ended) -> tuple[str | None, str]:
        """Return the answer, if one was submitted, and else what is wrong with it, for the model."""
        first, _, rest = ended.output.lstrip().partition("\n")
        if first.strip() != MARKER:
            misplaced = MARKER in ended.output
            return None, f"Not submitted: {MARKER} has to be the first line of the output." * misplaced
        if not ended.succeeded:
            return None, "Not submitted: the command that submits has to end with exit code 0."
        wrong = self._brief.check(rest.strip())
        return (None, f"Not submitted: {wrong}") if wrong else (rest.strip(), "")

    # The record.

    def _finish(self, turn: Turn, **fields: Any) -> Step:
        step = Step(
            node=self._brief.node,
            number=self._number,
            call=self._calls[-1].number,
            said=turn.said,
            command=turn.command,
            shortened=self._window.shortened,
            **fields,
        )
        self._bridge.call(_on_loop(self._record, step))
        self._count(step)
        return step

    def _count(self, step: Step) -> None:
        self._steps.append(step)
        self._seconds += step.seconds

    def _due(self, turn: Turn) -> Step | None:
        """Return the step on record that this reply belongs to; without one, the agent is on its own."""
        self._said = turn.said
        due = self._replay.get(self._number)
        if due is None:
            return None
        if (due.said, due.command) == (turn.said, turn.command):
            self._count(due)
            return due
        self._say("another reply than that on record; it goes on from here")
        self._replay = {n: step for n, step in self._replay.items() if n < self._number}
        self._restore()
        return None

    def _say(self, what: str) -> None:
        self._bridge.call(_on_loop(self._tell, f"{self._brief.node} {self._number}: {what}"))

    def _restore(self) -> None:
        if self._changes is not None:
            known = [step.change for _, step in sorted(self._replay.items()) if step.change is not None]
            self._changes.restore(known[-1] if known else self._first_change)

    def _exit(self, status: str, why: str = "") -> NoReturn:
        extra = {"exit_status": status, "submission": "", "why": why}
        raise mini.load().interrupt({"role": "exit", "content": "", "extra": extra})


async def _on_loop(call: Callable[[T], None], value: T) -> None:
    call(value)


def _opening(brief: Brief) -> tuple[Message, ...]:
    """Return the messages before the first turn; two turns of one role in a row are one."""
    earlier = [each for each in brief.continuing if each.role != "system"]
    instance = brief.instance
    if earlier and earlier[-1].role == "user":
        instance = f"{earlier.pop().content}\n\n{instance}"
    return (
        Message(role="system", content=brief.system),
        *earlier,
        Message(role="user", content=instance),
    )


class Ear:
    """Knows when something was last heard of a request.

    Until it goes out it waits for its turn at the server: then what the server does for others is a sign of
    life, too, and so is that somebody knows of its trouble and waits for it.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter, self._tokens = meter, meter.tokens
        self._begun = False
        self._heard = time.monotonic()

    def begin(self) -> None:
        """Hear that it goes out, the first time: nothing of it has come by going out again."""
        if not self._begun:
            self._begun, self._heard = True, time.monotonic()

    def hear(self, thought: str, content: str) -> None:  # noqa: ARG002 - the listener's protocol
        """Hear a piece."""
        self._heard = time.monotonic()

    def quiet(self) -> float:
        """Return the seconds since the last sign of life."""
        working = not self._begun and self._meter.tokens != self._tokens
        if working or self._meter.trouble:
            self._heard = time.monotonic()
        self._tokens = self._meter.tokens
        return time.monotonic() - self._heard


async def watched(asking: Coroutine[Any, Any, T], meter: Meter, *, idle: float, left: float) -> T:
    """Return what comes of a request. Raises OverError after `idle` silent seconds, or `left` in all."""
    ear, began = Ear(meter), time.monotonic()
    with listening(ear):
        task = asyncio.create_task(asking)
    try:
        while True:
            spent, quiet = time.monotonic() - began, ear.quiet()
            if spent >= left:
                raise OverError("time", "its time was over while its model was asked", spent)
            if quiet >= idle:
                raise OverError("stalled", f"nothing came from its model for {quiet:.3g} s", spent)
            pause = min(left - spent, idle - quiet, idle / 4)
            done, _ = await asyncio.wait({task}, timeout=pause)
            if done:
                return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
