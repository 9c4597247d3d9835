"""`dualcode spec`: how much a team's own specification says, and what would make it say more.

The scoring is imported where it is used, so that no other command pays for it.
"""

import builtins
import json
import re
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dualcode.cli.options import json_option
from dualcode.errors import InputError

if TYPE_CHECKING:
    from dualcode.bench.richness import Richness
    from dualcode.task import Task

MOST_BYTES = 1 << 20
_SHOWN_LACKS = 4

_FENCE = re.compile(
    r"^[ \t]*(?:```|~~~)[ \t]*(?:python|py)[ \t]*\n(?P<code>.*?)^[ \t]*(?:```|~~~)", re.M | re.S
)
_DEFINITION = re.compile(r"^[ \t`]*(?:async[ \t]+)?(?:def|class)[ \t]+(?P<name>[A-Za-z_]\w*)", re.MULTILINE)
_TEST_LINE = re.compile(r"^[ \t]*(?:>>>|assert)[ \t(].*", re.MULTILINE)
_CALLED = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?=\()")
_MENTIONED = re.compile(r"`(?P<name>[A-Za-z_]\w*)\(|function (?:named|called) [`'\"]?(?P<named>[A-Za-z_]\w*)")


@dataclass(frozen=True)
class Specification:
    """A specification as it was scored."""

    file: str
    entry_point: str
    """The function that it is taken to describe; empty if it names none."""
    richness: "Richness"

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        from dualcode.bench.richness import PROPOSED_THRESHOLD

        return {
            "file": self.file,
            "entry_point": self.entry_point,
            **self.richness.model_dump(mode="json"),
            "missing": [{"name": each.name, "gain": round(each.gain, 3)} for each in self.richness.missing],
            "threshold": PROPOSED_THRESHOLD,
        }


def read_specification(file: str, entry_point: str | None = None) -> Specification:
    """Read and score a file, or stdin for `-`. Raises InputError for what is no text."""
    from dualcode.bench.richness import richness

    task = read_specified(file, entry_point)
    return Specification(file=file, entry_point=task.entry_point, richness=richness(task))


def read_specified(file: str, entry_point: str | None = None) -> "Task":
    """Read a file, or stdin for `-`, as the task that it specifies; an entry point is "" if none is named.

    Raises InputError for what is no text, or does not mention the entry point.
    """
    from dualcode.task import Task

    text = read_text(file)
    guess = guess_entry_point(text)
    name = guess if entry_point is None else entry_point
    if entry_point is not None and not re.search(rf"\b{re.escape(entry_point)}\b", text):
        hint = f"--entry-point {guess}" if guess else "leave --entry-point out"
        raise InputError(f"{file} does not mention {entry_point!r}", hint=hint)
    fences = list(_FENCE.finditer(text))
    alone = len(fences) == 1 and not _FENCE.sub("", text).strip() and name in fences[0]["code"]
    return Task(id=file, prompt=fences[0]["code"] if alone else text, entry_point=name)


def read_text(file: str) -> str:
    """Return what a file, or stdin for `-`, says. Raises InputError for what is no text of some length."""
    name, path = "stdin" if file == "-" else file, Path(file)
    hint = "a .py stub with its docstring, or a .md or .txt file"
    if path.is_dir():
        raise InputError(f"{file} is a folder", hint=f"one of its files: ls {file}")
    try:
        with nullcontext(sys.stdin.buffer) if file == "-" else path.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"{file} cannot be read: {error.strerror or error}", hint=f"ls -l {path.parent}; or - for stdin"
        ) from error
    if len(content) > MOST_BYTES:
        raise InputError(f"{name} is longer than {MOST_BYTES >> 20} MiB: no specification", hint=hint)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is no UTF-8 text: byte {error.start} is {content[error.start]:#04x}", hint=hint
        ) from None
    if "\0" in text:
        raise InputError(f"{name} is binary: it holds NUL characters", hint=hint)
    if not text.strip():
        raise InputError(f"{name} is empty", hint=hint)
    return text


def guess_entry_point(text: str) -> str:
    """Return the function that a text is about: the last one defined at the margin, called or mentioned."""
    definitions = list(_DEFINITION.finditer(text))
    top = [each["name"] for each in definitions if not each.group()[0].isspace()]
    if top or definitions:
        return (top or [each["name"] for each in definitions])[-1]
    called = (name for line in _TEST_LINE.findall(text) for name in _CALLED.findall(line))
    mentioned = _MENTIONED.search(text)
    fallback = (mentioned["name"] or mentioned["named"]) if mentioned else ""
    return next((name for name in called if not hasattr(builtins, name)), fallback)


@click.command("spec")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--entry-point", metavar="NAME", help="The function that is specified. Default: the file's last."
)
@json_option
def spec(files: tuple[str, ...], entry_point: str | None, as_json: bool) -> None:
    """Score how much a specification says, and list what is missing, the most valuable first.

    FILE is a Python stub with its docstring, or text (.md, .txt); - reads stdin. Reviews gain more from
    rich specifications; the score counts examples, types, edge cases, constraints and words.

    \b
    Example:
      dualcode spec stub.py
      dualcode spec specs/*.md --json
    """
    specifications = [read_specification(file, entry_point) for file in files]
    if as_json:
        click.echo(json.dumps({"specifications": [each.to_json() for each in specifications]}))
        return
    for specification in specifications:
        _print(specification)


def _print(specification: Specification) -> None:
    from dualcode.bench.richness import PROPOSED_THRESHOLD
    from dualcode.cli.options import print_below

    result = specification.richness
    name = f"  {specification.entry_point}" if specification.entry_point else "  (names no function)"
    rich = "rich" if result.score >= PROPOSED_THRESHOLD else "lean"
    click.echo(
        f"{specification.file}{name}  {result.score:.2f} of 1, {rich} (from {PROPOSED_THRESHOLD:.2f} on)"
    )
    for component in result.components:
        points = f"{component.weight * component.score:.2f} of {component.weight:.2f}"
        found = ", ".join(component.found) or "none"
        if component.name == "examples":
            found = f"{len(component.found)} that can be run"
        click.echo(f"  {component.name:<12} {points}  {found}")
    if result.missing:
        click.echo("  what would raise the score most:")
    for component in result.missing:
        lacks = "; ".join(component.lacks[:_SHOWN_LACKS]) or "more of the same"
        advice = f"say something on {lacks}" if component.name in ("edge cases", "constraints") else lacks
        print_below(f"    +{component.gain:.2f}  ", f"{component.name}: {advice}")
