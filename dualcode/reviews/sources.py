"""What is reviewed: files, a difference in git, or a text on stdin, cut to pieces that fit a request."""

import ast
import io
import re
import tokenize
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dualcode.errors import InputError
from dualcode.record import Record
from dualcode.reviews.slices import statements

if TYPE_CHECKING:
    from unidiff.patch import Hunk, PatchedFile

MOST_CHARACTERS = 12_000
"""Of one piece: some 4,000 tokens."""
MOST_BYTES = 4 << 20
"""Of one file."""


class Source(Record):
    """A file's text as it is to be reviewed."""

    path: str
    """As its user named it, or as git does: what findings name."""
    text: str
    changed: tuple[int, ...] | None = None
    """The lines, from 1, that a diff shows; None: all of it is reviewed."""

    @property
    def is_python(self) -> bool:
        """Whether its programs can be run."""
        return self.path.endswith((".py", ".pyi")) or self.path == STDIN


STDIN = "<stdin>"


class Piece(Record):
    """A part of a file that is reviewed by one request."""

    source: Source
    first: int
    last: int
    """Its lines, from 1, the last one included."""
    name: str = ""
    """What it defines; empty for a whole file."""
    left_out: int = 0
    """Lines at its end that did not fit."""

    @property
    def shown(self) -> str:
        """The lines with their numbers; in a diff, `+` marks those that it shows."""
        lines = lines_of(self.source.text)[self.first - 1 : self.last]
        changed = set(self.source.changed or ())
        width = len(str(self.last))
        return "\n".join(
            f"{number:>{width}}{'+' if number in changed else ' '} {line}"
            for number, line in enumerate(lines, start=self.first)
        )

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.source.path}:{self.first}-{self.last}" + (f" ({self.name})" if self.name else "")


class Cut(Record):
    """What is reviewed, and what is not."""

    pieces: tuple[Piece, ...]
    left_out: tuple[str, ...]
    """What was left out, and why, for people."""


def read_files(paths: Sequence[Path], *, root: Path | None = None) -> tuple[list[Source], list[str]]:
    """Read files; return those that can be reviewed, and what was left out and why.

    A name that is no file is an InputError, for it is a slip; so is a selection of which nothing is left.
    """
    found: list[Source] = []
    left_out: list[str] = []
    for path in paths:
        if path.is_dir():
            raise InputError(
                f"{path} is a folder", hint=f"its files: dualcode review {path}/*.py; or --diff REV"
            )
        try:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise InputError(
                f"{path} cannot be read: {error.strerror or error}", hint="dualcode review FILE"
            ) from None
        name = str(path.relative_to(root) if root and path.is_relative_to(root) else path)
        text = decoded(data, python=name.endswith((".py", ".pyi")))
        if isinstance(text, str):
            found.append(Source(path=name, text=text))
        else:
            left_out.append(f"{name}: {text[0]}")
    if not found:
        raise InputError(f"nothing to review: {'; '.join(left_out)}", hint="dualcode review FILE, a text")
    return found, left_out


_LOOKS = re.compile(r"^(?:diff --git |--- [^\n]*\n\+\+\+ )", re.MULTILINE)
DIFF_HINT = "git diff REV | dualcode review -; or dualcode review --diff REV"


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
        raise InputError(f"the diff cannot be parsed: {error}", hint=DIFF_HINT) from None
    found: list[Source] = []
    left_out: list[str] = []
    for patch in patches:
        binary, removed = patch.is_binary_file, patch.is_removed_file
        after = _after(patch, root) if not (binary or removed or not len(patch)) else ("no lines",)
        if isinstance(after, tuple):
            why = "a binary file" if binary else "removed" if removed else after[0]
            left_out.append(f"{patch.path}: {why}")
            continue
        ranges = (range(hunk.target_start, hunk.target_start + hunk.target_length) for hunk in patch)
        changed = tuple(sorted({number for shown in ranges for number in shown}))
        found.append(Source(path=patch.path, text=after, changed=changed))
    return found, left_out


def _after(patch: "PatchedFile", root: Path) -> str | tuple[str]:
    """Return a file's text after a patch; in a tuple, why it is not to be reviewed."""
    place = (root / patch.path).resolve()
    if not place.is_relative_to(root.resolve()):
        raise InputError(f"the diff names a file outside {root}: {patch.path}", hint=DIFF_HINT)
    before: list[str] = []
    if place.is_file():
        text = decoded(place.read_bytes(), python=patch.path.endswith(".py"))
        if isinstance(text, tuple):
            return text
        before = lines_of(text)
    elif not patch.is_added_file:
        raise InputError(f"the diff changes {patch.path}, which is not in {root}", hint=DIFF_HINT)
    sides = [(_side(hunk, "source"), _side(hunk, "target")) for hunk in patch]
    if before and _fit([target for _, target in sides], before):
        return "\n".join(before) + "\n"
    if not _fit([source for source, _ in sides], before):
        at = next((hunk.target_start for hunk in patch), 1)
        raise InputError(
            f"the diff does not apply to {place}: around line {at} the file reads otherwise", hint=DIFF_HINT
        )
    made: list[str] = []
    taken = 0
    for (start, gone), (_, new) in sides:
        made += [*before[taken:start], *new]
        taken = start + len(gone)
    return "\n".join([*made, *before[taken:]]) + "\n"


def _side(hunk: "Hunk", name: Literal["source", "target"]) -> tuple[int, list[str]]:
    """Return where a hunk's lines of one side stand in the file, from 0, and those lines."""
    lines = [line.value.rstrip("\r\n") for line in getattr(hunk, f"{name}_lines")()]
    start: int = getattr(hunk, f"{name}_start")
    return start - 1 if lines else start, lines


def _fit(sides: Sequence[tuple[int, list[str]]], lines: list[str]) -> bool:
    return all(lines[at : at + len(wanted)] == wanted for at, wanted in sides)


def decoded(data: bytes, *, python: bool = False) -> str | tuple[str]:
    """Return a file's text, or, in a tuple, why it is none. A Python file may name its own encoding."""
    if len(data) > MOST_BYTES:
        return (f"larger than {MOST_BYTES >> 20} MiB",)
    if b"\0" in data[: 1 << 13] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ("a binary file",)
    encoding = "utf-8-sig"
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            encoding = "utf-16"
        elif python:
            encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
        return data.decode(encoding).replace("\r\n", "\n")
    except (UnicodeDecodeError, SyntaxError, LookupError):
        return (f"not readable as {encoding.removesuffix('-sig')}",)


def lines_of(text: str) -> list[str]:
    """Return a text's lines as git and Python number them: a form feed ends none."""
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]


def cut(sources: Sequence[Source], most: int = MOST_CHARACTERS) -> Cut:
    """Cut files to pieces of at most `most` characters, by function where a file is longer.

    Of a diff only pieces with changed lines are kept. A function that is too long by itself is cut at its
    end; a file that is no Python, or does not parse, is cut by lines.
    """
    pieces: list[Piece] = []
    left_out: list[str] = []
    for source in sources:
        lines = lines_of(source.text)
        if not any(line.strip() for line in lines):
            left_out.append(f"{source.path}: empty")
            continue
        if len(source.text) <= most:
            pieces.append(Piece(source=source, first=1, last=len(lines)))
            continue
        for each in _pieces(source, lines, most):
            if source.changed is not None and not any(each.first <= at <= each.last for at in source.changed):
                continue
            pieces.append(each)
            if each.left_out:
                left_out.append(
                    f"{each.place}: its last {each.left_out} lines, which do not fit {most} characters"
                )
    return Cut(pieces=tuple(pieces), left_out=tuple(left_out))


def _pieces(source: Source, lines: Sequence[str], most: int) -> list[Piece]:
    """Return a long file in pieces: blocks that belong together, as many in one piece as fit."""
    found: list[Piece] = []
    start, size, names = 1, 0, list[str]()
    for first, last, name in _blocks(source, lines):
        length = sum(len(line) + 1 for line in lines[first - 1 : last])
        if size and size + length > most:
            found.append(_piece(source, start, first - 1, names, lines, most))
            start, size, names = first, 0, []
        size += length
        names += [name] if name else []
    return [*found, _piece(source, start, len(lines), names, lines, most)]


def _piece(
    source: Source, first: int, last: int, names: Sequence[str], lines: Sequence[str], most: int
) -> Piece:
    end, size = first - 1, 0
    while end < last and (size := size + len(lines[end]) + 1) <= most:
        end += 1
    end = max(end, first)  # a single line of any length
    return Piece(
        source=source, first=first, last=end, name=", ".join(names[:3]) + (", …" if len(names) > 3 else ""),
        left_out=last - end,
    )  # fmt: skip


def _blocks(source: Source, lines: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return first line, last line and name of what a piece may hold whole; together they are the file."""
    starts: dict[int, str] = {}
    for node in statements(source.text) if source.is_python else ():
        if isinstance(node, ast.ClassDef) and (node.end_lineno or 0) - node.lineno > 40:
            starts[first_line(node)] = node.name
            for each in node.body:
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                    starts[first_line(each)] = f"{node.name}.{each.name}"
        else:
            named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            starts[first_line(node)] = node.name if named else ""
    begins = sorted({1, *(starts or range(1, len(lines) + 1, 40))})
    ends = [*(each - 1 for each in begins[1:]), len(lines)]
    return [(a, b, starts.get(a, "")) for a, b in zip(begins, ends, strict=True)]


def first_line(node: ast.stmt) -> int:
    """Return the line on which a statement begins, decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])
