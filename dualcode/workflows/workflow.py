"""A workflow as a value: nodes that depend on each other, in Archon's words, each done by a role of the team.

What can be wrong beyond the shape of these values, such as a reference to nothing, `loading` refuses.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Body = Literal["prompt", "command", "bash", "loop", "approval", "cancel"]
BODIES: tuple[Body, ...] = ("prompt", "command", "bash", "loop", "approval", "cancel")
TriggerRule = Literal["all_success", "one_success", "none_failed_min_one_success", "all_done"]

Text = Annotated[str, Field(min_length=1)]
Milliseconds = Annotated[int, Field(ge=1, le=24 * 3600 * 1000)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Input(_Table):
    """`inputs.NAME`: a value that a run is given, `$INPUTS.NAME` in texts."""

    required: bool = False
    default: str | None = None
    description: str = ""


class Retry(_Table):
    """`retry`: how often a node that failed is tried again, with the time between doubling."""

    max_attempts: Annotated[int, Field(ge=1, le=5)]
    """Attempts after the first."""
    delay_ms: Annotated[int, Field(ge=1000, le=60_000)] = 3000
    on_error: Literal["transient", "all"] = "transient"
    """`transient`: only where a server or the jail failed; `all`: also what a model or a command did."""


DEFAULT_RETRY = Retry(max_attempts=2)
"""Of nodes that ask a model."""


class Loop(_Table):
    """`loop`: the same prompt until a condition holds; more turns than that fail the node."""

    prompt: Text | None = None
    command: Text | None = None
    """A file of a prompt instead."""
    max_iterations: Annotated[int, Field(ge=1, le=100)]
    until: Text | None = None
    """A line of the answer that ends the loop, alone or as <promise>…</promise>."""
    until_bash: Text | None = None
    """A shell line whose exit code 0 ends it."""
    until_field: Text | None = None
    """A boolean of `output_format` that ends it when it is true."""
    fresh_context: bool = False
    """Whether each turn begins a conversation of its own."""


class OnReject(_Table):
    """`approval.on_reject`: what is done before the question is put again."""

    prompt: Text
    max_attempts: Annotated[int, Field(ge=1, le=10)] = 3


class Approval(_Table):
    """`approval`: a question to a person. The last decision rejects, every other one lets the work go on."""

    message: Text
    decisions: Annotated[tuple[Text, ...], Field(min_length=2)] = ("approve", "reject")
    capture_response: bool = False
    """Whether `$ID.output` is what was said to it, and not the decision."""
    on_reject: OnReject | None = None


class Resume(_Table):
    """`context: {resume: ID}`."""

    resume: Text


class Node(_Table):
    """One node: exactly one of the six bodies, and what holds for it."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$", max_length=60)]
    prompt: Text | None = None
    command: Text | None = None
    """The name of a file of a prompt, `commands/NAME.md`."""
    bash: Text | None = None
    loop: Loop | None = None
    approval: Approval | None = None
    cancel: Text | None = None
    """Why the whole workflow ends here."""
    depends_on: tuple[str, ...] = ()
    when: Text | None = None
    trigger_rule: TriggerRule = "all_success"
    retry: Retry | None = None
    role: Text | None = None
    """Who does it: a role that the team binds to a model."""
    writable: bool = True
    """Whether the tree may be changed."""
    thinking: bool = False
    """Whether a model that can be switched thinks before each reply."""
    context: Literal["fresh", "shared"] | Resume = "fresh"
    output_format: dict[str, JsonValue] | None = None
    """The JSON schema of the answer."""
    idle_timeout: Milliseconds | None = None
    """Nothing came for so long: the node fails."""
    timeout: Milliseconds | None = None
    always_run: bool = False
    """Whether it is done again by a run that is resumed."""

    @property
    def body(self) -> Body:
        """Which of the six it has."""
        if self.command is not None:
            return "command"  # its text is the prompt, once it was read
        return next(each for each in BODIES if getattr(self, each) is not None)

    @property
    def asks(self) -> bool:
        """Whether a model does it."""
        return self.body in ("prompt", "command", "loop")

    @property
    def continues(self) -> str | None:
        """The node whose conversation it continues."""
        if isinstance(self.context, Resume):
            return self.context.resume
        return self.depends_on[0] if self.context == "shared" else None

    @property
    def retries(self) -> Retry | None:
        """How often it is tried again: as it says, or as such nodes are."""
        return self.retry or (DEFAULT_RETRY if self.asks else None)

    @property
    def limits(self) -> dict[str, float] | None:
        """Its own limits in seconds."""
        own = {"idle_timeout": self.idle_timeout, "timeout": self.timeout}
        return {name: each / 1000 for name, each in own.items() if each is not None} or None

    @property
    def needs_role(self) -> bool:
        """Whether a model is asked, if only after a rejection."""
        return self.asks or (self.approval is not None and self.approval.on_reject is not None)

    def texts(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield each text with variables in it, with its keys within the node; a command's is its file's."""
        for key in ("prompt", "bash", "cancel"):
            if (text := getattr(self, key)) is not None:
                yield (key,), text
        if self.loop is not None:
            for key in ("prompt", "until_bash"):
                if (text := getattr(self.loop, key)) is not None:
                    yield ("loop", key), text
        if self.approval is not None:
            yield ("approval", "message"), self.approval.message
            if self.approval.on_reject is not None:
                yield ("approval", "on_reject", "prompt"), self.approval.on_reject.prompt


class Written(_Table):
    """A file as it is written."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]
    description: Text
    role: Text | None = None
    """Of nodes that name none."""
    inputs: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], Input] = Field(
        default_factory=dict[str, Input]
    )
    nodes: Annotated[tuple[Node, ...], Field(min_length=1)]


@dataclass(frozen=True)
class Workflow:
    """A workflow that can be run: every reference leads to something, and nothing runs in a circle."""

    path: Path
    name: str
    description: str
    inputs: Mapping[str, Input]
    nodes: tuple[Node, ...]
    """In an order in which each stands behind all that it depends on; prompts of files in their place."""
    role_lines: Mapping[str, tuple[str, int]]
    """Role -> the node that first names it, and the line."""
    wants_arguments: bool
    """Whether a text has $ARGUMENTS."""

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that a team has to bind."""
        return tuple(self.role_lines)

    def downstream(self, names: Sequence[str]) -> set[str]:
        """Return these nodes and all that depend on them, however far."""
        found = set(names)
        for node in self.nodes:
            if found.intersection(node.depends_on):
                found.add(node.id)
        return found


def ordered(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Return the nodes so that each stands behind those it depends on, else as written.

    Raises graphlib.CycleError for a circle.
    """
    by_id = {node.id: node for node in nodes}
    sorter = TopologicalSorter({node.id: node.depends_on for node in nodes})
    sorter.prepare()
    places, found = {node.id: number for number, node in enumerate(nodes)}, list[Node]()
    ready = set[str]()
    while sorter.is_active():
        ready |= set(sorter.get_ready())
        first = min(ready, key=places.__getitem__)
        ready.remove(first)
        sorter.done(first)
        found.append(by_id[first])
    return tuple(found)


def upstream(nodes: Sequence[Node]) -> dict[str, set[str]]:
    """Return id -> all that a node depends on, however far above; the nodes in order."""
    found: dict[str, set[str]] = {}
    for node in nodes:
        found[node.id] = set(node.depends_on).union(*(found[each] for each in node.depends_on))
    return found
