"""What came of a workflow's nodes, and who does their work."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry

from dualcode.agents.records import AgentRun
from dualcode.record import Record


class NodeResult(Record):
    """What came of one node: a line of `nodes.jsonl`."""

    node: str
    status: Literal["completed", "failed", "skipped", "cancelled"]
    reason: str = ""
    """Why it failed or was skipped, for people; empty where it completed."""
    output: str = ""
    """What `$node.output` stands for."""
    data: dict[str, Any] | None = None
    """The object that `output_format` asked for."""
    role: str | None = None
    """Who did it; None for a command or an approval."""
    runs: tuple[AgentRun, ...] = ()
    """Its agents, retries and turns of a loop included, in order."""
    exit_code: int | None = None
    """Of a command that finished."""
    change: str | None = None
    """The checksum of the tree's difference from its base at its end; None where it could change nothing."""
    failed_upstream: str | None = None
    """The failed node for whose sake it was skipped, however far above; None for any other reason."""
    attempts: int = 1
    seconds: float = 0.0
    fault: bool = False
    """Whether a fault of ours made it fail: a server, the jail, a cancellation. Resuming does it again."""


class Work(Record):
    """One piece of work of a node, with all variables of its text replaced."""

    node: str
    kind: Literal["prompt", "bash"]
    text: str
    """The prompt, or the shell line."""
    role: str | None = None
    turn: int = 1
    """Of a loop, from 1."""
    attempt: int = 1
    context: str = "fresh"
    """`fresh`, `shared` (the conversation of the node done before), or the id of the node to continue."""
    output_format: dict[str, Any] | None = None
    """A JSON schema of what the node has to answer."""
    writable: bool = True
    """Whether the tree may be changed."""
    thinking: bool = False
    """Whether a model that can be switched thinks before each reply."""
    limits: dict[str, float] | None = None
    """`idle_timeout`, `timeout` in seconds, where the node has its own."""


def misfit(schema: Mapping[str, Any], data: Mapping[str, Any] | None) -> str:
    """Return what keeps an answer from being of its `output_format`; empty if nothing does."""
    if data is None:
        return "there is no object in the answer"
    registry: Registry[Any] = Registry()  # an empty one: nothing is fetched
    validator: Any = Draft202012Validator(schema, registry=registry)
    errors: list[ValidationError] = list(validator.iter_errors(data))
    if not errors:
        return ""
    error = min(errors, key=lambda each: len(each.absolute_path))
    where = ".".join(str(each) for each in error.absolute_path)
    return f"{where}: {error.message}" if where else error.message


class Hands(Protocol):
    """Who does the work of nodes: models and commands in a jail, or a script in a test."""

    async def do(self, work: Work) -> NodeResult:
        """Do it. A fault of ours is a failed result with `fault`; a cancellation is raised."""
        ...

    async def approve(self, node: str, message: str, decisions: tuple[str, ...]) -> tuple[str, str]:
        """Return somebody's decision and what he said to it; the first decision lets the work go on."""
        ...
