"""Which way a request goes: to the pair, through a pipeline as it is measured, or to one model alone."""

import ast
import re
from typing import Literal, NamedTuple

from dualcode.call import Message
from dualcode.extraction.source import Fault, Function, is_stub
from dualcode.gateway.catalogue import FLOWS, Choice
from dualcode.gateway.edits import read_tree
from dualcode.gateway.protocol import ChatRequest, RefusedError, conversation
from dualcode.task import Task

Path = Literal["pair", "function", "alone"]
SMALL = 64
"""Tokens: an answer that may be no longer is a title, or one word."""
LEAST_PROGRAM = 512
"""Tokens that a function and its review must be allowed, for a pipeline to run as it is measured."""
MOST_AROUND = 240
"""Characters of a request around a function that say nothing but: write it."""
_FENCED = re.compile(r"```(?:python|py)?[ \t]*\n(?P<code>.*?)\n?```", re.DOTALL)
_NAMED = re.compile(r"assert\s+(?:\w+\()*?(?P<name>[A-Za-z_]\w*)\(")
_SIDE = re.compile(
    r"(?i)\b(?:generate|write|create|suggest|provide|give|reply with|respond with|come up with)\s+"
    r"(?:me\s+)?(?:an?|the|\d[\d–-]*)?\s*(?:[\w,/-]+\s+){0,5}?"
    r"(?:titles?|commit messages?|tags|follow-?up questions?|chat name|emojis?)\b"
    r"|\bsummari[sz]e\s+(?:this|the|our)\s+(?:\w+\s+){0,3}(?:conversation|chat|discussion|messages)"
    r"|\byou are a (?:title|commit[ -]message) generator\b"
)
_PROGRAM = re.compile(r"(?i)\b(?:function|class|program|script|method|code|endpoint|component|test)s?\b")


class Route(NamedTuple):
    """A way, and why."""

    path: Path
    reason: str = ""
    """A few words for a header: ASCII."""
    turns: tuple[Message, ...] = ()
    """The conversation as the pair takes it; empty for one model alone."""
    task: Task | None = None
    """The function that is asked for."""


def route(request: ChatRequest, choice: Choice) -> Route:
    """Return the way of a request. Raises RefusedError for what this pipeline cannot do, by name."""
    if choice.alone:
        return Route("alone", "asked for by name")
    if reason := _only_alone(request):
        return Route("alone", reason)
    _refuse(request)
    turns = conversation(request)
    if request.limit is not None and request.limit <= SMALL:
        return Route("alone", f"at most {SMALL} tokens")
    if _is_side_request(turns):
        return Route("alone", "no coding task")
    if (request.limit or LEAST_PROGRAM) >= LEAST_PROGRAM and not choice.live:
        task = function_in(turns)
        if task is not None:
            return Route("function", "one Python function", turns, task)
    if choice.flow is None:
        raise RefusedError(
            400,
            f"{choice.id} works on one Python function that the request specifies, and this request is none; "
            f"for any request: {', '.join('dualcode/' + name for name in FLOWS)}",
            code="unsupported_request",
            param="model",
        )
    return Route("pair", "any request", turns)


def _only_alone(request: ChatRequest) -> str:
    """Return what in a request only a model alone can do, if anything."""
    if (
        request.tools
        or request.functions
        or any(turn.role in ("tool", "function") for turn in request.messages)
    ):
        return "tools"
    if any(turn.others for turn in request.messages):
        return (
            "images" if all("image" in each for t in request.messages for each in t.others) else "attachments"
        )
    if (request.response_format or {}).get("type", "text") != "text":
        return "response_format"
    return ""


def _refuse(request: ChatRequest) -> None:
    """Refuse by name what an answer of several calls cannot have."""
    wrong = {
        "n": (request.n or 1) > 1 and f"n is {request.n}: the pair gives one answer",
        "logprobs": (request.logprobs or request.top_logprobs)
        and "logprobs: an answer that several calls made has none",
        "audio": (request.audio or "audio" in (request.modalities or []))
        and "audio: the pair answers in text",
    }
    for param, told in wrong.items():
        if told:
            told = f"{told}; dualcode/raw-coder passes it on to the coder alone"
            raise RefusedError(400, told, code="unsupported_parameter", param=param)


def _is_side_request(turns: tuple[Message, ...]) -> bool:
    """Whether an editor asks for a title, a commit message, tags or a summary: short, and no code."""
    texts = [turns[-1].content] + [turn.content for turn in turns[:1] if turn.role == "system"]
    for text in texts:
        for part in (text[:800], text[-300:]):
            found = _SIDE.search(part)
            if found and not _PROGRAM.search(part[max(0, found.start() - 80) : found.end()]):
                return True
    return False


def function_in(turns: tuple[Message, ...]) -> Task | None:
    """Return the task that a benchmark would make of a request: a Python function to be written, and no more.

    That is one turn of a user, under a system message of a sentence or two at most, with a stub (HumanEval's
    form) or a docstring with asserts (MBPP's), fenced or not, and few words around it.
    """
    if [turn.role for turn in turns if turn.role != "system"] != ["user"]:
        return None
    if any(len(turn.content) > MOST_AROUND for turn in turns[:-1]):
        return None
    text = turns[-1].content.strip("\n")
    blocks = list(_FENCED.finditer(text))
    if len(blocks) > 1 or (blocks and len(text) - len(blocks[0][0]) > MOST_AROUND):
        return None
    prompt = blocks[0]["code"] if blocks else text
    tree = read_tree(prompt)
    if isinstance(tree, Fault) or not tree.body:
        return None
    last = tree.body[-1]
    if isinstance(last, Function) and is_stub(last) and ast.get_docstring(last):
        return Task(id="request", prompt=f"{prompt}\n", entry_point=last.name)
    only = len(tree.body) == 1 and isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant)
    named = _NAMED.search(prompt) if only else None
    return Task(id="request", prompt=f"{prompt}\n", entry_point=named["name"]) if named else None
