"""The one command of a reply: what stands in its fenced block.

mini-swe-agent's own expression ends a block at the first line that begins with three ticks, and so in the
middle of a file that a command writes: a plan with code in it, a page of documentation. Here a block ends
where its command does: not within a here-document, and not at fewer ticks than it was opened with.
"""

import re

from dualcode.extraction import strip_thinking
from dualcode.record import Record

_OPENING = re.compile(r"[ \t]*(?P<ticks>`{3,}|~{3,})[ \t]*(?:bash|sh|shell|mswea_bash_command)[ \t]*", re.I)
_TURN_END = r"(?:<[|/｜][\w|/｜▁]{1,40}>)?"
"""What some servers leave of the end of a turn."""
_HERE = re.compile(r"(?<!<)<<(?P<tabs>-?)[ \t]*(?P<quote>['\"]?)\\?(?P<word>[A-Za-z_][\w.-]*)(?P=quote)")


class Turn(Record):
    """What a reply was read as: the value that its call has on record."""

    said: str
    """The reply without its thought."""
    command: str | None
    """None: there is not exactly one."""
    found: int
    """Blocks with a command."""


def read_turn(content: str | None) -> Turn:
    """Read a reply."""
    said = _without_thought((content or "").replace("\0", "")).strip()  # no command can hold a NUL
    found = blocks(said)
    return Turn(said=said, command=found[0] if len(found) == 1 else None, found=len(found))


def blocks(text: str) -> list[str]:
    """Return the commands of all closed blocks, in order; empty ones are none."""
    lines = _lines(text)
    found = ("\n".join(lines[begin:end]).strip() for begin, end in _places(lines))
    return [each for each in found if each]


def _without_thought(content: str) -> str:
    """Return a reply without its thought. The marks of one within a command are the command's own."""
    lines = _lines(content)
    outside, at = list[str](), 0
    for begin, end in _places(lines):
        outside += lines[at:begin]
        at = end
    around = "\n".join([*outside, *lines[at:]])
    return content if strip_thinking(around) == around else strip_thinking(content)


def _lines(text: str) -> list[str]:
    """Split at ends of lines alone: `splitlines` takes a form feed for one."""
    return text.replace("\r\n", "\n").split("\n")


def _places(lines: list[str]) -> list[tuple[int, int]]:
    """Return the first line of each closed block's command, and the line that closes it."""
    found: list[tuple[int, int]] = []
    at = 0
    while at < len(lines):
        opening = _OPENING.fullmatch(lines[at])
        at += 1
        if opening is not None:
            end = _end(lines, at, opening["ticks"])
            if end is None:
                break
            found.append((at, end))
            at = end + 1
    return found


def _end(lines: list[str], at: int, ticks: str) -> int | None:
    """Return the line that closes a block whose first line is `at`."""
    closing = re.compile(rf"[ \t]*{re.escape(ticks[0])}{{{len(ticks)},}}{_TURN_END}[ \t]*")
    while at < len(lines):
        if closing.fullmatch(lines[at]):
            return at
        at = _behind_documents(lines, at)
    return None


def _behind_documents(lines: list[str], at: int) -> int:
    """Return the line after this one, and after the here-documents that it begins, where they do end."""
    begun = list(_HERE.finditer(lines[at]))
    at += 1
    for each in begun:
        for later in range(at, len(lines)):
            line = lines[later].lstrip("\t") if each["tabs"] else lines[later]
            if line == each["word"]:
                at = later + 1
                break
    return at


def without_documents(command: str) -> tuple[str, str]:
    """Return a command without the text of its here-documents, and those texts."""
    lines, kept, documents = _lines(command), list[str](), list[str]()
    at = 0
    while at < len(lines):
        kept.append(lines[at])
        behind = _behind_documents(lines, at)
        documents += lines[at + 1 : behind]
        at = behind
    return "\n".join(kept), "\n".join(documents)
