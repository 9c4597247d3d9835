"""What an agent did, as values: its steps, and how it ended."""

from collections.abc import Iterable
from typing import Literal

from dualcode.call import Usage
from dualcode.issues.jail.room import Ending as CommandEnding
from dualcode.record import Record

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
