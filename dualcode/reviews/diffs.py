"""Diffs: which lines of which files they show, held against the files themselves."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from dualcode.errors import InputError
from dualcode.reviews.sources import Source, decoded, lines_of

if TYPE_CHECKING:
    from unidiff.patch import PatchedFile

_LOOKS = re.compile(r"^(?:diff --git |--- [^\n]*\n\+\+\+ )", re.MULTILINE)
HINT = "git diff REV | dualcode review -; or dualcode review --diff REV"


def is_diff(text: str) -> bool:
    """Whether a text is a diff, and no code."""
    return _LOOKS.search(text) is not None


def read_diff(text: str, root: Path) -> tuple[list[Source], list[str]]:
    """Return the files that a diff changes, as they are after it, with the lines that its hunks show.

    The files beneath `root` may have the change already, or not yet. Also returned is what is left out, and
    why. Raises InputError for a diff that cannot be parsed, that fits the files neither way, or whose paths
    lead out of `root`.
    """
    from unidiff.errors import UnidiffParseError
    from unidiff.patch import PatchSet

    try:
        patches = PatchSet(text)
    except UnidiffParseError as error:
        raise InputError(f"the diff cannot be parsed: {error}", hint=HINT) from None
    found: list[Source] = []
    left_out: list[str] = []
    for patch in patches:
        path = patch.path
        if patch.is_binary_file or patch.is_removed_file or not len(patch):
            why = (
                "a binary file"
                if patch.is_binary_file
                else "removed"
                if patch.is_removed_file
                else "no lines"
            )
            left_out.append(f"{path}: {why}")
            continue
        after = _after(patch, root)
        if isinstance(after, tuple):
            left_out.append(f"{path}: {after[0]}")
            continue
        shown = {
            number
            for hunk in patch
            for number in range(hunk.target_start, hunk.target_start + hunk.target_length)
        }
        found.append(Source(path=path, text=after, changed=tuple(sorted(shown))))
    return found, left_out


def _after(patch: "PatchedFile", root: Path) -> str | tuple[str]:
    """Return a file's text after a patch; in a tuple, why it is not to be reviewed."""
    place = (root / patch.path).resolve()
    if not place.is_relative_to(root.resolve()):
        raise InputError(f"the diff names a file outside {root}: {patch.path}", hint=HINT)
    before: list[str] = []
    if place.is_file():
        text = decoded(place.read_bytes(), python=patch.path.endswith(".py"))
        if isinstance(text, tuple):
            return text
        before = lines_of(text)
    elif not patch.is_added_file:
        raise InputError(f"the diff changes {patch.path}, which is not in {root}", hint=HINT)
    if before and _fits(patch, before, after=True):
        return "\n".join(before) + "\n"
    if not _fits(patch, before, after=False):
        at = next((hunk.target_start for hunk in patch), 1)
        raise InputError(
            f"the diff does not apply to {place}: around line {at} the file reads otherwise", hint=HINT
        )
    made: list[str] = []
    taken = 0
    for hunk in patch:
        start = hunk.source_start - 1 if hunk.source_length else hunk.source_start
        made += before[taken:start]
        made += [line.value.rstrip("\r\n") for line in hunk.target_lines()]
        taken = start + hunk.source_length
    return "\n".join([*made, *before[taken:]]) + "\n"


def _fits(patch: "PatchedFile", lines: list[str], *, after: bool) -> bool:
    for hunk in patch:
        start, length = (
            (hunk.target_start, hunk.target_length) if after else (hunk.source_start, hunk.source_length)
        )
        wanted = [
            line.value.rstrip("\r\n") for line in (hunk.target_lines() if after else hunk.source_lines())
        ]
        begin = start - 1 if length else start
        if lines[begin : begin + length] != wanted:
            return False
    return True
