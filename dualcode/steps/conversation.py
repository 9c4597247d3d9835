"""How a conversation with a writer begins: the same messages in every pipeline."""

import ast
from collections.abc import Sequence

from dualcode import prompts
from dualcode.call import Message
from dualcode.extraction.bounds import read_tree
from dualcode.solution import Program
from dualcode.task import Task


def system(name: str) -> Message:
    """Return the system message `prompts/<name>.md`."""
    return Message(role="system", content=prompts.render(name))


def user(name: str, **variables: object) -> Message:
    """Return the user's message `prompts/<name>.md` with its variables filled in."""
    return Message(role="user", content=prompts.render(name, **variables))


def writing(task: Task) -> list[Message]:
    """Return the request for a program: word for word the raw baseline's (paper §3.2, 1)."""
    return [system("coder"), user("write", task=TaskView(task))]


def answered(program: Program) -> Message:
    """Return a writer's earlier answer: its program in one block, without the talk around it."""
    return Message(role="assistant", content=f"```python\n{program.text.strip()}\n```")


class TaskView:
    """A task as the prompts see it."""

    def __init__(self, task: Task) -> None:
        self.prompt = task.prompt
        self.entry_point = task.entry_point
        self.completes = f"def {task.entry_point}" in task.prompt


def imports_of(prompt: str) -> Sequence[str]:
    """Return the import statements of a prompt: the inventory of §3.2, which is context of corrections.

    The draft's request is the raw baseline's, which has none, and so is plan-code's.
    """
    tree = read_tree(prompt)  # HumanEval's end after the docstring, which is a complete function body
    if not isinstance(tree, ast.Module):
        return [line.strip() for line in prompt.splitlines() if line.startswith(("import ", "from "))]
    return [ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
