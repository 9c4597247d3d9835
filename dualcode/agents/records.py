"""An agent's values: where it works, what it is told and may take; what it did, and how it ended."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from dualcode.call import Message, Usage
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.jail.room import Ending as CommandEnding
from dualcode.issues.jail.room import Room
from dualcode.issues.task import Limits
from dualcode.record import Record


@dataclass(frozen=True)
class Workplace:
    """Where commands run."""

    jail: CommandJail
    room: Room
    limits: Limits
    """Of a command."""
    changes: Path
    """A folder for each distinct change of the tree, by checksum: `replay` needs it."""


@dataclass(frozen=True)
class Brief:
    """What an agent is told."""

    node: str
    system: str
    """Of its `surroundings`."""
    instance: str
    """The first message: what is to be done."""
    continuing: tuple[Message, ...] = ()
    """An earlier conversation that it continues; its system message is replaced by `system`."""
    thinking: bool = False
    """Whether a model that can be switched thinks before each reply."""
    check: Callable[[str], str] = lambda _: ""
    """What is wrong with a submitted answer, in words for the model, which then goes on; empty: nothing."""


class AgentLimits(Record):
    """What ends an agent that does not end by itself."""

    steps: int = Field(default=60, ge=1)
    """Replies, those without a command included."""
    tokens: int = Field(default=100_000, ge=1)
    """Completion tokens of all its calls. The last call may have no more than are left."""
    seconds: float = Field(default=3600.0, gt=0)
    """Of its calls and commands; see AgentRun.seconds."""
    idle_seconds: float = Field(default=600.0, gt=0)
    """Without a sign of life of the model's server while it is asked."""
    format_errors: int = Field(default=3, ge=1)
    """Replies in a row without a readable command."""
    observation_chars: int = Field(default=10_000, ge=200)
    """Of a command's output, the beginning and the end are shown."""
    context: int | None = Field(default=None, ge=256)
    """Tokens of prompt and reply together; None: as many as the seat's server takes, where it tells that, and
    else until it refuses."""


AgentEnding = Literal[
    "submitted", "steps", "tokens", "time", "stalled", "format", "endpoint", "cancelled", "infrastructure"
]
"""`submitted` alone is a success. `steps`, `tokens`, `time`: a limit of ours; `stalled`: nothing came for as
long as may be; `format`: no readable command too often in a row; `endpoint`: the model's server failed;
`infrastructure`: the jail, or another part of ours, did."""


class Step(Record):
    """One turn of an agent: what it said, what was run, what it was told. A line of `steps.jsonl`."""

    node: str
    """The node of the workflow."""
    number: int
    """Of the agent's turns, from 1; in a workflow of all its node's, one agent after the other."""
    agent: int = 1
    """Of the node's agents, from 1: its attempts, and the turns of its loop."""
    call: int
    """The number of the call that asked for it."""
    said: str
    """The reply, as the model gave it, without its thought."""
    command: str | None
    """None: the reply had no command in the form that was asked for."""
    observation: str
    """What the model was told of it, shortened as it was shown."""
    ending: CommandEnding | None = None
    """How the command ended; None where none was run."""
    exit_code: int | None = None
    failed_edit: bool = False
    """Whether it was to change a file, and changed none."""
    seconds: float = 0.0
    """Of the command."""
    change: str | None = None
    """The checksum of the tree's difference from its base after it; None where it can change nothing."""
    answer: str | None = None
    """What it submitted, in an agent's last step; `observation` is empty then."""
    shortened: tuple[int, ...] = ()
    """The turns of which the reply or the observation was sent shortened when this one was asked for, since
    the context was full; 0: turns of an earlier conversation."""


def standing(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return the steps of one agent that count, of all that are on record of it.

    A step replaces those that were recorded before it with its number or a higher one: an agent that was
    resumed, and whose model then said something else, went on from there.
    """
    kept: list[Step] = []
    for step in steps:
        kept = [each for each in kept if each.number < step.number]
        kept.append(step)
    return tuple(kept)


class AgentRun(Record):
    """One agent from its brief to its end."""

    node: str
    role: str
    ending: AgentEnding
    why: str = ""
    """What ended it, for people, with the limit's or the server's own words."""
    answer: str | None = None
    """What it submitted; None for every other ending."""
    steps: int = 0
    failed_edits: int = 0
    calls: int = 0
    usage: Usage = Usage()
    """Of all calls; those that an earlier run paid for are marked in the calls themselves. A request that was
    ended from here has no call, and counts as `untold`."""
    seconds: float = 0.0
    """Of its calls and commands as they were made, so that a resumed run tells the same as another."""

    @property
    def succeeded(self) -> bool:
        """Whether it came to its own end."""
        return self.ending == "submitted"
