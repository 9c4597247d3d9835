"""Thinking text and chat markers, which are no part of the answer."""

import re

# A tag between quotes is a string of the program, not markup.
_TAG = re.compile(r"(?<!['\"`])<(/?)(think|thinking|thought|reasoning)>(?!['\"`])", re.IGNORECASE)
_CHAT_MARKER = re.compile(r"(?<!['\"`])(?:<\|[A-Za-z_]{2,24}\|>|</?s>)(?!['\"`])")
# Spaces and marks that a tokenizer leaves but Python's grammar does not know.
_ODD_SPACES = str.maketrans({"\u00a0": " ", "\u200b": None, "\ufeff": None, "\0": None})


def strip_thinking(reply: str) -> str:
    """Return the reply without its thinking sections, in linear time.

    An unclosed section reaches to the end. A closing tag without an opening one ends a section that the
    chat template opened: all before it is thinking. The first line keeps its indentation.
    """
    kept: list[str] = []
    position, inside, found = 0, False, False
    for tag in _TAG.finditer(reply):
        found = True
        closing = bool(tag[1])
        if closing and not inside:
            kept.clear()
        elif not closing and not inside:
            kept.append(reply[position : tag.start()])
        inside = not closing
        position = tag.end()
    if not inside:
        kept.append(reply[position:])
    return "".join(kept).strip("\r\n") if found else reply


def clean(reply: str) -> str:
    """Return the answer with line feeds only, and without thinking, chat markers and stray characters."""
    answer = strip_thinking(reply).replace("\r\n", "\n").replace("\r", "\n")
    answer = _CHAT_MARKER.sub("", answer).translate(_ODD_SPACES)
    return answer.encode("utf-8", "replace").decode()  # half a surrogate pair is no text
