"""A workflow's file as plain values, each with the line that it stands on.

YAML has traps that change what was written without a word: the last of two equal keys wins, `on` is a
boolean and 010 is eight, an anchor brings in what stands elsewhere. Whatever could be read in another way
than it looks is refused, with its line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dualcode.errors import WorkflowError

HINT = "mend it there; docs/workflows.md has the language in a table"
LARGEST = 1 << 20
"""Bytes of a file."""
DEEPEST = 40
"""Lists and mappings within each other."""
Place = tuple[str | int, ...]
"""Keys and indices that lead to a value."""

_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"-?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+")
_OPENING = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSING = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
_TOKENS = {
    yaml.AnchorToken: "anchors (&…) are not read; write it out",
    yaml.AliasToken: "aliases (*…) are not read; write it out",
    yaml.TagToken: "tags (!…) are not read; leave it out",
    yaml.DirectiveToken: "directives (%…) are not read; leave it out",
}


@dataclass(frozen=True, order=True)
class Fault:
    """Something that is wrong in a file."""

    file: str
    line: int
    """From 1."""
    message: str

    def __str__(self) -> str:
        """Say where, and what."""
        return f"{self.file}:{self.line}: {self.message}"


def refuse(faults: list[Fault], hint: str = HINT) -> None:
    """Raise WorkflowError with all the faults, if there are any."""
    if faults:
        told = "\n".join(map(str, sorted(set(faults))))
        raise WorkflowError(told, hint=hint)


@dataclass(frozen=True)
class Source:
    """What a file holds."""

    path: Path
    content: dict[str, Any]
    lines: dict[Place, int] = field(default_factory=dict[Place, int])
    """Of each key, and of each item of a list."""
    blocks: dict[Place, int] = field(default_factory=dict[Place, int])
    """The first line of each text that was written as a block (`|`), where lines are as they look."""

    def line(self, place: Place) -> int:
        """Return the line of a place, or that of the nearest place around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def fault(self, place: Place, message: str) -> Fault:
        """Return what is wrong at a place."""
        return Fault(str(self.path), self.line(place), message)

    def line_in(self, place: Place, text: str, offset: int) -> int:
        """Return the line of a character of the text at a place."""
        if place in self.blocks:
            return self.blocks[place] + text.count("\n", 0, offset)
        return self.line(place)


def read_source(path: Path) -> Source:
    """Read a file. Raises WorkflowError if it is no YAML, or is read as something else than it looks."""
    text = _text(path)
    faults: list[Fault] = []
    try:
        depth = 0
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            line = token.start_mark.line + 1
            depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
            if depth > DEEPEST:  # before it takes PyYAML minutes
                raise WorkflowError(f"{path}:{line}: it is nested too deeply", hint="write it flat")
            faults += [
                Fault(str(path), line, why) for kind, why in _TOKENS.items() if isinstance(token, kind)
            ]
        refuse(faults)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise WorkflowError(
            f"{path}:{line}: not YAML: {error.problem or error.context}", hint="mend it there"
        ) from None
    except yaml.YAMLError as error:  # a character that YAML does not allow
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise WorkflowError(f"{path}:{line}: not YAML: {getattr(error, 'reason', error)}") from None
    if not isinstance(node, yaml.MappingNode):
        raise WorkflowError(f"{path}:1: it has no keys; a workflow has name, description and nodes")
    reader = _Reader(str(path), faults)
    content = reader.value(node, ())
    refuse(faults)
    return Source(path, content, reader.lines, reader.blocks)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WorkflowError(
            f"{path} cannot be read: {error.strerror or error}", hint="dualcode workflow list"
        ) from None
    if len(content) > LARGEST:
        raise WorkflowError(f"{path} has {len(content):,} bytes, and a workflow may have {LARGEST:,}")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise WorkflowError(f"{path}:{line}: no UTF-8 text", hint="write it as UTF-8") from None


class _Reader:
    """Makes plain values of composed nodes."""

    def __init__(self, file: str, faults: list[Fault]) -> None:
        self.lines: dict[Place, int] = {}
        self.blocks: dict[Place, int] = {}
        self._file, self._faults = file, faults

    def value(self, node: yaml.Node, place: Place) -> Any:
        """Return the value of a node, and note the lines beneath it."""
        line = node.start_mark.line + 1
        self.lines.setdefault(place, line)
        if isinstance(node, yaml.MappingNode):
            return dict(self._items(node, place))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(each, (*place, number)) for number, each in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)  # without aliases there is nothing else
        if node.style == "|":
            self.blocks[place] = line + 1
        return self._scalar(node, place)

    def _items(self, node: yaml.MappingNode, place: Place) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self._fault(line, "a key is a word")
                continue
            name: str = key.value
            if key.tag != f"{_TAG}str":
                self._fault(line, _instead(key, "a key"))
            elif name in seen:
                self._fault(line, f"the key {name!r} stands on line {seen[name]}, too")
            seen.setdefault(name, line)
            self.lines[(*place, name)] = line
            yield name, self.value(value, (*place, name))

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Any:
        kind, text, line = node.tag.removeprefix(_TAG), str(node.value), node.start_mark.line + 1
        if kind == "str":
            return text
        if kind == "null":
            if "output_format" not in place:  # a schema may speak of null
                self._fault(line, "nothing stands here; write a value, or leave the key out")
            return None
        if kind == "bool" and text in ("true", "false"):
            return text == "true"
        if kind == "int" and _INT.fullmatch(text):
            return int(text)
        if kind == "float" and _FLOAT.fullmatch(text):
            return float(text)
        self._fault(line, _instead(node, "a value"))
        return None

    def _fault(self, line: int, message: str) -> None:
        self._faults.append(Fault(self._file, line, message))


def _instead(node: yaml.ScalarNode, what: str) -> str:
    """Say what YAML makes of a word that looks like another thing."""
    text, kind = str(node.value), node.tag.removeprefix(_TAG)
    if kind == "merge":
        return "merge keys (<<) are not read; write it out"
    named = {"bool": "the boolean true or false", "int": "a number in another base", "null": "nothing"}
    read = named.get(kind, f"a {kind}")
    instead = " or write true or false" if kind == "bool" and what == "a value" else ""
    return f"YAML reads {text!r} as {read}, not as the word; as {what} quote it{instead}"
