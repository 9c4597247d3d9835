"""Variables in the texts of nodes: what they name, and what they stand for.

| variable | stands for |
|---|---|
| `$ARGUMENTS`, `$USER_MESSAGE` | what the run is about, such as an issue's text |
| `$INPUTS.x` | a declared input |
| `$id.output`, `$id.output.field` | what an upstream node answered |
| `$LOOP_PREV_OUTPUT` | in a loop: the answer of the turn before; empty in the first |
| `$REJECTION_REASON` | in `on_reject`: what was said to the rejection |

A text is replaced once: a value that itself has a variable in it is not looked at again. In a shell line each
value is quoted, so that it is one word, whatever it holds.
"""

import contextlib
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from dualcode.workflows.records import NodeResult

WORDS = ("ARGUMENTS", "USER_MESSAGE", "LOOP_PREV_OUTPUT", "REJECTION_REASON")
UNDONE = {
    "WORKFLOW_ID": "a run is a folder; give what you need as an input",
    "ARTIFACTS_DIR": "nodes hand on by $ID.output",
    "STATE_DIR": "nodes hand on by $ID.output",
    "DOCS_DIR": "give it as an input",
    "BASE_BRANCH": "the tree is one commit without branches",
    "CONTEXT": "use $ARGUMENTS",
    "EXTERNAL_CONTEXT": "use $ARGUMENTS",
    "ISSUE_CONTEXT": "use $ARGUMENTS",
    "LOOP_USER_INPUT": "use an approval node",
    "LOOP_PREV": "use $LOOP_PREV_OUTPUT",
    "INPUTS": "name one: $INPUTS.name",
}
"""Archon's, which dualcode does not have, and what to write instead."""

_VARIABLE = re.compile(
    r"\$(?:INPUTS\.(?P<input>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<node>[A-Za-z_][A-Za-z0-9_-]*)\.output(?![A-Za-z0-9_])(?P<fields>(?:\.[A-Za-z_][A-Za-z0-9_]*)*)"
    rf"|(?P<word>{'|'.join(sorted((*WORDS, *UNDONE), key=len, reverse=True))})(?![A-Za-z0-9_]))"
)


@dataclass(frozen=True)
class Reference:
    """A variable in a text."""

    text: str
    """As written."""
    start: int
    kind: Literal["word", "input", "output"]
    name: str
    """Of the word, the input or the node."""
    fields: tuple[str, ...] = ()


class UnresolvedError(ValueError):
    """A variable stands for nothing in this run; the node that has it fails."""


@dataclass(frozen=True)
class Values:
    """What variables stand for, at one moment of a run."""

    words: Mapping[str, str]
    inputs: Mapping[str, str]
    results: Mapping[str, NodeResult] = field(default_factory=dict[str, NodeResult])

    def of(self, reference: Reference) -> str:
        """Return the text that a reference stands for. Raises UnresolvedError."""
        if reference.kind == "word":
            if reference.name not in self.words:
                raise UnresolvedError(f"{reference.text} stands for nothing here")
            return self.words[reference.name]
        if reference.kind == "input":
            if reference.name not in self.inputs:
                raise UnresolvedError(f"{reference.text} was not given")
            return self.inputs[reference.name]
        return self._output(reference)

    def _output(self, reference: Reference) -> str:
        result = self.results.get(reference.name)
        if result is None:
            raise UnresolvedError(f"{reference.text}: {reference.name} was not done")
        if result.status == "skipped" and result.failed_upstream is None:
            return ""  # the branch that was not taken, where branches meet again
        if result.status != "completed" and result.exit_code is None:
            raise UnresolvedError(f"{reference.text}: {reference.name} {result.status}")
        if not reference.fields:
            return result.output
        name = reference.fields[0]
        data: Any = result.data
        if data is None:
            with contextlib.suppress(ValueError, RecursionError):
                data = json.loads(result.output)
        if not isinstance(data, dict) or name not in data:
            raise UnresolvedError(f"{reference.text}: the output of {reference.name} has no field {name!r}")
        return shown(cast("dict[str, Any]", data)[name])


def shown(value: Any) -> str:
    """Return a field's value as text: a string as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def references(text: str) -> Iterator[Reference]:
    """Yield the variables of a text; other words with a dollar sign are text, or the shell's."""
    for match in _VARIABLE.finditer(text):
        yield _reference(match)


def _reference(match: "re.Match[str]") -> Reference:
    whole, start = match[0], match.start()
    if name := match["input"]:
        return Reference(whole, start, "input", name)
    if name := match["node"]:
        return Reference(whole, start, "output", name, tuple(match["fields"].split(".")[1:]))
    return Reference(whole, start, "word", match["word"])


def fill(text: str, values: Values, *, shell: bool = False, known_only: bool = False) -> str:
    """Return a text with its variables replaced, in a shell line by quoted words.

    Raises UnresolvedError; with `known_only` what is not known yet stays as it is written.
    """

    def value(match: "re.Match[str]") -> str:
        try:
            found = values.of(_reference(match))
        except UnresolvedError:
            if known_only:
                return match[0]
            raise
        return shlex.quote(found) if shell else found

    return _VARIABLE.sub(value, text)


def inside_quotes(shell_text: str, offset: int) -> bool:
    """Tell whether a place of a shell text lies within quotes, where a quoted value would be corrupted."""
    quote, position = "", 0
    while position < offset:
        character = shell_text[position]
        if character == "\\" and quote != "'":
            position += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "#" and (position == 0 or shell_text[position - 1] in " \t\n;"):
            end = shell_text.find("\n", position)
            position = len(shell_text) if end < 0 else end
        position += 1
    return bool(quote)
