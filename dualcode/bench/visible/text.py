"""A prompt as lines to search for tests, each with the line that the prompt shows for it."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from dualcode.bench.visible.evaluation import parse_expression, parse_statements
from dualcode.bench.visible.scanning import closing

MOST_CHARACTERS = 50_000
"""Of a prompt; what lies behind is not searched."""

_LONGEST_SIGNATURE = 4000

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Text:
    """One docstring, or other passage."""

    lines: tuple[str, ...]
    shown: tuple[str, ...]
    """For each line, what stands in the prompt."""

    def show(self, start: int, end: int) -> str:
        """Return the lines from start up to end as the prompt shows them, without their common indent."""
        lines = self.shown[start:end]
        margins = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
        return "\n".join(line[min(margins, default=0) :].rstrip() for line in lines).strip()


@dataclass(frozen=True)
class Prompt:
    """A prompt's passages, and what its Python says of the entry point."""

    passages: tuple[tuple[Text, ...], ...]
    """For each passage its possible readings: as written, and with a docstring's escapes resolved."""
    names: frozenset[str]
    """What the prompt's own Python binds: imports, helpers, constants."""
    signature: ast.FunctionDef | ast.AsyncFunctionDef | None
    """The entry point's definition as far as the prompt shows it."""
    prints: bool
    """Whether the entry point is said to print, not to return."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The entry point's positional parameters; none if the prompt shows no signature."""
        if self.signature is None:
            return ()
        return tuple(arg.arg for arg in (*self.signature.args.posonlyargs, *self.signature.args.args))

    @property
    def required(self) -> int:
        """How many of them have no default."""
        return len(self.parameters) - len(self.signature.args.defaults if self.signature else ())


def read_prompt(prompt: str, entry_point: str) -> Prompt:
    """Split a prompt; one that is no Python is a single passage."""
    source = prompt[:MOST_CHARACTERS].replace("\r\n", "\n").replace("\r", "\n")
    # A prompt may end right after the signature's colon.
    body = parse_statements(source) or parse_statements(f"{source.rstrip()}\n    pass")
    if not body:
        signature = _quoted_signature(source, entry_point)
        return Prompt((_as_written(source),), frozenset(), signature, says_prints(source))
    entry = _entry(body, entry_point)
    function = entry if isinstance(entry, ast.FunctionDef | ast.AsyncFunctionDef) else None
    return Prompt(
        passages=tuple(_passages(source, body, entry)),
        names=frozenset(_bound(body)) - {entry_point},
        signature=function or _quoted_signature(source, entry_point),
        prints=_returns_none(function) or says_prints(source),
    )


def _quoted_signature(source: str, entry_point: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """Return the `def` line of the entry point that stands in prose."""
    head = re.search(
        rf"^[ \t`]*((?:async[ \t]+)?def[ \t]+{re.escape(entry_point)}[ \t]*\()", source, re.MULTILINE
    )
    end = closing(source[: head.end() + _LONGEST_SIGNATURE], head.end() - 1) if head else None
    if head is None or end is None:
        return None
    returns = re.match(r"\s*->[^:\n]*", source[end:])
    body = parse_statements(f"{source[head.start(1) : end]}{returns.group() if returns else ''}: pass")
    node = body[0] if body else None
    return node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None


def says_prints(text: str) -> bool:
    """Tell whether a prompt speaks of printing and not of returning."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    return bool(words & {"print", "prints", "printed"}) and not words & {"return", "returns", "returned"}


def _entry(body: list[ast.stmt], name: str) -> Definition | None:
    found = [node for node in body if isinstance(node, Definition) and node.name == name]
    return found[-1] if found else None


def _returns_none(node: ast.FunctionDef | ast.AsyncFunctionDef | None) -> bool:
    returns = node.returns if node else None
    return isinstance(returns, ast.Constant) and returns.value is None


def _passages(source: str, body: list[ast.stmt], entry: Definition | None) -> Iterator[tuple[Text, ...]]:
    owners = [body, *([entry.body] if entry else [])]
    if isinstance(entry, ast.ClassDef):
        owners += [node.body for node in entry.body if isinstance(node, ast.FunctionDef)]
    for statements in owners:
        if docstring := _docstring(statements):
            yield _readings(source, docstring)
    for node in body:
        if isinstance(node, ast.Assert) and (segment := ast.get_source_segment(source, node)):
            yield _as_written(segment)


def _docstring(body: list[ast.stmt]) -> ast.Constant | None:
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return first.value if isinstance(first.value.value, str) else None
    return None


def _readings(source: str, node: ast.Constant) -> tuple[Text, ...]:
    """Return a docstring as written and, where escapes make a difference line by line, as Python reads it.

    Authors write `>>> f("a\\nb")` both ways: with the backslash doubled, as doctest wants it, and without.
    """
    segment = ast.get_source_segment(source, node) or ""
    inner = segment.lstrip("rRuUbBfF")
    quote = next((each for each in ('"""', "'''", '"', "'") if inner.startswith(each)), "")
    written = inner[len(quote) : len(inner) - len(quote)]
    # Parts that are joined implicitly, or parentheses: only the value is one text.
    whole = bool(quote) and inner.endswith(quote) and _value(segment) == node.value
    lines = tuple((written if whole else str(node.value)).split("\n"))
    resolved = tuple(str(node.value).split("\n"))
    if lines == resolved or len(lines) != len(resolved):
        return (Text(lines, lines),)
    return (Text(resolved, lines), Text(lines, lines))


def _value(segment: str) -> object:
    node = parse_expression(segment)
    return node.value if isinstance(node, ast.Constant) else None


def _as_written(text: str) -> tuple[Text, ...]:
    lines = tuple(text.split("\n"))
    return (Text(lines, lines),)


def _bound(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, Definition):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Assign):
            yield from (each.id for each in node.targets if isinstance(each, ast.Name))
