"""What the host does not compile: texts of which a compiler makes far more than they are long.

CPython writes a `finally` body once for each way into it, moves every name of a pattern past the others,
compares the keywords of a call pair by pair, makes a whole name for each dot of an import, and reads an
f-string anew for each expression in it. Some 1,000 characters can so fill 48 GB. No program that anybody
wrote comes near these bounds. A jail has bounds of its own, and what a program is worth is found there.
"""

import ast
import re
import warnings
from collections import Counter
from collections.abc import Iterable

UNCOMPILABLE = (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError)
"""What the compiler raises for text that is no program: bad syntax, odd bytes, nesting too deep."""

TOO_LARGE = "too large to read"

SHORT = 10_000
"""Characters below which nothing is large, but `finally` within `finally`."""

LONGEST = 500_000
"""Characters of the longest text that is compiled: four times the longest reply of a model."""

_COPIES = 50_000
"""Syntax nodes that `finally` bodies may be written as, beyond the text's own."""

_PAIRS = 4_000_000
"""Pairs of keywords, of names in patterns, of scopes of one name, of numbers of one hash."""

_NAMES = 20_000_000
"""Characters of the names made of dotted ones."""

_QUALIFIED = 1_000_000
"""Scopes and private names, times the characters of the longest name of a class or function."""

_FORMATS = 1_000_000_000
"""Expressions of an f-string, times its characters: Python 3.11 reads the string anew for each."""

_FORMATTED = re.compile(r"""\b(?:f|rf|fr)(\"{3}|'{3}|"|')(?:\\.|(?!\1).)*+\1""", re.IGNORECASE | re.DOTALL)
_DOTTED = re.compile(r"\b\w++(?:[\s\\]*+\.[\s\\]*+\w++)++")
_HASHED = 2**61 - 1
"""The least number whose hash is not its own."""


def too_large_to_parse(text: str, longest: int = LONGEST) -> bool:
    """Tell whether a text has more than `longest` characters, or its tree would be far larger than it."""
    if len(text) < SHORT:
        return False
    if len(text) > longest:
        return True
    bounds = ((".", _DOTTED, _NAMES), ("{", _FORMATTED, _FORMATS))
    for sign, pattern, most in bounds:
        if text.count(sign) * len(text) > most:
            parts = (found.group() for found in pattern.finditer(text))
            if sum(part.count(sign) * len(part) for part in parts) > most:
                return True
    return False


def read_tree(text: str, mode: str = "exec", longest: int = LONGEST) -> ast.AST | None:
    """Return the syntax tree of a text, as `ast.parse` does; None if it is no Python, or too large."""
    if too_large_to_parse(text, longest):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a prompt's "\d" is no concern of ours
            return ast.parse(text, mode=mode)
    except UNCOMPILABLE:
        return None


def may_grow(text: str) -> bool:
    """Tell, in no time, whether `grows` has to look at a text's tree."""
    return len(text) >= SHORT or text.count("finally") > 1


def grows(tree: ast.Module) -> bool:
    """Tell whether the compiler would make far more of a module than its text is long."""
    pairs = 0
    longest = private = 0
    scopes: Counter[str] = Counter()
    hashes: Counter[int] = Counter()
    for node in ast.walk(tree):
        match node:
            case ast.Call(keywords=keywords):
                pairs += len(keywords) ** 2
            case ast.ClassDef(name=name, keywords=keywords):
                pairs += len(keywords) ** 2
                scopes[name] += 1
                longest = max(longest, len(name))
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                scopes[name] += 1
                longest = max(longest, len(name))
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                scopes[type(node).__name__] += 1
            case ast.match_case(pattern=pattern):
                pairs += sum(map(_names_in, ast.walk(pattern))) ** 2
            case ast.Constant(value=int() | float() as value) if abs(value) >= _HASHED:
                hashes[hash(value)] += 1
            case ast.Name(id=name) | ast.Attribute(attr=name) if name.startswith("__"):
                private += 1
            case _:
                pass
    pairs += sum(count**2 for counts in (scopes, hashes) for count in counts.values())
    qualified = (scopes.total() + private) * longest
    return pairs > _PAIRS or qualified > _QUALIFIED or _written(tree.body)[2] > _COPIES


def _names_in(pattern: ast.AST) -> int:
    """Return how many names the node itself binds or reads."""
    if isinstance(pattern, ast.MatchClass):
        return len(pattern.kwd_attrs)
    return isinstance(pattern, ast.MatchAs | ast.MatchStar | ast.MatchMapping)


def _written(body: Iterable[ast.AST]) -> tuple[int, int, int]:
    """Return how many nodes the compiler writes, how many of them leave a `try`, and how many are copies."""
    size = exits = copies = 0
    left = list(body)
    while left:
        node = left.pop()
        if isinstance(node, ast.Try | ast.TryStar) and node.finalbody:
            inside = _written([*node.body, *node.handlers, *node.orelse])
            last = _written(node.finalbody)
            times = 2 + inside[1]
            size += inside[0] + times * last[0]
            exits += inside[1] + times * last[1]
            copies += inside[2] + times * (last[0] + last[2])
        else:
            size += 1
            exits += isinstance(node, ast.Return | ast.Break | ast.Continue)
            left.extend(ast.iter_child_nodes(node))
    return size, exits, copies
