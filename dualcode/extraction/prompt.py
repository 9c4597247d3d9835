"""What a task's prompt shows in Python: the signature, and what stands around it."""

import ast
from dataclasses import dataclass

from dualcode.extraction.source import Function, Statement, function_named, is_stub, parse, split
from dualcode.task import Task


@dataclass(frozen=True)
class Prompt:
    """The parts of a prompt that a reply may leave out. All are empty for a prompt that is only prose."""

    entry_point: str
    context: tuple[Statement, ...]
    """Imports, helpers and constants besides the entry point itself."""
    header: str = ""
    """The prompt up to where the entry point's body begins; empty without such a place."""
    indent: int = 4
    """The margin of the entry point's body."""
    arguments: int | None = None
    """How many positional arguments the signature takes; None if it shows none or takes any number."""

    def accepts(self, function: Function) -> bool:
        """Tell whether the function can be called as the prompt's signature is."""
        if self.arguments is None:
            return True
        names = [*function.args.posonlyargs, *function.args.args]
        at_most = len(names) if function.args.vararg is None else self.arguments
        return len(names) - len(function.args.defaults) <= self.arguments <= at_most


def read_prompt(task: Task) -> Prompt:
    """Return the parts of the task's prompt."""
    header, name = task.prompt.replace("\r\n", "\n").rstrip(), task.entry_point
    # A prompt may end right after the signature's colon.
    trees = ((text, parse(text)) for text in (header, f"{header}\n    pass"))
    parsed = next(((text, tree) for text, tree in trees if isinstance(tree, ast.Module)), None)
    if parsed is None:
        return Prompt(name, ())
    statements = split(*parsed)
    context = tuple(s for s in statements if s.binds and name not in s.binds)
    function = function_named(statements, name)
    if function is None:
        return Prompt(name, context)
    names = [*function.args.posonlyargs, *function.args.args]
    arguments = len(names) if function.args.vararg is None else None
    ends_open = is_stub(function) and function is statements[-1].node
    return Prompt(name, context, header if ends_open else "", function.body[0].col_offset, arguments)
