"""How a fix is shown: as it is, or without Python's comments and its files in another order; and bounded."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dualcode.panel.blind import Blind
from dualcode.panel.comments import stripped
from dualcode.panel.diffs import FileDiff, Hunk, parse
from dualcode.record import Record

Rendering = Literal["plain", "other"]
RENDERINGS: tuple[Rendering, ...] = ("plain", "other")


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
        found.append(each.with_hunks(tuple(hunks)) if each.python else each)
    return tuple(found), unread
