"""Python's comments and docstrings taken out of a hunk, without touching its code.

A hunk shows a part of a file, so each of its sides is read as the fragment that it is. One that begins or
ends within a string of several lines reads as no code, and a line that both sides have must come out the same
in both: where either fails, the hunk stays as it is, and its reader is told.
"""

import ast
import io
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import replace
from tokenize import COMMENT, DEDENT, ENDMARKER, ERRORTOKEN, INDENT, NEWLINE, NL, OP, STRING, TokenInfo

from dualcode.panel.diffs import Hunk

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


def stripped(hunk: Hunk) -> Hunk | None:
    """Return the hunk without comments and docstrings; None where it cannot be, or is not, read."""
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
