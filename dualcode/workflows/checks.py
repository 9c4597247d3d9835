"""What can be wrong with a node beyond its shape: references, conditions, schemas, keys that do not fit."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from dualcode.workflows.conditions import Condition, parse_condition
from dualcode.workflows.source import Fault, Place, Source
from dualcode.workflows.variables import UNDONE, WORDS, Reference, inside_quotes, references, shown
from dualcode.workflows.workflow import Body, Input, Node, Resume

_ASKING = {"role", "writable", "thinking", "context", "output_format", "retry", "idle_timeout", "timeout"}
_GOES_WITH: Mapping[Body, set[str]] = {
    "prompt": _ASKING,
    "command": _ASKING,
    "loop": _ASKING,
    "bash": {"retry", "timeout", "writable"},
    "approval": {"role", "writable"},
    "cancel": set(),
}
_COMMON = {"id", "depends_on", "when", "trigger_rule", "always_run"}
_FIELDS_OF_APPROVAL = ("decision", "response")


def check_node(
    source: Source,
    place: Place,
    node: Node,
    nodes: Collection[Node],
    above: Collection[str],
    inputs: Mapping[str, Input],
    texts: Mapping[str, Source],
) -> Iterator[Fault]:
    """Yield what is wrong with a node; `above` are the nodes upstream, `texts` files of prompts by node."""
    check = _Check(node, {each.id: each for each in nodes}, above, inputs)
    for keys, told in (*check.keys(), *check.context(), *check.loop(), *check.schema(), *check.when()):
        yield source.fault((*place, *keys), f"node {node.id!r}: {told}")
    for keys, text in node.texts():
        from_file = node.id in texts and keys[-1] == "prompt" and keys[0] in ("prompt", "loop")
        where = texts[node.id] if from_file else source
        for offset, told in check.text(keys, text):
            line = where.line_in(() if from_file else (*place, *keys), text, offset)
            yield Fault(str(where.path), line, f"node {node.id!r}: {told}")


class _Check:
    """The checks of one node. Each yields keys within the node, or an offset in a text, and what is wrong."""

    def __init__(
        self, node: Node, nodes: Mapping[str, Node], above: Collection[str], inputs: Mapping[str, Input]
    ) -> None:
        self._node, self._nodes, self._above, self._inputs = node, nodes, above, inputs

    def keys(self) -> Iterator[tuple[tuple[str, ...], str]]:
        node, body = self._node, self._node.body
        fitting = _GOES_WITH[body] | _COMMON | {body, "prompt"}
        for key in sorted(node.model_fields_set - fitting):
            if key != "role" or node.role is not None:
                yield (key,), f"{key} does not go with {body}"
        rework = node.approval is not None and node.approval.on_reject is not None
        if (node.asks or rework) and node.role is None:
            yield (body,), "nobody does it: give it, or the workflow, a role"
        if node.approval is not None and len(set(node.approval.decisions)) < len(node.approval.decisions):
            yield ("approval", "decisions"), "the decisions are not all different"
        if node.id in (*WORDS, *UNDONE):
            yield ("id",), f"${node.id} is a variable's name"
        for name, each in self._inputs.items():
            if each.required and each.default is not None:
                yield (), f"the input {name!r} is required, so its default is never used"

    def context(self) -> Iterator[tuple[tuple[str, ...], str]]:
        node = self._node
        if node.context == "shared" and len(node.depends_on) != 1:
            yield ("context",), "shared continues the one node that it depends on; name it by {resume: ID}"
        elif (name := node.continues) is not None:
            keys = ("context", "resume") if isinstance(node.context, Resume) else ("context",)
            if told := self._not_upstream(name):
                yield keys, told
            elif not self._nodes[name].asks:
                yield keys, f"{name!r} is a {self._nodes[name].body} node, and has no conversation"

    def loop(self) -> Iterator[tuple[tuple[str, ...], str]]:
        loop = self._node.loop
        if loop is None:
            return
        if (loop.prompt is None) == (loop.command is None) and "prompt" in loop.model_fields_set:
            yield ("loop", "command"), "a loop has one prompt or one command"
        elif loop.prompt is None and loop.command is None:
            yield ("loop",), "a loop has one prompt or one command"
        ends = [each for each in ("until", "until_bash", "until_field") if getattr(loop, each) is not None]
        if len(ends) != 1:
            yield ("loop", *ends[1:2]), "a loop ends by one of until, until_bash, until_field"
        if loop.until_field is not None:
            properties = _properties(self._node)
            about = cast("dict[str, Any]", properties.get(loop.until_field, {}))
            if about.get("type") != "boolean":
                yield ("loop", "until_field"), f"{loop.until_field!r} is no boolean of its output_format"

    def schema(self) -> Iterator[tuple[tuple[str, ...], str]]:
        schema = self._node.output_format
        if schema is None:
            return
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            where = tuple(str(each) for each in error.absolute_path)
            yield ("output_format", *where), f"output_format is no JSON schema: {error.message}"
            return
        if schema.get("type") != "object":
            yield ("output_format",), "output_format is of an object: type: object"
        if remote := next(_remote(schema), None):
            yield ("output_format",), f"output_format refers to {remote!r}; only #/… is read"

    def when(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if self._node.when is None:
            return
        try:
            condition = parse_condition(self._node.when)
        except ValueError as error:
            yield ("when",), f"when: {error}"
            return
        for told in self._compared(condition):
            yield ("when",), f"when: {told}"

    def _compared(self, condition: Condition) -> Iterator[str]:
        for each in condition.comparisons():
            reference = each.reference
            if told := self._dangling(reference, ()):
                yield told
            elif reference.kind == "output":
                node = self._nodes[reference.name]
                if node.asks and not reference.fields:
                    yield (
                        f"{reference.text} is a model's whole answer; "
                        f"give {node.id!r} an output_format, and compare a field"
                    )
                elif node.asks and each.operator in ("==", "!="):
                    about = cast("dict[str, Any]", _properties(node).get(reference.fields[0], {}))
                    allowed = [shown(value) for value in about.get("enum", [])]
                    if allowed and each.literal not in allowed:
                        yield f"{reference.text} is never {each.literal!r}; it is one of {', '.join(allowed)}"

    def text(self, keys: tuple[str, ...], text: str) -> Iterator[tuple[int, str]]:
        """Yield what is wrong with the variables of a text."""
        allowed = ("LOOP_PREV_OUTPUT",) if keys[0] == "loop" else ()
        allowed += ("REJECTION_REASON",) if "on_reject" in keys else ()
        for each in references(text):
            if told := self._dangling(each, ("ARGUMENTS", "USER_MESSAGE", *allowed)):
                yield each.start, told
            elif keys[-1] in ("bash", "until_bash") and inside_quotes(text, each.start):
                yield each.start, f"{each.text} is quoted when it is put in; take the quotes around it away"

    def _dangling(self, reference: Reference, words: Collection[str]) -> str:
        """Return why a variable stands for nothing here; empty if it stands for something."""
        if reference.kind == "word":
            if reference.name in UNDONE:
                return f"{reference.text} is Archon's, and not done here: {UNDONE[reference.name]}"
            return "" if reference.name in words else f"{reference.text} stands for nothing here"
        if reference.kind == "input":
            known = ", ".join(self._inputs) or "none"
            return (
                ""
                if reference.name in self._inputs
                else f"{reference.text} is no declared input; there are: {known}"
            )
        return self._not_upstream(reference.name) or self._no_field(reference)

    def _not_upstream(self, name: str) -> str:
        if name not in self._nodes:
            return f"{name!r} is no node; there are: {', '.join(self._nodes)}"
        return "" if name in self._above else f"{name!r} is not upstream: name it in depends_on"

    def _no_field(self, reference: Reference) -> str:
        node, fields = self._nodes[reference.name], reference.fields
        if node.body == "cancel":
            return f"{node.id!r} ends the workflow, and has no output"
        if len(fields) > 1:
            return f"{reference.text}: a field is one level deep"
        if not fields or node.body == "bash":
            return ""
        if node.body == "approval":
            known = _FIELDS_OF_APPROVAL
        elif node.output_format is None:
            return f"{reference.text}: {node.id!r} has no output_format, so its output has no fields"
        else:
            known = tuple(_properties(node))
        return (
            ""
            if fields[0] in known
            else f"{reference.text}: the fields of {node.id!r} are {', '.join(known)}"
        )


def _properties(node: Node) -> dict[str, Any]:
    found: Any = (node.output_format or {}).get("properties")
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _remote(value: Any) -> Iterator[str]:
    """Yield the references of a schema that lead out of it."""
    if isinstance(value, dict):
        for key, each in cast("dict[str, Any]", value).items():
            if key in ("$ref", "$dynamicRef") and isinstance(each, str) and not each.startswith("#"):
                yield each
            yield from _remote(each)
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _remote(each)
