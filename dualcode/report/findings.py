"""Where a finding belongs: the lines of a program that a reviewer's free text names."""

import re
from collections.abc import Sequence

MOST_LINES = 3
"""A place that matches more lines than this names none of them."""
LEAST_CODE = 3
"""Characters without blanks that a fragment of code needs to be looked for."""
LEAST_SHARE = 0.6
"""The share of a place's words that a line must hold to be taken for the line that was meant."""

_LINE = re.compile(
    r"\b(?:lines?|ll?\.)\s*#?\s*(\d{1,5})(?:\s*(?:-|–|—|to|and|,|through)\s*#?\s*(\d{1,5}))?", re.I
)
_BARE = re.compile(r"\s*[L#]?(\d{1,5})\s*[:.]?\s*")
_QUOTED = re.compile(r"`+([^`]+)`+")
_WORD = re.compile(r"[A-Za-z_]\w*|\d+")
_CALLABLE = re.compile(r"\b([A-Za-z_]\w*)\s*(?:\(\s*\))?")


def locate(where: str, program: str) -> tuple[int, ...]:
    """Return the numbers, from 1, of the lines that `where` names in the program; () where none can be told.

    Tried in this order: line numbers; code, quoted by backticks or the whole text, blanks aside; the name of
    something that is defined; and the one line that shares most words with it.
    """
    lines = program.split("\n")
    tries = (
        _numbered(where, lines),
        _quoting(where, lines),
        _defining(where, lines),
        _resembling(where, lines),
    )
    return next((found for found in tries if found), ())


def _numbered(where: str, lines: Sequence[str]) -> tuple[int, ...]:
    found: list[int] = []
    matches = [match.groups() for match in _LINE.finditer(where)]
    if bare := _BARE.fullmatch(where):
        matches.append((bare.group(1), None))
    for first, last in matches:
        start, end = int(first), int(last or first)
        found += range(start, end + 1) if start <= end < start + MOST_LINES else [start, end]
    inside = dict.fromkeys(number for number in found if 1 <= number <= len(lines))
    return tuple(inside)[: 2 * MOST_LINES]


def _quoting(where: str, lines: Sequence[str]) -> tuple[int, ...]:
    """Find what may be code: quoted parts, the whole, what follows a colon; of several lines the first."""
    bare = [_squeezed(line) for line in lines]
    quoted = [match.group(1) for match in _QUOTED.finditer(where)]
    for text in [*quoted, where, *([where.split(":", 1)[1]] if ":" in where else [])]:
        fragment = next((line for line in text.split("\n") if line.strip()), "")
        code = _squeezed(fragment)
        if len(code) < LEAST_CODE:
            continue
        exact = [number for number, line in enumerate(bare, 1) if line == code]
        found = exact or [number for number, line in enumerate(bare, 1) if code in line]
        if 1 <= len(found) <= MOST_LINES and not _is_name(fragment):
            return tuple(found)
    return ()


def _defining(where: str, lines: Sequence[str]) -> tuple[int, ...]:
    """Find a name: where it is defined or assigned first, else where it first stands, if it stands there."""
    names = [match.group(1) for match in _CALLABLE.finditer(where)] if _is_name(where) else []
    names += [quoted.group(1) for quoted in _QUOTED.finditer(where) if _is_name(quoted.group(1))]
    names += re.findall(r"\b(?:def|class|function|method|variable)\s+`?([A-Za-z_]\w*)", where)
    for name in (each.strip().removesuffix("()") for each in names):
        plain = re.escape(name)
        for pattern in (
            rf"^\s*(?:async\s+)?(?:def|class)\s+{plain}\b",
            rf"^\s*{plain}\s*[:=+*/-]",
            rf"\b{plain}\b",
        ):
            found = [number for number, line in enumerate(lines, 1) if re.search(pattern, line)]
            if found:
                return (found[0],)
    return ()


def _resembling(where: str, lines: Sequence[str]) -> tuple[int, ...]:
    wanted = set(_WORD.findall(where))
    if len(wanted) < 2:
        return ()
    shares = [len(wanted & set(_WORD.findall(line))) / len(wanted) for line in lines]
    best = max(shares)
    alone = shares.count(best) == 1 and best * len(wanted) >= 2
    return (shares.index(best) + 1,) if best >= LEAST_SHARE and alone else ()


def _is_name(text: str) -> bool:
    return text.strip().strip("`").removesuffix("()").isidentifier()


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)
