"""Markdown fences, as models write them: unclosed, untagged, indented, nested in lists, dangling.

A CommonMark parser would be of little help: it reads a dangling fence as an opening one and a docstring's
fence as the end of the program. So a reply is cut at every fence, and each piece judged by what it holds.
"""

import re
import textwrap
from dataclasses import dataclass

_FENCE = re.compile(r"[ \t]*(?:(?:[>*+-]|\d{1,3}[.)])[ \t]+)?(?:`{3,}|~{3,})(?P<info>.*)")
# At the end of a line of code it closes the block, at the end of a line of prose it opens one.
_INLINE = re.compile(r"(?P<before>[^`]*(?:`{1,2}[^`]+)*)`{3,}(?P<info>[^`]*)")
_INLINE_TILDES = re.compile(r"(?P<before>[^~]*)~{3,}(?P<info>python3?|py)[ \t]*", re.IGNORECASE)
_ONE_LINE = re.compile(
    r"^([^`\n]*)(`{3,})((?:python3?|py)[ \t]+(?:def|class|import|from|async)\b[^`\n]*)\2([^`\n]*)$",
    re.MULTILINE,
)
_TAG = re.compile(r"[ \t]*(?:[\w+#.-]*|\{[^}]*\})[ \t]*")
_TAG_BEFORE_CODE = re.compile(r"[ \t]*(?:python3?|py)[ \t]+", re.IGNORECASE)
_CODE_START = re.compile(r"(?:def|class|import|from|async|return|@)\b")


@dataclass(frozen=True)
class Piece:
    """The text between two fences, or between a fence and an end of the reply."""

    text: str
    fenced: bool
    """Whether an opening fence stands before it, counting the fences from the start."""
    last: bool = False
    """Whether the answer ends with it, no fence closing it: it may have been cut off."""


def cut(answer: str) -> list[Piece]:
    """Cut the answer at its fences; blank pieces are left out."""
    pieces: list[Piece] = []
    lines: list[str] = []
    fenced = False

    def close(*, last: bool = False) -> None:
        text = "\n".join(lines)
        if fenced and text.lstrip("\n")[:1] in " \t":
            text = textwrap.dedent(text)
        if text.strip():
            pieces.append(Piece(text, fenced, last))
        lines.clear()

    for line in _ONE_LINE.sub(r"\1\2\3\n\2\n\4", answer).split("\n"):
        fence = _FENCE.fullmatch(line) or _INLINE.fullmatch(line) or _INLINE_TILDES.fullmatch(line)
        info = fence["info"] if fence else ""
        rest = _TAG_BEFORE_CODE.sub("", info, count=1).strip()
        first_line = rest if _CODE_START.match(rest) else None  # code on the fence's own line
        is_tag = bool(info.strip()) and _TAG.fullmatch(info) is not None
        opens = first_line is not None or is_tag
        if fence is None or ("before" in fence.groupdict() and not opens and info.strip()):
            lines.append(line)
            continue
        lines.append(fence.groupdict().get("before", ""))
        close()
        # A tag or code after the ticks opens a block, also where the one before was never closed.
        fenced = opens or not fenced
        if first_line is not None:
            lines.append(first_line)
    close(last=True)
    return pieces


def without_fences(answer: str) -> str:
    """Return the answer with every fence line blanked."""
    return "\n".join("" if _FENCE.fullmatch(line) else line for line in answer.split("\n"))
