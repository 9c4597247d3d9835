"""Foreign text made fit for a page: what cannot be seen, or cannot be encoded, becomes visible."""

import re

_LINE_ENDS = re.compile("\r\n")
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def printable(text: str) -> str:
    """Return a text with Windows line ends made Unix ones and all that is invisible made visible.

    Control characters become their pictures (NUL becomes ␀), lone surrogates U+FFFD, and what changes the
    direction or the lines of a text, or takes no room in it, its code point in angle brackets. A model's
    program so shows everything that it holds, and the page can be encoded.
    """
    return _UNSEEN.sub(_shown, _LINE_ENDS.sub("\n", text))


def _shown(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    return "\N{REPLACEMENT CHARACTER}" if 0xD800 <= code <= 0xDFFF else f"⟨U+{code:04X}⟩"
