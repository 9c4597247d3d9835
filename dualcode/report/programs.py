"""The programs of a transcript: what each call wrote, what a review read, and what changed between two."""

import difflib
import re
from collections.abc import Sequence
from functools import lru_cache

from dualcode.analysis.drafts import shown_program
from dualcode.call import Call
from dualcode.extraction import extract
from dualcode.task import Task

WRITING = ("write", "implement", "synthesize", "fix", "mend")
"""The steps that answer with a program."""

_NAMED = re.compile(r"(?:parameters of|function named) `(?P<name>[A-Za-z_]\w*)`")
_STATED = re.compile(r"^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def task_of(task_id: str, calls: Sequence[Call], prompt: str | None) -> Task:
    """Return the task as its calls tell it; `prompt` is the benchmark's, None where it is not at hand."""
    asked = next((message.content for call in calls for message in call.request.messages[-1:]), "")
    named, stated = _NAMED.search(asked), _STATED.search(asked)
    text = prompt if prompt is not None else (stated["code"] if stated else asked)
    defined = re.findall(r"^(?:async )?def ([A-Za-z_]\w*)", text, re.MULTILINE)
    name = named["name"] if named else (defined[-1] if defined else "")
    return Task(id=task_id, prompt=text, entry_point=name)


def written(call: Call, task: Task) -> str | None:
    """Return the program that a call wrote; None for a call of another step, or without one."""
    if call.step not in WRITING or call.reply is None or call.reply.content is None:
        return None
    return _extracted(call.reply.content, task.prompt, task.entry_point).strip("\n") or None


@lru_cache(maxsize=4096)
def _extracted(reply: str, prompt: str, entry_point: str) -> str:
    return extract(reply, Task(id="", prompt=prompt, entry_point=entry_point)).text


def reviewed(call: Call, earlier: Sequence[str]) -> str | None:
    """Return the program that a review read: the latest earlier one that its request holds.

    The messages are asked, not the order of calls: a review of a pipeline's second candidate may come after
    its third. A request that holds none of them is read as the review's prompt has it.
    """
    asked = call.request.messages[-1].content if call.request.messages else ""
    held = (program for program in reversed(earlier) if program.strip() in asked)
    shown = shown_program(call) or ""
    return next(held, shown.strip("\n") or None)


def changes(before: str, after: str) -> list[list[int | str]]:
    """Return the line edits from one program to the other as difflib's opcodes, the equal ones included."""
    matcher = difflib.SequenceMatcher(None, before.split("\n"), after.split("\n"), autojunk=False)
    return [[tag[0], *place] for tag, *place in matcher.get_opcodes()]
