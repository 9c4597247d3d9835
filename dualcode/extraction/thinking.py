"""Thinking text and chat markers, which are no part of the answer.

A thought ends where it ends, whatever its closing mark touches. Outside a thought a mark may be a string of
the program, a mention in prose or a stray one. Where the text around it cannot tell, a reply has more than
one reading, and its reader takes the first that holds what is looked for.
"""

import itertools
import re
from dataclasses import dataclass

_NAME = r"(?:think|thinking|thoughts?|reasoning|reflection|analysis|scratchpad)"
_TAG = rf"(?:[a-z]{{1,12}}[:_])?{_NAME}(?:_[a-z]{{1,12}})?"
_CHANNEL = r"(?:<\|start\|>\w{1,20}[^<\n]{0,40})?<\|channel\|>\s?"
_MESSAGE = r"\b[^<]{0,60}(?:<\|constrain\|>[^<]{0,20})?<\|message\|>"
_MARK = re.compile(
    rf"""(?=[<\[◁\sac])(?:
    (?P<open>
        <{_TAG}\s?> | <details\s+type="reasoning"[^>\n]{{0,80}}> | \[THINK\] | ◁think▷
      | <\|(?:begin|start)_?of_?{_NAME}\|> | <\|start_{_NAME}\|> | <\|{_NAME}(?:_start)?\|>
      | <unused94>(?:thought\b)? | <\|channel>(?:thought\b)?
      | {_CHANNEL}(?:analysis|commentary){_MESSAGE}
      | \A\s{{0,8}}(?-i:(?:assistant)?(?:analysis|commentary)(?=[A-Z]))  # of channels, without their marks
    )
    | (?P<close>
        <\s?/\s?{_TAG}\s?> | \[/THINK\] | ◁/think▷
      | <\|end_?of_?{_NAME}\|> | <\|end_{_NAME}\|> | <\|(?:/{_NAME}|{_NAME}_end)\|>
      | <unused95> | <channel\|>
      | {_CHANNEL}final{_MESSAGE} | (?-i:assistant\n{{0,2}}final)
    )
    | (?P<end> <\|end\|> | </details> )  # of a thought, or of something else
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_WORDED = re.compile(
    r"\A\s*(?:Thinking\.\.\.\n.*?\n\.\.\.done thinking\.\n?"  # Ollama's command line
    r"|Here is my thought process:\n.*?\nHere is my response:\n?)",  # Granite 3
    re.DOTALL,
)
_CHAT_MARKER = re.compile(
    r"<\|[A-Za-z_]{2,24}\|>|</?s>|<｜[^｜\s]{2,32}｜>|<(?:end_of_turn|eos)>"
    r"|</?(?:answer|final_answer|response|solution)>"
)
_TURN_END = re.compile(
    r"<\|(?:im_end|im_start|eot_id|eom_id|endoftext|end_of_text|end_of_turn|user|start_header_id|end|return)\|>"
    r"|</s>|<end_of_turn>|<start_of_turn>|<eos>|<｜(?:end|begin)▁of▁sentence｜>|<｜User｜>|\[INST\]"
    r"|<(?:human|user)>:|(?<=\n)(?:user|human)(?=\n)|(?<=\n)@@ Instruction\b"
    r"|(?<=\n)(?:\*\*)?(?:User|USER|Human|Q|Question"
    r"|### ?(?:Instruction|Input|User|Human|Question|Task))(?:\*\*)?:"
)
# An apostrophe within a word and a fence quote nothing; a letter before a quote may belong to a string.
_QUOTE = re.compile(r"\\.|`{3,}|\b[rbfuRBFU]{1,2}(?=['\"])|(?<=\w)'(?=\w)|(?P<quote>['\"`])")
_AROUND = 400  # characters of a line that are read to tell whether a mark is quoted
_MOST_ANSWERS = 4
_MOST_TURN_MARKS = 16
# Spaces and marks that a tokenizer leaves but Python's grammar does not know.
_ODD_SPACES = str.maketrans({"\u00a0": " ", "\u200b": None, "\ufeff": None, "\0": None})


@dataclass(frozen=True)
class Readings:
    """What a reply may mean without its thoughts."""

    answers: tuple[str, ...]
    """The answers that it may hold, the likeliest first: at least one, which may be empty."""
    literal: str | None = None
    """What follows its first thought with all further marks left in, where there are any: they may be strings
    of the answer."""


def strip_thinking(reply: str) -> str:
    """Return the reply without its thinking sections, in linear time.

    An unclosed section reaches to the end. A closing mark without an opening one ends a section that the
    chat template opened: all before it is thinking, unless nothing follows. The first line keeps its
    indentation.
    """
    return read(reply).answers[0]


def read(reply: str) -> Readings:
    """Return the readings of a reply, in linear time."""
    worded = _WORDED.match(reply)
    reply = reply[worded.end() :] if worded else reply
    marks = list(_MARK.finditer(reply))
    last_close = max((mark.start() for mark in marks if mark.lastgroup != "open"), default=-1)
    segments, ends = [""], list[int]()
    position, inside, from_template = 0, False, False
    for mark in marks:
        opens = mark.lastgroup == "open"
        if inside and not opens:
            inside, position = False, mark.end()
            ends.append(position)
        elif not inside and _is_markup(reply, mark, position, closed=mark.start() < last_close):
            segments[-1] += reply[position : mark.start()]
            inside, position = opens, mark.end()
            if not opens:
                from_template = from_template or not ends
                ends.append(position)
                segments.append("")
    if not position:
        return Readings((reply,))
    if not inside:
        segments[-1] += reply[position:]
    return Readings(_answers(segments, from_template), _literal(reply, marks, ends))


def first_turn(answer: str) -> str:
    """Return the answer up to the mark of a conversation's next turn, or all of it."""
    for mark in itertools.islice(_TURN_END.finditer(answer), _MOST_TURN_MARKS):
        said = answer[: mark.start()]
        opens = _CHAT_MARKER.sub("", said).strip() in ("", "assistant", "model")
        inside = not mark[0].startswith(("<", "[")) and said.count("```") % 2  # words of a program
        if not opens and not inside and not is_quoted(answer, mark):
            return said
    return answer


def holds_mark(text: str) -> bool:
    """Tell whether a text holds the mark of a thought."""
    return _MARK.search(text) is not None


def clean(answer: str) -> str:
    """Return the answer with line feeds only, and without chat markers and stray characters."""
    answer = answer.replace("\r\n", "\n").replace("\r", "\n")
    answer = _CHAT_MARKER.sub(lambda marker: marker[0] if is_quoted(answer, marker) else "\n", answer)
    return (
        answer.translate(_ODD_SPACES).encode("utf-8", "replace").decode()
    )  # half a surrogate pair is no text


def is_quoted(text: str, found: re.Match[str], since: int = 0) -> bool:
    """Tell whether a place in a text stands between two like quotes of its own line."""
    since = max(
        since, found.start() - _AROUND, text.rfind("\n", max(0, found.start() - _AROUND), found.start()) + 1
    )
    quote: str | None = None
    for token in _QUOTE.finditer(text, since, found.start()):
        if token["quote"] and quote in (None, token["quote"]):
            quote = token["quote"] if quote is None else None
    line_end = text.find("\n", found.end(), found.end() + _AROUND)
    until = line_end if line_end >= 0 else found.end() + _AROUND
    after = (token["quote"] for token in _QUOTE.finditer(text, found.end(), until))
    return quote is not None and quote in after


def _is_markup(reply: str, mark: re.Match[str], since: int, *, closed: bool) -> bool:
    """Tell whether a mark outside a thought is one, not a string or a mention."""
    if mark.lastgroup == "end" or is_quoted(reply, mark, since):
        return False
    line = max(since, reply.rfind("\n", max(0, mark.start() - _AROUND), mark.start()) + 1)
    mentioned = mark.lastgroup == "open" and not closed and reply[line : mark.start()].strip()
    return not mentioned


def _answers(segments: list[str], from_template: bool) -> tuple[str, ...]:
    """Return what stands between stray closing marks, the last first."""
    said = [segment.strip("\r\n") for segment in segments]
    filled = [segment for segment in reversed(said) if segment.strip()]
    if from_template and len(filled) > 1 and said[0].strip():
        filled.pop()  # the thought
    return tuple(filled[:_MOST_ANSWERS]) or ("",)


def _literal(reply: str, marks: list[re.Match[str]], ends: list[int]) -> str | None:
    leads = marks[0].lastgroup == "open" and not reply[: marks[0].start()].strip()
    if leads and not ends:
        return None
    start = ends[0] if leads else 0
    return reply[start:] if any(mark.start() >= start for mark in marks) else None
