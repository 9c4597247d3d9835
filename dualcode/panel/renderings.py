"""How a fix is shown: as it is, or without Python's comments and its files in another order; and bounded."""

import ast
import io
import random
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from tokenize import COMMENT, DEDENT, ENDMARKER, ERRORTOKEN, INDENT, NEWLINE, NL, OP, STRING, TokenInfo
from typing import Literal

from dualcode.panel.blind import Blind
from dualcode.panel.diffs import FileDiff, Hunk, parse
from dualcode.record import Record

Rendering = Literal["plain", "other"]
RENDERINGS: tuple[Rendering, ...] = ("plain", "other")
MOST_LINES = 5_000
"""Of a hunk that is read; nobody is shown as much."""
Edits = dict[int, str | None]
"""Place of a line -> what is left of it; None: nothing."""

_PARTS = {
    "elif": "if 1: pass\n",
    "else": "if 1: pass\n",
    "except": "try: pass\n",
    "finally": "try: pass\n",
    "case": "match 1:\n ",
}
"""What must stand before a line that begins so, for it to parse alone."""


class Bounds(Record):
    """Most characters of each part of an exhibit that a judge is shown."""

    instruction: int = 8_000
    plan: int = 8_000
    diff: int = 24_000
    tests: int = 4_000


class Shown(Record):
    """What a rendering left out or could not do: on record with each score."""

    files: int = 0
    lines_left_out: int = 0
    """Of the diff; the prompt says so, too."""
    cut: tuple[str, ...] = ()
    """The other parts that were shortened: `instruction`, `plan`, `tests`."""
    unread_hunks: int = 0
    """Hunks of Python whose comments stayed, because the fragment could not be read safely."""
    order: tuple[int, ...] = ()
    """The places of the diff's files in the order in which they were shown; empty: as they came."""
    in_parts: bool = True
    """False: the diff could not be taken apart, and is shown as one text."""


@dataclass(frozen=True)
class Rendered:
    """A diff as it is shown."""

    text: str
    summary: str
    """Its files, each with the lines that were added and removed."""
    shown: Shown


def render_diff(diff: str, rendering: Rendering, *, most: int, blind: Blind, seed: str) -> Rendered:
    """Return a diff as judges see it: what `seed` says of the files' order is all that is drawn.

    A diff that cannot be taken apart is shown whole, or its beginning and its end, in both renderings.
    """
    files = parse(diff)
    if files is None:
        text, left_out = clip(diff, most)
        return Rendered(blind.code(text), "", Shown(lines_left_out=left_out, in_parts=False))
    unread, order = 0, tuple[int, ...]()
    if rendering == "other":
        files, unread = _uncommented(files)
        order = another_order(len(files), seed)
        files = tuple(files[at] for at in order)
    texts = [str(each) for each in files]
    parts, left_out = list[str](), 0
    for text, share in zip(texts, shares([len(text) + 1 for text in texts], most), strict=True):
        part, gone = clip(text, share)
        parts.append(blind.code(part))
        left_out += gone
    counts = [each.counts for each in files]
    rows = (
        f"{blind.code(each.path)} (+{added} -{removed})"
        for each, (added, removed) in zip(files, counts, strict=True)
    )
    shown = Shown(files=len(files), lines_left_out=left_out, unread_hunks=unread, order=order)
    return Rendered("\n".join(parts), "\n".join(rows), shown)


def another_order(count: int, seed: str) -> tuple[int, ...]:
    """Return an order of so many things that is not the first one, where there is another."""
    order = list(range(count))
    random.Random(seed).shuffle(order)
    if count > 1 and order == sorted(order):
        order = [*order[1:], order[0]]
    return tuple(order)


def shares(sizes: Sequence[int], most: int) -> list[int]:
    """Return how much of each may be shown: what small ones leave goes to the larger ones, evenly."""
    found = [0] * len(sizes)
    left = most
    by_size = sorted(range(len(sizes)), key=lambda at: sizes[at])
    for done, at in enumerate(by_size):
        found[at] = min(sizes[at], left // (len(sizes) - done))
        left -= found[at]
    return found


def clip(text: str, most: int) -> tuple[str, int]:
    """Return the beginning and the end of a text, and how many lines are left out between them.

    Lines stay whole, but for a single one that is too long.
    """
    if len(text) <= most:
        return text, 0
    lines = text.split("\n")
    head, tail = list[str](), list[str]()
    room = most * 2 // 3
    while len(lines) > 1 and len(lines[0]) + 1 <= room:
        room -= len(lines[0]) + 1
        head.append(lines.pop(0))
    room = most - most * 2 // 3
    while len(lines) > 1 and len(lines[-1]) + 1 <= room:
        room -= len(lines[-1]) + 1
        tail.insert(0, lines.pop())
    if not head and not tail:
        head = [lines[0][: max(0, most)]]
    gone = len(lines)
    return "\n".join([*head, f"[… {gone} {'line' if gone == 1 else 'lines'} not shown …]", *tail]), gone


def _uncommented(files: Sequence[FileDiff]) -> tuple[tuple[FileDiff, ...], int]:
    """Return the files without Python's comments, and how many hunks had to stay as they were."""
    found, unread = list[FileDiff](), 0
    for each in files:
        hunks = list[Hunk]()
        for hunk in each.hunks if each.python else ():
            bare = stripped(hunk)
            unread += bare is None
            if bare is None or bare.changes:
                hunks.append(bare or hunk)
        found.append(replace(each, hunks=tuple(hunks)) if each.python else each)
    return tuple(found), unread


def stripped(hunk: Hunk) -> Hunk | None:
    """Return a hunk of Python without comments and docstrings; None where it cannot be, or is not, read.

    A hunk shows a part of a file, so each of its sides is read as the fragment that it is. One that begins
    or ends within a string of several lines reads as no code, and a line that both sides have must come out
    the same in both: where either fails, the hunk stays as it is, and its reader is told.
    """
    if len(hunk.lines) > MOST_LINES:
        return None
    changes: list[Edits] = []
    for mark, start in (("-", hunk.before), ("+", hunk.after)):
        side = hunk.side(mark)
        found = _edits([text for _, text in side], whole_head=start == 1)
        if found is None:
            return None
        changes.append({side[row][0]: text for row, text in found.items()})
    old, new = changes
    for at, line in enumerate(hunk.lines):
        if line[:1] in ("", " ") and ((at in old) != (at in new) or old.get(at) != new.get(at)):
            return None
    both, lines = old | new, list[str]()
    for at, line in enumerate(hunk.lines):
        text = both.get(at, line[1:])
        if text is not None:
            lines.append(line[:1] + text)
    return replace(hunk, lines=tuple(lines))


def _edits(lines: Sequence[str], *, whole_head: bool) -> Edits | None:
    """Return what becomes of the rows that hold comments or docstrings; None for an unreadable fragment.

    With `whole_head` it begins where its file does.
    """
    if not any(line.strip() for line in lines):
        return {}
    # The indents above which the fragment begins, so that it may come back to them.
    indents = [line[: len(line) - len(line.lstrip())] for line in lines if line.strip()]
    levels = sorted({each for each in indents if len(each) < len(indents[0])}, key=len)
    padded = [*(f"{level}if 1:" for level in levels), *lines]
    tokens: list[TokenInfo] = []
    try:
        tokens.extend(tokenize.generate_tokens(io.StringIO("\n".join(padded) + "\n").readline))
    except (tokenize.TokenError, SyntaxError) as error:
        if "multi-line statement" not in str(error):  # a bracket may be closed where no hunk shows it
            return None
    if not _is_code([token for token in tokens if token.start[0] > len(levels)]):
        return None
    edits: Edits = {}
    for token in tokens:
        if token.type == COMMENT:
            row, column = token.start
            edits[row - 1] = padded[row - 1][:column].rstrip() or None
    for first, last, alone in _docstrings(tokens, of_module=whole_head):
        edits |= dict.fromkeys(range(first, last + 1))
        if alone:
            line = padded[first]
            edits[first] = f"{line[: len(line) - len(line.lstrip())]}..."
    return {row - len(levels): text for row, text in edits.items() if row >= len(levels)}


def _is_code(tokens: Sequence[TokenInfo]) -> bool:
    """Tell whether a fragment is code, and no text within a string: each of its whole statements parses.

    What stands before the last bracket that closes more than is shown may be the end of a statement, and
    what has no end is none that is whole.
    """
    if any(token.type == ERRORTOKEN and not token.string.isspace() for token in tokens):
        return False
    depth, begin = 0, 0
    for at, token in enumerate(tokens):
        if token.type == OP and token.string in "([{":
            depth += 1
        elif token.type == OP and token.string in ")]}":
            depth -= 1
            if depth < 0:
                depth, begin = 0, at + 1
    statements = list(_statements(tokens[begin:]))
    rest = begin and tokens[begin].type != NEWLINE  # of the line in which such a statement ended
    whole = statements[1:] if rest else statements
    return bool(whole) and all(map(_parses, whole))


def _statements(tokens: Sequence[TokenInfo]) -> Iterator[list[TokenInfo]]:
    """Yield the logical lines that have an end, without comments and layout."""
    line: list[TokenInfo] = []
    for token in tokens:
        if token.type in (NL, COMMENT, INDENT, DEDENT, ENDMARKER):
            continue
        if token.type != NEWLINE:
            line.append(token)
        elif line:
            yield line
            line = []


def _parses(line: Sequence[TokenInfo]) -> bool:
    first = line[0].string
    # Blanks of any number part tokens; those of several lines stand within brackets or quotes.
    text = _PARTS.get(first, "") + " ".join(token.string for token in line)
    text += " pass" if line[-1].string == ":" else "\ndef _(): pass" if first == "@" else ""
    text += "\nfinally: pass" if first == "try" else ""
    for each in (text, " ".join(token.string for token in line)):  # `case` and `match` are names, too
        try:
            ast.parse(each)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        return True
    return False


def _docstrings(tokens: Sequence[TokenInfo], *, of_module: bool) -> Iterator[tuple[int, int, bool]]:
    """Yield the rows of each docstring, from 0, and whether nothing is seen to follow it in its body.

    It is the string that stands alone in the first line of a body whose head, `def` or `class`, is shown, or
    of a module whose beginning is.
    """
    real = [token for token in tokens if token.type not in (NL, COMMENT)]
    opens, begins, head = "", True, of_module
    for at, token in enumerate(real):
        if token.type == NEWLINE:
            head = opens in ("def", "class", "async") and real[at - 1].string == ":"
            opens, begins = "", True
        elif begins and token.type not in (INDENT, DEDENT):
            opens, begins = token.string, False
            ends = at + 1 < len(real) and real[at + 1].type == NEWLINE
            if head and token.type == STRING and (not at or real[at - 1].type == INDENT) and ends:
                after = real[at + 2].type if at + 2 < len(real) else ENDMARKER
                yield token.start[0] - 1, token.end[0] - 1, after in (DEDENT, ENDMARKER)
            head = False
