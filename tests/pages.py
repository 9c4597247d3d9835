"""Pages as the tests read them: their fenced code, run as a notebook runs cells."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def blocks(page: Path, info: str) -> list[tuple[int, str]]:
    """Return the fenced blocks that begin with ```info, each with the line of its fence."""
    text = page.read_text()
    found = re.finditer(rf"^```{info}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(text.count("\n", 0, match.start()) + 1, match[1]) for match in found]


async def run_block(page: Path, line: int, source: str, names: dict[str, Any]) -> None:
    """Execute a block in the running event loop; an error's traceback has the page's own lines."""
    code = compile("\n" * line + source, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    made = eval(code, names)
    if inspect.isawaitable(made):
        await made
