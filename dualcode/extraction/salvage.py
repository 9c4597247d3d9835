"""Programs inside text that does not parse as a whole: prose around, a lost indent, a cut-off end.

The text is cut into units, a line at column 0 with all that hangs on it; each unit is parsed alone, so the
work grows with the text's length. A definition that does not parse is repaired where only its whitespace is
wrong, or else cut to its longest prefix that does.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from dualcode.extraction.source import (
    Fault,
    Function,
    Statement,
    function_named,
    is_stub,
    own_nodes,
    parse,
    reindent,
    split,
)

_GIVES_BACK = ast.Return | ast.Yield | ast.YieldFrom
_MOST_CUTS = 24
_MOST_MERGES = 3
_MOST_DECORATION = 32  # lines
_MOST_PARSED = 2000
_CONTINUES = re.compile(r"[)\]}]|(?:else|elif|except|finally)\b|#")
_DEFINITION = re.compile(r"(?:async[ \t]+def|def|class|@)")
_STARTS_ANEW = re.compile(r"(?:async|def|class|from|import)\b|@")
_OPENS = re.compile(r"(?:^|[=(\[{,:+%]|\breturn)[ \t]*[rbfuRBFU]{0,2}$")
_TOKEN = re.compile(r'"""|\'\'\'|#|"(?:\\.|[^"\\])*["\\]?|\'(?:\\.|[^\'\\])*[\'\\]?')
_MARGIN = re.compile(r"^[ \t\u3000]+", re.MULTILINE)


def salvage(text: str, entry_point: str) -> list[Statement]:
    """Return the statements of the text's top level that parse, repaired where whitespace alone is wrong."""
    statements: list[Statement] = []
    units = list(_units(text))[:_MOST_PARSED]
    header = re.compile(rf"(?:async[ \t]+)?def[ \t]+{re.escape(entry_point)}\b")
    index, merges = 0, 0
    while index < len(units):
        unit = units[index]
        found = _statements(unit)
        index += 1
        alone = not found or (isinstance(found[-1].node, Function) and is_stub(found[-1].node))
        if alone and header.match(unit) and index < len(units) and merges < _MOST_MERGES:
            joined = join(unit, "\n".join(units[index:]), entry_point, 4)
            if joined:
                return statements + joined
            merges += 1
        statements += found
    return statements


def join(header: str, body: str, entry_point: str, indent: int) -> list[Statement]:
    """Join a function's header with a body that came alone; empty if the two make no function.

    The body may stand as it should, miss the first line's indent, or stand at any other margin. It counts
    as one only if it returns or yields something. Of several ways to read it, the one that keeps most wins.
    """
    best: list[Statement] = []
    most = (False, 0)
    body = body.strip("\n")
    first, _, rest = body.partition("\n")
    deeper = [len(line) - len(line.lstrip()) for line in rest.split("\n") if line.strip()]
    # The margin of the lines below is the one that the first line lost.
    mended = f"{' ' * (min(deeper, default=0) or indent)}{first.strip()}\n{rest}"
    for candidate in (body, mended, reindent(body, indent)):
        statements = _longest_prefix(f"{header.rstrip()}\n{candidate}")
        function = function_named(statements, entry_point)
        if function and any(isinstance(node, _GIVES_BACK) for node in own_nodes(function)):
            kept = (not any(statement.cut_short for statement in statements), function.end_lineno or 0)
            best, most = max((best, most), (statements, kept), key=lambda reading: reading[1])
    return best


def indented_definition(text: str, entry_point: str) -> str | None:
    """Return the block around an entry point that stands indented in prose, moved to the margin."""
    anchor = re.search(rf"^([ \t]+)(?:async[ \t]+)?def[ \t]+{re.escape(entry_point)}\b", text, re.MULTILINE)
    if anchor is None:
        return None
    margin = anchor[1]

    def belongs(line: str) -> bool:
        return line.startswith(margin) or not line.strip()

    lines = text.split("\n")
    first = last = text.count("\n", 0, anchor.start())
    while first > 0 and belongs(lines[first - 1]):
        first -= 1
    while last + 1 < len(lines) and belongs(lines[last + 1]):
        last += 1
    return "\n".join(line[len(margin) :] for line in lines[first : last + 1])


def even_margins(text: str, tab: int) -> str:
    """Return the text with its indentation in plain spaces."""
    return _MARGIN.sub(lambda margin: margin[0].replace("\u3000", "  ").expandtabs(tab), text)


def _units(text: str) -> Iterator[str]:
    unit: list[str] = []
    quote: str | None = None
    for line in text.split("\n"):
        starts = bool(line) and not line[0].isspace() and quote is None and not _CONTINUES.match(line)
        if starts and unit and not _awaits_more(unit, line):
            yield "\n".join(unit)
            unit = []
        unit.append(line)
        quote = _quote_after(line, quote)
    if unit:
        yield "\n".join(unit)


def _awaits_more(unit: list[str], line: str) -> bool:
    """Tell whether the line belongs to the unit: below a decorator, or inside a bracket left open."""
    if unit[0].startswith("@") and len(unit) < _MOST_DECORATION:
        return not any(_STARTS_ANEW.match(above) for above in unit if above[:1] != "@")
    open_end = unit[-1].rstrip().endswith(("(", "[", "{", ",", "\\"))
    return open_end and not _STARTS_ANEW.match(line)


def _quote_after(line: str, quote: str | None) -> str | None:
    """Return the triple quote that is open after the line, given the one open before it."""
    position = 0
    while True:
        if quote is not None:
            end = line.find(quote, position)
            if end < 0:
                return quote
            position, quote = end + 3, None
        token = _TOKEN.search(line, position)
        if token is None or token[0] == "#":
            return None
        position = token.end()
        # In prose a triple quote follows a word; it opens nothing.
        if token[0] in ('"""', "'''") and _OPENS.search(line, 0, token.start()):
            quote = token[0]


def _statements(unit: str) -> list[Statement]:
    fault = parse(unit)
    if isinstance(fault, ast.Module):
        return split(unit, fault)
    if not _DEFINITION.match(unit):
        return []
    for repaired in (even_margins(unit, 4), even_margins(unit, 8), _with_first_indent(unit, fault)):
        tree = parse(repaired) if repaired != unit else None
        if isinstance(tree, ast.Module):
            return split(repaired, tree)
    return _longest_prefix(_with_first_indent(unit, fault))


def _with_first_indent(unit: str, fault: ast.Module | Fault) -> str:
    """Give the first line of a body, which lost a part of its indent, the margin of the line above it."""
    if not isinstance(fault, Fault) or not fault.reason.startswith("unindent does not match"):
        return unit
    lines = unit.split("\n")
    above = next((i for i in range(fault.line - 2, -1, -1) if lines[i].strip()), None)
    if above is None or not lines[above].rstrip().endswith(('"""', "'''")):
        return unit
    quote, margin = lines[above].rstrip()[-3:], " " * 4
    for i in range(above, -1, -1):  # up to where the docstring begins
        bare = lines[i].lstrip()
        if bare.lstrip("rRuU").startswith(quote) and (i < above or bare.count(quote) == 2):
            margin = lines[i][: len(lines[i]) - len(bare)]
            break
    lines[fault.line - 1] = margin + lines[fault.line - 1].lstrip()
    return "\n".join(lines)


def _longest_prefix(text: str) -> list[Statement]:
    """Return the statements of the longest prefix of whole lines that parses."""
    lines = text.split("\n")
    shortened = False
    for _ in range(_MOST_CUTS):
        fault = parse("\n".join(lines))
        if isinstance(fault, ast.Module):
            statements = split("\n".join(lines), fault)
            if shortened and statements:
                statements[-1] = replace(statements[-1], cut_short=True)
            return statements
        cut = _line_to_cut_at(lines, fault)
        if cut <= 0:
            break
        del lines[cut:]
        shortened = True
    return []


def _line_to_cut_at(lines: list[str], fault: Fault) -> int:
    """Return how many lines to keep: fewer than there are."""
    header = re.search(r"expected an indented block after .* on line (\d+)", fault.reason)
    if header:
        return int(header[1]) - 1
    if fault.reason.startswith("expected 'except'"):
        tries = (i for i in range(min(fault.line, len(lines)) - 1, -1, -1) if lines[i].strip() == "try:")
        return next(tries, 0)
    return min((fault.line or 1) - 1, len(lines) - 1)
