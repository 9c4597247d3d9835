"""What the Python of a task says of its entry point, read without running it."""

import ast
import keyword
from typing import NamedTuple

from dualcode.extraction.bounds import TOO_LARGE, grows, may_grow, too_large_to_parse
from dualcode.extraction.source import names_bound, walk_scope


class Flaw(NamedTuple):
    """What is wrong, and on which line of the text."""

    line: int
    what: str


def name_flaw(entry_point: object) -> str | None:
    """Return what keeps a value from being an entry point's name; None for a good one."""
    if not isinstance(entry_point, str) or not entry_point:
        return "the entry point is missing: the name of the function that the hidden tests call"
    owner, dot, _ = entry_point.rpartition(".")
    if dot and all(part.isidentifier() for part in entry_point.split(".")):
        return (
            f"the entry point {entry_point!r} is a method: hidden tests call a function by its own name; "
            f"ask for a function that uses {owner}"
        )
    if not entry_point.isidentifier() or keyword.iskeyword(entry_point):
        return f"the entry point {entry_point!r} is no name of a function"
    return None


def parse(text: str) -> ast.Module | Flaw:
    """Return a text's tree, or what keeps it from compiling."""
    if too_large_to_parse(text):
        return Flaw(1, f"does not compile: {TOO_LARGE}")
    try:
        tree = ast.parse(text)
        if may_grow(text) and grows(tree):
            return Flaw(1, f"does not compile: {TOO_LARGE}")
        compile(tree, "<task>", "exec", dont_inherit=True)
        return tree
    except SyntaxError as error:
        return Flaw(error.lineno or 1, f"does not compile: {error.msg}")
    except (ValueError, RecursionError, MemoryError) as error:
        return Flaw(1, f"does not compile: {error}")


def definition_flaw(tree: ast.Module, entry_point: str) -> Flaw | None:
    """Return why calls of the entry point cannot be compared in this module; None where it is a function."""
    nodes = (node for node in walk_scope(tree.body) if isinstance(node, ast.stmt | ast.expr))
    binding = [node for node in nodes if entry_point in names_bound(node)]
    found = max(binding, key=lambda node: (node.lineno, node.col_offset), default=None)
    if isinstance(found, ast.ClassDef):
        what = f"the entry point {entry_point!r} is a class; what hidden tests call has to return data: "
        return Flaw(found.lineno, what + f"ask for a function that makes and uses one {entry_point}")
    if isinstance(found, ast.AsyncFunctionDef):
        return Flaw(
            found.lineno, f"the entry point {entry_point!r} is a coroutine; hidden tests call functions"
        )
    if found is not None:
        return None
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.FunctionDef) and each.name == entry_point:
                    what = f"the entry point {entry_point!r} is a method of {node.name}; tests call functions"
                    return Flaw(each.lineno, what)
    return Flaw(1, f"the entry point {entry_point!r} is not defined")
