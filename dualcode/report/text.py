"""Foreign text made fit for a page: what cannot be seen, or cannot be encoded, becomes visible."""

import re
from typing import Any

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def printable(text: str) -> str:
    """Return a text with Windows line ends made Unix ones and all that is invisible made visible.

    Control characters become their pictures (NUL becomes ␀), lone surrogates U+FFFD, and what changes the
    direction or the lines of a text, or takes no room in it, its code point in angle brackets. A model's
    program so shows everything that it holds, and the page can be encoded.
    """
    return _UNSEEN.sub(_shown, text.replace("\r\n", "\n"))


def _shown(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    return "\N{REPLACEMENT CHARACTER}" if 0xD800 <= code <= 0xDFFF else f"⟨U+{code:04X}⟩"


def cleaned(value: Any) -> Any:
    """Return a value of JSON with all of its texts made visible."""
    match value:
        case str():
            return printable(value)
        case dict():
            return {cleaned(key): cleaned(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case list() | tuple():
            return [cleaned(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value
