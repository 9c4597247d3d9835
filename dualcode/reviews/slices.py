"""What of a file can be run alone: the part that a call needs, without what only the project could import."""

import ast
import builtins
import sys
from collections.abc import Iterator

from dualcode.bench.visible.evaluation import parse_expression
from dualcode.extraction.source import parse


def statements(text: str) -> list[ast.stmt]:
    """Return the statements of a module; none of a text that does not parse."""
    tree = parse(text, longest=len(text))  # files are longer than replies: their reader has its own limit
    return tree.body if isinstance(tree, ast.Module) else []


def root_name(call: str) -> str:
    """Return the name that a call begins with; empty for what is no call of a name."""
    node = parse_expression(call)
    while isinstance(node, ast.Call | ast.Attribute):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def slice_for(text: str, name: str) -> str | None:
    """Return the statements of a module that `name` needs, directly or not; None where it needs more.

    More is: what is imported from outside the standard library, and names that nothing here binds, such as
    those of `from x import *`. Statements that bind no needed name are left out: the sandbox has no project
    to run them in.
    """
    body = statements(text)
    binding: dict[str, list[int]] = {}
    for at, node in enumerate(body):
        for bound in _bound(node):
            binding.setdefault(bound, []).append(at)
    needed, waiting, known = set[int](), [name], {name}
    while waiting:
        wanted = waiting.pop()
        places = binding.get(wanted, [])
        if not places and not hasattr(builtins, wanted):
            return None
        for at in places:
            node = body[at]
            if isinstance(node, ast.Import | ast.ImportFrom) and not _is_standard(node):
                return None
            if at not in needed:
                needed.add(at)
                names = (each for each in ast.walk(node) if isinstance(each, ast.Name))
                read = {each.id for each in names if isinstance(each.ctx, ast.Load)} - known
                more = {each for each in read if each in binding or not _local(node, each)}
                known |= more
                waiting += more
    for at, node in enumerate(body):
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            needed.add(at)
    return ast.unparse(ast.Module([body[at] for at in sorted(needed)], [])) + "\n"


def needs_project(text: str) -> bool:
    """Whether a module imports, at its top level, what is not of the standard library."""
    imports = (node for node in statements(text) if isinstance(node, ast.Import | ast.ImportFrom))
    return not all(map(_is_standard, imports))


def _bound(node: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement of a module binds."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Import() | ast.ImportFrom():
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0]
        case _:
            for each in ast.walk(node):
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
                    yield each.id
                elif isinstance(each, ast.Import | ast.ImportFrom):
                    yield from _bound(each)
                elif isinstance(each, ast.FunctionDef | ast.ClassDef):
                    yield each.name


def _local(node: ast.stmt, name: str) -> bool:
    """Whether a name is bound somewhere within a statement: an argument, a variable, an inner import."""
    for each in ast.walk(node):
        match each:
            case ast.arg() if each.arg == name:
                return True
            case ast.Name() if each.id == name and not isinstance(each.ctx, ast.Load):
                return True
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() if each.name == name:
                return True
            case ast.ExceptHandler() | ast.MatchAs() | ast.MatchStar() if each.name == name:
                return True
            case ast.Import() | ast.ImportFrom() if name in _bound(each):
                return True
            case _:
                pass
    return False


def _is_standard(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.ImportFrom):
        top = (node.module or "").partition(".")[0]
        return (
            not node.level and top in sys.stdlib_module_names and all(each.name != "*" for each in node.names)
        )
    return all(each.name.partition(".")[0] in sys.stdlib_module_names for each in node.names)
