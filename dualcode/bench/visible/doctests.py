"""Interactive examples: `>>>` lines, their continuation, and the output that follows."""

import ast
import doctest
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dualcode.bench.visible.evaluation import is_constant, parse_expression

MOST_LINES = 100
"""Lines of one example's source, and of its output."""

_PROMPT = re.compile(r"(?P<indent>\s*)>>>(?P<source>\s.*|)$")
_BARE = re.compile(r"(?P<indent>\s*)>>>(?P<source>\S.*)$")
_MORE = re.compile(r"\s*\.\.\.(?:\s(?P<source>.*)|)$")
_DIRECTIVE = re.compile(r"#\s*doctest:\s*(?P<options>[^\n]*)")
_TRACEBACK = re.compile(r"Traceback \((?:most recent call last|innermost last)\):")
_EXCEPTION = re.compile(r"(?P<name>[A-Za-z_][\w.]*)(?::\s*(?P<message>.*))?$", re.DOTALL)
_BARE_EXCEPTION = re.compile(
    r"(?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit|Iteration|Warning)\b(?::\s.*)?$"
)
_PROSE = re.compile(r"[A-Z][a-z']*(?:[ ,:]|$)|[A-Za-z_]\w*\(.*\)\s*(?:==|=>|->|returns?\b|raises?\b)")


@dataclass(frozen=True)
class Interaction:
    """One `>>>` example."""

    source: str
    want: str
    """What is shown below it, without the indent; empty: nothing."""
    start: int
    end: int
    """The lines that it takes, without what was cut off the want."""
    flags: int
    """Doctest's option flags."""


@dataclass(frozen=True)
class Wanted:
    """What an interaction shows, by what it is."""

    value: str = ""
    """An expression without names."""
    raises: str = ""
    message: str | None = None
    text: str | None = None


def interactions(lines: Sequence[str]) -> Iterator[Interaction]:
    """Yield the examples in order; a `>>>` in mid-line is prose."""
    index = 0
    while index < len(lines):
        match = _PROMPT.match(lines[index]) or _BARE.match(lines[index])
        if match is None:
            index += 1
            continue
        interaction = _interaction(lines, index, match["indent"], match["source"])
        yield interaction
        index = interaction.end


def _interaction(lines: Sequence[str], start: int, indent: str, first: str) -> Interaction:
    sources, index = [first.strip() if first[:1].isspace() else first], start + 1
    most = min(len(lines), start + MOST_LINES)
    while index < most and (more := _MORE.match(lines[index])) and _goes_on(sources, lines[index]):
        sources.append(more["source"] or "")
        index += 1
    wants: list[str] = []
    most = min(len(lines), index + MOST_LINES)
    while index < most and _is_want(lines[index], indent):
        wants.append(lines[index][len(indent) :].rstrip())
        index += 1
    wants = _without_prose(wants)
    source = "\n".join(sources)
    end = start + len(sources) + len(wants)
    return Interaction(source, "\n".join(wants), start, end, _flags(source, wants))


def _goes_on(sources: Sequence[str], line: str) -> bool:
    # `...` alone may be elided output instead, below a source that is whole.
    return line.strip() != "..." or parse_expression("\n".join(sources)) is None


def _is_want(line: str, indent: str) -> bool:
    stripped = line.strip()
    # A stub that is quoted in prose: its docstring, or the code block, ends here.
    ends = stripped.startswith((">>>", "```", '"""', "'''"))
    return bool(stripped) and not ends and line.startswith(indent)


def _without_prose(wants: list[str]) -> list[str]:
    """Cut a sentence that follows a literal without a blank line."""
    if is_constant(parse_expression("\n".join(wants))):
        return wants
    for count in range(1, len(wants)):
        if _PROSE.match(wants[count]) and is_constant(parse_expression("\n".join(wants[:count]))):
            return wants[:count]
    return wants


def _flags(source: str, wants: Sequence[str]) -> int:
    flags = doctest.ELLIPSIS if any("..." in want for want in wants) else 0
    for directive in _DIRECTIVE.finditer(source):
        for option in directive["options"].replace(",", " ").split():
            if option[0] == "+":
                flags |= doctest.OPTIONFLAGS_BY_NAME.get(option[1:], 0)
    return flags


def read_want(want: str) -> Wanted:
    """Say what an interaction's output is: a value, an exception, or other text."""
    if _TRACEBACK.match(want):
        return _raised(
            next((line for line in reversed(want.split("\n")) if _is_exception(line)), "Exception")
        )
    if _BARE_EXCEPTION.match(want) and "\n" not in want:
        return _raised(want)
    node = parse_expression(want)
    if is_constant(node) and node is not None:
        return Wanted(value=ast.unparse(node))
    return Wanted(text=want)


def _is_exception(line: str) -> bool:
    return line[:1].isalpha() and _EXCEPTION.match(line) is not None and not _TRACEBACK.match(line)


def _raised(line: str) -> Wanted:
    match = _EXCEPTION.match(line)
    name, message = (match["name"], match["message"]) if match else ("Exception", None)
    return Wanted(raises=name, message=message)
