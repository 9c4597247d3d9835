"""A program as text and tree, bounded: whatever a model wrote, reading it ends and nothing of it runs."""

import ast
import builtins
import symtable
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from dualcode.extraction.bounds import UNCOMPILABLE
from dualcode.extraction.source import Fault, Function, parse

MOST_READ = 100_000
"""Characters. Solutions have a few thousand; a tree takes a hundred times its text."""
MOST_DEEP = 120
"""Levels of the tree: what walks it by recursion stays far from Python's own limit."""
LINE = 90
"""Characters of a quoted line."""

_CALL_THEIR_FIRST = frozenset({"map", "filter", "reduce", "starmap", "defaultdict"})
_ALWAYS_BOUND = frozenset(dir(builtins)) | {"__file__", "__builtins__", "__path__"}


@dataclass(frozen=True)
class Source:
    """A program's text and what is readable of it."""

    text: str

    @cached_property
    def _read(self) -> tuple[ast.Module | Fault, list[ast.AST]]:
        """The tree, or why there is none; and its nodes in the order of `ast.walk`."""
        if len(self.text) > MOST_READ:
            return Fault(0, f"too long to be read ({len(self.text):,} characters)"), []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the compiler remarks on is the candidate's, not ours
            tree = parse(self.text)
        nodes: list[ast.AST] = []
        level: list[ast.AST] = [tree] if isinstance(tree, ast.Module) else []
        for _ in range(MOST_DEEP + 1):
            nodes += level
            level = [child for node in level for child in ast.iter_child_nodes(node)]
        return (Fault(0, "nested too deep to be read"), []) if level else (tree, nodes)

    @property
    def tree(self) -> ast.Module | None:
        """The syntax tree; None if the text does not parse or may not be read."""
        found, _ = self._read
        return found if isinstance(found, ast.Module) else None

    @property
    def fault(self) -> Fault | None:
        """Why there is no tree."""
        found, _ = self._read
        return found if isinstance(found, Fault) else None

    @cached_property
    def functions(self) -> dict[str, Function]:
        """The functions of the top level, the last of each name, in the order of the text."""
        top = self.tree.body if self.tree else []
        return {node.name: node for node in top if isinstance(node, Function)}

    @cached_property
    def imports(self) -> dict[str, int]:
        """The names that imports bind, anywhere in the program, with their lines."""
        return {
            (alias.asname or alias.name.partition(".")[0]): node.lineno
            for node in self.nodes()
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }

    @cached_property
    def uses(self) -> dict[str, list[str]]:
        """How names are read: `.attribute`, `()` called, `[]` subscripted, `:` an annotation; no more."""
        found: dict[str, list[str]] = {}
        for use, child in (role for node in self.nodes() for role in _roles(node)):
            if isinstance(child, ast.Name):
                found.setdefault(child.id, []).append(use)
        return found

    @cached_property
    def binds(self) -> frozenset[str]:
        """The names that the module's top level binds."""
        table = self._table
        if table is None:
            return frozenset()
        return frozenset(each.get_name() for each in table.get_symbols() if _is_bound(each))

    @cached_property
    def unbound(self) -> frozenset[str]:
        """The names that the program reads as globals though nothing binds them and no builtin has them."""
        if self._table is None:
            return frozenset()
        tables, read, bound = [self._table], set[str](), set(self.binds)
        while tables:
            table = tables.pop()
            tables.extend(table.get_children())
            is_module = table.get_type() == "module"
            for symbol in table.get_symbols():
                if symbol.is_referenced() and (is_module or symbol.is_global()):
                    read.add(symbol.get_name())
                if symbol.is_declared_global() and _is_bound(symbol):
                    bound.add(symbol.get_name())
        return frozenset(read - bound - _ALWAYS_BOUND)

    @cached_property
    def _table(self) -> symtable.SymbolTable | None:
        try:
            return symtable.symtable(self.text, "<program>", "exec") if self.tree else None
        except UNCOMPILABLE:
            return None

    def nodes(self) -> Iterator[ast.AST]:
        """Walk the whole tree; nothing where there is none."""
        return iter(self._read[1])

    def all_functions(self) -> list[Function]:
        """Return every function, whatever it stands in."""
        return [node for node in self.nodes() if isinstance(node, Function)]

    def first_use(self, name: str) -> int | None:
        """Return the first line that reads the name."""
        lines = (
            node.lineno
            for node in self.nodes()
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
        )
        return min(lines, default=None)

    def quote(self, line: int | None) -> str:
        """Return a line as evidence: its number and its text, cut, with nothing in it that moves a cursor."""
        lines = self.text.split("\n") if len(self.text) <= MOST_READ else []
        if line is None or not 0 < line <= len(lines):
            return "no line"
        return f"line {line} `{one_line(lines[line - 1].strip())}`"


def _roles(node: ast.AST) -> Iterator[tuple[str, ast.AST | None]]:
    if isinstance(node, ast.Attribute):
        yield f".{node.attr}", node.value
    elif isinstance(node, ast.Call):
        yield "()", node.func
        if isinstance(node.func, ast.Name) and node.func.id in _CALL_THEIR_FIRST:
            yield from (("()", argument) for argument in node.args[:1])
    elif isinstance(node, ast.Subscript):
        yield "[]", node.value
    elif isinstance(node, ast.arg | ast.AnnAssign):
        yield ":", node.annotation
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield ":", node.returns
        yield from (("()", each) for each in node.decorator_list)


def one_line(text: str, limit: int = LINE) -> str:
    """Return at most `limit` characters of a text, on one line, with what is not printable escaped."""
    shown = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in shown)


def _is_bound(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()


def printable(text: str) -> str:
    """Return a text of several lines with nothing in it that moves a terminal's cursor or is no Unicode."""
    shown = text.expandtabs()
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in shown)
