"""A diff taken apart into files and hunks, and put together again."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(.*)", re.DOTALL)
_NO_NEWLINE = "\\"


@dataclass(frozen=True)
class Hunk:
    """Lines of a file before and after a change."""

    before: int
    """The first line's number in the old file."""
    after: int
    heading: str
    """What stands behind the numbers."""
    lines: tuple[str, ...]
    """Each with its mark in front: blank, `+`, `-`, or a backslash where the file ends without a newline."""

    def side(self, mark: str) -> list[tuple[int, str]]:
        """Return the lines of one side, `-` or `+`, as (place in `lines`, text without mark)."""
        return [(at, line[1:]) for at, line in enumerate(self.lines) if line[:1] in ("", " ", mark)]

    @property
    def changes(self) -> bool:
        """Whether any line is added or removed, and both sides differ."""
        return [text for _, text in self.side("-")] != [text for _, text in self.side("+")]

    def __str__(self) -> str:
        old, new = len(self.side("-")), len(self.side("+"))
        head = f"@@ -{self.before},{old} +{self.after},{new} @@{self.heading}"
        return "\n".join([head, *self.lines])


@dataclass(frozen=True)
class FileDiff:
    """What a diff says of one file."""

    path: str
    """After the change; before it, where the file is removed."""
    header: tuple[str, ...]
    """The lines before the first hunk; of a binary file, all."""
    hunks: tuple[Hunk, ...] = ()

    @property
    def python(self) -> bool:
        """Whether it is Python by its name."""
        return self.path.endswith((".py", ".pyi"))

    @property
    def counts(self) -> tuple[int, int]:
        """Lines added and removed."""
        lines = [line for hunk in self.hunks for line in hunk.lines]
        return sum(line.startswith("+") for line in lines), sum(line.startswith("-") for line in lines)

    def __str__(self) -> str:
        return "\n".join([*self.header, *map(str, self.hunks)])


def parse(diff: str) -> tuple[FileDiff, ...] | None:
    """Return a diff's files in order; None where it is not whole, and must not be taken apart.

    What stands before the first file (an author, a commit's message) is dropped, as are git's `index` lines:
    they say nothing of the change, and could say where it comes from.
    """
    lines = diff.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    found: list[FileDiff] = []
    at = next((n for n in range(len(lines)) if _begins(lines, n)), len(lines))
    while at < len(lines):
        header, hunks = [lines[at]], list[Hunk]()
        at += 1
        while at < len(lines) and not lines[at].startswith("@@ ") and not _begins(lines, at, header):
            header.append(lines[at])
            at += 1
        while at < len(lines) and (head := _HUNK.fullmatch(lines[at])):
            taken = _body(lines, at + 1, int(head[2] or 1), int(head[4] or 1))
            if taken is None:
                return None
            hunks.append(Hunk(int(head[1]), int(head[3]), head[5], tuple(lines[at + 1 : taken])))
            at = taken
        if at < len(lines) and not _begins(lines, at):
            return None
        kept = tuple(line for line in header if not line.startswith("index "))
        found.append(FileDiff(_path(header), kept, tuple(hunks)))
    return tuple(found) if found or not diff.strip() else None


def join(files: Iterable[FileDiff]) -> str:
    """Return the diff of these files, in this order."""
    return "".join(f"{each}\n" for each in files)


def _begins(lines: list[str], at: int, header: list[str] | None = None) -> bool:
    """Whether a file begins here; within `header`, whether it is another than that one."""
    if lines[at].startswith("diff --git "):
        return True
    plain = lines[at].startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ ")
    if header is None or not plain:
        return plain
    return any(line.startswith("+++ ") for line in header)


def _body(lines: list[str], at: int, old: int, new: int) -> int | None:
    """Return where a hunk of so many old and new lines ends; None if it does not come out even."""
    while (old or new) and at < len(lines):
        mark = lines[at][:1]
        if mark not in ("", " ", "+", "-", _NO_NEWLINE):
            return None
        old -= mark in ("", " ", "-")
        new -= mark in ("", " ", "+")
        if old < 0 or new < 0:
            return None
        at += 1
    if old or new:
        return None
    return at + 1 if at < len(lines) and lines[at].startswith(_NO_NEWLINE) else at


def _path(header: list[str]) -> str:
    """Return the path that a header names, as git writes it, without its prefix."""
    named = {line[:4]: line[4:].split("\t")[0] for line in header if line[:4] in ("--- ", "+++ ")}
    for side in ("+++ ", "--- "):
        if (path := named.get(side, "/dev/null")) != "/dev/null":
            return _bare(path)
    if renamed := next((line[10:] for line in header if line.startswith("rename to ")), None):
        return _bare(f"b/{renamed}")
    first = header[0].removeprefix("diff --git ")
    half = len(first) // 2  # `a/PATH b/PATH`, both the same
    return _bare(first[half + 1 :])


def _bare(path: str) -> str:
    path = path.strip('"')
    return path[2:] if path[:2] in ("a/", "b/") else path
