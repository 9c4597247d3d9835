"""A prompt as lines to search for tests, and where a piece of Python ends in a line of prose."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from dualcode.bench.visible.evaluation import parse_expression, parse_statements
from dualcode.extraction.source import names_bound, walk_scope

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
    classes: frozenset[str]
    """The classes among these, and the entry point if it is one."""
    signature: ast.FunctionDef | ast.AsyncFunctionDef | None
    """The entry point's definition as far as the prompt shows it."""
    is_class: bool
    """Whether the entry point is a class, so that its methods are the program's own."""
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
    body = parse_statements(source) or parse_statements(f"{source.rstrip()}\n    pass") or []
    entry = next((n for n in reversed(body) if isinstance(n, Definition) and n.name == entry_point), None)
    function = None if isinstance(entry, ast.ClassDef) else entry
    gives_none = function and isinstance(function.returns, ast.Constant) and function.returns.value is None
    words = set(re.findall(r"[a-z]+", source.lower()))
    says_prints = words & {"print", "prints", "printed"} and not words & {"return", "returns", "returned"}
    quoted_class = re.search(rf"^[ \t`]*class[ \t]+{re.escape(entry_point)}\b", source, re.MULTILINE)
    is_class = isinstance(entry, ast.ClassDef) or bool(entry_point and not entry and quoted_class)
    classes = {node.name for node in body if isinstance(node, ast.ClassDef)}
    return Prompt(
        passages=tuple(_passages(source, body, entry)) if body else (_as_written(source),),
        names=frozenset(name for node in walk_scope(body) for name in names_bound(node)) - {entry_point},
        classes=frozenset(classes | ({entry_point} if is_class else set())),
        signature=function or _quoted_signature(source, entry_point),
        is_class=is_class,
        prints=bool(gives_none or says_prints),
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


def _passages(source: str, body: list[ast.stmt], entry: Definition | None) -> Iterator[tuple[Text, ...]]:
    owners = [body, *([entry.body] if entry else [])]
    if isinstance(entry, ast.ClassDef):
        owners += [node.body for node in entry.body if isinstance(node, ast.FunctionDef)]
    for statements in owners:
        match statements:
            case [ast.Expr(ast.Constant(str()) as docstring), *_]:
                yield _readings(source, docstring)
            case _:
                pass
    for node in body:
        if isinstance(node, ast.Assert) and (segment := ast.get_source_segment(source, node)):
            yield _as_written(segment)


def _readings(source: str, node: ast.Constant) -> tuple[Text, ...]:
    """Return a docstring as written and, where escapes make a difference line by line, as Python reads it.

    Authors write `>>> f("a\\nb")` both ways: with the backslash doubled, as doctest wants it, and without.
    """
    segment = ast.get_source_segment(source, node) or ""
    inner = segment.lstrip("rRuUbBfF")
    quote = next((each for each in ('"""', "'''", '"', "'") if inner.startswith(each)), "")
    literal = parse_expression(segment)
    lines = resolved = tuple(str(node.value).split("\n"))
    # Parts that are joined implicitly, or parentheses: only the value is one text.
    if quote and inner.endswith(quote) and isinstance(literal, ast.Constant) and literal.value == node.value:
        lines = tuple(inner[len(quote) : len(inner) - len(quote)].split("\n"))
    if lines == resolved or len(lines) != len(resolved):
        return (Text(lines, lines),)
    return (Text(resolved, lines), Text(lines, lines))


def _as_written(text: str) -> tuple[Text, ...]:
    lines = tuple(text.split("\n"))
    return (Text(lines, lines),)


# Where a piece of Python ends

_CLOSING = {")": "(", "]": "[", "}": "{"}


def walk(text: str, start: int = 0) -> Iterator[tuple[int, str, int]]:
    """Yield (index, character, depth of brackets) outside strings; a bracket has its inner depth."""
    depth, quote, escaped = 0, "", False
    for index in range(start, len(text)):
        character = text[index]
        if quote:
            ends, escaped = character == quote and not escaped, character == "\\" and not escaped
            quote = "" if ends or character == "\n" else quote
            if character != "\n":
                continue
        depth += character in "([{"
        yield index, character, depth
        depth = max(0, depth - (character in _CLOSING))
        if character in "\"'":
            quote, escaped = character, False


def closing(text: str, start: int) -> int | None:
    """Return the index behind the bracket that closes the one at `start`; None if none does."""
    for index, character, depth in walk(text, start):
        if depth == 1 and character in _CLOSING and index > start:
            return index + 1
    return None


def first_line(text: str) -> str:
    """Return a text up to the first line's end in no bracket; the bare first line if there is none."""
    if ends := outside(text, "\n"):
        return text[: ends[0]]
    depth = 0
    for _, character, inner in walk(text):
        depth = inner - (character in _CLOSING)
    return text.partition("\n")[0] if depth > 0 else text


def outside(text: str, wanted: str) -> list[int]:
    """Return where one of the wanted characters stands outside all brackets and strings."""
    return [
        at for at, character, depth in walk(text) if character in wanted and depth == (character in "([{)]}")
    ]
